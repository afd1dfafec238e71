"""The 992 recorded questions: CoreDNS's answer, or one of the differences that minidns makes on purpose.

`parity/*.differences` lists every question that is answered differently, with the numbers of the differences in
docs/coredns.md that it shows. Each difference is a function (`minidns.compare.differences`) that turns CoreDNS's answer
into ours, so that the list cannot excuse anything else, and an answer that comes to agree has to leave the list.
"""

from __future__ import annotations

import json
from functools import cache
from ipaddress import ip_address
from pathlib import Path

import dns.message
import pytest

from minidns.compare.differences import DIFFERENCES, Case, Question, with_differences
from minidns.compare.seen import Seen, of_message, record_text
from minidns.compare.verdicts import EXPLAINED, judge
from minidns.core import names, records
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


@cache
def recorded(mode: str) -> dict[tuple[str, str], Seen]:
    found = {}
    for line in (PARITY / f"coredns-1.14.7.{mode}.answers.jsonl").read_text().splitlines():
        said = json.loads(line)
        name, type_ = said["q"].split()
        sections = (map(lower, said[section]) for section in ("answer", "authority", "additional"))
        found[name, type_] = Seen(said["rcode"], *map(frozenset, sections))
    return found


def lower(record: str) -> str:
    return record_text(*record.split(" ", 3))


def question(name: str, type_: str) -> Question:
    return names.from_text(name.lower()), records.TYPE_NUMBERS[type_]


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
    assert dns.message.from_wire(reply).question == query.question
    return of_message(reply)[0]


def test_every_recorded_question_is_there() -> None:
    questions = [tuple(line.split()) for line in (PARITY / "questions.txt").read_text().splitlines()]
    assert len(questions) == 992
    for mode in SETTINGS:
        assert set(recorded(mode)) == set(questions)


@pytest.mark.parametrize("mode", SETTINGS)
def test_answers_are_coredns_or_a_listed_difference(mode: str) -> None:
    zone, theirs, different = state(mode), recorded(mode), {}
    by_question = {question(*asked): seen for asked, seen in theirs.items()}
    wrong = []
    for name, type_ in theirs:
        expected, numbers = with_differences(Case(*question(name, type_), zone, by_question))
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


@pytest.mark.parametrize("mode", SETTINGS)
def test_compare_explains_every_recorded_answer(mode: str) -> None:
    """Nothing in CoreDNS's answers is called stale, missing or invented."""
    theirs = {question(*asked): seen for asked, seen in recorded(mode).items()}
    judged = {asked: judge(Case(*asked, state(mode), theirs)) for asked in theirs}
    assert {asked: one for asked, one in judged.items() if one.verdict not in EXPLAINED} == {}
    shown = {number for one in judged.values() for number in one.numbers}
    assert shown >= {1, 2, 3, 4, 5, 6, 8, 12}
