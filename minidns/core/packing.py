"""Records to bytes, behind a question: their names compressed (RFC 1035, 4.1.4)."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from minidns.core import records
from minidns.core.names import Name
from minidns.core.records import Owned

_POINTER = 0xC000
#: A pointer has 14 bits: what lies further on cannot be pointed at.
_MAX_POINTER = 0x3FFF
#: Where in its data a type has names that are compressed (RFC 3597, 4): bytes in front of them, and how many. Not so
#: PTR: of many such records some are sent, in turns, and none may point into one that is left out.
_NAMES = {records.NS: (0, 1), records.CNAME: (0, 1), records.SOA: (0, 2), records.MX: (2, 1)}
#: Bytes of a record at least: a pointer, or the root and a byte of data; type, class, TTL and length.
_LEAST = 12


class Packer:
    """What follows a question for `name` that ends at `start` of its message.

    pieces: the records so far, to be joined; length: of all of them in bytes. Names share what is the same in them byte
    for byte, so that each comes back in its own letter case: give `name` in lower case for owners in the client's.
    """

    def __init__(self, name: Name, start: int) -> None:
        self.pieces: list[bytes] = []
        self.length = 0
        self._start = start
        self._offsets: dict[Name, int] = {}
        self._remember(name, start - 4 - len(name))

    def record(self, owner: Name, type_: int, ttl: int, rdata: bytes, class_: int = 1) -> None:
        """One more record; `rdata` has its names uncompressed."""
        packed = self._name(owner, self._start + self.length)
        at = self._start + self.length + len(packed) + 10
        if layout := _NAMES.get(type_):
            rdata = self._rdata(rdata, at, *layout)
        elif type_ == records.SRV:
            # The target itself is not compressed (RFC 2782); an owner further on may point at it.
            self._remember(rdata[6:], at + 6)
        self.pieces += (packed, struct.pack("!HHIH", type_, class_, ttl, len(rdata)), rdata)
        self.length += len(packed) + 10 + len(rdata)

    def owned(self, some: Sequence[Owned], end: int) -> tuple[int, Sequence[Owned]]:
        """As many records as fit before `end` of the message; one at least if it has none yet.

        Returns how many, and what is left. A zone of half a million records comes through here: the bytes of all of a
        name are one join.
        """
        offsets, pieces, start = self._offsets, self.pieces, self._start
        at, count = start + self.length, 0
        for number, (owner, bodies) in enumerate(some):
            label = owner[0] + 1
            above = offsets.get(owner[label:])
            if above is not None and at <= _MAX_POINTER and owner not in offsets:
                # Most names are below one that is known: a third of the time of `_name`.
                offsets[owner] = at
                packed = owner[:label] + (_POINTER | above).to_bytes(2, "big")
            else:
                packed = self._name(owner, at)
            # The first record has the name, the others point at it.
            again = packed if len(packed) <= 2 or at > _MAX_POINTER else (_POINTER | at).to_bytes(2, "big")
            piece = packed + again.join(bodies)
            if at + len(piece) > end:
                taken = _fitting(bodies, len(again), end - at - len(packed) + len(again)) or int(not pieces)
                piece = packed + again.join(bodies[:taken]) if taken else b""
                pieces.append(piece)
                self.length = at + len(piece) - start
                left = [(owner, bodies[taken:])] if taken < len(bodies) else []
                return count + taken, [*left, *some[number + 1 :]]
            pieces.append(piece)
            at += len(piece)
            count += len(bodies)
        self.length = at - start
        return count, ()

    def _rdata(self, rdata: bytes, at: int, position: int, count: int) -> bytes:
        packed = rdata[:position]
        for _ in range(count):
            start = position
            while rdata[position]:
                position += rdata[position] + 1
            position += 1
            packed += self._name(rdata[start:position], at + len(packed))
        return packed + rdata[position:]

    def _name(self, name: Name, at: int) -> bytes:
        """The bytes of a name at `at`: as much of it as is not known, which is known then, and a pointer."""
        offsets, position = self._offsets, 0
        while name[position]:
            rest = name[position:]
            known = offsets.get(rest)
            if known is not None:
                return name[:position] + (_POINTER | known).to_bytes(2, "big")
            if at + position <= _MAX_POINTER:
                offsets[rest] = at + position
            position += name[position] + 1
        return name

    def _remember(self, name: Name, at: int) -> None:
        """That `name` is written out at `at`."""
        offsets, position = self._offsets, 0
        while name[position] and at + position <= _MAX_POINTER:
            rest = name[position:]
            if rest in offsets:
                break  # what is above it is known, too, or too far on
            offsets[rest] = at + position
            position += name[position] + 1


def _fitting(bodies: Sequence[bytes], owner: int, room: int) -> int:
    """How many records fit, with an owner of so many bytes each."""
    sizes = [owner + len(body) for body in bodies[: max(0, room) // _LEAST]]
    return bisect_right(list(accumulate(sizes)), room)
