"""Incremental transfers (RFC 1995), each made once for all who ask for it.

Secondaries are told of changes at the same moment, so most of them are at the same serial and go to the same other one.
What leads there is condensed and packed by whoever takes the next message first, in turns; the others take what there
is, and so does who comes later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from minidns.core import answers
from minidns.core.names import Name
from minidns.core.records import Rrset
from minidns.core.responder import Messages
from minidns.core.wire import Question
from minidns.core.zone import Zone
from minidns.transfer import journal
from minidns.transfer.journal import Journal, Step
from minidns.transfer.messages import RD, messages

#: Answers of many messages at once, for each server block of a process. One more is REFUSED: secondaries try again.
AT_ONCE = 10
#: Up to so many bytes of changes it is one of so many others.
MIDDLING, MANY = 1 << 18, 200
#: Bytes of changes, and transfers, that are kept for those who ask the same later.
KEPT, MOST = 4 << 20, 64
#: Records that are packed before others get a turn: less than half a millisecond.
_STEP = 200


class Place:
    """One of so many at once (`most`), for all who take the same answer."""

    __slots__ = ("most", "takers")

    def __init__(self, most: int = AT_ONCE) -> None:
        self.most = most
        self.takers = 0


class Made:
    """The messages of one transfer, without OPT records, as far as somebody has taken them.

    size: bytes of the changes that it is made of.
    """

    def __init__(self, making: Messages, size: int) -> None:
        self.size = size
        self.place = Place(MANY if size <= MIDDLING else AT_ONCE)
        self._making = making
        self._messages: list[bytes] = []
        self._broken = False

    def __iter__(self) -> Messages:
        at = 0
        while True:
            while at < len(self._messages):
                yield self._messages[at]
                at += 1
            if self._broken:
                raise RuntimeError("an incremental transfer broke off")
            # A generator that has raised says that it is at its end: nobody else may believe it.
            self._broken = True
            message = next(self._making, None)
            self._broken = False
            if message is None:
                return
            if message:
                self._messages.append(message)
            else:
                yield b""


class Deltas:
    """The incremental transfers of a server block that are under way, and some that were. made: how many so far."""

    def __init__(self) -> None:
        self._kept: dict[tuple[bytes, int, int, int], Made] = {}
        self._size = 0
        self.made = 0

    def get(self, question: Question, zone: Zone, steps: Journal, old: int, new: int) -> Made | None:
        """What leads from one serial to another; None when the journal does not reach back so far."""
        key = question.raw, question.flags & RD, old, new
        found = self._kept.get(key)
        if found is None and (since := steps.since(old, new)) is not None:
            origin = question.name
            whole = _records(zone, origin, since)
            found = Made(
                messages(question._replace(edns=None), whole),
                journal.size_of(since, origin),
            )
            self._make_room(found.size)
            self._kept[key] = found
            self.made += 1
        return found

    def _make_room(self, size: int) -> None:
        """Forget the oldest that nobody takes."""
        self._size += size
        for key, old in list(self._kept.items()):
            if self._size <= KEPT and len(self._kept) < MOST:
                break
            if not old.place.takers:
                del self._kept[key]
                self._size -= old.size


def soa(zone: Zone, origin: Name, serial: int) -> Rrset:
    """The SOA record of a zone as it was, or will be, at a serial."""
    now = answers.soa(zone, origin)
    (rdata,) = now.rdata
    return now._replace(rdata=(rdata[:-20] + serial.to_bytes(4, "big") + rdata[-16:],))


def _records(zone: Zone, origin: Name, since: Sequence[Step]) -> Iterator[Sequence[Rrset]]:
    """The records of an incremental transfer (RFC 1995, 4): some, and some more; none is a turn for others."""
    ttl = zone.settings.ttl
    old, new = (soa(zone, origin, serial) for serial in (since[0].old, since[-1].new))
    removed: Sequence[bytes] = ()
    added: Sequence[bytes] = ()
    for parts in journal.condensed(since, origin):
        if parts is None:
            yield ()
        else:
            removed, added = parts
    yield new, old
    yield from _rrsets(removed, ttl)
    yield (new,)
    yield from _rrsets(added, ttl)
    yield (new,)


def _rrsets(packed: Sequence[bytes], ttl: int) -> Iterator[Sequence[Rrset]]:
    """Records that follow each other and have one name and type, together: as a Service's SRV records have whose weight
    moved, whose name is then looked up once."""
    for start in range(0, len(packed), _STEP):
        some = map(journal.record, packed[start : start + _STEP])
        yield [
            Rrset(name, type_, ttl, tuple(one.rdata for one in same))
            for (name, type_), same in groupby(some, lambda one: one[:2])
        ]
