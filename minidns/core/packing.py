"""Records to bytes, behind a question: their names compressed (RFC 1035, 4.1.4)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from minidns.core import records
from minidns.core.names import Name

_POINTER = 0xC000
#: A pointer has 14 bits: what lies further on cannot be pointed at.
_MAX_POINTER = 0x3FFF
#: Where in its data a type has names that are compressed (RFC 3597, 4): bytes in front of them, and how many. Not so
#: PTR: of many such records some are sent, in turns, and none may point into one that is left out.
_NAMES = {records.NS: (0, 1), records.CNAME: (0, 1), records.SOA: (0, 2), records.MX: (2, 1)}


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
        self._remember(name, start - 4 - len(name), len(name))

    def record(self, owner: Name, type_: int, ttl: int, rdata: bytes, class_: int = 1) -> None:
        """One more record; `rdata` has its names uncompressed."""
        packed = self._name(owner, self._start + self.length)
        at = self._start + self.length + len(packed) + 10
        if layout := _NAMES.get(type_):
            rdata = self._rdata(rdata, at, *layout)
        elif type_ == records.SRV:
            # The target itself is not compressed (RFC 2782); an owner further on may point at it.
            self._remember(rdata[6:], at + 6, len(rdata))
        fixed = struct.pack("!HHIH", type_, class_, ttl, len(rdata))
        self.pieces += (packed, fixed, rdata)
        self.length += len(packed) + 10 + len(rdata)

    def rrset(self, owner: Name, type_: int, ttl: int, rdata: Sequence[bytes], end: int) -> int:
        """Records of one owner and type, as many as fit before `end` of the message; one at least if it has none yet.

        Returns how many. A zone of half a million records comes through here: those behind the first share its bytes,
        which takes half the time of `record` for each.
        """
        head, count = b"", 0
        for one in rdata:
            at = self._start + self.length
            size = 12 + len(one) if head else len(owner) + 10 + len(one)
            if self.length and at + size > end:
                break
            count += 1
            if not head:
                self.record(owner, type_, ttl, one)
                known = self._offsets.get(owner)
                if known is not None and type_ not in _NAMES:
                    head = struct.pack("!HHHI", _POINTER | known, type_, 1, ttl)
                continue
            if type_ == records.SRV:
                self._remember(one[6:], at + 18, len(one))
            self.pieces += (head, len(one).to_bytes(2, "big"), one)
            self.length += size
        return count

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
        offsets, position = self._offsets, 0
        while name[position]:
            known = offsets.get(name[position:])
            if known is not None:
                self._remember(name, at, position)
                return name[:position] + (_POINTER | known).to_bytes(2, "big")
            position += name[position] + 1
        self._remember(name, at, position)
        return name

    def _remember(self, name: Name, at: int, until: int) -> None:
        """That `name` is at `at`, with its labels before `until` written out."""
        offsets, position = self._offsets, 0
        while name[position] and position < until and at + position <= _MAX_POINTER:
            rest = name[position:]
            if rest in offsets:
                break  # what is above it is known, too, or too far on
            offsets[rest] = at + position
            position += name[position] + 1
