"""Answers of other servers, kept as the bytes they came in.

An upstream's answer is not decoded: its question is checked, its OPT record cut off, the places of its TTLs noted.
A client's answer is those bytes again with the client's own question and ID, TTLs counted down, and an OPT record if
the client sent one. Names in it may point at the question, which is why only a question of the same length can go in
front.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Literal

import msgspec

from minidns.core import records, wire
from minidns.core.wire import HEADER, OPT_SIZE, MalformedError, Question

QR, AA, TC, RD, RA, AD, CD, DO = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0020, 0x0010, 0x8000
#: TTLs with the highest bit set are taken as 0 (RFC 2181, 8).
_MAX_TTL = 0x7FFFFFFF
#: Bounds that change no TTL.
ANY_TTL = (0, _MAX_TTL)
#: Extended DNS Errors of one answer that are passed on.
_MOST_ERRORS = 3

Kind = Literal["success", "denial", "servfail", "other"]


class Message(msgspec.Struct, frozen=True, gc=False):
    """An upstream's answer without its ID and question.

    rcode: all 12 bits. counts: records in the answer, authority and additional section, the OPT record left out.
    body: everything behind the question. ttls: (position in body, seconds); a negative answer's SOA record counts with
        the lower of its TTL and its minimum field (RFC 2308, 5).
    ttl: the lowest of these; None when the answer has nothing that says how long it may be kept.
    authentic, authoritative: the AD and the AA flag.
    errors: its Extended DNS Errors as options of an OPT record: a client is told of them too (RFC 8914, 3).
    """

    rcode: int
    counts: tuple[int, int, int]
    body: bytes
    ttls: tuple[tuple[int, int], ...] = ()
    ttl: int | None = None
    authentic: bool = False
    authoritative: bool = False
    errors: bytes = b""

    @property
    def kind(self) -> Kind:
        """Which class of a cache it belongs to."""
        if self.rcode == records.NOERROR and self.counts[0]:
            return "success"
        if self.rcode in (records.NOERROR, records.NXDOMAIN):
            return "denial"
        return "servfail" if self.rcode == records.SERVFAIL else "other"


#: What a client is told when no upstream could be asked.
FAILURE = Message(records.SERVFAIL, (0, 0, 0), b"")


def question(packet: bytes) -> Question:
    """The question of a client's packet with its EDNS. Raises MalformedError."""
    end = packet.find(0, HEADER)
    # A zero byte may be within a label, too: the first one need not end the name.
    if end > 0 and len(packet) >= end + 5 and _is_name(packet[HEADER : end + 1]):
        ordinary = wire.ordinary(packet[2:HEADER], packet[end + 3 :])
        if ordinary is not None:
            raw = packet[HEADER : end + 5]
            type_ = int.from_bytes(raw[-4:-2], "big")
            return Question(packet[:2], ordinary[0], raw, raw[:-4].lower(), type_, 1, ordinary[1])
    return wire.parse(packet)


def query(raw: bytes, id_: int, *, flags: int = RD, do: bool = False) -> bytes:
    """A question for an upstream: EDNS with our size and no options, because a client's are its own affair.

    flags: RD, CD. do: DNSSEC records are wanted.
    """
    opt = struct.pack("!BHHIH", 0, records.OPT, wire.UDP_SIZE, DO if do else 0, 0)
    return struct.pack("!6H", id_, flags, 1, 0, 0, 1) + raw + opt


def answer(packet: bytes, start: int) -> Message:
    """The answer in an upstream's packet whose question ends at `start`. Raises MalformedError."""
    try:
        return _answer(packet, start)
    except (IndexError, struct.error):
        raise MalformedError("the records do not fit into the packet") from None


def made(type_: int, ttl: int, rdata: Sequence[bytes], rcode: int = records.NOERROR) -> Message:
    """An answer of our own: records of the name asked for, their data without compressed names."""
    body = b"".join(struct.pack("!HHHIH", 0xC000 | HEADER, type_, 1, ttl, len(data)) + data for data in rdata)
    return Message(rcode, (len(rdata), 0, 0), body)


def _answer(packet: bytes, start: int) -> Message:
    _, flags, _, *counts = struct.unpack_from("!6H", packet)
    rcode, end, position = flags & 15, len(packet), start
    kept = sum(counts)
    additional = counts[0] + counts[1]
    ttls: list[tuple[int, int]] = []
    has_soa = False
    errors = b""
    for number in range(kept):
        at = wire.skip_name(packet, position)
        type_, _, ttl, length = struct.unpack_from("!HHIH", packet, at)
        following = at + 10 + length
        if following > len(packet):
            raise MalformedError("a record goes beyond the end of the packet")
        if type_ == records.OPT:
            if number < additional:
                raise MalformedError("an OPT record out of place")
            # What is behind it goes with it: names there may point at what would have moved, and a client misses
            # nothing in an additional section that it cannot ask for (RFC 2181, 9).
            kept, end = number, position
            rcode |= (ttl >> 24) << 4
            errors = _errors(packet[at + 10 : following])
            break
        ttl = ttl if ttl <= _MAX_TTL else 0
        if type_ == records.SOA and counts[0] <= number < additional:
            has_soa = True
            ttl = min(ttl, *struct.unpack_from("!I", packet, following - 4))
        ttls.append((at + 4 - start, ttl))
        position = following
    else:
        if position < len(packet):
            raise MalformedError("something follows the last record")
    lowest = min((ttl for _, ttl in ttls), default=None) if has_soa or counts[0] else None
    sections = (counts[0], counts[1], kept - additional)
    return Message(rcode, sections, packet[start:end], tuple(ttls), lowest, bool(flags & AD), bool(flags & AA), errors)


def _errors(options: bytes) -> bytes:
    """The first Extended DNS Errors among the options of an OPT record, each no longer than one of ours."""
    found: list[bytes] = []
    at = 0
    while at + 4 <= len(options) and len(found) < _MOST_ERRORS:
        code, length = struct.unpack_from("!HH", options, at)
        if code == wire.EDE and 2 <= length <= len(options) - at - 4:
            text = options[at + 6 : at + 4 + length].decode("utf-8", "ignore")
            found.append(wire.ede(int.from_bytes(options[at + 4 : at + 6], "big"), text)[len(wire.NO_OPTIONS) :])
        at += 4 + length
    return b"".join(found)


def _is_name(name: bytes) -> bool:
    """Whether the bytes are one whole uncompressed name."""
    try:
        return wire.skip_name(name, 0, pointers=False) == len(name)
    except (IndexError, MalformedError):
        return False


def reply(
    message: Message,
    asked: Question,
    *,
    udp: bool,
    age: int = 0,
    bounds: tuple[int, int] = ANY_TTL,
    options: bytes = wire.NO_OPTIONS,
    flags: int = RA,
) -> bytes:
    """The answer to a client.

    age: seconds that TTLs are counted down by, after they were brought within `bounds`.
    options: of the OPT record with their length, for clients that sent one. flags: beside those that follow from
        question and answer.
    What does not fit a UDP client is left out as a whole, with TC (RFC 2181, 9): the client asks again over TCP.
    """
    rcode, edns = message.rcode, asked.edns
    wants_ad = asked.flags & AD or (edns is not None and edns.do)
    flags |= QR | (asked.flags & (RD | CD)) | (AD if message.authentic and wants_ad else 0)
    flags |= AA if message.authoritative else 0
    opt = b""
    if edns is not None:
        if message.errors:
            every = options[len(wire.NO_OPTIONS) :] + message.errors
            options = len(every).to_bytes(2, "big") + every
        opt = struct.pack("!BHHI", 0, records.OPT, edns.size, (rcode >> 4) << 24 | (DO if edns.do else 0)) + options
    elif rcode > 15:
        rcode = records.SERVFAIL
    counts = message.counts
    if HEADER + len(asked.raw) + len(message.body) + len(opt) <= limit(asked, udp=udp):
        body = _aged(message, age, bounds)
    else:
        flags, counts, body = flags | (TC if udp else 0), (0, 0, 0), b""
        if not udp:
            rcode = records.SERVFAIL
        if len(opt) > OPT_SIZE:
            opt = opt[: OPT_SIZE - 2] + wire.NO_OPTIONS
    head = struct.pack("!5H", flags | (rcode & 15), 1, counts[0], counts[1], counts[2] + (edns is not None))
    return b"".join((asked.id, head, asked.raw, body, opt))


def left(ttl: int, age: int, bounds: tuple[int, int]) -> int:
    """A TTL brought within bounds and counted down by `age` seconds."""
    return max(0, min(max(ttl, bounds[0]), bounds[1]) - age)


def _aged(message: Message, age: int, bounds: tuple[int, int]) -> bytes:
    if not message.ttls:
        return message.body
    body = bytearray(message.body)
    for position, ttl in message.ttls:
        struct.pack_into("!I", body, position, left(ttl, age, bounds))
    return bytes(body)


def limit(asked: Question, *, udp: bool) -> int:
    """The most bytes that a client takes (RFC 6891, 6.2.3), within what we send over UDP."""
    if not udp:
        return wire.TCP_SIZE
    if asked.edns is None:
        return wire.PLAIN_SIZE
    return max(wire.PLAIN_SIZE, min(asked.edns.size, wire.UDP_SIZE))
