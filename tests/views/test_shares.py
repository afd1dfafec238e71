"""Shares of the last minute: exact while little is asked, bounded whatever is."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from minidns.views.queries import Query
from minidns.views.shares import KEYS, PART, WINDOW, Client, Counting, Missing, Search, Table
from minidns.views.walks import Place

NOWHERE = Place(1, 1)


def query(name: str = "web", rcode: str = "NOERROR", *, client: str = "10.0.0.1", by: str = "zone") -> Query:
    records = int(rcode == "NOERROR")
    reason = "no such name" if rcode == "NXDOMAIN" else ""
    return Query(0.0, client, "default", "web-0", name, "A", rcode, records, reason, 100, "udp", by)


def test_a_snapshot() -> None:
    counting = Counting(100.0)
    counting.seen(8, 4, 101.0)
    for one, place in (
        (query("web.default", "NXDOMAIN"), NOWHERE),
        (query("web", by="cache"), Place(1, 2, "web", wasted=1)),
        (query("none", "NXDOMAIN", client="10.0.0.2"), Place(2, 1)),
        (query("none", "NXDOMAIN", client="10.0.0.2"), Place(3, 1)),
    ):
        counting.add(one, place, 2.0, 101.0)
    shares = counting.snapshot(104.0)
    assert (shares.seconds, shares.queries, shares.shown, shares.wasted) == (4.0, 8, 4, 2)
    assert shares.by == {"zone": 6, "cache": 2}
    assert shares.outcomes == {"NXDOMAIN": 6, "NOERROR": 2}
    assert shares.clients == (
        Client("10.0.0.1", "default", "web-0", 4, 2, 2),
        Client("10.0.0.2", "default", "web-0", 4, 4, 0),
    )
    assert shares.missing == (Missing("none", 4, "no such name"), Missing("web.default", 2, "no such name"))
    assert shares.searches == (Search("web", "web", 2),)
    assert (shares.rate, shares.share(6)) == (2.0, 0.75)


def test_nothing_asked() -> None:
    shares = Counting(100.0).snapshot(100.0)
    assert (shares.queries, shares.rate, shares.share(1), shares.clients) == (0, 0.0, 0.0, ())


def test_what_is_older_than_the_window_is_forgotten() -> None:
    counting = Counting(0.0)
    for second in range(int(3 * WINDOW)):
        counting.seen(1, 1, float(second))
        counting.add(query(f"name-{second}", "NXDOMAIN"), NOWHERE, 1.0, float(second))
    shares = counting.snapshot(3 * WINDOW - 1)
    assert WINDOW <= shares.queries <= WINDOW + PART
    assert WINDOW - PART <= shares.seconds <= WINDOW + PART
    assert counting.snapshot(5 * WINDOW).queries == 0


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)), max_size=200))
def test_a_table_with_room_is_exact(added: list[tuple[int, int]]) -> None:
    table: Table[int] = Table(2, keys=31)
    expected: Counter[int] = Counter()
    for key, value in added:
        table.add(key, value, 1.0)
        expected[key] += value
    assert {key: row[0] for key, row in table.rows.items()} == dict(expected)
    assert sum(row[1] for row in table.rows.values()) == len(added)
    assert [row[0] for _, row in table.largest(5)] == sorted(expected.values(), reverse=True)[:5]


@given(st.lists(st.integers(0, 1000), max_size=300), st.integers(1, 8))
def test_a_table_is_bounded_and_never_says_too_much(keys: list[int], room: int) -> None:
    table: Table[int] = Table(1, keys=room)
    for key in keys:
        table.add(key, 1.0)
        assert len(table.rows) <= 2 * room
    expected = Counter(keys)
    assert all(row[0] <= expected[key] for key, row in table.rows.items())


def test_memory_is_bounded_and_the_heaviest_stay() -> None:
    """A client and a name that stand out are found among any number of others."""
    counting = Counting(0.0)
    for number in range(20 * KEYS):
        counting.add(query(f"random-{number}", "NXDOMAIN", client=f"c-{number}"), NOWHERE, 1.0, 1.0)
        if number % 10 == 0:
            counting.add(query("typo", "NXDOMAIN", client="heavy"), NOWHERE, 1.0, 1.0)
    shares = counting.snapshot(2.0)
    assert (shares.clients[0].client, shares.clients[0].nxdomain) == ("heavy", 2 * KEYS)
    assert (shares.missing[0].name, shares.missing[0].queries) == ("typo", 2 * KEYS)
    assert shares.outcomes == {"NXDOMAIN": 22 * KEYS}
