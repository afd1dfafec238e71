"""The journal: steps from serial to serial, within its bound."""

from __future__ import annotations

from minidns.core import names, records
from minidns.transfer.journal import STEP, Delta, Journal, condensed, record, size_of
from minidns.views.differences import Record

ZONE, OTHER = names.from_text("cluster.local"), names.from_text("in-addr.arpa")


def a(number: int) -> Record:
    return Record(names.from_text(f"a-{number}.cluster.local"), records.A, number.to_bytes(4, "big"))


def net(journal: Journal, serial: int) -> Delta | None:
    steps = journal.since(serial)
    assert steps is not None
    *turns, parts = condensed(steps, ZONE)
    assert not any(turns)
    assert parts is not None
    removed, added = parts
    return Delta([*map(record, removed)], [*map(record, added)])


def test_steps_are_balanced() -> None:
    journal = Journal(10)
    journal.append(11, {ZONE: Delta([], [a(1), a(2)])})
    journal.append(13, {ZONE: Delta([a(2)], [a(3)]), OTHER: Delta([a(9)], [])})
    journal.append(20, {})
    journal.append(21, {ZONE: Delta([a(1)], [a(2)])})
    assert net(journal, 10) == Delta([], [a(3), a(2)])
    assert net(journal, 11) == Delta([a(1)], [a(3)])
    assert net(journal, 13) == net(journal, 20) == Delta([a(1)], [a(2)])
    assert net(journal, 21) == Delta([], [])
    assert journal.moved == {ZONE: 21, OTHER: 13}
    assert [journal.since(serial) for serial in (9, 12, 22)] == [None] * 3


def test_the_oldest_steps_make_room() -> None:
    journal = Journal(0, bound=20_000)
    for serial in range(1, 1000):
        journal.append(serial, {ZONE: Delta([a(serial)], [a(serial + 1)])})
        assert journal.size <= 20_000
    first = next(serial for serial in range(1000) if journal.since(serial) is not None)
    steps = journal.since(first)
    assert steps is not None
    assert journal.size == sum(step.size for step in steps) == len(steps) * STEP + size_of(steps, ZONE)
    assert journal.size + steps[0].size > 20_000
    assert net(journal, first) == Delta([a(first + 1)], [a(1000)])


def test_a_step_larger_than_the_journal() -> None:
    journal = Journal(0, bound=1000)
    journal.append(1, {ZONE: Delta([], [a(number) for number in range(100)])})
    assert (journal.size, journal.since(0), journal.since(1)) == (0, None, [])
    journal.append(2, {})
    assert journal.since(0) is None
    assert net(journal, 1) == Delta([], [])


def test_many_records_are_balanced_in_turns() -> None:
    journal = Journal(0)
    journal.append(1, {ZONE: Delta([], [a(number) for number in range(2000)])})
    steps = journal.since(0)
    assert steps is not None
    *turns, last = condensed(steps, ZONE)
    assert turns == [None] * 2
    assert last is not None
    assert len(last[1]) == 2000
