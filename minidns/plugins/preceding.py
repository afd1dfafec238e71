"""What a server block does before its zones are asked: rewrite rules, then the hosts table.

Both are rare, and a block without them has none of this in its way.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from minidns.config.settings import ServerBlock
from minidns.core import records, wire
from minidns.core.responder import Channel, Client, Elsewhere, Forward, Resolve, Respond
from minidns.core.wire import HEADER, MalformedError
from minidns.plugins.forward import message
from minidns.plugins.forward.message import AA, RA
from minidns.plugins.hosts import HostsFile
from minidns.plugins.rewrite import NoNameError, Rewriter, Rewritten


class Preceding:
    """`respond` and `resolve` of a block, behind its rewrites and its hosts."""

    def __init__(self, block: ServerBlock, respond: Respond, resolve: Resolve) -> None:
        self._hosts = HostsFile(block.hosts) if block.hosts else None
        self._rewriter = Rewriter(block.rewrites) if block.rewrites else None
        self._respond, self._resolve = respond, resolve
        self._flags = AA | (RA if block.forwards else 0)

    def respond(self, packet: bytes, channel: Channel) -> bytes | Forward | None:
        """The answer to a packet, None for silence, or what to forward."""
        try:
            rewritten = self._rewriter.rewrite(packet) if self._rewriter else None
        except NoNameError as error:
            return wire.error(packet, records.SERVFAIL, error.asked)
        asked = rewritten.packet if rewritten else packet
        answer = self._from_hosts(asked, channel.transport) or self._respond(asked, channel)
        if rewritten is None or answer is None:
            return answer
        if isinstance(answer, Forward):
            # Whoever has to answer is asked the question that came: it says which server block that is.
            return answer._replace(question=rewritten.asked)
        return rewritten.restore(answer, channel.transport)

    def resolve(self, packet: bytes, forward: Forward, channel: Channel, client: Client) -> Elsewhere:
        """The answer to what `respond` did not answer, at once or later."""
        rewritten = self._rewriter.rewrite(packet) if self._rewriter else None
        if rewritten is None:
            return self._resolve(packet, forward, channel, client)
        answer = self._resolve(rewritten.packet, forward, channel, client)
        if answer is None or isinstance(answer, bytes):
            return rewritten.restore(answer, channel.transport) if answer else None
        if isinstance(answer, Coroutine):
            return _later(answer, rewritten, channel.transport)
        return answer

    def _from_hosts(self, packet: bytes, transport: str) -> bytes | None:
        table = self._hosts.table if self._hosts else None
        if table is None or table.passes(packet[HEADER : packet.find(0, HEADER) + 1].lower()):
            return None
        try:
            asked = message.question(packet)
        except MalformedError:
            return None
        if packet[2] & 0xF8 or asked.class_ != 1 or (asked.edns and asked.edns.version):
            return None
        found = table.lookup(asked.name, asked.type)
        if found is None:
            return None
        answer = message.made(asked.type, found.ttl, found.rdata, found.rcode)
        return message.reply(answer, asked, udp=transport == "udp", flags=self._flags)


async def _later(answer: Coroutine[Any, Any, bytes | None], rewritten: Rewritten, transport: str) -> bytes | None:
    found = await answer
    return rewritten.restore(found, transport) if found else None
