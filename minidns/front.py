"""How a server block answers: its zones first, then what stands beside or behind them.

A `Front` is what sockets hand packets to. For a block with one zone its `respond` is the responder's own, so that
nothing stands between an ordinary question and its answer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Protocol

from minidns.config.settings import ServerBlock
from minidns.core import answers, names, records, wire
from minidns.core.answers import Answer
from minidns.core.records import Rrset
from minidns.core.responder import Channel, Client, Elsewhere, Exchange, Forward, Observe, Resolve, Respond, Responder
from minidns.core.why import Reason, Why, sentence
from minidns.core.zone import Zone
from minidns.plugins import sections, whoami
from minidns.plugins.asking import Ask
from minidns.plugins.cache import Shown
from minidns.plugins.chain import Chain, Query
from minidns.plugins.forward.message import AA, RA
from minidns.plugins.forward.reading import Record
from minidns.plugins.log import QueryLog
from minidns.plugins.loop import LoopProbe
from minidns.plugins.resolver import Resolver
from minidns.plugins.sections import Sections
from minidns.plugins.stages import stages
from minidns.transfer.answering import Transfers
from minidns.transfer.journal import Journal
from minidns.transfer.signed import Signed
from minidns.transfer.tsig import Keys

log = logging.getLogger(__name__)
queries = logging.getLogger("minidns.queries")

#: Aliases of aliases that are followed from zone to zone.
_LONGEST_CHAIN = 16


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

    def behind(self, exchange: Exchange) -> tuple[str, str]:
        """Who gave an answer that was just sent, and the reason that it has; "" where records need none.

        "zone" (refusals too), "cache", "upstream" if only in the end, or the name of a plugin.
        """

    def channel(self, transport: str, family: str) -> Channel:
        """A new channel to answer on."""

    def adopt(self, channel: Channel) -> None:
        """Answer on a channel that somebody else made, too."""


class BlockFront:
    """The front of one server block. journals: of each zone, when the block has a transfer."""

    def __init__(self, block: ServerBlock, zones: Sequence[Zone], journals: Sequence[Journal] = ()) -> None:
        self.block = block
        self.zones = tuple(zones)
        self.journals = tuple(journals)
        self.transfers = Transfers(block, list(zip(zones, journals, strict=True))) if block.transfers else None
        self.probe = LoopProbe() if block.loop else None
        self.resolver = (
            Resolver(block.forwards, block.cache, probe=self.probe, errors=block.errors) if block.forwards else None
        )
        self.responders = tuple(self._responders())
        self._log = QueryLog(block.logs)
        self._zones_respond: Respond = self.responders[0].respond if len(self.responders) == 1 else self._respond
        #: Where questions of plugins go: the top of the server that the block is part of.
        self.top: Ask = self.ask
        self._shown = Shown(block.cache)
        self._inner: dict[str, Channel] = {}
        preceding = stages(block, lambda query: self.top(query), self.zones)
        self._chain = chain = Chain(preceding, self._zones_respond, self._resolve) if preceding else None
        self._answers: tuple[Respond, Resolve] = (
            (guarded(chain.respond), chain.resolve) if chain else (self._zones_respond, self._resolve)
        )
        self.keys = Keys({key.name: key for key in block.tsig.keys}) if block.tsig else None
        if block.tsig and self.keys:
            signed = Signed(block.tsig, self.keys, *self._answers)
            self._answers = guarded(signed.respond), signed.resolve

    @property
    def respond(self) -> Respond:
        return self._answers[0]

    @property
    def observe(self) -> Observe | None:
        return self._log_queries if self.block.logs else None

    def resolve(self, packet: bytes, forward: Forward, channel: Channel, client: Client) -> Elsewhere:
        try:
            return self._answers[1](packet, forward, channel, client)
        except Exception:
            log.exception("cannot resolve %s", packet.hex())
            return wire.error(packet, records.SERVFAIL, forward.question)

    def _resolve(self, packet: bytes, forward: Forward, channel: Channel, client: Client) -> Elsewhere:
        if forward.transfer and self.transfers is not None:
            return self.transfers.answer(packet, forward.question, channel, client)
        resolver = self.resolver
        if self._is_whoami(forward):
            return whoami.answer(forward.question, channel, client, RA if resolver else 0, self._shown)
        if forward.alias and len(self.zones) > 1:
            return self._along(Query(packet, forward.question, channel, client), forward.alias)
        if resolver is None:
            return wire.error(packet, records.REFUSED, forward.question)
        if forward.alias:
            return resolver.resolve_alias(packet, forward.alias.answer, channel.transport)
        cached = resolver.cached(packet, channel.transport)
        return cached or resolver.resolve(packet, channel.transport)

    def _along(self, query: Query, found: Answer) -> Elsewhere:
        """The answer where an alias leads out of its zone, which may be into another one of the block."""
        chain, target = found.answer, found.outside
        channel = self._inside(query.channel.family)
        while target and any(zone.origin(target) for zone in self.zones) and len(chain) < _LONGEST_CHAIN:
            said = self._respond(query.about(target, query.asked.type).packet, channel)
            if not isinstance(said, Forward) or said.alias is None:
                return _joined(chain, said, query) if isinstance(said, bytes) else None
            chain, target = (*chain, *said.alias.answer), said.alias.outside
        if self.resolver is not None:
            return self.resolver.resolve_alias(query.packet, chain, query.channel.transport)
        return _joined(chain, None, query)

    def _inside(self, family: str) -> Channel:
        """A channel of TCP that no statistics know of."""
        return self._inner.get(family) or self._inner.setdefault(family, self.channel("tcp", family))

    def ask(self, query: Query) -> Elsewhere:
        """The answer to a plugin's question."""
        channel = self._inside(query.channel.family)
        said = self.respond(query.packet, channel)
        return self.resolve(query.packet, said, channel, query.client) if isinstance(said, Forward) else said

    def channel(self, transport: str, family: str) -> Channel:
        channel = Channel(transport, family)
        self.adopt(channel)
        return channel

    def adopt(self, channel: Channel) -> None:
        for responder in self.responders:
            responder.adopt(channel)

    def _is_whoami(self, forward: Forward) -> bool:
        return self.block.whoami and not (self.resolver and self.resolver.serves(forward.question.name))

    def behind(self, exchange: Exchange) -> tuple[str, str]:
        packet, by = exchange.query, ""
        if self._chain:
            by, packet = self._chain.behind(packet, exchange.answer, Channel(exchange.transport, "1"), exchange.client)
        if not by and exchange.resolved == "later":
            by = "upstream"
        elif not by:
            # Of what a chain passes on it is known only here whether the zones had it.
            is_elsewhere = exchange.resolved == "at once"
            said = self._zones_respond(packet, Channel(exchange.transport, "1")) if is_elsewhere else None
            by = self._beside(said) if isinstance(said, Forward) else "zone"
        if told := wire.extended_error(exchange.answer):
            return by, told[1]
        return by, self._reason(packet) if by == "zone" and not any(exchange.answer[6:8]) else ""

    def _beside(self, forward: Forward) -> str:
        return "whoami" if self._is_whoami(forward) else "cache" if self.resolver else "zone"

    def _reason(self, packet: bytes) -> str:
        """Why the zones have nothing for a question, for clients that cannot be told in the answer."""
        with suppress(wire.MalformedError):
            asked = wire.parse(packet)
            zone = next((zone for zone in self.zones if zone.origin(asked.name)), self.zones[0])
            if asked.class_ == 1 and not packet[2] & 0x78:
                return sentence(answers.answer(zone, asked.name, asked.type).reason)
        return ""

    def _log_queries(self, count: int, exchange: Callable[[int], Exchange]) -> None:
        for number in range(count):
            line = self._log.line(exchange(number))
            if line is not None:
                queries.info("[INFO] %s", line)

    def retire(self) -> None:
        """Somebody else answers from the zones by now."""
        for responder in self.responders:
            responder.retire()

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
                beside=self.zones[:index] + self.zones[index + 1 :],
                fallthrough=tuple(map(names.from_text, kubernetes.fallthrough)) if kubernetes and forwards else (),
                explain=kubernetes is None or kubernetes.ede,
                transfers=self.transfers is not None,
            )

    def _respond(self, packet: bytes, channel: Channel) -> bytes | Forward | None:
        reply: bytes | Forward | None = None
        for responder in self.responders:
            reply = responder.respond(packet, channel)
            if not isinstance(reply, Forward) or reply.alias or reply.transfer:
                return reply
        return reply


def _joined(chain: Sequence[Rrset], end: bytes | None, query: Query) -> bytes:
    """Aliases, and the answer about what they lead to."""
    said = sections.read(end) if end else Sections(records.NOERROR)
    aliases = [Record(one.owner, one.type, 1, one.ttl, one.rdata[0]) for one in chain]
    whole = said._replace(answer=[*aliases, *said.answer], flags=said.flags | AA)
    return sections.write(whole, query.asked, udp=query.udp)


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
        for front in fronts:
            front.top = self._ask

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

    def _observe(self, count: int, exchange: Callable[[int], Exchange]) -> None:
        for told in map(exchange, range(count)):
            front = self._front_of(told)
            if front is not None and front.observe is not None:
                front.observe(1, lambda _, told=told: told)  # type: ignore[misc]

    def behind(self, exchange: Exchange) -> tuple[str, str]:
        front = self._front_of(exchange)
        if front is None:
            return "zone", sentence(Reason(Why.OUTSIDE)) if exchange.answer[3] & 15 == records.REFUSED else ""
        return front.behind(exchange)

    def _front_of(self, exchange: Exchange) -> BlockFront | None:
        with suppress(wire.MalformedError):
            return self._front(wire.parse(exchange.query).name)
        return None

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

    def _ask(self, query: Query) -> Elsewhere:
        front = self._front(query.asked.name)
        return front.ask(query) if front else wire.error(query.packet, records.REFUSED, query.asked)

    def _front(self, name: names.Name) -> BlockFront | None:
        return next((front for zone, front in self._zones if names.is_below(name, zone)), None)
