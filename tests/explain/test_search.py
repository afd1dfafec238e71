"""The walk down a search list, as glibc 2.36 and musl 1.2.3 were seen to do it: `getaddrinfo` in a network namespace of
its own, with a pod's resolv.conf (`options ndots:5`), while the server logged what it was asked."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from minidns.core import records
from minidns.explain import Libc, explain_search
from minidns.explain.question import name_text
from minidns.explain.search import Found, Then, after, search_of, search_steps, sendings, walk
from tests.support.clusters import endpoints, headless, zone_of
from tests.support.explained import DEFAULT, WEB

ORIGIN = b"\7cluster\5local\0"
OWN, TREE, ZONE = "default.svc.cluster.local", "svc.cluster.local", "cluster.local"
NODATA, NXDOMAIN = Found(records.NOERROR), Found(records.NXDOMAIN)
SERVFAIL, REFUSED = Found(records.SERVFAIL), Found(records.REFUSED)
SOME, ELSEWHERE = Found(records.NOERROR, 2), Found(None)


@dataclass(frozen=True)
class Case:
    """What a server answers by name (NXDOMAIN by default, for both types), and what was asked, how often."""

    libc: Libc
    name: str
    answers: dict[str, tuple[Found, Found]]
    asked: list[tuple[str, int]]
    ndots: int = 5


def list_of(name: str, *, sent: int = 2) -> list[tuple[str, int]]:
    return [(f"{name}.{OWN}", 1), (f"{name}.{TREE}", 1), (f"{name}.{ZONE}", 1), (name, sent)]


CASES = [
    Case(libc, name, answers, asked)
    for libc in Libc
    for name, answers, asked in [
        ("nginx", {f"nginx.{OWN}": (SOME, NODATA)}, [(f"nginx.{OWN}", 1)]),
        ("nosuch", {"nosuch": (REFUSED, REFUSED)}, list_of("nosuch")),
        ("nosuch.default", {"nosuch.default": (REFUSED, REFUSED)}, list_of("nosuch.default")),
        (f"nginx.{OWN}", {f"nginx.{OWN}": (SOME, NODATA)}, list_of(f"nginx.{OWN}", sent=1)),
        (f"nginx.{OWN}.", {f"nginx.{OWN}": (SOME, NODATA)}, [(f"nginx.{OWN}", 1)]),
        ("nosuch.", {}, [("nosuch", 1)]),
    ]
]
MANY_DOTS = "a.b.c.d.e.f"
CASES += [
    # As it is first: glibc goes on to the search list whatever comes, musl never does.
    Case(Libc.GLIBC, MANY_DOTS, {MANY_DOTS: (REFUSED, REFUSED)}, [(MANY_DOTS, 2), *list_of(MANY_DOTS)[:3]]),
    Case(Libc.MUSL, MANY_DOTS, {MANY_DOTS: (REFUSED, REFUSED)}, [(MANY_DOTS, 2)]),
    Case(Libc.GLIBC, MANY_DOTS, {MANY_DOTS: (SERVFAIL, SERVFAIL)}, [(MANY_DOTS, 2), *list_of(MANY_DOTS)[:3]]),
    Case(Libc.MUSL, MANY_DOTS, {MANY_DOTS: (SERVFAIL, SERVFAIL)}, [(MANY_DOTS, 6)]),
    Case(Libc.MUSL, "nosuch", {"nosuch": (SERVFAIL, SERVFAIL)}, list_of("nosuch", sent=6)),
    # A name without an address: glibc goes on, musl has its answer.
    Case(Libc.GLIBC, "svc", {TREE: (NODATA, NODATA), "svc": (REFUSED, REFUSED)}, list_of("svc")),
    Case(Libc.MUSL, "svc", {TREE: (NODATA, NODATA)}, list_of("svc")[:3]),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.libc} {case.name} {case.answers}")
def test_the_walk_is_the_one_that_was_seen(case: Case) -> None:
    walker = walk(search_of(ORIGIN, case.name, "default", ndots=case.ndots, libc=case.libc))
    asked: list[tuple[str, int]] = []
    try:
        name = next(walker)
        while True:
            found = case.answers.get(name_text(name), (NXDOMAIN, NXDOMAIN))
            asked.append((name_text(name), sendings(case.libc, found)))
            name = walker.send(found)
    except StopIteration:
        assert asked == case.asked


@pytest.mark.parametrize(
    ("found", "glibc", "musl"),
    [
        ((SOME, NODATA), Then.FOUND, Then.FOUND),
        ((SOME, NXDOMAIN), Then.FOUND, Then.NEXT),  # a server that is wrong: musl believes it
        ((NODATA, SERVFAIL), Then.NEXT, Then.FAILED),
        ((NXDOMAIN, REFUSED), Then.AS_IT_IS, Then.NEXT),
        ((REFUSED, REFUSED), Then.AS_IT_IS, Then.FAILED),
        ((NODATA, NODATA), Then.NEXT, Then.FAILED),
        ((SOME, ELSEWHERE), Then.ELSEWHERE, Then.ELSEWHERE),
    ],
)
def test_what_comes_after_an_answer(found: tuple[Found, Found], glibc: Then, musl: Then) -> None:
    assert (after(Libc.GLIBC, found), after(Libc.MUSL, found)) == (glibc, musl)


def test_one_failure_of_two_is_not_sent_again_by_glibc() -> None:
    assert sendings(Libc.GLIBC, (SOME, SERVFAIL)) == 1
    assert sendings(Libc.MUSL, (SOME, SERVFAIL)) == 6
    assert sendings(Libc.MUSL, (NXDOMAIN, REFUSED)) == 2


def test_a_refusal_within_the_list_ends_it_for_glibc() -> None:
    walker = walk(search_of(ORIGIN, "web", "default"))
    assert name_text(next(walker)) == f"web.{OWN}"
    assert name_text(walker.send((REFUSED, REFUSED))) == "web"


def test_an_answer_from_elsewhere_ends_the_walk_that_is_known() -> None:
    for name in "web", MANY_DOTS:
        walker = walk(search_of(ORIGIN, name, "default"))
        next(walker)
        with pytest.raises(StopIteration):
            walker.send((ELSEWHERE, ELSEWHERE))


def test_musl_has_no_search_list_for_other_types() -> None:
    srv = [records.SRV]
    assert [name_text(name) for name in walk_of_misses("_http._tcp.web", srv, Libc.MUSL)] == ["_http._tcp.web"]
    assert len(walk_of_misses("_http._tcp.web", srv, Libc.GLIBC)) == 4


def walk_of_misses(name: str, types: list[int], libc: Libc) -> list[bytes]:
    walker = walk(search_of(ORIGIN, name, "default", types, libc=libc))
    tried = [next(walker)]
    try:
        while True:
            tried.append(walker.send([NXDOMAIN]))
    except StopIteration:
        return tried


def test_ndots_beyond_fifteen_is_fifteen() -> None:
    name = ".".join("x" * 16)
    assert search_of(ORIGIN, name, "default", ndots=100).as_it_is_first
    assert not search_of(ORIGIN, name[2:], "default", ndots=100).as_it_is_first


def test_a_program_without_a_pod_has_no_list() -> None:
    assert search_of(ORIGIN, "web", "").tails == ()


def test_an_explanation_tells_whose_walk_it_is() -> None:
    zone = zone_of(DEFAULT, WEB, headless("default/none"), endpoints("default/web-1", "10.0.0.1"))
    glibc, musl = (explain_search(zone, "default.svc", "default", libc=libc) for libc in Libc)
    assert [one.then for one in glibc.candidates] == ["next", "next", "next", "as it is"]
    assert [one.then for one in musl.candidates] == ["next", "next", "failed"]
    assert (glibc.queries, musl.queries) == (10, 6)
    assert (glibc.libc, musl.libc) == ("glibc", "musl")


def test_a_search_is_explained_in_steps_of_a_question() -> None:
    zone, types = zone_of(DEFAULT, headless("default/web"), endpoints("default/web-1", "10.0.0.1")), [1, 28]
    steps = search_steps(zone, "web", "default", types)
    assert len([next(steps) for _ in types]) == 2
    with pytest.raises(StopIteration) as ended:
        next(steps)
    assert ended.value.value == explain_search(zone, "web", "default", types)
