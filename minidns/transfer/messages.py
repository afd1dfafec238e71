"""Records to the messages of a zone transfer (RFC 5936, 2.2): many in each, their names compressed."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence

from minidns.core import records, wire
from minidns.core.packing import Packer
from minidns.core.records import Rrset
from minidns.core.wire import Question

#: Bytes of a message at most. Compression reaches no further (RFC 1035, 4.1.4), and 300 records take a third of a
#: millisecond to put together, which is how long a question to the zone waits for it.
SIZE = 0x4000
_QR_AA, RD = 0x8400, 0x0100
#: What a client with EDNS finds in the first message (RFC 5936, 2.2.5).
OPT = struct.pack("!BHHIH", 0, records.OPT, wire.UDP_SIZE, 0, 0)


def messages(question: Question, whole: Iterable[Sequence[Rrset]], size: int = SIZE) -> Iterator[bytes]:
    """The messages that answer a question with these records in their order, each of at most `size` bytes.

    Where `whole` has an empty list, so that others get a turn, the messages have b"". A client with EDNS finds an OPT
    record in the first one.
    """
    opt = b"" if question.edns is None else OPT
    start = wire.HEADER + len(question.raw)
    packer, count = Packer(question.name, start), 0
    for rrsets in whole:
        if not rrsets:
            yield b""
        left = rrsets
        while left:
            taken, left = packer.rrsets(left, size - len(opt))
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
