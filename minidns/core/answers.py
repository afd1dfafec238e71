"""A question and the zone index give an Answer: an rcode, three sections, and the reason.

Every rule about answers that is not a rule about records (`minidns.core.schema`) is here: NXDOMAIN and NODATA
(RFC 2308, RFC 8020), aliases (RFC 1034, 3.6.2), additional addresses (RFC 2782), ANY (RFC 8482).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from minidns.core import names, reasons, records, schema
from minidns.core.names import Name
from minidns.core.reasons import Reason, Why
from minidns.core.records import Rrset
from minidns.core.schema import Apex, Exists, Hosts, Part, PodMode, Text, ZoneSettings
from minidns.core.zone import Zone

#: SOA refresh, retry and expire in seconds, as CoreDNS has them: secondaries answer for a day without us.
_SOA_TIMERS = (7200, 1800, 86400)
#: Address length and record type.
_FAMILIES = ((4, records.A), (16, records.AAAA))
#: Aliases of aliases that are followed; the number that resolvers commonly give up at.
_LONGEST_CHAIN = 16
#: Bytes of a message over TCP, and of what there is of each record beside its rdata, at least.
_LARGEST, _FIXED = 65535, 12


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer.

    outside: where a chain of aliases leads to that no zone here holds; a forwarder can go on from there.
    """

    rcode: int
    reason: Reason
    answer: tuple[Rrset, ...] = ()
    authority: tuple[Rrset, ...] = ()
    additional: tuple[Rrset, ...] = ()
    outside: Name | None = None


def answer(zone: Zone, name: Name, type_: int) -> Answer:
    """The answer to a question of class IN about a name in lower case."""
    origin = zone.origin(name)
    if origin is None:
        return Answer(records.REFUSED, Reason(Why.OUTSIDE))
    if not zone.synced:
        return Answer(records.SERVFAIL, Reason(Why.NOT_SYNCED))
    if type_ in (records.AXFR, records.IXFR):
        return Answer(records.REFUSED, Reason(Why.TRANSFER))
    node = zone.nodes.get(name)
    if node is None:
        return _synthesized(zone, name, type_) or negative(zone, name, origin)
    if type_ == records.ANY:
        hinfo = records.character_string("RFC8482") + records.character_string("")
        return Answer(records.NOERROR, Reason(Why.RECORDS), (Rrset(name, records.HINFO, zone.settings.ttl, (hinfo,)),))
    if target := alias(node.parts):
        return _chain(zone, name, target, type_)
    if rrset := rrset_at(zone, name, type_):
        reason = Reason(Why.RECORDS)
        return Answer(records.NOERROR, reason, (rrset,), additional=_additional(zone, rrset))
    return Answer(records.NOERROR, reasons.of_nodata(zone, name, type_), authority=(soa(zone, origin, negative=True),))


def negative(zone: Zone, name: Name, origin: Name) -> Answer:
    """NXDOMAIN for a name that has no node."""
    encloser = zone.encloser(name)
    assert encloser is not None
    reason = reasons.of_nxdomain(zone, name, encloser)
    return Answer(records.NXDOMAIN, reason, authority=(soa(zone, origin, negative=True),))


def alias(parts: Iterable[Part]) -> Name | None:
    """The target of the CNAME record among the parts of a name."""
    return next(iter(schema.names_at(parts, records.CNAME)), None)


def rrset_at(zone: Zone, name: Name, type_: int) -> Rrset | None:
    """The records of a name that has a node, of one type; None when there are none."""
    return rrset_of(zone.settings, zone.serial, name, zone.nodes[name].parts, type_)


def rrset_of(settings: ZoneSettings, serial: int, name: Name, parts: tuple[Part, ...], type_: int) -> Rrset | None:
    """The records of one type that parts of a name give; None when they give none."""
    ttl = settings.ttl
    rdata: tuple[bytes, ...] = ()
    match type_:
        case records.A | records.AAAA:
            rdata = schema.addresses(parts, 4 if type_ == records.A else 16)
        case records.SRV:
            by_port = schema.by_port(parts, name)
            weight = schema.weight(sum(map(len, by_port.values()))) if by_port else 0
            # A pack for each port, not for each of 10,000 endpoints.
            heads = [(records.srv(weight, port, b""), targets) for port, targets in by_port.items()]
            rdata = tuple([head + target for head, targets in heads for target in targets])
        case records.PTR | records.CNAME:
            rdata = schema.names_at(parts, type_)
        case records.TXT:
            rdata = tuple(records.character_string(part.text) for part in parts if isinstance(part, Text))
            ttl = settings.version_ttl
        case records.SOA | records.NS:
            for part in parts:
                if isinstance(part, Apex):
                    both = _soa(settings, serial, part.origin), _ns(settings, part.origin)
                    return both[type_ == records.NS]
    return Rrset(name, type_, ttl, rdata) if rdata else None


def rrsets_of(settings: ZoneSettings, serial: int, name: Name, parts: tuple[Part, ...]) -> Iterator[Rrset]:
    """All records that parts of a name give, SOA first."""
    types = reasons.types_of(parts)
    if records.SOA in types:
        types.sort(key=lambda type_: type_ != records.SOA)
    rrsets = (rrset_of(settings, serial, name, parts, type_) for type_ in types)
    return (rrset for rrset in rrsets if rrset)


def bodies_of(settings: ZoneSettings, serial: int, name: Name, parts: tuple[Part, ...]) -> Iterable[Sequence[bytes]]:
    """The same, as `records.bodies`: those of each rrset at least together."""
    if len(parts) == 1 and isinstance(hosts := parts[0], Hosts) and len(hosts.addresses) < 2 > len(hosts.targets):
        # Nine of ten names of a large zone, as those of endpoints are: a fifth of the time of what follows.
        address, target = b"".join(hosts.addresses), b"".join(hosts.targets) or name
        head, heads = _heads(len(address), settings.ttl, hosts.ports, len(target))
        if address and len(heads) == 1:
            return ((head + address, heads[0] + target),)
        bodies = [head + address][: len(address)] + [head + target for head in heads]
        return (bodies,) if bodies else ()
    rrsets = rrsets_of(settings, serial, name, parts)
    return (records.bodies(rrset.type, rrset.ttl, rrset.rdata) for rrset in rrsets)


@lru_cache(maxsize=1024)
def _heads(address: int, ttl: int, ports: tuple[int, ...], target: int) -> tuple[bytes, tuple[bytes, ...]]:
    """What the bodies of an address and of SRV records have in front of these and of their target, of so many bytes.
    Most endpoints in a row have the same ports, and names of a few lengths."""
    (of_address,) = records.bodies(records.A if address == 4 else records.AAAA, ttl, [bytes(address)])
    rdata = [records.srv(schema.weight(len(ports)), port, bytes(target)) for port in ports]
    return of_address[:10], tuple(body[:-target] for body in records.bodies(records.SRV, ttl, rdata))


def soa(zone: Zone, origin: Name, *, negative: bool = False) -> Rrset:
    """The SOA record of a zone; in a negative answer its TTL says how long that may be kept (RFC 2308, 3)."""
    return _soa(zone.settings, zone.serial, origin, negative=negative)


def _soa(settings: ZoneSettings, serial: int, origin: Name, *, negative: bool = False) -> Rrset:
    ttl, minimum = settings.soa_times
    numbers = struct.pack("!5I", serial, *_SOA_TIMERS, minimum)
    rdata = b"\2ns\3dns" + origin + b"\x0ahostmaster" + origin + numbers
    return Rrset(origin, records.SOA, ttl if negative else settings.ttl, (rdata,))


def _ns(settings: ZoneSettings, origin: Name) -> Rrset:
    return Rrset(origin, records.NS, settings.ttl, (b"\2ns\3dns" + origin,))


def _additional(zone: Zone, rrset: Rrset) -> tuple[Rrset, ...]:
    """The addresses of the targets, of the families that have the port; none of them where they cannot fit behind the
    answer in any message, so that 10,000 targets are not looked up for nothing."""
    targets: dict[Name, set[int]] = {}
    if sum(map(len, rrset.rdata)) + len(rrset.rdata) * _FIXED > _LARGEST:
        return ()
    if rrset.type == records.SRV:
        targets = schema.targets(zone.nodes[rrset.owner].parts, rrset.owner)
    elif rrset.type == records.NS:
        targets = {target: {4, 16} for target in rrset.rdata}
    wanted = [
        (target, type_) for target, lengths in targets.items() for length, type_ in _FAMILIES if length in lengths
    ]
    found = (rrset_at(zone, target, type_) for target, type_ in wanted if target in zone.nodes)
    return tuple(some for some in found if some)


def _synthesized(zone: Zone, name: Name, type_: int) -> Answer | None:
    """The address that the name of a pod says (`pods insecure`), when its namespace exists."""
    if zone.settings.pods is not PodMode.INSECURE:
        return None
    above = zone.nodes.get(names.parent(name))
    if above is None or Exists(pods=True) not in above.parts:
        return None
    address = names.labelled_address(names.labels(name)[0])
    if address is None:
        return None
    family = records.A if len(address) == 4 else records.AAAA
    if type_ in (family, records.ANY):
        return Answer(records.NOERROR, Reason(Why.RECORDS), (Rrset(name, family, zone.settings.ttl, (address,)),))
    reason = Reason(Why.NO_TYPE, elsewhere=(records.type_text(family),))
    return Answer(records.NOERROR, reason, authority=(soa(zone, zone.settings.origin, negative=True),))


def end_of_aliases(zone: Zone, name: Name) -> tuple[Name, ...]:
    """The names that the aliases from `name` on lead to, the last one with other records; () where there is none."""
    way: list[Name] = []
    while (node := zone.nodes.get(name)) and (target := alias(node.parts)):
        if len(way) == _LONGEST_CHAIN or target in way:
            return ()
        way.append(target)
        name = target
    return tuple(way) if node else ()


def _chain(zone: Zone, name: Name, target: Name, type_: int) -> Answer:
    """The CNAME record, and what its target answers, if that is ours to answer."""
    ttl = zone.settings.ttl
    chain = [Rrset(name, records.CNAME, ttl, (target,))]
    service = reasons.service_at(zone, name)
    key = service.key if service else None
    if type_ == records.CNAME:
        return Answer(records.NOERROR, Reason(Why.ALIAS, key), tuple(chain))
    while (node := zone.nodes.get(target)) and (further := alias(node.parts)):
        if len(chain) == _LONGEST_CHAIN or any(target == link.owner for link in chain):
            return Answer(records.NOERROR, Reason(Why.ALIAS_LOOP, key), tuple(chain))
        chain.append(Rrset(target, records.CNAME, ttl, (further,)))
        target = further
    if zone.origin(target) is None:
        return Answer(records.NOERROR, Reason(Why.ALIAS, key), tuple(chain), outside=target)
    end = answer(zone, target, type_)
    reason = Reason(Why.ALIAS if end.answer else Why.ALIAS_TARGET, key)
    return Answer(end.rcode, reason, (*chain, *end.answer), end.authority, end.additional)
