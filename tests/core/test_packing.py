"""Records behind a question: which names are compressed, and how far pointers reach."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidns.core import names, records
from minidns.core.packing import Packer
from minidns.core.records import Owned, Rrset

NAME = names.from_text("a.example.org")
LABELS = st.lists(st.sampled_from([b"a", b"A", b"b.", b"\xff", b"x" * 60]), max_size=3)
NAMES = LABELS.map(lambda labels: b"".join(bytes((len(label),)) + label for label in labels) + b"\0")


def message(packer: Packer, count: int, name: bytes = NAME) -> dns.message.Message:
    head = struct.pack("!6H", 1, 0x8000, 1, count, 0, 0)
    return dns.message.from_wire(b"".join((head, name, b"\0\1\0\1", *packer.pieces)), one_rr_per_rrset=True)


def packed(*rdata: tuple[int, bytes], name: bytes = NAME) -> tuple[dns.message.Message, int]:
    packer = Packer(name, 16 + len(name))
    for type_, data in rdata:
        packer.record(name, type_, 5, data)
    assert packer.length == len(b"".join(packer.pieces))
    return message(packer, len(rdata), name), packer.length


@pytest.mark.parametrize(
    ("type_", "front", "count", "saved"),
    [(2, b"", 1, True), (5, b"", 1, True), (6, b"", 2, True), (15, b"\0\7", 1, True), (12, b"", 1, False)],
)
def test_names_in_data_are_compressed_where_they_may_be(type_: int, front: bytes, count: int, saved: bool) -> None:
    target = names.from_text("b.example.org")
    rdata = front + target * count + (bytes(20) if type_ == 6 else b"")
    found, length = packed((type_, rdata))
    (rrset,) = found.answer
    assert rrset[0].to_wire() == rdata
    assert length == 12 + len(rdata) - (11 if saved else 0) - (13 if count == 2 else 0)


def test_letter_case_is_kept() -> None:
    found, _ = packed((5, b"\1A\7Example\3org\0"))
    assert str(found.answer[0][0].target) == "A.Example.org."


def test_the_root_needs_no_pointer() -> None:
    found, length = packed((2, b"\0"), name=b"\0")
    assert (str(found.answer[0].name), length) == (".", 12)


@given(NAMES, st.lists(st.tuples(NAMES, st.sampled_from([2, 5, 6, 12, 15, 33, 16, 65300]), NAMES), max_size=5))
def test_an_independent_reader_finds_the_same(name: bytes, placed: list[tuple[bytes, int, bytes]]) -> None:
    packer, expected = Packer(name, 16 + len(name)), []
    for owner, type_, target in placed:
        front = {15: b"\0\1", 33: b"\0\1\0\2\0\3"}.get(type_, b"")
        rdata = front + target * (2 if type_ == 6 else 1) + (bytes(20) if type_ == 6 else b"")
        rdata = b"\1x" if type_ in (16, 65300) else rdata
        packer.record(owner, type_, 7, rdata)
        expected.append((owner, type_, rdata))
    found = message(packer, len(placed), name).answer
    assert [(rrset.name.to_wire(), int(rrset.rdtype), rrset[0].to_wire()) for rrset in found] == expected


def test_nothing_points_beyond_16_383_bytes() -> None:
    owners = [names.from_text(f"{'t' * 50}{number}.zone{number % 300}.") for number in range(600)]
    packer = Packer(NAME, 16 + len(NAME))
    for owner in owners:
        packer.record(owner, records.CNAME, 5, owner)
    assert packer.length > 0x4000
    found = message(packer, len(owners)).answer
    assert [rrset.name.to_wire() for rrset in found] == owners


def in_messages(name: bytes, rrsets: Sequence[Rrset], end: int) -> list[dns.message.Message]:
    """The rrsets in as many messages as they take."""
    found = []
    left: Sequence[Owned] = [(one.owner, records.bodies(one.type, one.ttl, one.rdata)) for one in rrsets]
    while left:
        packer = Packer(name, 16 + len(name))
        count, left = packer.owned(left, end)
        assert packer.length == len(b"".join(packer.pieces))
        assert 16 + len(name) + packer.length <= end or count == 1
        found.append(message(packer, count, name))
    return found


def one_by_one(rrsets: Sequence[Rrset]) -> list[tuple[bytes, int, int, bytes]]:
    return [(rrset.owner, rrset.type, rrset.ttl, one) for rrset in rrsets for one in rrset.rdata]


def read(found: Sequence[dns.message.Message]) -> list[tuple[bytes, int, int, bytes]]:
    return [
        (rrset.name.to_wire() or b"", int(rrset.rdtype), rrset.ttl, rrset[0].to_wire() or b"")
        for one in found
        for rrset in one.answer
    ]


OWNERS = st.tuples(NAMES, st.sampled_from([2, 12, 33]), st.lists(NAMES, min_size=1, max_size=6))
RRSETS = st.lists(OWNERS, max_size=5)


@given(NAMES, RRSETS, st.integers(300, 900))
def test_records_of_one_owner_are_the_same_as_one_by_one(
    name: bytes, placed: list[tuple[bytes, int, list[bytes]]], end: int
) -> None:
    rrsets = [
        Rrset(owner, type_, 7, tuple((b"\0\1\0\2\0\3" if type_ == records.SRV else b"") + target for target in targets))
        for owner, type_, targets in placed
    ]
    assert read(in_messages(name, rrsets, end)) == one_by_one(rrsets)


HOST = names.from_text("host.example.org")
ADDRESSES = tuple(bytes((10, 0, 0, number)) for number in range(100))
TARGETS = tuple(b"\0\0\0\1\0\x50" + names.from_text(f"h{number}.example.org") for number in range(100))


@pytest.mark.parametrize(
    ("rrsets", "sizes"),
    [
        ([Rrset(HOST, records.A, 5, ADDRESSES)], [100]),
        # 31 bytes of head and question, 21 of the first record, 16 of each other: 4 are left of 1640.
        ([Rrset(HOST, records.A, 5, ADDRESSES), Rrset(HOST, records.TXT, 5, (b"\1x",))], [100, 1]),
        ([Rrset(HOST, records.SRV, 5, TARGETS), Rrset(HOST, records.A, 9, ADDRESSES[:2])], [46, 45, 11]),
        ([Rrset(HOST, records.NS, 5, (b"\1a" + NAME, b"\2bb" + NAME, b"\1c" + NAME))], [3]),
        ([Rrset(names.ROOT, records.A, 5, ADDRESSES[:3])], [3]),
        ([Rrset(names.from_text(f"a{n}.host.example.org"), records.A, n, (ADDRESSES[n],)) for n in range(3)], [3]),
        ([Rrset(HOST, 16, 5, (b"\1x" * 2000, b"\1y" * 2000))], [1, 1]),
        ([], []),
    ],
)
def test_records_of_one_owner_in_messages(rrsets: list[Rrset], sizes: list[int]) -> None:
    found = in_messages(NAME, rrsets, 1640)
    assert read(found) == one_by_one(rrsets)
    assert [len(one.answer) for one in found] == sizes


def test_beyond_what_pointers_reach_owners_are_written_out() -> None:
    owners = [names.from_text(f"{'t' * 50}{number}.zone{number % 300}.") for number in range(300)]
    rrsets = [Rrset(owner, records.A, 5, ADDRESSES[:count]) for count in (1, 3) for owner in owners]
    (found,) = in_messages(NAME, rrsets, 0xFFFF)
    assert len(found.to_wire(max_size=0xFFFF)) > 0x4000
    assert read([found]) == one_by_one(rrsets)
