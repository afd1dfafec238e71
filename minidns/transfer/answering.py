"""Answers to AXFR (RFC 5936) and IXFR (RFC 1995).

A whole zone is read from a snapshot, a step at a time as its client takes it: changes go on meanwhile. What changed
comes from the journal, condensed to one step from the secondary's serial to ours, for all who ask the same (`deltas`);
where the journal does not reach back so far, it is the whole zone.
"""

from __future__ import annotations

import ipaddress
import logging
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from minidns.config.plugins.transfer import ANYBODY, Secondary
from minidns.config.settings import ServerBlock
from minidns.core import answers, names, records, wire
from minidns.core.names import Name
from minidns.core.records import Owned
from minidns.core.responder import Channel, Client, Messages
from minidns.core.snapshot import Snapshot
from minidns.core.wire import Question
from minidns.core.zone import Zone
from minidns.transfer import serials
from minidns.transfer.deltas import Deltas, Made, Place, soa
from minidns.transfer.journal import Journal
from minidns.transfer.messages import OPT, messages, owned, packed, soa_serial, udp_room

log = logging.getLogger(__name__)

#: Bytes of changes up to which an incremental transfer is made at once and not in turns: some 100 records.
SMALL = 0x2000
#: Names of a zone up to which it is sent whole in order. Knot has it in memory as it came, and walks it in order at
#: each change: 33 ms instead of 43 with 53,000 records. For half a million the order costs a third more CPU time.
ORDERED = 100_000
_NOTAUTH = 9

#: When a secondary last asked, in seconds since the epoch, by zone, address and key: of those that were named.
Asked = dict[tuple[str, str, str], float]
#: Is told to which serial of which zone a secondary was brought.
Given = Callable[[Secondary, Name, int], None]


class _Request(NamedTuple):
    """A question of somebody who may ask it."""

    packet: bytes
    question: Question
    client: Client
    secondary: Secondary
    udp: bool


class Transfers:
    """The zones of a server block for those who may have them whole.

    counts: answers by kind: "axfr" (the whole zone), "ixfr", "current" (nothing has changed) and "refused".
    deltas: what was made for them. given: is called, if there is one, when the last of an answer has been taken.
    """

    def __init__(self, block: ServerBlock, zones: Sequence[tuple[Zone, Journal]]) -> None:
        self._rules = sorted(
            (
                (names.from_text(zone), [(_packed(one.host), one) for one in transfer.to])
                for transfer in block.transfers
                for zone in transfer.zones
            ),
            key=lambda rule: -len(rule[0]),
        )
        self._zones = {origin: (zone, steps) for zone, steps in zones for origin in zone.origins}
        self._running: Counter[int] = Counter()
        self.deltas = Deltas()
        self.given: Given | None = None
        self.asked: Asked = {}
        self.counts: Counter[str] = Counter()

    def targets(self) -> Iterator[tuple[Secondary, dict[Name, tuple[Zone, Journal]]]]:
        """Each secondary that was named, with the zones that it may transfer."""
        found: dict[Secondary, dict[Name, tuple[Zone, Journal]]] = {}
        for origin, both in self._zones.items():
            for _, secondary in self._to(origin):
                if secondary.host != ANYBODY:
                    found.setdefault(secondary, {})[origin] = both
        yield from found.items()

    def answer(self, packet: bytes, question: Question, channel: Channel, client: Client) -> bytes | Messages:
        """The answer to a question for AXFR or IXFR: one message, or many over TCP."""
        udp = channel.transport == "udp"
        secondary = self._secondary(question.name, client)
        if secondary is None or (udp and question.type == records.AXFR):
            self.counts["refused"] += 1
            log.warning("%s of %s by %s: refused", *self._told(question, client))
            return wire.error(packet, records.REFUSED, question)
        if question.name not in self._zones:
            return wire.error(packet, _NOTAUTH, question)
        zone, steps = self._zones[question.name]
        serial = _serial(packet, question) if question.type == records.IXFR else 0
        if serial is None:
            return wire.error(packet, records.FORMERR, question)
        if secondary.host != ANYBODY:
            self.asked[names.to_text(question.name), secondary.host, secondary.key or ""] = time.time()
        request = _Request(packet, question, client, secondary, udp)
        if question.type == records.AXFR:
            return self._in_turns(request, zone, None)
        return self._changes(request, zone, steps, serial)

    def _changes(self, request: _Request, zone: Zone, steps: Journal, serial: int) -> bytes | Messages:
        question, udp = request.question, request.udp
        current = next(messages(question, [[answers.soa(zone, question.name)]]))
        if not serials.is_ahead(zone.serial, serial):
            self.counts["current"] += 1
            if serial == zone.serial:
                self._brought(request, serial)
            return current
        goal = steps.goal(serial)
        made = self.deltas.get(question, zone, steps, serial, goal)
        if made is None or made.size > SMALL:
            # Over UDP the SOA record alone says that there is more to be had over TCP (RFC 1995, 2).
            return current if udp else self._in_turns(request, zone, made, goal)
        self.counts["ixfr"] += 1
        # More than one message it is not: names take less than in the journal.
        reply = next(filter(None, _addressed(question, made)))
        if udp and len(reply) > udp_room(question):
            return current
        self._brought(request, goal)
        return reply

    def _in_turns(self, request: _Request, zone: Zone, made: Made | None, goal: int = 0) -> Messages:
        """Begins with the first message that is taken, so that one that nobody takes takes no place.

        made: what leads to the serial `goal`, None for the whole zone.
        """
        question = request.question
        place, kind = (Place(), "axfr") if made is None else (made.place, "ixfr")
        if not place.takers and self._running[place.most] >= place.most:
            self.counts["refused"] += 1
            log.warning("%s of %s by %s: refused, %d run already", *self._told(question, request.client), place.most)
            yield wire.error(request.packet, records.REFUSED, question)
            return
        self.counts[kind] += 1
        self._running[place.most] += not place.takers
        place.takers += 1
        started, count, told = time.monotonic(), 0, self._told(question, request.client)
        if made is None:
            goal, whole = zone.serial, self._whole(zone, question)
        else:
            whole = _addressed(question, made)
        try:
            for message in whole:
                count += len(message)
                yield message
            what = "the whole zone" if made is None else "what changed"
            log.info("%s of %s by %s: %s, %d bytes in %.2f s", *told, what, count, time.monotonic() - started)
            self._brought(request, goal)
        finally:
            place.takers -= 1
            self._running[place.most] -= not place.takers

    def _brought(self, request: _Request, serial: int) -> None:
        if self.given is not None:
            self.given(request.secondary, request.question.name, serial)

    def _told(self, question: Question, client: Client) -> tuple[str, str, str]:
        who = client.address + (f" with key {client.key.rstrip('.')}" if client.key else "")
        return records.type_text(question.type), names.to_text(question.name), who

    def _secondary(self, name: Name, client: Client) -> Secondary | None:
        """Who that is of those who may transfer the zone."""
        here = _packed(client.address)
        for host, secondary in self._to(name):
            if (host is None or host == here) and secondary.key in (None, client.key):
                return secondary
        return None

    def _to(self, name: Name) -> Sequence[tuple[bytes | None, Secondary]]:
        """Those who may transfer the zone, each with its address."""
        return next((to for zone, to in self._rules if names.is_below(name, zone)), ())

    def _whole(self, zone: Zone, question: Question) -> Iterator[bytes]:
        """The messages of a whole zone, the SOA record first and last (RFC 5936, 2.2)."""
        with Snapshot(zone) as snapshot:
            last = owned(question, soa(zone, question.name, snapshot.serial))
            yield from packed(question, chain(_without_inner(zone, question.name, snapshot), [[last]]))


def _without_inner(zone: Zone, origin: Name, snapshot: Snapshot) -> Iterator[Sequence[Owned]]:
    """The records of a zone without those of the zones below it."""
    inner = tuple(other for other in zone.origins if other != origin and names.is_below(other, origin))
    for some in snapshot.bodies(origin, in_order=len(zone.nodes) <= ORDERED):
        yield [one for one in some if not any(names.is_below(one[0], other) for other in inner)] if inner else some


def _packed(host: str) -> bytes | None:
    """The bytes of an address; None for everybody's."""
    return None if host == ANYBODY else ipaddress.ip_address(host.partition("%")[0]).packed


def _addressed(question: Question, made: Iterable[bytes]) -> Messages:
    """The messages as the answer to one of those who asked the same."""
    opt = b"" if question.edns is None else OPT
    for message in made:
        if not message:
            yield b""
            continue
        additional = b"\0\1" if opt else message[10:12]
        yield b"".join((question.id, message[2:10], additional, message[12:], opt))
        opt = b""


def _serial(packet: bytes, question: Question) -> int | None:
    """The serial that a secondary has, in the SOA record of the authority section (RFC 1995, 3); None without one."""
    answer, authority = struct.unpack_from("!HH", packet, 6)
    if answer or not authority:
        return None
    return soa_serial(packet, wire.HEADER + len(question.raw))
