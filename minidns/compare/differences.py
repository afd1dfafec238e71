"""Where minidns answers otherwise than CoreDNS on purpose: each difference turns CoreDNS's answer into ours.

The numbers are those of docs/coredns.md. A difference changes nothing but what it is about, so that it cannot excuse a
server that has other objects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from minidns.compare.seen import SHORT, Seen, owner_of, rdata_of, type_of
from minidns.core import answers, names, records
from minidns.core.model import EndpointSlice
from minidns.core.names import Name
from minidns.core.schema import Part
from minidns.core.zone import Zone

#: A name in lower case and a type.
Question = tuple[Name, int]

_NAMES_OF_ADDRESSES = (names.IN_ADDR_ARPA, names.IP6_ARPA)


@dataclass(frozen=True, slots=True)
class Case:
    """A question, the zone that ours is answered from, and what the other server answers to all questions so far."""

    name: Name
    type: int
    zone: Zone
    theirs: Mapping[Question, Seen]

    @property
    def text(self) -> str:
        return names.to_text(self.name)

    @property
    def parts(self) -> tuple[Part, ...] | None:
        """What the objects give to the name; None when it does not exist."""
        node = self.zone.nodes.get(self.name)
        return None if node is None else node.parts

    def negative_soa(self) -> frozenset[str]:
        """The authority section of a negative answer, as CoreDNS has it."""
        ttl = self.zone.settings.ttl
        origin = names.to_text(self.zone.origin(self.name) or self.zone.settings.origin)
        return frozenset({f"{origin} {ttl} SOA ns.dns.{origin} hostmaster.{origin} SERIAL 7200 1800 86400 {ttl}"})


Difference = Callable[[Case, Seen], Seen]


def exists_for_every_type(case: Case, seen: Seen) -> Seen:
    if case.parts and seen.rcode == "NXDOMAIN" and _denied_by_type(case):
        return replace(seen, rcode="NOERROR")
    is_empty = seen.rcode == "NOERROR" and not seen.answer
    if case.type == records.SOA and case.parts is None and is_empty and case.zone.origin(case.name):
        return replace(seen, rcode="NXDOMAIN")
    return seen


def _denied_by_type(case: Case) -> bool:
    """Whether CoreDNS says of a name that exists, asked for a type that it lacks, that it does not."""
    if case.type not in (records.A, records.AAAA):
        return True
    labels = names.labels(case.name)
    reverse = any(names.is_below(case.name, tree) for tree in _NAMES_OF_ADDRESSES)
    return reverse or labels[0] == b"dns-version" or (len(labels) > 2 and labels[2] == b"pod")


def empty_non_terminal(case: Case, seen: Seen) -> Seen:
    return replace(seen, rcode="NOERROR") if case.parts == () and seen.rcode == "NXDOMAIN" else seen


def ports_hold_srv_only(case: Case, seen: Seen) -> Seen:
    types = {type_of(record) for record in seen.answer}
    if case.name[1:2] == b"_" and case.type in (records.A, records.AAAA) and types == {records.TYPES[case.type]}:
        return Seen("NOERROR", authority=case.negative_soa())
    return seen


def weights_count_records(_: Case, seen: Seen) -> Seen:
    services = [record.split() for record in seen.answer if type_of(record) == "SRV"]
    others = {record for record in seen.answer if type_of(record) != "SRV"}
    weighed = {" ".join([*field[:4], str(max(1, 100 // len(services))), *field[5:]]) for field in services}
    return replace(seen, answer=frozenset(others | weighed))


def alias_is_a_cname(case: Case, seen: Seen) -> Seen:
    """The chain that is hidden, and then what is said about its end."""
    if seen.answer and any(owner_of(record) == case.text for record in seen.answer):
        return seen
    chain: list[str] = []
    name = case.name
    while (target := answers.alias(_parts(case.zone, name))) and case.type not in (records.CNAME, records.ANY):
        link = f"{names.to_text(name)} {case.zone.settings.ttl} CNAME {names.to_text(target)}"
        if link in chain:
            return Seen("NOERROR", frozenset(chain))
        chain.append(link)
        name = target
    if not chain:
        return seen
    if case.zone.origin(name) is None:
        return Seen("NOERROR", frozenset(chain))
    end = case.theirs.get((name, case.type), Seen("NXDOMAIN", authority=case.negative_soa()))
    return replace(end, answer=end.answer | frozenset(chain))


def _parts(zone: Zone, name: Name) -> tuple[Part, ...]:
    node = zone.nodes.get(name)
    return node.parts if node else ()


def no_pointer_to_nothing(case: Case, seen: Seen) -> Seen:
    address = names.reversed_address(case.name) if case.type == records.PTR else None
    if address is None or not seen.answer:
        return seen
    for record in seen.answer:
        labels = rdata_of(record).split(".")
        if len(labels) < 4 or not _is_orphan(case.zone, (labels[2], labels[1]), address):
            return seen
    return Seen("NXDOMAIN", authority=case.negative_soa())


def _is_orphan(zone: Zone, key: tuple[str, str], address: bytes) -> bool:
    """Whether an endpoint has that address for a Service that is gone, or is an alias."""
    service = zone.cluster.service(key)
    if service is not None and service.external_name is None:
        return False
    slices = (slice_ for slice_ in zone.cluster.slices(key).values() if isinstance(slice_, EndpointSlice))
    return any(address in endpoint.addresses for slice_ in slices for endpoint in slice_.endpoints)


def short_negative(_: Case, seen: Seen) -> Seen:
    """The SOA's minimum, and its TTL where it says how long a negative answer lives."""

    def cut(record: str, *, negative: bool) -> str:
        if type_of(record) != "SOA":
            return record
        owner, ttl, *middle, minimum = record.split()
        return " ".join([owner, _short(ttl) if negative else ttl, *middle, _short(minimum)])

    answer = frozenset(cut(record, negative=False) for record in seen.answer)
    return replace(seen, answer=answer, authority=frozenset(cut(record, negative=True) for record in seen.authority))


def _short(seconds: str) -> str:
    return str(min(int(seconds), SHORT))


def any_is_hinfo(case: Case, seen: Seen) -> Seen:
    if case.type == records.ANY and case.parts is not None:
        return Seen("NOERROR", frozenset({f'{case.text} {case.zone.settings.ttl} HINFO "RFC8482" ""'}))
    return seen


def every_address_of_a_pod(case: Case, seen: Seen) -> Seen:
    labels = names.labels(case.name)
    if len(labels) > 2 and labels[2] == b"pod" and case.type == records.AAAA and seen.rcode == "NXDOMAIN":
        address = names.labelled_address(labels[0])
        if case.parts and address is not None:
            record = f"{case.text} {case.zone.settings.ttl} AAAA {names.address_text(address)}"
            return Seen("NOERROR", frozenset({record}))
    return seen


def refused_outside(case: Case, seen: Seen) -> Seen:
    return Seen("REFUSED") if case.zone.origin(case.name) is None else seen


#: By their numbers in docs/coredns.md, in an order in which each can build on what those before it have changed.
DIFFERENCES: dict[int, Difference] = {
    11: every_address_of_a_pod,
    1: exists_for_every_type,
    2: empty_non_terminal,
    3: ports_hold_srv_only,
    5: alias_is_a_cname,
    4: weights_count_records,
    6: no_pointer_to_nothing,
    8: any_is_hinfo,
    7: short_negative,
    12: refused_outside,
}
#: What each is about, in a few words.
REASONS = {
    1: "a name that exists, exists for every type",
    2: "a name with names below it exists",
    3: "the name of a port holds SRV records only",
    4: "SRV weights count records",
    5: "an ExternalName is a CNAME, whatever it leads to",
    6: "no PTR record for an endpoint whose Service is gone",
    7: f"a negative answer lives for {SHORT} s at most",
    8: "ANY gets one HINFO record",
    11: "pods verified knows all addresses of a pod",
    12: "a name outside every zone is REFUSED",
}


def with_differences(case: Case) -> tuple[Seen, list[int]]:
    """What their answer becomes by our differences, and the numbers of those that it took."""
    seen, took = case.theirs[case.name, case.type], []
    for number, difference in DIFFERENCES.items():
        ours = difference(case, seen)
        if ours != seen:
            took.append(number)
        seen = ours
    return seen, sorted(took)
