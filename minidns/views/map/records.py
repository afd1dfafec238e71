"""What the zone holds at one name, as a zone file has it, and the reason where that is nothing."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from minidns.core import answers, names, reasons, records, schema
from minidns.core.names import Name
from minidns.core.records import Rrset
from minidns.core.schema import Hosts, Part
from minidns.core.zone import Zone

#: Records of one type that are listed. From a hundred on every SRV record has weight 1: a cut set tells it right.
LISTED = 100


class AtName(msgspec.Struct, frozen=True):
    """`records`: lines of a zone file; `more`: how many are not listed. `reason`: why there is none, "" when there are.
    `type`: what to ask for to see them."""

    name: str
    type: str
    rcode: str
    records: tuple[str, ...]
    more: int
    reason: str


def at_name(zone: Zone, name: Name) -> AtName:
    """What is at a name in lower case. Costs the more the more parts the name has, not the more records."""
    lines: list[str] = []
    more = 0
    types = reasons.types_at(zone, name) if name in zone.nodes else []
    for type_ in types:
        rrset, count = _some(zone, name, type_)
        lines += records.to_text(rrset)
        more += count - len(rrset.rdata)
    wanted = types[0] if types else records.PTR if names.reversed_address(name) else records.A
    if lines:
        return AtName(names.to_text(name), records.type_text(wanted), "NOERROR", tuple(lines), more, "")
    answer = answers.answer(zone, name, wanted)
    rcode, why = records.RCODES[answer.rcode], reasons.sentence(answer.reason)
    synthesized = tuple(line for rrset in answer.answer for line in records.to_text(rrset))
    return AtName(names.to_text(name), records.type_text(wanted), rcode, synthesized, 0, why)


def _some(zone: Zone, name: Name, type_: int) -> tuple[Rrset, int]:
    """Some of the records, and how many there are."""
    parts = zone.nodes[name].parts
    hosts = [part for part in parts if isinstance(part, Hosts)]
    if type_ == records.SRV:
        count = sum(len(part.ports) * max(1, len(part.targets)) for part in hosts)
    else:
        length = 4 if type_ == records.A else 16
        count = sum(len(address) == length for part in hosts for address in part.addresses)
    if type_ not in (records.A, records.AAAA, records.SRV) or count <= LISTED:
        rrset = answers.rrset_at(zone, name, type_)
        assert rrset is not None
        listed = rrset._replace(rdata=rrset.rdata[:LISTED])
        return listed, len(rrset.rdata)
    cut = tuple(_cut(parts, type_))
    if type_ == records.SRV:
        rdata = tuple(records.srv(1, port, target) for port, target in schema.services(cut, name))
    else:
        rdata = schema.addresses(cut, 4 if type_ == records.A else 16)
    return Rrset(name, type_, zone.settings.ttl, rdata[:LISTED]), count


def _cut(parts: Iterable[Part], type_: int) -> Iterable[Part]:
    found = 0
    for part in parts:
        if isinstance(part, Hosts) and found < LISTED:
            if type_ == records.SRV:
                yield Hosts((), part.ports, part.targets[:LISTED])
                found += len(part.ports) * max(1, len(part.targets))
            else:
                length = 4 if type_ == records.A else 16
                some = [address for address in part.addresses if len(address) == length][:LISTED]
                yield Hosts(tuple(some))
                found += len(some)
