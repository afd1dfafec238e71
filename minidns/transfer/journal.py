"""What each serial of a zone changed: the material of incremental transfers (RFC 1995).

A step leads from one serial to the next, with the records that it removed and added, by origin. Records are kept as
bytes, which are counted: beyond its bound a journal forgets its oldest steps, and a secondary that is further behind
gets the whole zone.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from time import monotonic
from typing import NamedTuple

from minidns.core.names import Name
from minidns.core.zone import Zone
from minidns.transfer.serials import is_ahead
from minidns.views.differences import Record

#: Bytes of a journal: some 150,000 records that came or went.
BOUND = 16 << 20
#: What a step takes beside its records: the objects that it is made of.
STEP = 400
#: Records that are balanced before others get a turn: half a millisecond.
_SLICE = 1000
#: Seconds that a serial is the one to go to after secondaries were told of it: what a burst of them takes to ask.
FRESH = 0.1
_LENGTHS = struct.Struct("!BHH")


class Delta(NamedTuple):
    """Records that went and came; none is in both."""

    removed: list[Record]
    added: list[Record]


class Step(NamedTuple):
    """From one serial to the next. parts: by origin, the removed and the added records as bytes.

    at: when it was made, by the steady clock, in seconds.
    """

    old: int
    new: int
    parts: Mapping[Name, tuple[bytes, bytes]]
    at: float

    @property
    def size(self) -> int:
        """Bytes."""
        return STEP + sum(len(removed) + len(added) for removed, added in self.parts.values())


class Journal:
    """The steps of one zone index up to its serial as it is now.

    bound: bytes that it may take. size: bytes that it takes. moved: by origin, the serial at which its records last
    changed: the SOA record, whose serial all origins of an index share, changes with each. began: the serial that it
    began with.
    """

    def __init__(self, serial: int, bound: int = BOUND) -> None:
        self._bound = bound
        self.begin(serial)

    def begin(self, serial: int) -> None:
        """Forget everything, and go on from a serial."""
        self.serial = self.began = self._told = serial
        self._told_at = -FRESH
        self.size = 0
        self.moved: dict[Name, int] = {}
        self._steps: deque[Step] = deque()
        self._first = 0  # the number of the oldest step
        self._numbers: dict[int, int] = {}  # by serial, the number of the step that begins there

    def append(self, serial: int, parts: Mapping[Name, Delta], at: float | None = None) -> None:
        """A step to `serial`."""
        packed = {origin: (pack(delta.removed), pack(delta.added)) for origin, delta in parts.items()}
        step = Step(self.serial, serial, packed, monotonic() if at is None else at)
        self._numbers[step.old] = self._first + len(self._steps)
        self._steps.append(step)
        self.size += step.size
        self.serial = serial
        self.moved.update(dict.fromkeys(packed, serial))
        while self.size > self._bound:
            oldest = self._steps.popleft()
            del self._numbers[oldest.old]
            self.size -= oldest.size
            self._first += 1

    def precede(self, old: int, serial: int, parts: Mapping[Name, Delta]) -> None:
        """A step from an older serial to the one that this began with, if all steps since that are still there."""
        oldest = self._steps[0].old if self._steps else self.serial
        packed = {origin: (pack(delta.removed), pack(delta.added)) for origin, delta in parts.items()}
        step = Step(old, serial, packed, monotonic())
        if oldest == serial == self.began and self.size + step.size <= self._bound:
            self._first -= 1
            self._steps.appendleft(step)
            self._numbers[old] = self._first
            self.size += step.size

    def tell(self) -> None:
        """Secondaries are told of the serial of now."""
        self._told, self._told_at = self.serial, monotonic()

    def goal(self, serial: int) -> int:
        """Where a secondary that has `serial` is brought.

        Those that were told at one moment ask within the next ones, and all go to the serial that they were told of,
        though there may be a later one: they are told of that next. Everybody else goes to the serial of now.
        """
        fresh = is_ahead(self._told, serial) and monotonic() - self._told_at < FRESH
        return self._told if fresh else self.serial

    def since(self, serial: int, until: int | None = None) -> list[Step] | None:
        """The steps from a serial to another, or to that of now; None when they do not reach back so far."""
        if serial == (self.serial if until is None else until):
            return []
        first, end = self._numbers.get(serial), None if until is None else self._numbers.get(until)
        if first is None:
            return None
        return list(islice(self._steps, first - self._first, None if end is None else end - self._first))


def by_origin(zone: Zone, added: Iterable[Record], removed: Iterable[Record]) -> dict[Name, Delta]:
    """Records of a zone index by the origins of the zones that they are in."""
    found: dict[Name, Delta] = {}
    at: dict[Name, Delta] = {}  # by name: a change has many records at few of them
    for index, some in enumerate((removed, added)):
        for one in some:
            delta = at.get(one.name)
            if delta is None:
                origin = zone.origin(one.name)
                assert origin is not None
                delta = at[one.name] = found.setdefault(origin, Delta([], []))
            delta[index].append(one)
    return found


#: Records that went and came, each as `pack` has it.
Parts = tuple[list[bytes], list[bytes]]


def condensed(steps: Iterable[Step], origin: Name) -> Iterator[Parts | None]:
    """What the steps change together, as the last of what this gives; None is a turn for others.

    A record that went and came again, or the other way round, is in neither list: the result is never larger than the
    steps one by one.
    """
    removed: dict[bytes, None] = {}
    added: dict[bytes, None] = {}
    count = 0
    for step in steps:
        for index, packed in enumerate(step.parts.get(origin, ())):
            mine, other = (added, removed) if index else (removed, added)
            for one in _each(packed):
                if one in other:
                    del other[one]
                else:
                    mine[one] = None
                count += 1
                if count % _SLICE == 0:
                    yield None
    yield list(removed), list(added)


def size_of(steps: Iterable[Step], origin: Name) -> int:
    """Bytes of the records that the steps have for an origin."""
    return sum(len(packed) for step in steps for packed in step.parts.get(origin, ()))


def pack(records: Iterable[Record]) -> bytes:
    """Records as bytes."""
    lengths = _LENGTHS.pack
    return b"".join([lengths(len(name), type_, len(rdata)) + name + rdata for name, type_, rdata in records])


def unpack(data: bytes) -> Iterator[Record]:
    """The records of `pack`."""
    return map(record, _each(data))


def record(data: bytes) -> Record:
    """The one record of `pack`."""
    name, type_, _ = _LENGTHS.unpack_from(data)
    end = _LENGTHS.size + name
    return Record(data[_LENGTHS.size : end], type_, data[end:])


def _each(data: bytes) -> Iterator[bytes]:
    """The records of `pack` as they are there: to compare them nobody has to take them apart."""
    at = 0
    while at < len(data):
        name, _, rdata = _LENGTHS.unpack_from(data, at)
        end = at + _LENGTHS.size + name + rdata
        yield data[at:end]
        at = end
