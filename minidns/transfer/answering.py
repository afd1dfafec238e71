"""Answers to AXFR (RFC 5936) and IXFR (RFC 1995).

A whole zone is read from a snapshot, a step at a time as its client takes it: changes go on meanwhile. What changed
comes from the journal, condensed to one step from the secondary's serial to ours; where the journal does not reach back
so far, it is the whole zone.
"""

from __future__ import annotations

import ipaddress
import logging
import struct
import time
from collections import Counter
from collections.abc import Iterator, Sequence

from minidns.config.plugins.transfer import ANYBODY, Secondary
from minidns.config.settings import ServerBlock
from minidns.core import answers, names, records, wire
from minidns.core.names import Name
from minidns.core.records import Rrset
from minidns.core.responder import Channel, Client, Messages
from minidns.core.snapshot import STEP, Snapshot
from minidns.core.wire import Question
from minidns.core.zone import Zone
from minidns.transfer import journal, serials
from minidns.transfer.journal import Delta, Journal, Step
from minidns.transfer.messages import messages, soa_serial, udp_room
from minidns.views.differences import Record

log = logging.getLogger(__name__)

#: Transfers of many messages at once, for each server block of a process. One more is REFUSED: secondaries try again.
AT_ONCE = 10
#: Up to so many bytes of changes it is one of so many others: a burst that every node's secondary fetches at once.
MIDDLING, MANY = 1 << 18, 200
#: Bytes of changes up to which an incremental transfer is made at once and not in turns: some 100 records.
SMALL = 0x2000
#: Such answers that are kept, for other secondaries that ask the same.
_KEPT = 16
_NOTAUTH = 9

#: When a secondary last asked, in seconds since the epoch, by zone, address and key: of those that were named.
Asked = dict[tuple[str, str, str], float]


class Transfers:
    """The zones of a server block for those who may have them whole.

    counts: answers by kind: "axfr" (the whole zone), "ixfr", "current" (nothing has changed) and "refused".
    """

    def __init__(self, block: ServerBlock, zones: Sequence[tuple[Zone, Journal]]) -> None:
        self._rules = sorted(
            ((names.from_text(zone), transfer.to) for transfer in block.transfers for zone in transfer.zones),
            key=lambda rule: -len(rule[0]),
        )
        self._zones = {origin: (zone, steps) for zone, steps in zones for origin in zone.origins}
        self._running: Counter[int] = Counter()
        self._kept: dict[tuple[bytes, bytes, int, int], bytes] = {}
        self.asked: Asked = {}
        self.counts: Counter[str] = Counter()

    def targets(self) -> Iterator[tuple[Secondary, dict[Name, tuple[Zone, Journal]]]]:
        """Each secondary that was named, with the zones that it may transfer."""
        found: dict[Secondary, dict[Name, tuple[Zone, Journal]]] = {}
        for origin, both in self._zones.items():
            for secondary in self._to(origin):
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
        if question.type == records.AXFR:
            return self._in_turns(packet, question, client, self._whole(zone, question.name))
        return self._changes(packet, question, client, zone, steps, serial, udp)

    def _changes(
        self,
        packet: bytes,
        question: Question,
        client: Client,
        zone: Zone,
        steps: Journal,
        serial: int,
        udp: bool,
    ) -> bytes | Messages:
        origin = question.name
        current = next(messages(question, [[_soa(zone, origin)]]))
        if not serials.is_ahead(zone.serial, serial):
            self.counts["current"] += 1
            return current
        since = steps.since(serial)
        if since is None:
            # Over UDP the SOA record alone says that there is more to be had over TCP (RFC 1995, 2).
            return current if udp else self._in_turns(packet, question, client, self._whole(zone, origin))
        if (size := journal.size_of(since, origin)) > SMALL:
            if udp:
                return current
            return self._in_turns(packet, question, client, self._since(zone, origin, since), size)
        self.counts["ixfr"] += 1
        key = (packet[2:12], question.raw, serial, zone.serial)
        kept = self._kept.get(key)
        if kept is None:
            # More than one message it is not: names take less than in the journal.
            kept = next(messages(question, filter(None, self._since(zone, origin, since))))[2:]
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[key] = kept
        reply = packet[:2] + kept
        return current if udp and len(reply) > udp_room(question) else reply

    def _in_turns(
        self, packet: bytes, question: Question, client: Client, whole: Iterator[Sequence[Rrset]], size: int = 0
    ) -> Messages:
        """Begins with the first message that is taken, so that one that nobody takes takes no place.

        size: bytes of the changes, 0 for the whole zone.
        """
        kind = "ixfr" if size else "axfr"
        most = MANY if 0 < size <= MIDDLING else AT_ONCE
        if self._running[most] >= most:
            self.counts["refused"] += 1
            log.warning("%s of %s by %s: refused, %d run already", *self._told(question, client), self._running[most])
            yield wire.error(packet, records.REFUSED, question)
            return
        self.counts[kind] += 1
        self._running[most] += 1
        started, count, told = time.monotonic(), 0, self._told(question, client)
        try:
            for message in messages(question, whole):
                count += len(message)
                yield message
            what = "the whole zone" if kind == "axfr" else "what changed"
            log.info("%s of %s by %s: %s, %d bytes in %.2f s", *told, what, count, time.monotonic() - started)
        finally:
            self._running[most] -= 1

    def _told(self, question: Question, client: Client) -> tuple[str, str, str]:
        who = client.address + (f" with key {client.key.rstrip('.')}" if client.key else "")
        return records.type_text(question.type), names.to_text(question.name), who

    def _secondary(self, name: Name, client: Client) -> Secondary | None:
        """Who that is of those who may transfer the zone."""
        return next((secondary for secondary in self._to(name) if _is(secondary, client)), None)

    def _to(self, name: Name) -> tuple[Secondary, ...]:
        return next((to for zone, to in self._rules if names.is_below(name, zone)), ())

    def _since(self, zone: Zone, origin: Name, since: Sequence[Step]) -> Iterator[Sequence[Rrset]]:
        """The records of an incremental transfer (RFC 1995, 4)."""
        old, new = (_soa(zone, origin, serial) for serial in (since[0].old, since[-1].new))
        delta = Delta([], [])
        for part in journal.condensed(since, origin):
            if part is None:
                yield []
            else:
                delta = part
        ttl = zone.settings.ttl
        yield [new, old]
        yield from _each(delta.removed, ttl)
        yield [new]
        yield from _each(delta.added, ttl)
        yield [new]

    def _whole(self, zone: Zone, origin: Name) -> Iterator[Sequence[Rrset]]:
        """The records of a whole zone, the SOA record first and last (RFC 5936, 2.2)."""
        inner = tuple(other for other in zone.origins if other != origin and names.is_below(other, origin))
        with Snapshot(zone) as snapshot:
            soa = _soa(zone, origin, snapshot.serial)
            for rrsets in snapshot.rrsets(origin):
                if inner:
                    rrsets = [one for one in rrsets if not any(names.is_below(one.owner, other) for other in inner)]
                yield rrsets
            yield [soa]


def _each(some: Sequence[Record], ttl: int) -> Iterator[Sequence[Rrset]]:
    """Records, as rrsets of one each."""
    for start in range(0, len(some), STEP):
        yield [Rrset(name, type_, ttl, (rdata,)) for name, type_, rdata in some[start : start + STEP]]


def _is(secondary: Secondary, client: Client) -> bool:
    if secondary.key is not None and secondary.key != client.key:
        return False
    return secondary.host == ANYBODY or _plain(secondary.host) == _plain(client.address)


def _plain(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(address.partition("%")[0])


def _soa(zone: Zone, origin: Name, serial: int | None = None) -> Rrset:
    soa = answers.soa(zone, origin)
    if serial is None:
        return soa
    (rdata,) = soa.rdata
    return soa._replace(rdata=(rdata[:-20] + serial.to_bytes(4, "big") + rdata[-16:],))


def _serial(packet: bytes, question: Question) -> int | None:
    """The serial that a secondary has, in the SOA record of the authority section (RFC 1995, 3); None without one."""
    answer, authority = struct.unpack_from("!HH", packet, 6)
    if answer or not authority:
        return None
    return soa_serial(packet, wire.HEADER + len(question.raw))
