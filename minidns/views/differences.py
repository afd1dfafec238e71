"""Which records a change added and removed, from what it gave to each name and took from it.

An object's part of a name (`minidns.core.schema`) is not yet a record: another object may give the same, and a virtual
IP's PTR record hides those of endpoints. So the parts of each name are put together as they were before and as they are
now. `differences` is for people, `exact` for the journal of zone transfers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from minidns.core import records, schema
from minidns.core.names import Name
from minidns.core.schema import Hosts, Part, Text
from minidns.core.zone import Touch, Zone


class Record(NamedTuple):
    """One record; rdata in wire form."""

    name: Name
    type: int
    rdata: bytes


#: A record's type, and what tells it from others: rdata, of SRV without priority and weight.
_Key = tuple[int, bytes]


def differences(zone: Zone, touches: Iterable[Touch]) -> tuple[list[Record], list[Record]]:
    """(added, removed) by a change that was just applied to `zone`; SOA records, which change always, left out.

    An SRV record stays the same while its port and target do: its weight moves with the number of records.
    """
    added: list[Record] = []
    removed: list[Record] = []
    for name, parts, change in _balances(zone, touches):
        _compare(name, parts, change, added, removed)
    return added, removed


def exact(zone: Zone, touches: Iterable[Touch]) -> tuple[list[Record], list[Record]]:
    """As `differences`, and with every SRV record whose weight moved: what is added to the zone as it was, with what
    is removed taken away, gives the zone as it is, but for its SOA records."""
    added: list[Record] = []
    removed: list[Record] = []
    for name, parts, change in _balances(zone, touches):
        first_added, first_removed = len(added), len(removed)
        _compare(name, parts, change, added, removed)
        if not any(isinstance(part, Hosts) and part.ports for part in change):
            continue
        now, before = _weight(parts, name), _weight(_before(parts, change), name)
        added[first_added:] = [_weighed(record, now) for record in added[first_added:]]
        removed[first_removed:] = [_weighed(record, before) for record in removed[first_removed:]]
        if now and before and now != before:
            new = {record.rdata for record in added[first_added:]}
            for port, target in schema.services(parts, name):
                if (rdata := records.srv(now, port, target)) not in new:
                    added.append(Record(name, records.SRV, rdata))
                    removed.append(Record(name, records.SRV, records.srv(before, port, target)))
    return added, removed


def _balances(zone: Zone, touches: Iterable[Touch]) -> Iterator[tuple[Name, tuple[Part, ...], Counter[Part]]]:
    """Each name that was touched, its parts as they are, and how many of each it got or, below zero, lost."""
    balance: defaultdict[Name, Counter[Part]] = defaultdict(Counter)
    for touch in touches:
        balance[touch.name].update(touch.given)
        balance[touch.name].subtract(touch.taken)
    for name, change in balance.items():
        node = zone.nodes.get(name)
        yield name, node.parts if node else (), change


def _before(parts: tuple[Part, ...], change: Counter[Part]) -> Iterator[Part]:
    """The parts of a name before the change."""
    yield from (part for part, count in change.items() if count < 0)
    for part in parts:
        given = change[part]
        if given <= 0 or parts.count(part) > given:
            yield part


def _weight(parts: Iterable[Part], name: Name) -> int:
    """The weight of the SRV records that parts give; 0 when they give none. As few parts are looked at as tell: of a
    Service of 10,000 endpoints the first slice."""
    services: set[tuple[int, Name]] = set()
    for part in parts:
        services.update(schema.services((part,), name))
        if services and schema.weight(len(services)) == schema.LIGHTEST:
            break
    return schema.weight(len(services)) if services else 0


def _weighed(record: Record, weight: int) -> Record:
    if record.type != records.SRV:
        return record
    port = int.from_bytes(record.rdata[4:6], "big")
    return record._replace(rdata=records.srv(weight, port, record.rdata[6:]))


def _compare(
    name: Name, parts: tuple[Part, ...], change: Counter[Part], added: list[Record], removed: list[Record]
) -> None:
    now = Counter(_related(parts, change))
    before = now.copy()
    before.subtract(change)
    new, old = _keys(now.elements(), name), _keys(before.elements(), name)
    won, lost = [key for key in new if key not in old], [key for key in old if key not in new]
    ports = sum(type_ == records.SRV for type_, _ in won), sum(type_ == records.SRV for type_, _ in lost)
    total = len(schema.services(parts, name)) if any(ports) else 0
    added.extend(_record(name, key, total) for key in won)
    removed.extend(_record(name, key, total - ports[0] + ports[1]) for key in lost)


def _related(parts: tuple[Part, ...], change: Counter[Part]) -> Iterator[Part]:
    """The parts that can give the same records as those that changed: a name has many, a change is about few."""
    hosts = [part for part in change if isinstance(part, Hosts)]
    addresses = {address for part in hosts for address in part.addresses}
    targets = {target for part in hosts for target in part.targets}
    for part in parts:
        if (
            not (isinstance(part, Hosts) and part.targets)
            or part in change
            or not (addresses.isdisjoint(part.addresses) and targets.isdisjoint(part.targets))
        ):
            yield part


def _keys(parts: Iterable[Part], name: Name) -> dict[_Key, None]:
    parts = list(parts)
    found: dict[_Key, None] = {}
    for type_, length in ((records.A, 4), (records.AAAA, 16)):
        found.update({(type_, address): None for address in schema.addresses(parts, length)})
    found.update({(records.SRV, records.srv(0, *service)[4:]): None for service in schema.services(parts, name)})
    for type_ in (records.CNAME, records.PTR):
        found.update({(type_, target): None for target in schema.names_at(parts, type_)})
    texts = (part.text for part in parts if isinstance(part, Text))
    found.update({(records.TXT, records.character_string(text)): None for text in texts})
    return found


def _record(name: Name, key: _Key, services: int) -> Record:
    type_, data = key
    if type_ == records.SRV:
        data = records.srv(schema.weight(services), int.from_bytes(data[:2], "big"), data[2:])
    return Record(name, type_, data)
