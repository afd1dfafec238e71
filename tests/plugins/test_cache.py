"""The cache of upstreams' answers, with a time that the test makes up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidns.config.settings import Cache, CacheClass
from minidns.core import names
from minidns.plugins.cache import LEAST, SHARE, AnswerCache, Key
from minidns.plugins.forward.message import Message


def key(name: str = "a.example.test.", type_: int = 1, *, do: bool = False, cd: bool = False) -> Key:
    return Key(names.from_text(name), type_, 1, do, cd)


def positive(ttl: int = 300, body: bytes = b"answer") -> Message:
    return Message(0, (1, 0, 0), body, ttl=ttl)


def negative(ttl: int | None = 60) -> Message:
    return Message(3, (0, 1, 0), b"soa", ttl=ttl)


SERVFAIL = Message(2, (0, 0, 0), b"")
EXACT = CacheClass(min_ttl=0)


def cache(**options: Any) -> AnswerCache:
    return AnswerCache(Cache(**options))


def age(store: AnswerCache, now: float, **which: Any) -> int | None:
    hit = store.get(key(**which), now)
    return None if hit is None else hit.age


def test_answer_is_kept_for_its_ttl_and_grows_older() -> None:
    store = cache()
    store.put(key(), positive(300), now=1000)
    assert [age(store, now) for now in (1000, 1010.9, 1299.9)] == [0, 10, 299]
    assert age(store, 1300) is None
    assert store.entries == {"success": 0, "denial": 0}


@pytest.mark.parametrize(
    ("message", "options", "kept"),
    [
        (positive(7200), {}, 3600),
        (positive(300), {"success": CacheClass(ttl=30)}, 30),
        (positive(1), {}, 5),
        (positive(1), {"success": EXACT}, 1),
        (positive(0), {"success": EXACT}, 0),
        (negative(7200), {}, 1800),
        (negative(60), {"denial": CacheClass(ttl=30)}, 30),
        (negative(1), {}, 5),
        (negative(None), {}, 0),
        (SERVFAIL, {}, 5),
        (SERVFAIL, {"servfail": 30.0}, 30),
        (SERVFAIL, {"servfail": 0.0}, 0),
        (Message(5, (0, 0, 0), b""), {}, 0),
        (positive(), {"zones": ("other.test.",)}, 0),
        (positive(), {"disable_success": ("example.test.",)}, 0),
        (positive(), {"disable_denial": ("example.test.",)}, 300),
        (negative(), {"disable_denial": ("example.test.",)}, 0),
    ],
)
def test_how_long_an_answer_is_kept(message: Message, options: Any, kept: int) -> None:
    store = cache(**options)
    store.put(key(), message, now=0)
    assert (age(store, kept - 0.1) is not None) is (kept > 0)
    assert age(store, kept) is None


@pytest.mark.parametrize(("ttl", "shown"), [(300, 30), (20, 20), (1, 7)])
def test_all_records_have_the_lowest_ttl_within_the_bounds(ttl: int, shown: int) -> None:
    store = cache(success=CacheClass(ttl=30, min_ttl=7))
    assert store.put(key(), positive(ttl), now=0) == (shown, shown)
    hit = store.get(key(), 1)
    assert hit is not None
    assert hit.bounds == (shown, shown)


def test_questions_with_other_flags_or_types_have_other_answers() -> None:
    store = cache()
    store.put(key(), positive(), now=0)
    for other in ({"do": True}, {"cd": True}, {"type_": 28}, {"name": "b.example.test."}):
        assert age(store, 0, **other) is None


def test_ttl_stays_when_it_is_to_be_kept() -> None:
    store = cache(keep_ttl=True)
    store.put(key(), positive(300), now=0)
    assert age(store, 200) == 0
    assert age(store, 300) is None


def test_what_was_not_asked_for_longest_goes_first() -> None:
    store = cache(success=CacheClass(capacity=3))
    for name in ("a.", "b.", "c."):
        store.put(key(name), positive(), now=0)
    store.put(key("n."), negative(), now=0)
    store.get(key("a."), 1)
    store.put(key("d."), positive(), now=1)
    assert [age(store, 1, name=name) is not None for name in ("a.", "b.", "c.", "d.", "n.")] == [1, 0, 1, 1, 1]
    assert store.evictions == 1


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=60))
def test_rooms_never_hold_more_than_their_capacity(steps: list[tuple[int, bool]]) -> None:
    store = cache(success=CacheClass(capacity=4), denial=CacheClass(capacity=2))
    for now, (name, is_positive) in enumerate(steps):
        store.put(key(f"{name}."), positive() if is_positive else negative(), now)
        assert store.entries["success"] <= 4
        assert store.entries["denial"] <= 2
        hit = store.get(key(f"{name}."), now)
        assert hit is not None
        assert hit.message.rcode == (0 if is_positive else 3)


def test_new_answer_replaces_the_one_of_the_other_kind() -> None:
    store = cache()
    store.put(key(), positive(), now=0)
    store.put(key(), negative(), now=1)
    hit = store.get(key(), 2)
    assert hit is not None
    assert hit.message == negative()
    assert store.entries == {"success": 0, "denial": 1}


def test_failure_does_not_cost_an_answer_that_may_still_be_given() -> None:
    store = cache(serve_stale=100.0)
    store.put(key(), positive(10), now=0)
    store.put(key(), SERVFAIL, now=50)
    hit = store.get(key(), 50)
    assert hit is not None
    assert (hit.stale, hit.message.rcode) == (True, 0)
    store.put(key(), SERVFAIL, now=120)
    hit = store.get(key(), 120)
    assert hit is not None
    assert (hit.stale, hit.message.rcode) == (False, 2)


def test_expired_answer_is_stale_for_as_long_as_configured() -> None:
    store = cache(serve_stale=100.0)
    store.put(key(), positive(10), now=0)
    fresh, stale = store.get(key(), 9.9), store.get(key(), 10)
    assert fresh is not None
    assert stale is not None
    assert (fresh.stale, fresh.refresh) == (False, False)
    assert (stale.stale, stale.refresh, stale.bounds) == (True, True, (30, 30))
    assert store.get(key(), 109.9) is not None
    assert store.get(key(), 110) is None


def test_failure_is_never_stale() -> None:
    store = cache(serve_stale=100.0)
    store.put(key(), SERVFAIL, now=0)
    assert store.get(key(), 5) is None


def refreshes(store: AnswerCache, times: list[float]) -> list[bool]:
    hits = [store.get(key(), now) for now in times]
    return [hit is not None and hit.refresh for hit in hits]


def test_popular_answer_is_fetched_again_near_its_end() -> None:
    store = cache(prefetch=3)
    store.put(key(), positive(100), now=0)
    assert refreshes(store, [1, 2, 50, 89, 90.5]) == [False, False, False, False, True]


def test_unpopular_answer_is_not() -> None:
    store = cache(prefetch=3)
    store.put(key(), positive(100), now=0)
    assert refreshes(store, [1, 95]) == [False, False]


def test_a_gap_ends_popularity() -> None:
    store = cache(prefetch=3, prefetch_gap=20.0)
    store.put(key(), positive(100), now=0)
    assert refreshes(store, [1, 2, 3, 94, 95, 96]) == [False, False, False, False, False, True]


def test_popularity_outlives_the_refresh() -> None:
    store = cache(prefetch=3, prefetch_percent=50)
    store.put(key(), positive(10), now=0)
    refreshes(store, [1, 2, 3, 6])
    store.put(key(), positive(10), now=6)
    assert refreshes(store, [12]) == [True]


@pytest.mark.parametrize("body", [b"x" * 65000, b"x" * 100], ids=["large", "many TTLs"])
def test_large_answers_take_the_room_of_many(body: bytes) -> None:
    """What upstreams can make a room take is its share of bytes, not its number of answers times 64 KB."""
    store = cache(success=CacheClass(capacity=1000))
    large = Message(0, (1, 0, 0), body, ttls=((0, 300),) * (4000 if len(body) < 1000 else 1), ttl=300)
    for number in range(1000):
        store.put(key(f"n{number}.test."), large, now=1000)
    kept = store.entries["success"]
    assert 0 < kept <= max(LEAST, SHARE * 1000) // 65000
    assert store.evictions == 1000 - kept
    assert age(store, 1000, name="n999.test.") == 0
    for number in range(1000):
        store.put(key(f"s{number}.test."), positive(), now=1001)
    assert store.entries["success"] == 1000


def test_an_answer_larger_than_its_room_is_alone_in_it() -> None:
    store = cache(success=CacheClass(capacity=1))
    store.put(key(), Message(0, (1, 0, 0), b"x" * 2 * LEAST, ttl=300), now=1000)
    assert age(store, 1000) == 0
