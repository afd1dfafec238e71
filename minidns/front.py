"""How a server block answers: its zones first, then what stands beside or behind them.

A `Front` is what sockets hand packets to. For a block with one zone its `respond` is the responder's own, so that
nothing stands between an ordinary question and its answer.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Protocol

from minidns.config.settings import ServerBlock
from minidns.core import names, records, wire
from minidns.core.responder import Channel, Client, Elsewhere, Forward, Observe, Resolve, Respond, Responder
from minidns.core.zone import Zone
from minidns.plugins import whoami
from minidns.plugins.chain import Chain
from minidns.plugins.forward.message import RA
from minidns.plugins.log import Exchange, QueryLog
from minidns.plugins.loop import LoopProbe
from minidns.plugins.resolver import Resolver
from minidns.plugins.stages import stages

log = logging.getLogger(__name__)
queries = logging.getLogger("minidns.queries")


class Front(Protocol):
    """What answers the packets of an address."""

    @property
    def respond(self) -> Respond:
        """The answer to a packet, None for silence, or what `resolve` has to answer."""

    @property
    def observe(self) -> Observe | None:
        """What is told of every answer, for a block that logs queries."""

    def resolve(self, packet: bytes, forward: Forward, channel: Channel, client: Client) -> Elsewhere:
        """The answer to what `respond` did not answer, at once or later."""

    def channel(self, transport: str, family: str) -> Channel:
        """A new channel to answer on."""

    def adopt(self, channel: Channel) -> None:
        """Answer on a channel that somebody else made, too."""


class BlockFront:
    """The front of one server block."""

    def __init__(self, block: ServerBlock, zones: Sequence[Zone]) -> None:
        self.block = block
        self.zones = tuple(zones)
        self.probe = LoopProbe() if block.loop else None
        self.resolver = (
            Resolver(block.forwards, block.cache, probe=self.probe, errors=block.errors) if block.forwards else None
        )
        self.responders = tuple(self._responders())
        self._log = QueryLog(block.logs)
        zones_respond = self.responders[0].respond if len(self.responders) == 1 else self._respond
        preceding = stages(block)
        chain = Chain(preceding, zones_respond, self._resolve) if preceding else None
        self._answers: tuple[Respond, Resolve] = (
            (guarded(chain.respond), chain.resolve) if chain else (zones_respond, self._resolve)
        )

    @property
    def respond(self) -> Respond:
        return self._answers[0]

    @property
    def observe(self) -> Observe | None:
        return self._log_query if self.block.logs else None

    def resolve(self, packet: bytes, forward: Forward, channel: Channel, client: Client) -> Elsewhere:
        try:
            return self._answers[1](packet, forward, channel, client)
        except Exception:
            log.exception("cannot resolve %s", packet.hex())
            return wire.error(packet, records.SERVFAIL, forward.question)

    def _resolve(self, packet: bytes, forward: Forward, channel: Channel, client: Client) -> Elsewhere:
        resolver = self.resolver
        if self.block.whoami and not (resolver and resolver.serves(forward.question.name)):
            return whoami.answer(forward.question, channel, client, RA if resolver else 0)
        if resolver is None:
            return wire.error(packet, records.REFUSED, forward.question)
        if forward.alias:
            return resolver.resolve_alias(packet, forward.alias.answer, channel.transport)
        cached = resolver.cached(packet, channel.transport)
        return cached or resolver.resolve(packet, channel.transport)

    def channel(self, transport: str, family: str) -> Channel:
        channel = Channel(transport, family)
        self.adopt(channel)
        return channel

    def adopt(self, channel: Channel) -> None:
        for responder in self.responders:
            responder.adopt(channel)

    def _log_query(self, packet: bytes, reply: bytes, remote: Any, local: str, transport: str, seconds: float) -> None:
        line = self._log.line(Exchange(packet, reply, remote[0], remote[1], local, transport, seconds))
        if line is not None:
            queries.info("[INFO] %s", line)

    def close(self) -> None:
        """Give up what is being resolved."""
        if self.resolver is not None:
            self.resolver.close()

    def _responders(self) -> Iterator[Responder]:
        kubernetes = self.block.kubernetes
        recursion = self.resolver is not None
        forwards = recursion or self.block.whoami
        last = len(self.zones) - 1
        for index, zone in enumerate(self.zones):
            yield Responder(
                zone,
                forwards=forwards or index < last,
                recursion=recursion,
                fallthrough=tuple(map(names.from_text, kubernetes.fallthrough)) if kubernetes and forwards else (),
                explain=kubernetes is None or kubernetes.ede,
            )

    def _respond(self, packet: bytes, channel: Channel) -> bytes | Forward | None:
        reply: bytes | Forward | None = None
        for responder in self.responders:
            reply = responder.respond(packet, channel)
            if not isinstance(reply, Forward) or reply.alias:
                return reply
        return reply


def guarded(respond: Respond) -> Respond:
    """A bug of ours is a SERVFAIL and a logged traceback here too: it must not take the packets of a batch with it."""

    def answered(packet: bytes, channel: Channel) -> bytes | Forward | None:
        try:
            return respond(packet, channel)
        except Exception:
            log.exception("cannot answer %s", packet.hex())
            return wire.error(packet, records.SERVFAIL)

    return answered


class Router:
    """Several server blocks on one address: the one with the longest zone that holds the name answers."""

    def __init__(self, fronts: Sequence[BlockFront]) -> None:
        zones = [(names.from_text(zone), front) for front in fronts for zone in front.block.zones]
        self._zones = sorted(zones, key=lambda pair: -len(pair[0]))
        self._first = fronts[0]

    def respond(self, packet: bytes, channel: Channel) -> bytes | Forward | None:
        try:
            name = wire.parse(packet).name
        except wire.MalformedError:
            return self._first.respond(packet, channel)
        front = self._front(name)
        if front is None:
            is_query = not packet[2] & 0x80
            return wire.error(packet, records.REFUSED, wire.parse(packet)) if is_query else None
        return front.respond(packet, channel)

    @property
    def observe(self) -> Observe | None:
        return self._observe if any(front.observe for _, front in self._zones) else None

    def _observe(self, packet: bytes, reply: bytes, remote: Any, local: str, transport: str, seconds: float) -> None:
        with suppress(wire.MalformedError):
            front = self._front(wire.parse(packet).name)
            if front is not None and front.observe is not None:
                front.observe(packet, reply, remote, local, transport, seconds)

    def resolve(self, packet: bytes, forward: Forward, channel: Channel, client: Client) -> Elsewhere:
        front = self._front(forward.question.name)
        return front.resolve(packet, forward, channel, client) if front else None

    def channel(self, transport: str, family: str) -> Channel:
        channel = Channel(transport, family)
        self.adopt(channel)
        return channel

    def adopt(self, channel: Channel) -> None:
        for _, front in self._zones:
            front.adopt(channel)

    def _front(self, name: names.Name) -> BlockFront | None:
        return next((front for zone, front in self._zones if names.is_below(name, zone)), None)
