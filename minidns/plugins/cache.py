"""Answers of upstreams, kept while they may be: a pure structure, given the time.

Positive and negative answers have a room each, so that neither pushes the other out; in each, what was not asked for
longest goes first, when there are too many or they are too large in all: an upstream may send 64 KB. An entry stays as
long as the lowest of its TTLs says, within the configured bounds, and longer when stale answers are allowed (RFC 8767).
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from minidns.config.plugins.cache import Cache
from minidns.core import names, records
from minidns.core.names import Name, is_below
from minidns.plugins.forward.message import ANY_TTL, Message
from minidns.plugins.sections import Sections

#: TTL of a stale answer in seconds (RFC 8767, 4).
STALE_TTL = 30
#: Bytes of a room for each answer of its capacity, and at least: an answer takes 200 as a rule.
SHARE, LEAST = 2 << 10, 1 << 20
#: Bytes that an answer takes beside its body, and for each TTL in it.
_ANSWER, _TTL = 500, 120
#: TTL of answers that say nothing about how long they may be kept, in seconds: as CoreDNS shows them.
_UNKNOWN_TTL = 5


class Key(NamedTuple):
    """What an answer belongs to. DO and CD change what an upstream sends."""

    name: Name
    type: int
    class_: int
    do: bool
    cd: bool


class Hit(NamedTuple):
    """An answer from the cache.

    age: seconds to count the TTLs down by, after they were brought within `bounds`.
    stale: it has expired. refresh: the upstream should be asked again meanwhile.
    """

    message: Message
    age: int
    bounds: tuple[int, int]
    stale: bool
    refresh: bool


class _Entry(msgspec.Struct, gc=False):
    message: Message
    stored: float
    ttl: float
    bounds: tuple[int, int]
    asked: int = 0
    last: float = 0.0

    @property
    def size(self) -> int:
        """Bytes."""
        return _ANSWER + len(self.message.body) + _TTL * len(self.message.ttls)


class _Room:
    """The answers of one class, in the order they were asked for last. size: bytes."""

    def __init__(self, capacity: int) -> None:
        self.entries: dict[Key, _Entry] = {}
        self.size = 0
        self._capacity = capacity
        self._bytes = max(LEAST, SHARE * capacity)

    def add(self, key: Key, entry: _Entry) -> int:
        """Keep an answer; how many others had to go."""
        self.remove(key)
        evicted = 0
        while self.entries and (len(self.entries) >= self._capacity or self.size + entry.size > self._bytes):
            self.remove(next(iter(self.entries)))
            evicted += 1
        self.entries[key] = entry
        self.size += entry.size
        return evicted

    def remove(self, key: Key) -> None:
        """Let go of an answer, if it is here."""
        entry = self.entries.pop(key, None)
        if entry is not None:
            self.size -= entry.size

    def clear(self) -> None:
        """Let go of all answers."""
        self.entries.clear()
        self.size = 0

    def touch(self, key: Key) -> None:
        """It was asked for."""
        self.entries[key] = self.entries.pop(key)


class AnswerCache:
    """Answers by `Key`. `now` is in seconds of any clock that does not go backwards. evictions: for metrics."""

    def __init__(self, options: Cache) -> None:
        self.options = options
        self.evictions = 0
        self._rooms = {"success": _Room(options.success.capacity), "denial": _Room(options.denial.capacity)}
        self._zones = tuple(map(names.from_text, options.zones))
        self._disabled = {
            "success": tuple(map(names.from_text, options.disable_success)),
            "denial": tuple(map(names.from_text, options.disable_denial)),
        }

    @property
    def entries(self) -> dict[str, int]:
        """How many answers are kept, by class."""
        return {name: len(room.entries) for name, room in self._rooms.items()}

    def clear(self) -> None:
        """Let go of all answers."""
        for room in self._rooms.values():
            room.clear()

    def get(self, key: Key, now: float) -> Hit | None:
        """The answer, when there is one that may be given."""
        for room in self._rooms.values():
            entry = room.entries.get(key)
            if entry is None:
                continue
            left = entry.stored + entry.ttl - now
            stale = left <= 0
            if stale and (left + self.options.serve_stale <= 0 or entry.message.kind == "servfail"):
                room.remove(key)
                break
            room.touch(key)
            if stale:
                return Hit(entry.message, 0, (STALE_TTL, STALE_TTL), stale=True, refresh=True)
            age = 0 if self.options.keep_ttl else int(now - entry.stored)
            return Hit(entry.message, age, entry.bounds, stale=False, refresh=self._popular(entry, left, now))
        return None

    def put(self, key: Key, message: Message, now: float) -> tuple[int, int]:
        """Keep an answer if it may be kept; the bounds that its TTLs are shown within: as in CoreDNS, the lowest."""
        kind, options = message.kind, self.options
        limits = options.denial if kind == "denial" else options.success
        if not any(is_below(key.name, zone) for zone in self._zones):
            return ANY_TTL
        unknown = kind == "other" or message.ttl is None
        shown = limits.within(_UNKNOWN_TTL if message.ttl is None or kind == "other" else message.ttl)
        ttl = options.servfail if kind == "servfail" else 0 if unknown else shown
        room = "success" if kind == "success" else "denial"
        if ttl > 0 and not any(is_below(key.name, zone) for zone in self._disabled[room]):
            self._keep(room, key, _Entry(message, now, ttl, (shown, shown)), now)
        return shown, shown

    def _keep(self, name: str, key: Key, entry: _Entry, now: float) -> None:
        for other, room in self._rooms.items():
            old = room.entries.get(key)
            if old is None:
                continue
            # A failure says nothing about the name: it must not cost an answer that may still be given.
            usable = old.message.kind != "servfail" and old.stored + old.ttl + self.options.serve_stale > now
            if entry.message.kind == "servfail" and usable:
                return
            entry.asked, entry.last = old.asked, old.last
            if other != name:
                room.remove(key)
        self.evictions += self._rooms[name].add(key, entry)

    def _popular(self, entry: _Entry, left: float, now: float) -> bool:
        """Count a question; whether the entry is popular enough to be fetched again, and near enough to its end."""
        options = self.options
        if not options.prefetch:
            return False
        entry.asked = 1 if now - entry.last > options.prefetch_gap else entry.asked + 1
        entry.last = now
        near = max(1.0, entry.ttl * options.prefetch_percent / 100)
        return entry.asked >= options.prefetch and left <= near


class Shown:
    """How a cache shows the TTLs of what is made in the same server block, which is never older than its answer."""

    def __init__(self, options: Cache | None) -> None:
        self._options = options
        self._zones = tuple(map(names.from_text, options.zones)) if options else ()

    def sections(self, name: Name, said: Sections) -> Sections:
        """An answer about a name with the TTLs that are shown."""
        parts = (said.answer, said.authority, said.additional)
        if self._options is None or not any(parts) or not any(is_below(name, zone) for zone in self._zones):
            return said
        ttl = self._ttl(self._options, said)
        answer, authority, additional = ([record._replace(ttl=ttl) for record in part] for part in parts)
        return said._replace(answer=answer, authority=authority, additional=additional)

    def ttl(self, name: Name, ttl: int) -> int:
        """The TTL that is shown with records of one name that all have this one."""
        bounded = self._options is not None and any(is_below(name, zone) for zone in self._zones)
        return self._options.success.within(ttl) if self._options and bounded else ttl

    @staticmethod
    def _ttl(options: Cache, said: Sections) -> int:
        soa = next((record.rdata for record in said.authority if record.type == records.SOA), None)
        if said.rcode not in (records.NOERROR, records.NXDOMAIN) or (said.answer and said.rcode == records.NXDOMAIN):
            return options.success.within(_UNKNOWN_TTL)
        lowest = min(record.ttl for record in (*said.answer, *said.authority, *said.additional))
        if soa is not None and not said.answer:
            return options.denial.within(min(lowest, int.from_bytes(soa[-4:], "big")))  # RFC 2308, 5
        return options.success.within(lowest)
