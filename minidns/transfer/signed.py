"""A server block behind its keys: questions that are signed are checked, and their answers signed (RFC 8945)."""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Iterator
from typing import Any

from minidns.config.plugins.tsig import Tsig
from minidns.core import names, records, wire
from minidns.core.responder import Channel, Client, Elsewhere, Forward, Resolve, Respond
from minidns.core.wire import MalformedError, Question
from minidns.transfer.messages import udp_room
from minidns.transfer.tsig import Keys, Refusal, Signature, is_signed

log = logging.getLogger(__name__)
_TC = 0x02


class Signed:
    """`respond` and `resolve` of a block, behind its keys."""

    def __init__(self, tsig: Tsig, keys: Keys, respond: Respond, resolve: Resolve) -> None:
        self._keys = keys
        self._zones = tuple(names.from_text(zone) for zone in tsig.zones)
        self._require = tsig.require
        self._respond, self._resolve = respond, resolve

    def respond(self, packet: bytes, channel: Channel) -> bytes | Forward | None:
        """The answer to a packet, None for silence, or what `resolve` has to answer: all that is signed."""
        signed = is_signed(packet)
        if not signed and not self._require and self._require is not None:
            return self._respond(packet, channel)
        if len(packet) < wire.HEADER or packet[2] & 0x80:
            return None
        try:
            question = wire.parse(packet)
        except MalformedError:
            return self._respond(packet, channel)
        if not any(names.is_below(question.name, zone) for zone in self._zones):
            return self._respond(packet, channel)
        return Forward(question) if signed else self._unsigned(packet, question) or self._respond(packet, channel)

    def resolve(self, packet: bytes, forward: Forward, channel: Channel, client: Client) -> Elsewhere:
        """The answer to what `respond` did not answer, at once or later."""
        if not is_signed(packet):
            return self._resolve(packet, forward, channel, client)
        found = self._keys.verify(packet)
        if isinstance(found, Refusal):
            log.warning("a question of %s for %s: %s", client.address, names.to_text(forward.question.name), found.why)
            return found.reply
        if found is None:
            unsigned = self._unsigned(packet, forward.question)
            return unsigned or self._answer(packet, channel, client)
        reply = self._answer(found.packet, channel, client._replace(key=found.key))
        if isinstance(reply, bytes):
            return self._sign(reply, found, channel)
        if isinstance(reply, Coroutine):
            return self._sign_later(reply, found, channel)
        if isinstance(reply, Iterator):
            return self._keys.answers(reply, found)
        return None

    def _answer(self, packet: bytes, channel: Channel, client: Client) -> Elsewhere:
        said = self._respond(packet, channel)
        return self._resolve(packet, said, channel, client) if isinstance(said, Forward) else said

    def _unsigned(self, packet: bytes, question: Question) -> bytes | None:
        """The refusal of a question that would have to be signed."""
        if self._require is None or question.type in self._require:
            return wire.error(packet, records.REFUSED, question)
        return None

    async def _sign_later(
        self, coming: Coroutine[Any, Any, bytes | None], signature: Signature, channel: Channel
    ) -> bytes | None:
        reply = await coming
        return self._sign(reply, signature, channel) if reply else None

    def _sign(self, reply: bytes, signature: Signature, channel: Channel) -> bytes:
        """The signed reply, truncated where it does not fit with its signature (RFC 8945, 5.3)."""
        question = wire.parse(signature.packet)
        signed = self._keys.answer(reply, signature)
        if channel.transport == "udp" and len(signed) > udp_room(question):
            bare = wire.error(signature.packet, reply[3] & 15, question)
            signed = self._keys.answer(bare[:2] + bytes((bare[2] | _TC,)) + bare[3:], signature)
        return signed
