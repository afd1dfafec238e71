"""Other servers' records: read as an independent reader does, and in time that grows with their bytes alone."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import dns.exception
import dns.message
import dns.name
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidns.core.wire import HEADER, MalformedError
from minidns.plugins.forward import message
from minidns.plugins.forward.reading import Reader, Record

QUESTION = b"\1a\4test\0\0\1\0\1"
START = HEADER + len(QUESTION)


def packet(records: bytes, count: int) -> bytes:
    return struct.pack("!6H", 1, 0x8180, 1, count, 0, 0) + QUESTION + records


def record(owner: bytes, type_: int, rdata: bytes) -> bytes:
    return owner + struct.pack("!HHIH", type_, 1, 5, len(rdata)) + rdata


def read(records: bytes, count: int = 1) -> list[Record]:
    return list(Reader(packet(records, count)).records(START, count))


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("NS", "ns.a.test."), ("CNAME", "b.test."), ("SOA", "ns.a.test. h.test. 1 2 3 4 5"), ("PTR", "b.test."),
        ("MX", "5 mx.test."), ("RP", "me.a.test. txt.a.test."), ("AFSDB", "1 b.test."), ("RT", "1 b.test."),
        ("PX", "1 b.test. c.test."), ("SRV", "1 2 3 b.test."), ("KX", "1 b.test."), ("DNAME", "b.test."),
        ("NAPTR", '1 2 "s" "http" "!a!b!" b.test.'), ("TXT", '"x" "y"'), ("A", "192.0.2.1"),
        ("HTTPS", "1 b.test. alpn=h2"), ("TYPE65300", "\\# 3 c00c00"),
    ],
)  # fmt: skip
def test_every_type_with_names_in_its_data(type_: str, text: str) -> None:
    answer = dns.message.make_response(dns.message.make_query("a.test.", "A"))
    answer.answer.append(dns.rrset.from_text("a.test.", 5, "IN", type_, text))
    (found,) = Reader(answer.to_wire()).records(START, 1)
    assert found == Record(b"\1a\4test\0", answer.answer[0].rdtype, 1, 5, answer.answer[0][0].to_wire())


def test_pointers_within_the_data_of_naptr_are_followed() -> None:
    (found,) = read(record(b"\xc0\x0c", 35, b"\0\1\0\2\1s\0\0\1b\xc0\x0e"))
    assert found.rdata == b"\0\1\0\2\1s\0\0\1b\4test\0"


BAD = {
    "a pointer to itself": record(b"\xc0\x17", 1, b"1234"),
    "a pointer forward": record(b"\xc0\x30", 1, b"1234"),
    "a pointer back into its own name": record(b"\1x\xc0\x17", 1, b"1234"),
    "a label of 64 bytes": record(b"\x40" + b"x" * 64 + b"\0", 1, b"1234"),
    "a name of 256 bytes": record(b"\x3f" + b"x" * 63 + b"\x3f" + b"y" * 63 + b"\x3f" + b"z" * 63 + b"\x3e" + b"z" * 62
                                  + b"\0", 1, b"1234"),
    "a name too long by its pointer": record(
        b"\x3f" + b"x" * 63 + b"\x3f" + b"y" * 63 + b"\x3f" + b"z" * 63 + b"\x37" + b"z" * 55 + b"\xc0\x0c", 1, b"1234"
    ),
    "no end": b"\1x",
    "half a pointer": b"\xc0",
    "half a head": b"\0\0\1",
    "data beyond the end": record(b"\0", 1, b"1234")[:-1],
    "a name beyond its data": record(b"\xc0\x0c", 5, b"\1x") + b"\0",
    "strings beyond the end": record(b"\xc0\x0c", 35, b"\0\1\0\2\xff"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read(case: str) -> None:
    with pytest.raises(MalformedError):
        read(BAD[case])


class Counted(bytes):
    """Bytes that count how often one of them is looked at."""

    looks = 0

    def __getitem__(self, key: Any) -> Any:
        self.looks += 1
        return super().__getitem__(key)


def chain(end: int) -> bytes:
    """Pointers, each to the one before it, up to `end` of the packet; the first leads to the question."""
    first = START + 12
    targets = [HEADER, *range(first, end - 2, 2)]
    return record(b"\xc0\x0c", 65300, b"".join(struct.pack("!H", 0xC000 | target) for target in targets))


HOSTILE: dict[str, tuple[bytes, Callable[[int], bytes]]] = {
    "chains of pointers": (chain(0x3FFF), lambda number: struct.pack("!H", 0xC000 | (0x3FFC - number % 0x1F00 * 2))),
    "one long chain": (chain(0x3FFF), lambda _: b"\xff\xfc"),
    "a long name from every place": (
        record(b"\xc0\x0c", 65300, (b"\1x" * 120 + b"\xc0\x0c") * 60),
        lambda number: struct.pack("!H", 0xC000 | (START + 12 + number % 7000 * 2)),
    ),
    "short names": (b"", lambda _: b"\xc0\x0c"),
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("opt", [False, True])
def test_a_hostile_message_is_read_in_linear_time(case: str, opt: bool) -> None:
    """65,535 bytes; a reader that follows each chain anew looks at 20 to 200 million of them."""
    head, owner = HOSTILE[case]
    records, count = head, 1 if head else 0
    if opt:
        records, count = records + b"\0\0\x29\4\xd0\0\0\0\0\0\0", count + 1
    while len(records) < 65000 - START:
        records += record(owner(count), 5, owner(count + 1))
        count += 1
    made = bytearray(packet(records, count))
    if opt:
        made[6:12] = struct.pack("!3H", 0, 0, count)
    hostile = Counted(made)
    assert len(list(Reader(hostile).records(START, count))) == count
    assert hostile.looks < 4 * len(hostile)
    hostile.looks = 0
    assert sum(message.answer(hostile, START).counts) == (bool(head) if opt else count)
    assert hostile.looks < len(hostile)


@given(st.data())
def test_a_damaged_packet_reads_as_dnspython_reads_it_if_at_all(data: Any) -> None:
    answer = dns.message.make_response(dns.message.make_query("a.test.", "A"))
    for type_, text in (
        ("CNAME", "b.a.test."),
        ("SRV", "1 2 3 c.b.a.test."),
        ("MX", "1 d.a.test."),
        ("A", "192.0.2.1"),
    ):
        answer.answer.append(dns.rrset.from_text("x.a.test.", 5, "IN", type_, text))
    made = bytearray(answer.to_wire())
    for _ in range(data.draw(st.integers(0, 3))):
        made[data.draw(st.integers(START, len(made) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = list(Reader(bytes(made)).records(START, 4))
        theirs = dns.message.from_wire(bytes(made), one_rr_per_rrset=True, ignore_trailing=True).answer
    except (MalformedError, dns.exception.DNSException, ValueError):
        return  # each knows names in the data of types that the other has as bytes
    assert [one.owner for one in found] == [rrset.name.to_wire() for rrset in theirs]
