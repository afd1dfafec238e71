"""Records to bytes, behind a question: their names compressed (RFC 1035, 4.1.4)."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from minidns.core import records
from minidns.core.names import Name
from minidns.core.records import Rrset

_POINTER = 0xC000
#: A pointer has 14 bits: what lies further on cannot be pointed at.
_MAX_POINTER = 0x3FFF
#: Where in its data a type has names that are compressed (RFC 3597, 4): bytes in front of them, and how many. Not so
#: PTR: of many such records some are sent, in turns, and none may point into one that is left out.
_NAMES = {records.NS: (0, 1), records.CNAME: (0, 1), records.SOA: (0, 2), records.MX: (2, 1)}
#: What a record has behind its owner and in front of its data; the same with a pointer as the owner, up to the length.
_FIXED, _OWNED = struct.Struct("!HHIH").pack, struct.Struct("!HHHI").pack


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
        self.pieces += (packed, _FIXED(type_, class_, ttl, len(rdata)), rdata)
        self.length += len(packed) + 10 + len(rdata)

    def rrsets(self, rrsets: Sequence[Rrset], end: int) -> tuple[int, Sequence[Rrset]]:
        """As many records as fit before `end` of the message; one at least if it has none yet.

        Returns how many, and what is left. A zone of half a million records comes through here, most of them alone at
        their name and type: these take half of what they take in `record`, and many of an rrset a tenth.
        """
        offsets, pieces, start = self._offsets, self.pieces, self._start
        at, count = start + self.length, 0
        for number, (owner, type_, ttl, rdata) in enumerate(rrsets):
            size = len(rdata[0])
            if at + len(owner) + 10 + size > end and pieces:
                self.length = at - start
                return count, rrsets[number:]
            if len(rdata) > 1 or type_ in _NAMES:
                self.length = at - start
                taken = self._several(owner, type_, ttl, rdata, end)
                at = start + self.length
                count += taken
                if taken < len(rdata):
                    return count, [Rrset(owner, type_, ttl, rdata[taken:]), *rrsets[number + 1 :]]
                continue
            if (known := offsets.get(owner)) is not None:
                packed = (_POINTER | known).to_bytes(2, "big")
            elif (known := offsets.get(owner[owner[0] + 1 :])) is not None and at <= _MAX_POINTER:
                offsets[owner] = at
                packed = owner[: owner[0] + 1] + (_POINTER | known).to_bytes(2, "big")
            else:
                packed = self._name(owner, at)
            pieces += (packed, _FIXED(type_, 1, ttl, size), rdata[0])
            at += len(packed) + 10 + size
            count += 1
        self.length = at - start
        return count, ()

    def _several(self, owner: Name, type_: int, ttl: int, rdata: Sequence[bytes], end: int) -> int:
        """The records of an rrset, the first of which fits; returns how many do."""
        self.record(owner, type_, ttl, rdata[0])
        rest, known = rdata[1:], self._offsets.get(owner)
        if known is None or type_ in _NAMES:
            return 1 + self.rrsets([Rrset(owner, type_, ttl, (one,)) for one in rest], end)[0]
        # The others share the bytes in front of their data, but for the length.
        head = _OWNED(_POINTER | known, type_, 1, ttl)
        room = max(0, end - self._start - self.length)
        sizes = [12 + len(one) for one in rest[: room // 12]]
        if sum(sizes) > room:
            del sizes[bisect_right(list(accumulate(sizes)), room) :]
        heads = {size: head + (size - 12).to_bytes(2, "big") for size in set(sizes)}
        self.pieces += [heads[size] + one for size, one in zip(sizes, rest, strict=False)]
        self.length += sum(sizes)
        return 1 + len(sizes)

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
