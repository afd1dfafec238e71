"""Who asks how much of what: shares of the last minute, from queries that each stand for some. Pure, of bounded size.

Counts are estimates where not every query was shown; `queries` is exact.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable, Iterable
from heapq import nlargest
from typing import Generic, TypeVar

import msgspec

from minidns.views.queries import Query
from minidns.views.walks import Place

#: Seconds that are looked at, in parts that are forgotten one by one.
WINDOW, PART = 60.0, 5.0
#: Keys that a part of a table keeps at least; twice as many are the most that it holds.
KEYS = 500
#: Rows of each table in a snapshot.
ROWS = 20

K = TypeVar("K", bound=Hashable)


class Client(msgspec.Struct, frozen=True):
    """One who asks: its address, its pod if that is known; its queries, and those of them that were NXDOMAIN or
    misses of a search list before a name was found."""

    client: str
    namespace: str | None
    pod: str | None
    queries: int
    nxdomain: int
    wasted: int


class Missing(msgspec.Struct, frozen=True):
    """A name that does not exist, how often it was asked for, and the reason that was given last."""

    name: str
    queries: int
    reason: str


class Search(msgspec.Struct, frozen=True):
    """A short name, what it was found as, and how many queries missed before."""

    search: str
    name: str
    wasted: int


class Shares(msgspec.Struct, frozen=True):
    """A snapshot.

    seconds: that it is about. queries: all that were answered in that time; shown: those that were looked at, of which
    all else is an estimate. by: queries by who answered. outcomes: by rcode, NODATA apart. wasted: misses of search
    lists before a name was found. clients: by queries; missing: by queries; searches: by waste; the first ROWS each.
    """

    seconds: float
    queries: int
    shown: int
    by: dict[str, int]
    outcomes: dict[str, int]
    wasted: int
    clients: tuple[Client, ...]
    missing: tuple[Missing, ...]
    searches: tuple[Search, ...]

    @property
    def rate(self) -> float:
        """Queries per second."""
        return self.queries / self.seconds if self.seconds else 0.0

    def share(self, count: int) -> float:
        """Of all queries, from 0 to 1."""
        return min(count / self.queries, 1.0) if self.queries else 0.0


class Table(Generic[K]):
    """Sums of several numbers by key, for the keys with the largest first number."""

    def __init__(self, width: int, keys: int = KEYS) -> None:
        self._width, self._keys = width, keys
        self.rows: dict[K, list[float]] = {}

    def add(self, key: K, *values: float) -> None:
        row = self.rows.get(key)
        if row is None:
            if len(self.rows) >= 2 * self._keys:
                self.rows = dict(self.largest(self._keys))
            row = self.rows[key] = [0.0] * self._width
        for index, value in enumerate(values):
            row[index] += value

    def merge(self, other: Table[K]) -> None:
        for key, row in other.rows.items():
            self.add(key, *row)

    def largest(self, count: int) -> list[tuple[K, list[float]]]:
        """The rows with the largest first number, that first."""
        return nlargest(count, self.rows.items(), key=lambda item: item[1][0])


class _Part:
    """What came in during PART seconds."""

    def __init__(self, start: float) -> None:
        self.start = start
        self.queries = self.shown = 0
        self.wasted = 0.0
        self.by: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.clients: Table[tuple[str, str | None, str | None]] = Table(3)
        self.missing: Table[str] = Table(1)
        self.searches: Table[tuple[str, str]] = Table(1)
        self.reasons: dict[str, str] = {}


class Counting:
    """Counts from `since` on; times are seconds since 1970."""

    def __init__(self, since: float) -> None:
        self._since = since
        self._parts: deque[_Part] = deque()

    def seen(self, queries: int, shown: int, now: float) -> None:
        """So many queries were answered until now since the last time, and some of them are shown."""
        part = self._part(now)
        part.queries += queries
        part.shown += shown

    def add(self, query: Query, place: Place, weight: float, now: float) -> None:
        """A query that stands for `weight` of them."""
        part = self._part(now)
        part.by[query.by] += weight  # type: ignore[assignment]
        part.outcomes[query.outcome] += weight  # type: ignore[assignment]
        is_missing = query.outcome == "NXDOMAIN"
        wasted = place.wasted * weight
        client = (query.client, query.namespace, query.pod)
        part.clients.add(client, weight, weight * is_missing, wasted)
        if is_missing:
            part.missing.add(query.name, weight)
            if len(part.reasons) > 2 * KEYS:
                part.reasons = {name: part.reasons.get(name, "") for name in part.missing.rows}
            part.reasons[query.name] = query.reason
        if wasted:
            part.wasted += wasted
            part.searches.add((place.search, query.name), wasted)

    def snapshot(self, now: float, rows: int = ROWS) -> Shares:
        """The shares of the last WINDOW seconds, or since the start."""
        self._forget(now)
        start = max(self._since, (now - WINDOW) // PART * PART)
        clients: Table[tuple[str, str | None, str | None]] = Table(3)
        missing: Table[str] = Table(1)
        searches: Table[tuple[str, str]] = Table(1)
        reasons: dict[str, str] = {}
        for part in self._parts:
            clients.merge(part.clients)
            missing.merge(part.missing)
            searches.merge(part.searches)
            reasons |= part.reasons
        return Shares(
            seconds=round(max(now - start, 0.0), 1),
            queries=sum(part.queries for part in self._parts),
            shown=sum(part.shown for part in self._parts),
            by=_sum(part.by for part in self._parts),
            outcomes=_sum(part.outcomes for part in self._parts),
            wasted=round(sum(part.wasted for part in self._parts)),
            clients=tuple(Client(*who, *map(round, row)) for who, row in clients.largest(rows)),
            missing=tuple(Missing(name, round(row[0]), reasons.get(name, "")) for name, row in missing.largest(rows)),
            searches=tuple(Search(*names, round(row[0])) for names, row in searches.largest(rows)),
        )

    def _part(self, now: float) -> _Part:
        start = now // PART * PART
        if not self._parts or self._parts[-1].start < start:
            self._parts.append(_Part(start))
        self._forget(now)
        return self._parts[-1]

    def _forget(self, now: float) -> None:
        while self._parts and self._parts[0].start < (now - WINDOW) // PART * PART:
            self._parts.popleft()


def _sum(counters: Iterable[Counter[str]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for counter in counters:
        total.update(counter)
    return {key: round(count) for key, count in total.most_common()}
