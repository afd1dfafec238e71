"""Records to the messages of a zone transfer (RFC 5936, 2.2): many in each, their names compressed."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence

from minidns.core import records, wire
from minidns.core.packing import Packer
from minidns.core.records import Owned, Rrset
from minidns.core.wire import Question

#: Bytes of a message at most. Compression reaches no further (RFC 1035, 4.1.4), and 300 records take a third of a
#: millisecond to put together, which is how long a question to the zone waits for it.
SIZE = 0x4000
#: A pointer to the question's name.
_ZONE = b"\xc0\x0c"
_QR_AA, RD = 0x8400, 0x0100
#: What a client with EDNS finds in the first message (RFC 5936, 2.2.5).
OPT = struct.pack("!BHHIH", 0, records.OPT, wire.UDP_SIZE, 0, 0)


def messages(question: Question, rrsets: Iterable[Sequence[Rrset]]) -> Iterator[bytes]:
    """The messages that answer a question for a zone with these records in their order, each of at most SIZE bytes.

    Where there is an empty list, so that others get a turn, the messages have b"". A client with EDNS finds an OPT
    record in the first one.
    """
    return packed(question, ([owned(question, rrset) for rrset in some] for some in rrsets))


def owned(question: Question, rrset: Rrset) -> Owned:
    """An rrset as `packed` takes it."""
    owner, type_, ttl, rdata = rrset
    if type_ == records.SOA:
        # Four of these are most of a small answer. What its names end with, the zone, is in the question.
        rdata = tuple(one[:-20].replace(question.name, _ZONE) + one[-20:] for one in rdata)
    return owner, records.bodies(type_, ttl, rdata)


def packed(question: Question, whole: Iterable[Sequence[Owned]]) -> Iterator[bytes]:
    """The same of records that are given as bytes: one owner's are a join."""
    opt = b"" if question.edns is None else OPT
    start = wire.HEADER + len(question.raw)
    packer, count = Packer(question.name, start), 0
    for some in whole:
        if not some:
            yield b""
        left = some
        while left:
            taken, left = packer.owned(left, SIZE - len(opt))
            count += taken
            if left:
                yield _message(question, packer, count, opt)
                packer, count, opt = Packer(question.name, start), 0, b""
    yield _message(question, packer, count, opt)


def udp_room(question: Question) -> int:
    """Bytes of an answer over UDP at most."""
    if question.edns is None:
        return wire.PLAIN_SIZE
    return max(wire.PLAIN_SIZE, min(question.edns.size, wire.UDP_SIZE))


def soa_serial(message: bytes, at: int) -> int | None:
    """The serial of the SOA record that starts at `at` of a message, None when none does. Raises IndexError,
    struct.error or MalformedError."""
    at = wire.skip_name(message, at)
    type_, _, _, length = struct.unpack_from("!HHIH", message, at)
    end = at + 10 + length
    return int.from_bytes(message[end - 20 : end - 16], "big") if type_ == records.SOA and length >= 22 else None


def _message(question: Question, packer: Packer, count: int, opt: bytes) -> bytes:
    flags = _QR_AA | (question.flags & RD)
    head = question.id + struct.pack("!5H", flags, 1, count, 0, bool(opt))
    return b"".join((head, question.raw, *packer.pieces, opt))
