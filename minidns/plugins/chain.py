"""What a question passes in a server block before its zones are asked: a stage per plugin, one after the other.

A block without such plugins has no chain. In one that has some, a packet that none of them wants costs a short look by
each and goes straight to the zones; what one of them wants is `Forward`ed here, where it is known who asks.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

from minidns.core import records, wire
from minidns.core.responder import Channel, Client, Elsewhere, Forward, Resolve, Respond
from minidns.core.wire import HEADER, MalformedError, Question
from minidns.plugins.forward import message

log = logging.getLogger(__name__)


class Query(NamedTuple):
    """A plain question on its way: the packet, what is asked in it, and who asks over what."""

    packet: bytes
    asked: Question
    channel: Channel
    client: Client

    @property
    def udp(self) -> bool:
        return self.channel.transport == "udp"

    @property
    def end(self) -> int:
        """Where the zero byte that ends the name is."""
        return HEADER + len(self.asked.raw) - 5

    def about(self, name: bytes, type_: int) -> Query:
        """The same client's question about something else."""
        raw = name + type_.to_bytes(2, "big") + self.asked.raw[-2:]
        packet = self.packet[:HEADER] + raw + self.packet[HEADER + len(self.asked.raw) :]
        return self._replace(packet=packet, asked=self.asked._replace(raw=raw, name=name.lower(), type=type_))


#: What answers a question.
Handle = Callable[[Query], Elsewhere]


class Stage(Protocol):
    """A plugin of a server block that acts before the zones, or on their answers."""

    def wants(self, packet: bytes, end: int, channel: Channel) -> bool:
        """Whether the packet may concern this plugin; quick, and at no cost when it is wrong on the side of yes.

        end: where the first zero byte is, which ends the name of an ordinary question.
        """

    def handle(self, query: Query, following: Handle) -> Elsewhere:
        """The answer to a question: an own one, or what `following` says, changed or not."""


def then(answer: Elsewhere, change: Callable[[bytes], bytes | None]) -> Elsewhere:
    """An answer that is changed when it comes."""
    if isinstance(answer, bytes):
        return change(answer)
    return _changed(answer, change) if isinstance(answer, Coroutine) else answer


async def _changed(answer: Coroutine[Any, Any, bytes | None], change: Callable[[bytes], bytes | None]) -> bytes | None:
    found = await answer
    return None if found is None else change(found)


class Chain:
    """`respond` and `resolve` of a block behind its stages. respond, resolve: those of what is behind them."""

    def __init__(self, stages: Sequence[Stage], respond: Respond, resolve: Resolve) -> None:
        self._stages = tuple(stages)
        self._wants = tuple(stage.wants for stage in stages)
        self._respond, self._resolve = respond, resolve
        self.handle: Handle = self._last
        for stage in reversed(stages):
            self.handle = partial(stage.handle, following=self.handle)

    def respond(self, packet: bytes, channel: Channel) -> bytes | Forward | None:
        """The answer to a packet, None for silence, or what to forward."""
        end = packet.find(0, HEADER)
        for wants in self._wants:
            if wants(packet, end, channel):
                asked = _plain(packet)
                return self._respond(packet, channel) if asked is None else Forward(asked, chained=True)
        return self._respond(packet, channel)

    def resolve(self, packet: bytes, forward: Forward, channel: Channel, client: Client) -> Elsewhere:
        """The answer to what `respond` did not answer, at once or later."""
        if not forward.chained:
            return self._resolve(packet, forward, channel, client)
        answer = self.handle(Query(packet, forward.question, channel, client))
        return _guarded(answer, packet, forward.question) if isinstance(answer, Coroutine) else answer

    def behind(self, packet: bytes, answer: bytes, channel: Channel, client: Client) -> tuple[str, bytes]:
        """Which plugin gave the answer to a packet by itself, "" for none; and the packet that came as far as that.

        The plugins are asked once more, while nothing is behind them but that answer.
        """
        asked = _plain(packet)
        if asked is None:
            return "", packet
        passed: dict[int, bytes] = {}

        def handle(query: Query, number: int = 0) -> Elsewhere:
            passed[number] = query.packet
            if number == len(self._stages):
                return answer
            return self._stages[number].handle(query, partial(handle, number=number + 1))

        said = handle(Query(packet, asked, channel, client))
        if isinstance(said, Coroutine):
            said.close()
        last = max(passed)
        # There is a module or a folder per plugin, which has its name: minidns.plugins.NAME.
        plugin = type(self._stages[last]).__module__.split(".")[2] if last < len(self._stages) else ""
        return plugin, passed[last]

    def _last(self, query: Query) -> Elsewhere:
        said = self._respond(query.packet, query.channel)
        if isinstance(said, Forward):
            return self._resolve(query.packet, said, query.channel, query.client)
        return said


async def _guarded(answer: Coroutine[Any, Any, bytes | None], packet: bytes, asked: Question) -> bytes | None:
    """A bug of ours is a SERVFAIL here too."""
    try:
        return await answer
    except Exception:
        log.exception("cannot answer %s", packet.hex())
        return wire.error(packet, records.SERVFAIL, asked)


def _plain(packet: bytes) -> Question | None:
    """The question of a query that plugins may see. The zones' responder says what is wrong with all other packets."""
    if len(packet) < HEADER or packet[2] & 0xF8:
        return None
    try:
        asked = message.question(packet)
    except MalformedError:
        return None
    return None if asked.edns and asked.edns.version else asked
