"""What repeats in the log is counted, by the time that records carry."""

from __future__ import annotations

import logging

import pytest

from minidns.cli.repeats import BURST, SECONDS, Repeats


def record(text: str, *values: object, name: str = "minidns.server.tcp", at: float = 0.0) -> logging.LogRecord:
    made = logging.LogRecord(name, logging.WARNING, "", 0, text, values, None)
    made.created = at
    return made


def passed(repeats: Repeats, *records: logging.LogRecord) -> list[str]:
    return [one.getMessage() for one in records if repeats.filter(one)]


def test_a_flood_is_its_first_lines_and_a_count() -> None:
    repeats = Repeats()
    flood = [record("no room for %s", number, at=number / 1000) for number in range(5000)]
    assert passed(repeats, *flood) == [f"no room for {number}" for number in range(BURST)]
    later = [record("no room for %s", "one", at=SECONDS + 2), record("no room for %s", "two", at=SECONDS + 2)]
    assert passed(repeats, *later) == ["no room for one (and 4,990 more like this)", "no room for two"]


def test_a_flood_that_goes_on_is_told_of_again_and_again() -> None:
    repeats = Repeats()
    lines = passed(repeats, *(record("again", at=number / 100) for number in range(int(SECONDS * 100) * 3)))
    assert [line for line in lines if line != "again"] == ["again (and 990 more like this)"] * 2
    assert len(lines) == 3 * BURST


@pytest.mark.parametrize("name", ["minidns.transfer.answering", "aiohttp.server"])
def test_what_peers_can_provoke_is_counted_whoever_tells_it(name: str) -> None:
    assert len(passed(Repeats(), *(record("refused", name=name) for _ in range(100)))) == BURST


def test_other_messages_have_their_own_count() -> None:
    repeats = Repeats()
    passed(repeats, *(record("one") for _ in range(100)))
    assert passed(repeats, record("two"), record("one", name="minidns.plugins.resolver")) == ["two", "one"]


def test_what_nobody_outside_provokes_is_told_always() -> None:
    repeats = Repeats()
    for name in ("minidns.queries", "minidns.source.manifests.log"):
        assert len(passed(repeats, *(record("%s", 1, name=name) for _ in range(100)))) == 100


def test_a_clock_that_is_set_back_silences_nothing() -> None:
    repeats = Repeats()
    passed(repeats, *(record("again", at=1e9) for _ in range(100)))
    assert passed(repeats, record("again", at=5.0)) == ["again (and 90 more like this)"]


def test_messages_of_asyncio_differ_by_their_objects_alone() -> None:
    text = "socket.accept() out of system resource\nsocket: <socket fd={}>"
    floods = [record(text.format(number), name="asyncio") for number in range(50)]
    assert len(passed(Repeats(), *floods)) == BURST


def test_exceptions_as_messages_are_one_kind() -> None:
    repeats = Repeats()
    floods = [logging.LogRecord("asyncio", logging.ERROR, "", 0, ValueError(number), (), None) for number in range(50)]
    assert len(passed(repeats, *floods)) == BURST
