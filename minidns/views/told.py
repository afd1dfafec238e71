"""A DNS message read to a learner: what header, sections and options say, in words. Pure: made from its dissection."""

from __future__ import annotations

from collections.abc import Iterator

from minidns.core import records
from minidns.views.dissection.fields import Dissection, Field, Part

#: Bytes in a line of a dump.
_LINE = 8
_MEANT = {
    "NOERROR": "no record of that type (NODATA): the name exists",
    "FORMERR": "the server could not read the question",
    "SERVFAIL": "the server failed to answer; a resolver asks another one",
    "NXDOMAIN": "the name does not exist, for no type",
    "NOTIMP": "the server does not do that",
    "REFUSED": "the server does not answer that, or not to you",
}
#: Bits of the header that are said when they are 1, and one that is said always.
_SAID = ("AA", "TC", "RD", "RA", "AD", "CD")


def outcome(message: Dissection, type_: str) -> str:
    """The rcode with what it means, or how many records of the type there are, and of which others."""
    rcode, answer = rcode_of(message), [line[3] for line in lines(message, "ANSWER")]
    if rcode != "NOERROR" or not answer:
        return f"{rcode}: {_MEANT.get(rcode, 'an error')}"
    counts = {each: answer.count(each) for each in dict.fromkeys(answer)}
    told = ", ".join(f"{count} {each} record{'' if count == 1 else 's'}" for each, count in counts.items())
    missing = type_ not in (*counts, "ANY") and not truncated(message)
    return f"{rcode}: {told}" + (f", none of type {type_}" if missing else "")


def rcode_of(message: Dissection) -> str:
    """All twelve bits of the rcode, by name."""
    upper = next((int(one.value) for one in _fields(message, "upper bits of the RCODE")), 0)
    number = upper << 4 | int(_bit(message, "RCODE") or "0", 2)
    return records.RCODES.get(number, str(number))


def truncated(message: Dissection) -> bool:
    """Whether the answer was cut off (RFC 2181, 9)."""
    return _bit(message, "TC") == "1"


def flags(message: Dissection) -> list[tuple[str, str]]:
    """The bits of the header that are set, with what they say."""
    return [
        (bit.name, bit.meaning)
        for field in _fields(message, "flags")
        for bit in field.bits
        if bit.name in _SAID and bit.value == "1"
    ]


def lines(message: Dissection, section: str) -> list[list[str]]:
    """The records of a section: owner, TTL, class, type and data."""
    return [part.line.split(" ", 4) for part in message.parts if part.section == section and part.line]


def rows(message: Dissection, section: str) -> list[tuple[str, ...]]:
    """The records of a section as the rows of a table; the class, which is always IN, is left out when it is."""
    return [
        (owner.removesuffix("."), f"{ttl} s", *(() if class_ == "IN" else (class_,)), type_, data)
        for owner, ttl, class_, type_, data in lines(message, section)
    ]


def reasons(message: Dissection) -> list[str]:
    """The Extended DNS Errors (RFC 8914)."""
    found: list[str] = []
    for field in (field for part in message.parts for field in part.fields):
        if field.name == "INFO-CODE":
            found.append(f"EDE {field.value}")
        elif field.name == "EXTRA-TEXT":
            found[-1] += f": {field.value}"
    return found


def kept(message: Dissection) -> str:
    """How long a resolver may keep the answer; "" when the answer does not say."""
    answer = lines(message, "ANSWER")
    if rcode_of(message) not in ("NOERROR", "NXDOMAIN"):
        return ""
    if answer and not truncated(message):
        return f"a resolver may keep this answer for {min(int(ttl) for _, ttl, *_ in answer)} s (the lowest TTL)"
    for _, ttl, _, type_, data in lines(message, "AUTHORITY"):
        if type_ == "SOA" and not answer:
            seconds = min(int(ttl), int(data.split()[-1]))
            return f"a resolver may keep this no for {seconds} s (the SOA record's TTL and minimum, RFC 2308, 5)"
    return ""


def dump(message: Dissection, packet: bytes) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """Every byte of the packet with what it is: a title and rows of offset, bytes, name, value and reference."""
    for part in message.parts:
        yield part.title, [row for field in part.fields for row in _dumped(field, packet)]


def _dumped(field: Field, packet: bytes) -> Iterator[tuple[str, ...]]:
    for at in range(field.start, field.end, _LINE):
        cut = packet[at : min(at + _LINE, field.end)].hex(" ")
        more = (field.name, field.value, field.reference) if at == field.start else ()
        yield (f"{at:04x}", cut, *more)
    for bit in field.bits:
        yield "", "", f"  {bit.name}", f"{bit.value}: {bit.meaning}", bit.reference


def _fields(message: Dissection, name: str) -> Iterator[Field]:
    parts: Iterator[Part] = iter(message.parts)
    return (field for part in parts for field in part.fields if field.name == name)


def _bit(message: Dissection, name: str) -> str:
    return next((bit.value for field in _fields(message, "flags") for bit in field.bits if bit.name == name), "")
