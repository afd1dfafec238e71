"""What is called same, on purpose, stale, missing, invented."""

from __future__ import annotations

import pytest

from minidns.compare.differences import Case
from minidns.compare.seen import SILENCE, Seen, of_answer
from minidns.compare.verdicts import Judged, Verdict, judge
from minidns.core import answers, names, records
from minidns.core.model import Namespace
from minidns.core.zone import Zone
from tests.support.clusters import endpoints, external, headless, service, zone_of

SOA = "cluster.local. 30 SOA ns.dns.cluster.local. hostmaster.cluster.local. SERIAL 7200 1800 86400 30"
WEB = "web.default.svc.cluster.local."
ELSEWHERE = "10.in-addr.arpa. 9 SOA a. b. SERIAL 1 1 1 9"
NO, BACK = "no.default.svc.cluster.local.", "3.0.1.10.in-addr.arpa."


@pytest.fixture
def zone() -> Zone:
    return zone_of(
        service("default/api", "10.96.0.7", ports="http:80"),
        headless("default/web", ports="http:80"),
        endpoints("default/web-a", "10.1.0.1 host=web-0", "10.1.0.2 host=web-1", ports="http:80"),
        endpoints("default/gone-a", "10.1.0.9 host=gone-0", ports="http:80"),
        external("default/out", "www.example.com"),
    )


def judged(zone: Zone, question: str, seen: Seen) -> Judged:
    name, type_ = question.split()
    asked = names.from_text(name), records.TYPE_NUMBERS[type_]
    return judge(Case(*asked, zone, {asked: seen}))


def positive(*answer: str, additional: tuple[str, ...] = (), authority: tuple[str, ...] = ()) -> Seen:
    return Seen("NOERROR", frozenset(answer), frozenset(authority), frozenset(additional))


def test_what_the_objects_say_is_the_same(zone: Zone) -> None:
    for name, node in zone.nodes.items():
        for type_ in (records.A, records.SRV, records.PTR, records.TXT, records.SOA):
            ours = of_answer(answers.answer(zone, name, type_))
            assert judge(Case(name, type_, zone, {(name, type_): ours})) == Judged(Verdict.SAME), (name, node)


def test_ttls_and_left_out_additional_records_do_not_matter(zone: Zone) -> None:
    ours = of_answer(answers.answer(zone, names.from_text(WEB), records.SRV))
    assert ours.additional
    cached = positive(*(record.replace(" 5 SRV", " 27 SRV") for record in ours.answer))
    assert judged(zone, f"{WEB} SRV", cached).verdict is Verdict.SAME


def test_name_servers_beside_an_answer_do_not_matter_when_they_are_right(zone: Zone) -> None:
    found = positive(
        f"{WEB} 30 A 10.1.0.1", f"{WEB} 30 A 10.1.0.2", authority=("cluster.local. 5 NS ns.dns.cluster.local.",)
    )
    assert judged(zone, f"{WEB} A", found).verdict is Verdict.SAME


@pytest.mark.parametrize(
    ("question", "seen", "verdict", "extra", "lacking"),
    [
        (f"{WEB} A", positive(f"{WEB} 30 A 10.1.0.1"), Verdict.MISSING, (), (f"{WEB} A 10.1.0.2",)),
        (
            f"{WEB} A",
            positive(f"{WEB} 30 A 10.1.0.1", f"{WEB} 30 A 10.1.0.2", f"{WEB} 30 A 10.1.0.3"),
            Verdict.STALE,
            (f"{WEB} A 10.1.0.3",),
            (),
        ),
        (f"{WEB} A", Seen("NXDOMAIN", authority=frozenset({SOA})), Verdict.MISSING, (), None),
        (f"api.{WEB[4:]} AAAA", Seen("NXDOMAIN", authority=frozenset({SOA})), Verdict.MISSING, (), None),
        (f"{NO} A", positive(f"{NO} 30 A 10.1.0.3"), Verdict.INVENTED, (f"{NO} A 10.1.0.3",), None),
        (f"{NO} A", Seen("NOERROR", authority=frozenset({SOA})), Verdict.INVENTED, (), ()),
        (f"{WEB} A", Seen("SERVFAIL"), Verdict.FAILED, (), None),
        (f"{WEB} A", SILENCE, Verdict.FAILED, (), ()),
        (f"{BACK} PTR", positive(f"{BACK} 30 PTR web-2.{WEB}"), Verdict.INVENTED, None, None),
        (f"out.{WEB[4:]} CNAME", positive(f"out.{WEB[4:]} 30 CNAME old.example.com."), Verdict.STALE, None, None),
        (f"out.{WEB[4:]} A", positive(f"out.{WEB[4:]} 30 CNAME old.example.com."), Verdict.STALE, None, None),
        (f"out.{WEB[4:]} A", positive(f"out.{WEB[4:]} 30 A 10.96.0.9"), Verdict.STALE, None, None),
        (f"out.{WEB[4:]} A", SILENCE, Verdict.FAILED, None, None),
    ],
)  # fmt: skip
def test_what_is_not_explained(
    zone: Zone,
    question: str,
    seen: Seen,
    verdict: Verdict,
    extra: tuple[str, ...] | None,
    lacking: tuple[str, ...] | None,
) -> None:
    found = judged(zone, question, seen)
    assert found.verdict is verdict
    assert found.numbers == ()
    assert extra is None or found.extra == extra
    assert lacking is None or found.lacking == lacking


def test_weights_do_not_hide_which_srv_record_is_missing(zone: Zone) -> None:
    found = judged(zone, f"{WEB} SRV", positive(f"{WEB} 30 SRV 0 100 80 web-0.{WEB}"))
    assert (found.verdict, found.extra, found.lacking) == (Verdict.MISSING, (), (f"{WEB} SRV 0 50 80 web-1.{WEB}",))


def test_stale_address_beside_a_right_answer_is_stale(zone: Zone) -> None:
    answer = [f"{WEB} 30 SRV 0 50 80 web-{number}.{WEB}" for number in (0, 1)]
    found = judged(zone, f"{WEB} SRV", positive(*answer, additional=(f"web-0.{WEB} 30 A 10.1.0.99",)))
    assert (found.verdict, found.extra) == (Verdict.STALE, (f"web-0.{WEB} A 10.1.0.99",))


@pytest.mark.parametrize(
    ("question", "seen", "number"),
    [
        ("dns-version.cluster.local. A", Seen("NXDOMAIN", authority=frozenset({SOA})), 1),
        (f"_tcp.api.{WEB[4:]} A", Seen("NXDOMAIN", authority=frozenset({SOA})), 2),
        (f"_http._tcp.api.{WEB[4:]} A", positive(f"_http._tcp.api.{WEB[4:]} 30 A 10.96.0.7"), 3),
        (f"{WEB} SRV", positive(*(f"{WEB} 30 SRV 0 25 80 web-{number}.{WEB}" for number in (0, 1))), 4),
        (f"out.{WEB[4:]} A", Seen("NXDOMAIN", authority=frozenset({SOA})), 5),
        ("9.0.1.10.in-addr.arpa. PTR", positive(f"9.0.1.10.in-addr.arpa. 30 PTR gone-0.gone.{WEB[4:]}"), 6),
        ("cluster.local. ANY", positive(SOA), 8),
        ("www.example.com. A", Seen("SERVFAIL"), 12),
    ],
)
def test_what_differs_on_purpose_has_a_number(zone: Zone, question: str, seen: Seen, number: int) -> None:
    found = judged(zone, question, seen)
    assert found.verdict is Verdict.ON_PURPOSE
    assert number in found.numbers


def test_long_negative_ttl_is_seven(zone: Zone) -> None:
    found = judged(zone, f"{NO} A", Seen("NXDOMAIN", authority=frozenset({SOA})))
    assert (found.verdict, found.numbers) == (Verdict.ON_PURPOSE, (7,))


def test_pointer_to_a_service_that_is_there_is_no_difference_on_purpose(zone: Zone) -> None:
    """6 is about a slice that has outlived its Service: nothing else excuses a pointer to what is gone."""
    seen = positive(f"8.0.1.10.in-addr.arpa. 30 PTR gone-0.gone.{WEB[4:]}")
    assert judged(zone, "8.0.1.10.in-addr.arpa. PTR", seen).verdict is Verdict.INVENTED


@pytest.mark.parametrize(
    ("question", "seen"),
    [
        (f"out.{WEB[4:]} A", positive(f"out.{WEB[4:]} 9 CNAME www.example.com.", "www.example.com. 9 A 192.0.2.1")),
        (f"{BACK} PTR", Seen("NXDOMAIN", authority=frozenset({ELSEWHERE}))),
        (f"{BACK} PTR", positive(f"{BACK} 9 PTR node-3.example.com.")),
    ],
)  # fmt: skip
def test_what_somebody_else_says_is_not_compared(zone: Zone, question: str, seen: Seen) -> None:
    assert judged(zone, question, seen).verdict is Verdict.ELSEWHERE


def test_empty_namespace_that_is_missing_is_excused_for_a_server_that_knows_no_empty_names() -> None:
    zone = zone_of(Namespace("old"), Namespace("new"))
    old, new = (names.from_text(f"{name}.svc.cluster.local") for name in ("old", "new"))
    denied, known = Seen("NXDOMAIN", authority=frozenset({SOA})), of_answer(answers.answer(zone, old, records.A))
    theirs = {(old, records.A): known, (new, records.A): denied}
    assert judge(Case(new, records.A, zone, theirs)).verdict is Verdict.MISSING
    theirs = {(old, records.A): denied, (new, records.A): denied}
    assert judge(Case(new, records.A, zone, theirs)).verdict is Verdict.UNWRITTEN
    asked = names.from_text("pod.cluster.local"), records.A
    assert judge(Case(*asked, zone, {**theirs, asked: denied})).verdict is Verdict.UNWRITTEN
