"""Records behind a question: which names are compressed, and how far pointers reach."""

from __future__ import annotations

import struct

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidns.core import names, records
from minidns.core.packing import Packer

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


RRSETS = st.lists(st.tuples(NAMES, st.sampled_from([2, 12, 33]), st.lists(NAMES, min_size=1, max_size=6)), max_size=5)


@given(NAMES, RRSETS, st.integers(300, 900))
def test_records_of_an_rrset_are_those_that_fit_and_the_same_as_one_by_one(
    name: bytes, rrsets: list[tuple[bytes, int, list[bytes]]], end: int
) -> None:
    expected = [(owner, type_, _rdata(type_, target)) for owner, type_, targets in rrsets for target in targets]
    found: list[tuple[bytes, int, bytes]] = []
    packer, count = Packer(name, 16 + len(name)), 0
    for owner, type_, targets in rrsets:
        left = [_rdata(type_, target) for target in targets]
        while left:
            taken = packer.rrset(owner, type_, 7, left, end)
            count, left = count + taken, left[taken:]
            assert count
            if left:
                assert 16 + len(name) + packer.length <= end or count == 1
                found += _read(message(packer, count, name))
                packer, count = Packer(name, 16 + len(name)), 0
    assert found + _read(message(packer, count, name)) == expected


def _rdata(type_: int, target: bytes) -> bytes:
    return (b"\0\1\0\2\0\3" if type_ == 33 else b"") + target


def _read(found: dns.message.Message) -> list[tuple[bytes, int, bytes]]:
    assert all(rrset.ttl == 7 for rrset in found.answer)
    return [(rrset.name.to_wire() or b"", int(rrset.rdtype), rrset[0].to_wire() or b"") for rrset in found.answer]
