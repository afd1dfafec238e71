"""The header, the question and the records of a message (RFC 1035, 4.1)."""

from __future__ import annotations

from collections.abc import Iterator

from minidns.core import records
from minidns.views.dissection import rdata
from minidns.views.dissection.fields import Bit, Cursor, Dissection, Field, Part, UnreadableError
from minidns.views.dissection.text import OPCODES, Printed, as_dig

#: Records that are taken apart; what follows is one field. A set of 4,000 addresses need not be read to its end.
MOST = 150

_HEADER, _RECORD = "RFC 1035, 4.1.1", "RFC 1035, 4.1.3"
_SECTIONS = ("QUESTION", "ANSWER", "AUTHORITY", "ADDITIONAL")
_COUNTS = ("QDCOUNT", "ANCOUNT", "NSCOUNT", "ARCOUNT")
#: (name, bits, what 0 says, what 1 says, reference) from the left.
_FLAGS = (
    ("QR", 1, "a question", "an answer", _HEADER),
    ("OPCODE", 4, "", "", _HEADER),
    ("AA", 1, "not authoritative", "authoritative: from the zone itself", _HEADER),
    ("TC", 1, "whole", "truncated: ask again over TCP", "RFC 2181, 9"),
    ("RD", 1, "recursion not asked for", "recursion asked for", _HEADER),
    ("RA", 1, "no recursion here", "recursion to be had here", _HEADER),
    ("Z", 1, "reserved", "reserved, and not 0", _HEADER),
    ("AD", 1, "not checked by DNSSEC", "checked by DNSSEC", "RFC 4035, 3.1.6"),
    ("CD", 1, "the resolver may check DNSSEC", "the resolver is not to check DNSSEC", "RFC 4035, 3.1.6"),
    ("RCODE", 4, "", "", _HEADER),
)


def dissect(packet: bytes) -> Dissection:
    """Take a message apart. Never raises: what cannot be read is one field to the end that says why."""
    cursor = Cursor(packet)
    printed = Printed()
    parts: list[Part] = []
    problem = ""
    try:
        for part in _parts(cursor, printed):
            parts.append(part)
            cursor.fields = []
    except UnreadableError as error:
        problem = str(error)
        done = [field for field in cursor.fields if field.end <= cursor.at]
        start = done[-1].end if done else parts[-1].fields[-1].end if parts else 0
        rest = [Field(start, len(packet), "unreadable", problem)] if start < len(packet) else []
        if done or rest:
            parts.append(Part("Unreadable", (*done, *rest)))
    return Dissection(len(packet), tuple(parts), as_dig(printed, len(packet)), problem)


def _parts(cursor: Cursor, printed: Printed) -> Iterator[Part]:
    printed.id = cursor.number(2, "ID", _HEADER)
    start, raw = cursor.take(2)
    printed.flags = int.from_bytes(raw, "big")
    cursor.fields.append(Field(start, start + 2, "flags", raw.hex(), _HEADER, tuple(_bits(printed.flags))))
    counts = [cursor.number(2, count, _HEADER) for count in _COUNTS]
    printed.counts = counts
    yield Part("Header", tuple(cursor.fields))
    for number in range(counts[0]):
        yield _question(cursor, printed, number)
    done = 0
    for section, count in zip(_SECTIONS[1:], counts[1:], strict=True):
        for number in range(count):
            if done == MOST:
                more = sum(counts[1:]) - done
                start, _ = cursor.take(cursor.end - cursor.at)
                cursor.add(start, "more records", f"{more} more", _RECORD)
                yield from [Part(f"{more} more records", tuple(cursor.fields))] if cursor.fields else []
                return
            yield _record(cursor, printed, section, number)
            done += 1
    if cursor.at < cursor.end:
        start, _ = cursor.take(cursor.end - cursor.at)
        cursor.add(start, "bytes behind the message", f"{cursor.end - start}", "")
        yield Part("Behind the message", tuple(cursor.fields))


def _bits(flags: int) -> Iterator[Bit]:
    shift = 16
    for name, bits, zero, one, reference in _FLAGS:
        shift -= bits
        value = (flags >> shift) & ((1 << bits) - 1)
        if name == "OPCODE":
            meaning = OPCODES.get(value, "unknown")
        elif name == "RCODE":
            meaning = records.RCODES.get(value, "unknown")
        else:
            meaning = one if value else zero
        yield Bit(name, bits, f"{value:0{bits}b}", meaning, reference)


def _question(cursor: Cursor, printed: Printed, number: int) -> Part:
    reference = "RFC 1035, 4.1.2"
    name = cursor.name("name asked for (QNAME)", reference)
    type_ = _type(cursor, "type asked for (QTYPE)", reference)
    class_ = _class(cursor, reference)
    line = f"{name} {class_} {records.type_text(type_)}"
    printed.sections[0].append(f";{line}")
    return Part("Question" if not number else f"Question {number + 1}", tuple(cursor.fields), _SECTIONS[0], line)


def _record(cursor: Cursor, printed: Printed, section: str, number: int) -> Part:
    owner = cursor.name("owner", _RECORD)
    start, raw = cursor.take(2)
    type_ = int.from_bytes(raw, "big")
    cursor.add(start, "type", f"{type_} ({'OPT' if type_ == records.OPT else records.type_text(type_)})", _RECORD)
    if type_ == records.OPT:
        return _edns(cursor, printed, section)
    class_ = _class(cursor, _RECORD)
    ttl = cursor.number(4, "TTL", _RECORD, "{} s")
    with_data = _data(cursor)
    data = rdata.read(cursor, type_)
    _whole(cursor)
    cursor.end = with_data
    line = f"{owner} {ttl} {class_} {records.type_text(type_)} {data}"
    printed.sections[_SECTIONS.index(section)].append(line)
    return Part(f"{section.capitalize()} {number + 1}", tuple(cursor.fields), section, line)


def _edns(cursor: Cursor, printed: Printed, section: str) -> Part:
    reference = "RFC 6891, 6.1.2"
    size = cursor.number(2, "UDP size that the sender takes", reference, "{} bytes")
    extended = cursor.number(1, "upper bits of the RCODE", "RFC 6891, 6.1.3")
    version = cursor.number(1, "EDNS version", "RFC 6891, 6.1.3")
    start, raw = cursor.take(2)
    flags = "do" if raw[0] & 0x80 else ""
    cursor.add(start, "EDNS flags", "DO: DNSSEC records wanted" if flags else "none", "RFC 6891, 6.1.4; RFC 3225, 3")
    with_data = _data(cursor)
    printed.extended = extended
    printed.edns = [f"; EDNS: version: {version}, flags:{' ' + flags if flags else ''}; udp: {size}"]
    printed.edns += rdata.options(cursor)
    _whole(cursor)
    cursor.end = with_data
    return Part("OPT pseudo-record", tuple(cursor.fields), section, "")


def _data(cursor: Cursor) -> int:
    """Read the length of the data, and let the cursor end there; where it ended before."""
    length = cursor.number(2, "length of the data (RDLENGTH)", _RECORD, "{} bytes")
    if cursor.at + length > cursor.end:
        raise UnreadableError(f"a record's data of {length} bytes at byte {cursor.at} goes beyond the end")
    end, cursor.end = cursor.end, cursor.at + length
    return end


def _whole(cursor: Cursor) -> None:
    if cursor.at < cursor.end:
        start, raw = cursor.take(cursor.end - cursor.at)
        cursor.add(start, "bytes behind the data", raw.hex(" "), _RECORD)


def _type(cursor: Cursor, name: str, reference: str) -> int:
    start, raw = cursor.take(2)
    type_ = int.from_bytes(raw, "big")
    cursor.add(start, name, f"{type_} ({records.type_text(type_)})", reference)
    return type_


def _class(cursor: Cursor, reference: str) -> str:
    start, raw = cursor.take(2)
    number = int.from_bytes(raw, "big")
    text = "IN" if number == 1 else f"CLASS{number}"
    cursor.add(start, "class", f"{number} ({text})", reference)
    return text
