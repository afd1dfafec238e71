"""The 992 recorded questions: CoreDNS's answer, or one of the differences that minidns makes on purpose.

`data/parity/*.differences` lists every question that is answered differently, with the numbers of the differences in
docs/coredns.md that it shows. Each difference is a function below that turns CoreDNS's answer into ours, so that the
list cannot excuse anything else, and an answer that comes to agree has to leave the list.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from ipaddress import ip_address
from pathlib import Path

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from minidns.core import names
from minidns.core.responder import Responder
from minidns.core.schema import PodMode, ZoneSettings
from minidns.core.zone import Zone
from tests.support.clusters import recorded_zone

PARITY = Path(__file__).parent / "parity"
#: The addresses of the host that CoreDNS was recorded on.
NS_ADDRESSES = tuple(ip_address(text).packed for text in ("192.0.2.2", "fd00::2", "fe80::fc:ff:fe00:1"))
SETTINGS = {
    "insecure": ZoneSettings(ttl=30, pods=PodMode.INSECURE, ns_addresses=NS_ADDRESSES),
    "verified": ZoneSettings(ttl=5, pods=PodMode.VERIFIED, endpoint_pod_names=True, ns_addresses=NS_ADDRESSES),
}


@dataclass(frozen=True)
class Seen:
    """An answer: the records of each section in presentation form, the serial masked."""

    rcode: str
    answer: frozenset[str] = frozenset()
    authority: frozenset[str] = frozenset()
    additional: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Case:
    """A question, what CoreDNS says to it, and what it says to every other question."""

    name: str
    type: str
    zone: Zone
    recorded: dict[tuple[str, str], Seen]

    @property
    def node_parts(self) -> tuple[object, ...] | None:
        node = self.zone.nodes.get(names.from_text(self.name.lower()))
        return None if node is None else node.parts

    def soa(self) -> frozenset[str]:
        origins = ("cluster.local.", "in-addr.arpa.", "ip6.arpa.")
        origin = next(self.name[-len(name) :] for name in origins if self.name.lower().endswith(name))
        timers = f"SERIAL 7200 1800 86400 {self.zone.settings.ttl}"
        return frozenset({f"{origin} {self.zone.settings.ttl} SOA ns.dns.{origin} hostmaster.{origin} {timers}"})


def exists_for_every_type(case: Case, seen: Seen) -> Seen:
    if case.node_parts and seen.rcode == "NXDOMAIN":
        return replace(seen, rcode="NOERROR")
    if case.type == "SOA" and case.node_parts is None and seen == Seen("NOERROR", authority=case.soa()):
        return replace(seen, rcode="NXDOMAIN")
    return seen


def empty_non_terminal(case: Case, seen: Seen) -> Seen:
    return replace(seen, rcode="NOERROR") if case.node_parts == () and seen.rcode == "NXDOMAIN" else seen


def ports_hold_srv_only(case: Case, seen: Seen) -> Seen:
    if case.name.startswith("_") and case.type in ("A", "AAAA") and seen.answer:
        return Seen("NOERROR", authority=case.soa())
    return seen


def weights_count_records(_: Case, seen: Seen) -> Seen:
    services = [record.split() for record in seen.answer if " SRV " in record]
    others = {record for record in seen.answer if " SRV " not in record}
    weighed = {" ".join([*field[:4], str(max(1, 100 // len(services))), *field[5:]]) for field in services}
    return replace(seen, answer=frozenset(others | weighed))


def alias_is_a_cname(case: Case, seen: Seen) -> Seen:
    """The chain, and then what CoreDNS says when it is asked about its end."""
    chain: list[str] = []
    name = case.name
    while (target := _external_name(case.zone, name)) and case.type not in ("CNAME", "ANY"):
        link = f"{name} {case.zone.settings.ttl} CNAME {target}"
        if link in chain:
            return Seen("NOERROR", frozenset(chain))
        chain.append(link)
        name = target
    if not chain:
        return seen
    if not name.endswith(".cluster.local."):
        return Seen("NOERROR", frozenset(chain))
    end = case.recorded.get((name, case.type), Seen("NXDOMAIN", authority=case.soa()))
    return replace(end, answer=end.answer | frozenset(chain))


def no_pointer_to_nothing(case: Case, seen: Seen) -> Seen:
    if case.type == "PTR" and seen.answer:
        services = [record.split()[-1].split(".")[-6:-4] for record in seen.answer if " PTR " in record]
        if services and all(case.zone.cluster.service((namespace, service)) is None for service, namespace in services):
            return Seen("NXDOMAIN", authority=case.soa())
    return seen


def short_negative(case: Case, seen: Seen) -> Seen:
    """The SOA's minimum, and its TTL where it says how long a negative answer lives."""
    ttl = case.zone.settings.ttl

    def cut(record: str) -> str:
        return record.removesuffix(f" {ttl}") + f" {min(ttl, 5)}" if " SOA " in record else record

    authority = frozenset(cut(record).replace(f" {ttl} SOA", f" {min(ttl, 5)} SOA") for record in seen.authority)
    return replace(seen, answer=frozenset(map(cut, seen.answer)), authority=authority)


def any_is_hinfo(case: Case, seen: Seen) -> Seen:
    if case.type == "ANY" and case.node_parts is not None:
        return Seen("NOERROR", frozenset({f'{case.name} {case.zone.settings.ttl} HINFO "RFC8482" ""'}))
    return seen


def every_address_of_a_pod(case: Case, seen: Seen) -> Seen:
    labels = case.name.split(".")
    if labels[2] == "pod" and case.type == "AAAA" and seen.rcode == "NXDOMAIN" and case.node_parts:
        address = names.labelled_address(labels[0].encode())
        assert address is not None
        record = f"{case.name} {case.zone.settings.ttl} AAAA {names.address_text(address)}"
        return Seen("NOERROR", frozenset({record}))
    return seen


def refused_outside(case: Case, seen: Seen) -> Seen:
    return Seen("REFUSED") if case.zone.origin(names.from_text(case.name.lower())) is None else seen


#: By their numbers in docs/coredns.md, in an order in which each can build on what those before it have changed.
DIFFERENCES: dict[int, Callable[[Case, Seen], Seen]] = {
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


def _external_name(zone: Zone, name: str) -> str | None:
    service, namespace = name.split(".")[:2]
    found = zone.cluster.service((namespace, service))
    if found is None or not found.external_name or found.external_name.replace(".", "").isdigit():
        return None
    return found.external_name.removesuffix(".") + "."


def presentation(section: list[dns.rrset.RRset]) -> list[str]:
    found = []
    for rrset in section:
        for rdata in rrset:
            text = str(rdata)
            if rrset.rdtype == dns.rdatatype.SOA:
                text = text.replace(f" {rdata.serial} ", " SERIAL ")
            found.append(f"{rrset.name} {rrset.ttl} {dns.rdatatype.to_text(rrset.rdtype)} {text}")
    return found


@cache
def recorded(mode: str) -> dict[tuple[str, str], Seen]:
    found = {}
    for line in (PARITY / f"coredns-1.14.7.{mode}.answers.jsonl").read_text().splitlines():
        said = json.loads(line)
        name, type_ = said["q"].split()
        sections = (frozenset(said[section]) for section in ("answer", "authority", "additional"))
        found[name, type_] = Seen(said["rcode"], *sections)
    return found


@cache
def state(mode: str) -> Zone:
    return recorded_zone(SETTINGS[mode])


def listed(mode: str) -> dict[tuple[str, str], list[int]]:
    lines = (PARITY / f"{mode}.differences").read_text().splitlines()
    found = {}
    for name, type_, *numbers in (line.split() for line in lines if not line.startswith("#")):
        found[name, type_] = [int(number) for number in numbers]
    return found


def ask(zone: Zone, name: str, type_: str) -> Seen:
    responder = Responder(zone)
    query = dns.message.make_query(name, type_, use_edns=0, payload=4096)
    reply = responder.respond(query.to_wire(), responder.channel("tcp", "1"))
    assert isinstance(reply, bytes)
    message = dns.message.from_wire(reply)
    assert message.question == query.question
    sections = (frozenset(presentation(section)) for section in (message.answer, message.authority, message.additional))
    return Seen(dns.rcode.to_text(message.rcode()), *sections)


def explained(case: Case) -> tuple[Seen, list[int]]:
    """What CoreDNS's answer becomes by our differences, and which of them it took."""
    seen, took = case.recorded[case.name, case.type], []
    for number, difference in DIFFERENCES.items():
        ours = difference(case, seen)
        if ours != seen:
            took.append(number)
        seen = ours
    return seen, sorted(took)


def test_every_recorded_question_is_there() -> None:
    questions = [tuple(line.split()) for line in (PARITY / "questions.txt").read_text().splitlines()]
    assert len(questions) == 992
    for mode in SETTINGS:
        assert set(recorded(mode)) == set(questions)


@pytest.mark.parametrize("mode", SETTINGS)
def test_answers_are_coredns_or_a_listed_difference(mode: str) -> None:
    zone, theirs, different = state(mode), recorded(mode), {}
    wrong = []
    for name, type_ in theirs:
        case = Case(name, type_, zone, theirs)
        expected, numbers = explained(case)
        if numbers:
            different[name, type_] = numbers
        if ask(zone, name, type_) != expected:
            wrong.append((name, type_, expected, ask(zone, name, type_)))
    assert not wrong
    assert different == listed(mode)


@pytest.mark.parametrize("mode", SETTINGS)
def test_every_listed_difference_shows(mode: str) -> None:
    """The differences that this mode's recording can show are all in use: no predicate is dead."""
    numbers = {number for numbers in listed(mode).values() for number in numbers}
    assert numbers == set(DIFFERENCES) - ({11} if mode == "insecure" else {7})
