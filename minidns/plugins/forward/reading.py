"""The records of another server's message, read once and with care: in time that grows with its size alone.

Names are followed through their pointers (RFC 1035, 4.1.4) here and nowhere else. Each place that a pointer can lead to
is read once, however many lead there; a pointer leads back, to in front of the name that it ends. What a type means is
not asked: of the types that may have pointers in their data (RFC 3597, 4) the layout is known, all other data is bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from minidns.core import names
from minidns.core.wire import MalformedError

NAPTR, DNAME = 35, 39
_REACH = 0x3FFF
#: Bytes in front of the names, and how many names: of NS, MD, MF, CNAME, SOA, MB, MG, MR, PTR, MINFO, MX, RP, AFSDB,
#: RT, SIG, PX, NXT, SRV, KX and DNAME (RFC 1035, 1183, 2163, 2230, 2535, 2782, 6672).
LAYOUTS = {
    2: (0, 1), 3: (0, 1), 4: (0, 1), 5: (0, 1), 6: (0, 2), 7: (0, 1), 8: (0, 1), 9: (0, 1), 12: (0, 1), 14: (0, 2),
    15: (2, 1), 17: (0, 2), 18: (2, 1), 21: (2, 1), 24: (18, 1), 26: (2, 2), 30: (0, 1), 33: (6, 1), 36: (2, 1),
    DNAME: (0, 1),
}  # fmt: skip


class Record(NamedTuple):
    """A record in the letter case it came in, its names uncompressed. An OPT record's class and TTL are its own."""

    owner: bytes
    type: int
    class_: int
    ttl: int
    rdata: bytes


class Reader:
    """Reads the records of a message."""

    def __init__(self, packet: bytes) -> None:
        self._packet = packet
        #: The names that were read, by where they and their parts begin.
        self._known: dict[int, bytes] = {}

    def records(self, start: int, count: int) -> Iterator[Record]:
        """The `count` records from `start` on. Raises MalformedError when it comes to one that cannot be read."""
        packet, at = self._packet, start
        try:
            for _ in range(count):
                owner, at = self.name(at)
                type_, class_, ttl, length = struct.unpack_from("!HHIH", packet, at)
                at += 10
                if at + length > len(packet):
                    raise MalformedError("a record goes beyond the end of the packet")
                yield Record(owner, type_, class_, ttl, self._rdata(type_, at, at + length))
                at += length
        except (IndexError, struct.error):
            raise MalformedError("the records do not fit into the packet") from None

    def name(self, at: int) -> tuple[bytes, int]:
        """The uncompressed name at `at`, and where it ends. Raises MalformedError or IndexError."""
        packet, known = self._packet, self._known
        begins: list[tuple[int, bytes]] = []
        end, first, length = 0, at, 0
        while (tail := known.get(at)) is None:
            size = packet[at]
            if size == 0:
                tail, end = b"\0", end or at + 1
                break
            if size >= 0xC0:
                end = end or at + 2
                target = (size & 0x3F) << 8 | packet[at + 1]
                if target >= first:
                    raise MalformedError("a pointer does not lead back")
                begins.append((at, b""))
                at = first = target
                continue
            if size > names.MAX_LABEL:
                raise MalformedError("a label is longer than 63 bytes")
            begins.append((at, packet[at : at + size + 1]))
            length += size + 1
            if length >= names.MAX_NAME:
                raise MalformedError("a name is longer than 255 bytes")
            at += size + 1
        for place, label in reversed(begins):
            tail = label + tail
            if len(tail) > names.MAX_NAME:
                raise MalformedError("a name is longer than 255 bytes")
            if place <= _REACH:
                known[place] = tail
        return tail, end or self._end(at)

    def _end(self, at: int) -> int:
        """Where the name at `at`, which is known, ends."""
        packet = self._packet
        while (size := packet[at]) and size < 0xC0:
            at += size + 1
        return at + (2 if size else 1)

    def _rdata(self, type_: int, at: int, end: int) -> bytes:
        packet = self._packet
        if type_ == NAPTR:
            front, count = 4, 1
            for _ in range(3):  # flags, services, regexp
                front += packet[at + front] + 1
        elif type_ in LAYOUTS:
            front, count = LAYOUTS[type_]
        else:
            return packet[at:end]
        pieces, position = [packet[at : at + front]], at + front
        for _ in range(count):
            name, position = self.name(position)
            pieces.append(name)
        if position > end:
            raise MalformedError("a name goes beyond the end of its record")
        return b"".join((*pieces, packet[position:end]))
