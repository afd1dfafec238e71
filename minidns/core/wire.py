"""Bytes to Question, Answer to bytes: EDNS (RFC 6891), compression, truncation.

An answer is put together once (`prepare`) and kept at its node as `Ready`: what follows the question, and a head
for each kind of question. What a client asks for beside its question (EDNS, sizes, RD, CD) is a `Profile`. Sending is
then one join of both (`minidns.core.responder`).
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from contextlib import suppress
from functools import lru_cache
from itertools import accumulate, chain
from typing import NamedTuple

import msgspec

from minidns.core import names, reasons, records
from minidns.core.answers import Answer
from minidns.core.names import Name
from minidns.core.packing import Packer
from minidns.core.ready import Ready
from minidns.core.reasons import Reason
from minidns.core.records import Rrset

HEADER = 12
#: What fits into a UDP answer to a client without EDNS (RFC 1035, 4.2.1), and what does at most: above it fragments
#: get lost (RFC 9715 and DNS flag day 2020).
PLAIN_SIZE = 512
UDP_SIZE = 1232
TCP_SIZE = 65535
#: An OPT record without options: root, type, size, extended rcode and flags, length.
OPT_SIZE = 11
NO_OPTIONS = b"\0\0"
#: An SOA record behind a question of its zone: every name of it is compressed.
SOA_SIZE = 54
#: The option code of an Extended DNS Error (RFC 8914, 2), and the most bytes of its text.
EDE, EDE_TEXT = 15, 160
#: EDNS options, and records behind the question, that are read. Clients send a handful of options and at most three
#: records (OPT, TSIG, an IXFR's SOA); a TCP message has room for 16,000 options, which keep a server busy for 8 ms.
MAX_OPTIONS = 64
MAX_RECORDS = 64

_RD, _CD, _DO = 0x0100, 0x0010, 0x8000
_QR, _AA, _TC, _RA = 0x8000, 0x0400, 0x0200, 0x0080
_POINTER = 0xC000
#: Records that a section can count, with room for an OPT record beside them.
_MOST = 0xFFFE


class MalformedError(ValueError):
    """The packet is not a DNS message with one question."""


class Edns(NamedTuple):
    """What a client says in its OPT record: the size that it can take, its version, and the DO flag."""

    size: int
    version: int = 0
    do: bool = False


class Question(NamedTuple):
    """A question as it came. `raw` is its bytes, in the letter case that it was asked in; `name` is in lower case."""

    id: bytes
    flags: int
    raw: bytes
    name: Name
    type: int
    class_: int
    edns: Edns | None


class Profile(msgspec.Struct, frozen=True, gc=False):
    """Everything about a packet that shapes its answer, but for ID and question.

    variant: which of a Ready's heads.
    room: size limit less the OPT record with its options and the type and class of a question: where the name ends in
        the packet plus the size of the answer may be at most this.
    opt: the OPT record up to its options, with the client's own size as CoreDNS has it; b"" for one without EDNS.
    options: what follows when the answer has no options of its own.
    """

    variant: int
    room: int
    opt: bytes
    options: bytes


@lru_cache(maxsize=4096)
def heads(rcode: int, counts: tuple[int, int, int], flags: int) -> tuple[bytes, ...]:
    """The heads of an answer by `Profile.variant`: bit 0 is RD, bit 1 is CD, bit 2 is EDNS.

    More records than a header can count do not fit into a message either; such a head is never sent.
    """
    answer, authority, additional = (min(count, _MOST) for count in counts)
    return tuple(
        struct.pack(
            "!6H",
            0,
            _QR | flags | (rcode & 15) | (_RD if variant & 1 else 0) | (_CD if variant & 2 else 0),
            1,
            answer,
            authority,
            additional + (variant >> 2),
        )[2:]
        for variant in range(8)
    )


def flags_of(rcode: int, *, truncated: bool = False, recursion: bool = False) -> int:
    """AA on every answer from the zone, TC, RA where a forwarder is configured."""
    authoritative = _AA if rcode in (records.NOERROR, records.NXDOMAIN) else 0
    return authoritative | (_TC if truncated else 0) | (_RA if recursion else 0)


def profile(flags: int, edns: Edns | None, limit: int, options: bytes = NO_OPTIONS) -> Profile:
    """The profile of a packet: header flags, its EDNS, and the most that its transport takes in bytes."""
    variant = bool(flags & _RD) | bool(flags & _CD) << 1 | (edns is not None) << 2
    if edns is None:
        size = PLAIN_SIZE if limit == UDP_SIZE else limit
        return Profile(variant, size - 5, b"", b"")
    size = limit if limit > UDP_SIZE else max(PLAIN_SIZE, min(edns.size, limit))
    opt = struct.pack("!BHHHH", 0, records.OPT, edns.size, 0, _DO if edns.do else 0)
    return Profile(variant, size - 5 - OPT_SIZE - (len(options) - len(NO_OPTIONS)), opt, options)


def ordinary(head: bytes, tail: bytes) -> tuple[int, Edns | None] | None:
    """(flags, EDNS) of a plain query of class IN, from the bytes 2-12 of a packet and those behind its question's type.

    None for everything else: another opcode, other sections, EDNS above version 0, anything malformed.
    """
    flags, questions, answers, authorities, additionals = struct.unpack("!5H", head)
    if flags & ~(_RD | _CD | 0x0020) or (questions, answers, authorities) != (1, 0, 0) or tail[:2] != b"\0\1":
        return None
    if additionals == 0:
        return (flags, None) if len(tail) == 2 else None
    if additionals != 1 or len(tail) < 2 + OPT_SIZE or tail[2:5] != b"\0\0\x29":
        return None
    size, extended, version, opt_flags, length = struct.unpack_from("!HBBHH", tail, 5)
    if extended or version or len(tail) != 2 + OPT_SIZE + length or not _options_fit(tail[2 + OPT_SIZE :]):
        return None
    return flags, Edns(size, 0, bool(opt_flags & _DO))


def _options_fit(options: bytes) -> bool:
    """Whether the bytes are whole options, MAX_OPTIONS at most."""
    at = count = 0
    while at + 4 <= len(options) and count < MAX_OPTIONS:
        at += 4 + int.from_bytes(options[at + 2 : at + 4], "big")
        count += 1
    return at == len(options)


def parse(packet: bytes) -> Question:
    """The question of any packet. Raises MalformedError, also when it has not exactly one question.

    Records are stepped over and their names not followed, wherever pointers lead. A question's name comes uncompressed:
    nothing is in front of it that a pointer could lead to.
    """
    try:
        return _parse(packet)
    except (IndexError, struct.error):
        raise MalformedError("the packet ends too soon") from None


def _parse(packet: bytes) -> Question:
    flags, questions, *counts = struct.unpack_from("!5H", packet, 2)
    if questions != 1:
        raise MalformedError("not one question")
    if sum(counts) > MAX_RECORDS:
        raise MalformedError(f"more than {MAX_RECORDS} records behind the question")
    end = skip_name(packet, HEADER, pointers=False)
    type_, class_ = struct.unpack_from("!HH", packet, end)
    edns, at = None, end + 4
    for number in range(sum(counts)):
        owner, at = at, skip_name(packet, at)
        rtype, size, ttl, length = struct.unpack_from("!HHIH", packet, at)
        at += 10 + length
        if at > len(packet):
            raise MalformedError("a record goes beyond the end of the packet")
        if rtype == records.OPT:
            # RFC 6891, 6.1.1: at most one, in the additional section, owned by the root.
            if edns or number < counts[0] + counts[1] or packet[owner] or not _options_fit(packet[at - length : at]):
                raise MalformedError("an OPT record out of place")
            edns = Edns(size, (ttl >> 16) & 0xFF, bool(ttl & _DO))
    name = packet[HEADER:end].lower()
    return Question(packet[:2], flags, packet[HEADER : end + 4], name, type_, class_, edns)


def skip_name(packet: bytes, at: int, *, pointers: bool = True) -> int:
    """Where the name that starts at `at` ends. Raises MalformedError or IndexError.

    pointers: the name may end with one (RFC 1035, 4.1.4).
    """
    start = at
    while length := packet[at]:
        if pointers and length >= 0xC0:
            return at + 2
        if length > names.MAX_LABEL:
            raise MalformedError("a label is longer than 63 bytes")
        at += length + 1
        if at - start >= names.MAX_NAME:
            raise MalformedError("a name is longer than 255 bytes")
    return at + 1


def error(packet: bytes, rcode: int, question: Question | None = None) -> bytes:
    """An answer without records. The question is repeated when it could be read."""
    flags = _QR | (rcode & 15) | (int.from_bytes(packet[2:4], "big") & (0x7800 | _RD | _CD))
    edns = question.edns if question else None
    head = packet[:2] + struct.pack("!5H", flags, question is not None, 0, 0, edns is not None)
    raw = question.raw if question else b""
    if edns is None:
        return head + raw
    extended = (rcode >> 4) << 24
    return head + raw + struct.pack("!BHHIH", 0, records.OPT, edns.size, extended | (_DO if edns.do else 0), 0)


def ede(code: int, text: str) -> bytes:
    """Options with one Extended DNS Error (RFC 8914, 2), their length in front. The text is cut at EDE_TEXT bytes."""
    raw = text.encode("utf-8", "replace")[:EDE_TEXT].decode("utf-8", "ignore").encode()
    return struct.pack("!HHHH", len(raw) + 6, EDE, len(raw) + 2, code) + raw


def extended_error(packet: bytes) -> tuple[int, str] | None:
    """Code and text of the first Extended DNS Error of an answer, None when it has none. Never raises."""
    with suppress(IndexError, struct.error, MalformedError):
        questions, *counts = struct.unpack_from("!4H", packet, 4)
        at = HEADER
        if not counts[2]:
            return None  # no OPT record
        for _ in range(questions):
            at = skip_name(packet, at) + 4
        for _ in range(sum(counts)):
            at = skip_name(packet, at)
            type_, length = struct.unpack_from("!H6xH", packet, at)
            at += 10 + length
            if type_ == records.OPT:
                return _extended_error(packet[at - length : at])
    return None


def _extended_error(options: bytes) -> tuple[int, str] | None:
    at = 0
    while at + 4 <= len(options):
        code, length = struct.unpack_from("!HH", options, at)
        if code == EDE and length >= 2:
            option = options[at + 4 : at + 4 + length]
            return int.from_bytes(option[:2], "big"), option[2:].decode("utf-8", "replace")
        at += 4 + length
    return None


def reason_options(reason: Reason, code: int | None = None) -> bytes:
    """The reason of an answer as an Extended DNS Error; b"" where records need none."""
    text = reasons.sentence(reason)
    return ede(reason.code if code is None else code, text) if text else b""


def prepare(
    name: Name, answer: Answer, *, recursion: bool = False, explain: bool = True, code: int | None = None
) -> Ready:
    """Put an answer to a question about `name` together.

    explain: with an Extended DNS Error, its INFO-CODE `code` if that is given; recursion: RA is set.
    """
    flags = flags_of(answer.rcode, recursion=recursion)
    options = reason_options(answer.reason, code) if explain else b""
    more = max(0, len(options) - len(NO_OPTIONS))
    if not answer.answer:
        origin = answer.authority[0].owner if answer.authority else None
        head = heads(answer.rcode, (0, len(answer.authority), 0), flags)
        return Ready(head, b"", options, (SOA_SIZE if origin else 0) + more, answer.rcode, soa=origin)
    first = answer.answer[0]
    count = len(first.rdata)
    if len(answer.answer) == 1 and count > 1 and first.type in (records.A, records.AAAA):
        prefix = struct.pack("!HHHIH", _POINTER | HEADER, first.type, 1, first.ttl, len(first.rdata[0]))
        # 10,000 records in 0.2 ms; one by one 1.5 ms.
        body = prefix.join((b"", *first.rdata))
        head = heads(answer.rcode, (count, 0, 0), flags)
        return Ready(head, body * 2, options, len(body) + more, answer.rcode, step=len(prefix) + len(first.rdata[0]))
    if len(answer.answer) == 1 and first.type == records.SRV and not answer.additional:
        head = heads(answer.rcode, (count, 0, 0), flags)
        body, ends = _services(first)
        return Ready(head, body, options, len(body) + more, answer.rcode, ends=ends)
    return _pack(name, answer, flags, options, more)


def _services(rrset: Rrset) -> tuple[bytes, tuple[int, ...]]:
    """SRV records behind a question of their owner, and where each ends. Nothing in them is compressed but the owner
    (RFC 2782): 10,000 records in 2 ms, one by one 10."""
    fixed = struct.pack("!HHHI", _POINTER | HEADER, rrset.type, 1, rrset.ttl)
    lengths = list(map(len, rrset.rdata))
    starts = {length: fixed + length.to_bytes(2, "big") for length in set(lengths)}
    # A join of twice as many pieces, and sums, take less than 10,000 additions.
    pieces = chain.from_iterable(zip(map(starts.__getitem__, lengths), rrset.rdata, strict=True))
    whole = {length: len(start) + length for length, start in starts.items()}
    return b"".join(pieces), tuple(accumulate(map(whole.__getitem__, lengths)))


def _pack(name: Name, answer: Answer, flags: int, options: bytes, more: int) -> Ready:
    packer = Packer(name, HEADER + len(name) + 4)
    ends = []
    for rrset in answer.answer:
        for rdata in rrset.rdata:
            packer.record(rrset.owner, rrset.type, rrset.ttl, rdata)
            ends.append(packer.length)
    for rrset in (*answer.authority, *answer.additional):
        for rdata in rrset.rdata:
            packer.record(rrset.owner, rrset.type, rrset.ttl, rdata)
    authority, additional = (sum(len(rrset.rdata) for rrset in some) for some in (answer.authority, answer.additional))
    head = heads(answer.rcode, (len(ends), authority, additional), flags)
    lead = sum(rrset.type == records.CNAME for rrset in answer.answer)
    body, size = b"".join(packer.pieces), packer.length + more
    return Ready(head, body, options, size, answer.rcode, ends=tuple(ends), lead=lead)


def soa_record(name_end: int, soa: Rrset) -> bytes:
    """The SOA record of a zone behind a question whose name ends (with its root byte) at `name_end` of the packet."""
    zone = struct.pack("!H", _POINTER | (name_end + 1 - len(soa.owner)))
    rdata = b"\2ns\3dns" + zone + b"\x0ahostmaster" + zone + soa.rdata[0][-20:]
    return zone + struct.pack("!HHIH", records.SOA, 1, soa.ttl, len(rdata)) + rdata


def fit(ready: Ready, profile: Profile, room: int, *, recursion: bool, udp: bool) -> tuple[bytes, bytes, bytes]:
    """(head, records, options) of an answer that does not fit into `room` bytes as it is.

    In turn are left out: the options, the additional records, then records of the answer: as many whole ones as fit
    stay, from another one on each time, and TC says so over UDP (RFC 2181, 9: not for additional records alone).
    """
    if not ready.step and len(ready.body) <= room:
        return ready.heads[profile.variant], ready.body, profile.options
    flags = flags_of(ready.rcode, recursion=recursion)
    if ready.step:
        size = len(ready.body) // 2
        count = min(room, size) // ready.step
        start, ready.turn = ready.turn, (ready.turn + ready.step) % size
        body = ready.body[start : start + count * ready.step]
        whole = count * ready.step == size
    elif ready.ends[-1] <= room:
        body, count, whole = ready.body[: ready.ends[-1]], len(ready.ends), True
    else:
        body, count = _some(ready, room)
        whole = False
    head = heads(ready.rcode, (count, 0, 0), flags | (0 if whole or not udp else _TC))
    return head[profile.variant], body, profile.options


def _some(ready: Ready, room: int) -> tuple[bytes, int]:
    """Records of the answer section, as many as fit, and how many they are: the aliases in front, then the others from
    `turn` on, around the end."""
    ends, lead = ready.ends, ready.lead
    front = ends[lead - 1] if lead else 0
    if front > room:
        count = bisect_right(ends, room)
        return ready.body[: ends[count - 1] if count else 0], count
    first = lead + ready.turn % (len(ends) - lead)
    start = ends[first - 1] if first else 0
    last = max(bisect_right(ends, start + room - front), first)
    body = ready.body[:front] + ready.body[start : ends[last - 1] if last else 0]
    count = lead + last - first
    if last == len(ends):
        again = min(bisect_right(ends, front + room - len(body)), first)
        body += ready.body[front : ends[again - 1] if again else 0]
        count += again - lead
    ready.turn = first - lead + 1
    return body, count
