"""What belongs together: both types of a step, the steps of a walk, and nothing else."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidns.views.queries import Query
from minidns.views.walks import CLIENTS, OPEN, PATIENCE, Place, Walks

ZONE = "cluster.local"
SEARCH = ("default.svc.cluster.local", "svc.cluster.local", "cluster.local")


def query(name: str, type_: str = "A", *, records: int = 0, client: str = "10.0.0.1", time: float = 0.0) -> Query:
    rcode = "NOERROR" if records else "NXDOMAIN"
    return Query(time, client, None, None, name, type_, rcode, records, "", 100, "udp", "zone")


def walk(short: str, found: int | None, *, domains: tuple[str, ...] = SEARCH, client: str = "10.0.0.1") -> list[Query]:
    """What a resolver asks: A and AAAA of each candidate, until number `found` has addresses."""
    asked = []
    for number, name in enumerate([*(f"{short}.{domain}" for domain in domains), short]):
        asked.append(query(name, "A", records=int(number == found), client=client))
        asked.append(query(name, "AAAA", client=client))
        if number == found:
            break
    return asked


def places(*queries: Query) -> list[Place]:
    walks = Walks(ZONE)
    return [walks.add(one) for one in queries]


def test_a_walk_to_its_end() -> None:
    assert places(*walk("www.example.com", 3)) == [
        Place(1, 1), Place(1, 1),
        Place(1, 2, "www.example.com"), Place(1, 2, "www.example.com"),
        Place(1, 3, "www.example.com"), Place(1, 3, "www.example.com"),
        Place(1, 4, "www.example.com", wasted=6), Place(1, 4, "www.example.com"),
    ]  # fmt: skip


def test_what_is_found_at_once_wastes_nothing() -> None:
    assert places(*walk("web", 0), *walk("db", 0)) == [Place(1, 1), Place(1, 1), Place(2, 1), Place(2, 1)]


def test_a_name_that_is_never_found_wastes_nothing_that_a_dot_would_save() -> None:
    assert [place.wasted for place in places(*walk("nowhere", None))] == [0] * 8


def test_a_service_of_another_namespace_is_found_at_the_second_step() -> None:
    assert places(*walk("web.prod", 1))[-2:] == [Place(1, 2, "web.prod", wasted=2), Place(1, 2, "web.prod")]


def test_search_domains_of_the_node_come_behind_those_of_the_cluster() -> None:
    domains = (*SEARCH, "eu.internal", "internal")
    assert places(*walk("vault", 4, domains=domains))[-2:] == [Place(1, 5, "vault", wasted=8), Place(1, 5, "vault")]
    assert places(*walk("vault", 5, domains=domains))[-1] == Place(1, 6, "vault")


def test_a_name_with_dots_enough_is_tried_as_it_is_first() -> None:
    name = "a.b.c.d.e.f"
    first, second = places(query(name), query(f"{name}.{SEARCH[0]}", records=1))
    assert (first, second) == (Place(1, 1), Place(1, 2, name, wasted=1))


def test_late_answers_of_the_second_type_do_not_count_twice() -> None:
    asked = [query("web.default.svc.cluster.local"), query("web.svc.cluster.local", records=1)]
    asked.append(query("web.svc.cluster.local", "AAAA", records=1))
    assert [place.wasted for place in places(*asked)] == [0, 1, 0]


@pytest.mark.parametrize(
    "following",
    [
        query("other.svc.cluster.local"),
        query("web.svc.cluster.local", client="10.0.0.2"),
        query("web.svc.cluster.local", time=PATIENCE + 1),
        query("web.default.svc.cluster.local"),
        query(""),
    ],
)
def test_what_belongs_elsewhere_begins_a_walk(following: Query) -> None:
    assert places(query("web.default.svc.cluster.local"), following)[1] == Place(2, 1)


def test_what_was_found_goes_no_further() -> None:
    asked = [query("web.default.svc.cluster.local", records=1), query("web.svc.cluster.local")]
    assert places(*asked) == [Place(1, 1), Place(2, 1)]


SHORTS = st.lists(st.sampled_from(("web", "db", "svc", "a-1", "example", "com", "default")), min_size=1, max_size=4)


@given(st.lists(st.tuples(SHORTS, st.none() | st.integers(0, 3)), min_size=1, max_size=4), st.randoms())
def test_walks_of_many_clients_at_once_are_told_apart(
    names: list[tuple[list[str], int | None]], rng: st.DrawFn
) -> None:
    """However the walks of different clients are interleaved, each is one, step by step, and wastes what it should."""
    asked = {
        f"10.0.0.{number}": walk(".".join(labels), found, client=f"10.0.0.{number}")
        for number, (labels, found) in enumerate(names)
    }
    walks, seen = Walks(ZONE), dict[str, list[Place]]()
    left = {client: iter(queries) for client, queries in asked.items()}
    while left:
        client = rng.choice(sorted(left))  # type: ignore[attr-defined]
        one = next(left[client], None)
        if one is None:
            del left[client]
        else:
            seen.setdefault(client, []).append(walks.add(one))
    assert len({place.walk for found in seen.values() for place in found}) == len(names)
    for (labels, found), some in zip(names, (seen[client] for client in asked), strict=True):
        assert [place.step for place in some] == [1 + number // 2 for number in range(len(some))]
        assert {place.search for place in some if place.step > 1} <= {".".join(labels)}
        assert sum(place.wasted for place in some) == 2 * (found or 0)


def test_memory_is_bounded() -> None:
    walks = Walks(ZONE)
    for number in range(CLIENTS + 100):
        walks.add(query("web", client=f"client-{number}"))
    assert walks.size == CLIENTS
    for number in range(10 * OPEN):
        walks.add(query(f"name-{number}", client="one"))
    assert walks.size <= CLIENTS - 1 + OPEN


@given(st.lists(st.tuples(st.sampled_from("abc"), st.text(".svclutero", max_size=30), st.booleans()), max_size=40))
def test_any_stream_has_places(stream: list[tuple[str, str, bool]]) -> None:
    walks = Walks(ZONE)
    numbers = itertools.count()
    for client, name, found in stream:
        place = walks.add(query(name, client=client, records=int(found), time=next(numbers) / 10))
        assert place.walk >= 1
        assert place.step >= 1
        assert 0 <= place.wasted <= len(stream)
