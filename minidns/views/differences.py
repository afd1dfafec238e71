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


class _Swap(NamedTuple):
    """What a change did at a name: the parts that it left alone, those that it took and those that it gave."""

    name: Name
    others: list[Part]
    taken: list[Part]
    given: list[Part]


def differences(zone: Zone, touches: Iterable[Touch]) -> tuple[list[Record], list[Record]]:
    """(added, removed) by a change that was just applied to `zone`; SOA records, which change always, left out.

    An SRV record stays the same while its port and target do: its weight moves with the number of records.
    """
    added: list[Record] = []
    removed: list[Record] = []
    for swap in _swaps(zone, touches):
        won, lost = _compared(swap)
        ports = sum(type_ == records.SRV for type_, _ in won), sum(type_ == records.SRV for type_, _ in lost)
        found = schema.by_port((*swap.others, *swap.given), swap.name) if any(ports) else {}
        total = sum(map(len, found.values()))
        now, before = (schema.weight(count) if count else 0 for count in (total, total - ports[0] + ports[1]))
        added.extend(_record(swap.name, key, now) for key in won)
        removed.extend(_record(swap.name, key, before) for key in lost)
    return added, removed


def exact(zone: Zone, touches: Iterable[Touch]) -> tuple[list[Record], list[Record]]:
    """As `differences`, and with every SRV record whose weight moved: what is added to the zone as it was, with what
    is removed taken away, gives the zone as it is, but for its SOA records."""
    added: list[Record] = []
    removed: list[Record] = []
    for swap in _swaps(zone, touches):
        name = swap.name
        won, lost = _compared(swap)
        now = before = 0
        if any(isinstance(part, Hosts) and part.ports for part in (*swap.taken, *swap.given)):
            now, before = (_weight((*some, *swap.others), name) for some in (swap.given, swap.taken))
        added.extend(_record(name, key, now) for key in won)
        removed.extend(_record(name, key, before) for key in lost)
        if now and before and now != before:
            new = {data for type_, data in won if type_ == records.SRV}
            current, former = (records.srv(weight, 0, b"")[:4] for weight in (now, before))
            for port, target in schema.services((*swap.others, *swap.given), name):
                data = port.to_bytes(2, "big") + target
                if data not in new:
                    added.append(Record(name, records.SRV, current + data))
                    removed.append(Record(name, records.SRV, former + data))
    return added, removed


def _swaps(zone: Zone, touches: Iterable[Touch]) -> Iterator[_Swap]:
    balance: defaultdict[Name, Counter[Part]] = defaultdict(Counter)
    for touch in touches:
        balance[touch.name].update(touch.given)
        balance[touch.name].subtract(touch.taken)
    for name, change in balance.items():
        given = [part for part, count in change.items() for _ in range(count)]
        taken = [part for part, count in change.items() for _ in range(-count)]
        node = zone.nodes.get(name)
        others, left = [], list(given)
        for part in node.parts if node else ():
            # Few have changed of maybe many: comparing them is cheaper than a hash of each, with all its addresses.
            if part in left:
                left.remove(part)
            else:
                others.append(part)
        yield _Swap(name, others, taken, given)


def _compared(swap: _Swap) -> tuple[list[_Key], list[_Key]]:
    """The keys of records that came, and of those that went."""
    given, taken = _narrowed(swap.given, swap.taken)
    others = list(_related(swap.others, (*given, *taken)))
    new, old = _keys((*others, *given), swap.name), _keys((*others, *taken), swap.name)
    return [key for key in new if key not in old], [key for key in old if key not in new]


def _narrowed(given: list[Part], taken: list[Part]) -> tuple[list[Part], list[Part]]:
    """The parts without what a slice's part that went shares with the one that came: of 100 endpoints one differs."""
    if len(given) != 1 or len(taken) != 1:
        return given, taken
    came, went = given[0], taken[0]
    if not (isinstance(came, Hosts) and isinstance(went, Hosts) and came.targets and went.targets):
        return given, taken
    if came.ports != went.ports:
        return given, taken
    addresses, targets = set(came.addresses) & set(went.addresses), set(came.targets) & set(went.targets)

    def less(part: Hosts) -> list[Part]:
        left = [target for target in part.targets if target not in targets]
        found: list[Part] = [Hosts(tuple([one for one in part.addresses if one not in addresses]))]
        return [*found, Hosts((), part.ports, tuple(left))] if left else found

    return less(came), less(went)


def _weight(parts: Iterable[Part], name: Name) -> int:
    """The weight of the SRV records that parts give; 0 when they give none. As few parts are looked at as tell: of a
    Service of 10,000 endpoints the first slice."""
    services: set[tuple[int, Name]] = set()
    for part in parts:
        services.update(schema.services((part,), name))
        if services and schema.weight(len(services)) == schema.LIGHTEST:
            break
    return schema.weight(len(services)) if services else 0


def _related(parts: Iterable[Part], changed: Iterable[Part]) -> Iterator[Part]:
    """The parts that can give the same records as those that changed: a name has many, a change is about few."""
    hosts = [part for part in changed if isinstance(part, Hosts)]
    addresses = {address for part in hosts for address in part.addresses}
    targets = {target for part in hosts for target in part.targets}
    for part in parts:
        if not (
            isinstance(part, Hosts)
            and part.targets
            and addresses.isdisjoint(part.addresses)
            and targets.isdisjoint(part.targets)
        ):
            yield part


def _keys(parts: Iterable[Part], name: Name) -> dict[_Key, None]:
    parts = list(parts)
    found: dict[_Key, None] = {}
    hosts = [part for part in parts if isinstance(part, Hosts)]
    if hosts:
        for type_, length in ((records.A, 4), (records.AAAA, 16)):
            found.update({(type_, address): None for address in schema.addresses(hosts, length)})
        found.update({(records.SRV, records.srv(0, *service)[4:]): None for service in schema.services(hosts, name)})
    if len(hosts) == len(parts):
        return found
    for type_ in (records.CNAME, records.PTR):
        found.update({(type_, target): None for target in schema.names_at(parts, type_)})
    texts = (part.text for part in parts if isinstance(part, Text))
    found.update({(records.TXT, records.character_string(text)): None for text in texts})
    return found


def _record(name: Name, key: _Key, weight: int) -> Record:
    type_, data = key
    if type_ == records.SRV:
        data = records.srv(weight, int.from_bytes(data[:2], "big"), data[2:])
    return Record(name, type_, data)
