"""Answers of upstreams as bytes: cut, aged, fitted to a client."""

from __future__ import annotations

import struct
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidns.core import wire
from minidns.core.wire import HEADER, MalformedError, Question
from minidns.plugins.forward import message
from minidns.plugins.forward.message import Message


def asked(name: str = "A.example.test.", type_: str = "A", **options: Any) -> Question:
    return message.question(dns.message.make_query(name, type_, **options).to_wire())


def upstream(query: dns.message.Message, *sections: list[str], rcode: int = 0, edns: bool = True) -> bytes:
    """An upstream's packet: records of the three sections in zone-file form."""
    response = dns.message.make_response(query)
    response.set_rcode(dns.rcode.Rcode(rcode))
    if not edns:
        response.use_edns(False)
    for section, records in zip((response.answer, response.authority, response.additional), sections, strict=False):
        for record in records:
            owner, ttl, kind, rdata = record.split(maxsplit=3)
            section.append(dns.rrset.from_text(owner, int(ttl), "IN", kind, rdata))
    return response.to_wire()


QUERY = dns.message.make_query("a.example.test.", "A", use_edns=0)
START = HEADER + len(b"\1a\7example\4test\0") + 4


def read(*sections: list[str], **options: Any) -> Message:
    return message.answer(upstream(QUERY, *sections, **options), START)


def reply(found: Message, question: Question, **options: Any) -> dns.message.Message:
    return dns.message.from_wire(message.reply(found, question, udp=options.pop("udp", True), **options))


A = "a.example.test. 300 A 192.0.2.1"
SOA = "example.test. 3600 SOA ns.example.test. h.example.test. 1 2 3 4 60"


def test_question_is_the_same_on_the_quick_and_on_the_careful_path() -> None:
    many: list[dict[str, Any]] = [{}, {"use_edns": 0}, {"want_dnssec": True, "payload": 4096}]
    for options in many:
        packet = dns.message.make_query("A.Example.test.", "AAAA", **options).to_wire()
        quick = message.question(packet)
        assert quick == wire.parse(packet)
        assert quick.name == b"\1a\7example\4test\0"
        assert quick.raw[:2] == b"\1A"


def test_zero_byte_in_a_label_is_part_of_the_name() -> None:
    packet = struct.pack("!6H", 1, 0x100, 1, 0, 0, 0) + b"\3a\0b\4test\0\0\1\0\1"
    assert message.question(packet).name == b"\3a\0b\4test\0"


@given(st.binary(max_size=80))
def test_any_bytes_are_a_question_or_malformed(packet: bytes) -> None:
    try:
        found = message.question(packet)
    except MalformedError:
        return
    assert found.raw[:-4].lower() == found.name


def test_client_gets_its_id_its_question_and_no_opt_without_edns() -> None:
    question = asked(use_edns=False)
    answer = reply(read([A]), question)
    assert answer.id.to_bytes(2, "big") == question.id
    assert answer.question[0].name.labels[0] == b"A"
    assert answer.edns == -1
    assert [str(rrset) for rrset in answer.answer] == ["A.example.test. 300 IN A 192.0.2.1"]
    assert answer.flags == dns.flags.QR | dns.flags.RD | dns.flags.RA


def test_client_with_edns_gets_an_opt_of_ours() -> None:
    answer = reply(read([A]), asked(want_dnssec=True), options=wire.ede(3, "old"))
    assert (answer.edns, answer.payload, bool(answer.ednsflags & dns.flags.DO)) == (0, 1232, True)
    (option,) = answer.options
    assert isinstance(option, dns.edns.EDEOption)
    assert (option.code, option.text) == (3, "old")


def test_ttls_are_counted_down_in_all_sections_and_never_below_zero() -> None:
    found = read([A], ["example.test. 100 NS ns.example.test."], ["ns.example.test. 20 A 192.0.2.9"])
    assert found.ttl == 20
    answer = reply(found, asked(), age=30)
    assert [rrset.ttl for rrset in (*answer.answer, *answer.authority, *answer.additional)] == [270, 70, 0]


def test_ttls_are_brought_within_bounds_before_they_are_counted_down() -> None:
    answer = reply(read([A, "a.example.test. 1 AAAA 2001:db8::1"]), asked(), age=2, bounds=(5, 60))
    assert [rrset.ttl for rrset in answer.answer] == [58, 3]


def test_ttl_with_the_highest_bit_is_zero() -> None:
    packet = upstream(QUERY, [A], edns=False)
    found = message.answer(packet[:-10] + b"\x80\0\0\1" + packet[-6:], START)
    assert found.ttl == 0


@pytest.mark.parametrize(
    ("sections", "rcode", "kind", "ttl"),
    [
        (([A],), 0, "success", 300),
        (([], [SOA]), 0, "denial", 60),
        (([], [SOA]), 3, "denial", 60),
        (([], []), 3, "denial", None),
        (([], ["example.test. 30 NS ns.example.test."]), 0, "denial", None),
        (([], []), 2, "servfail", None),
        (([], []), 5, "other", None),
    ],
)
def test_what_kind_of_answer_it_is_and_how_long_it_may_be_kept(
    sections: Any, rcode: int, kind: str, ttl: int | None
) -> None:
    found = read(*sections, rcode=rcode)
    assert (found.kind, found.ttl) == (kind, ttl)


def test_negative_answer_shows_the_lower_of_soa_ttl_and_minimum() -> None:
    assert reply(read([], [SOA], rcode=3), asked()).authority[0].ttl == 60


OPT = b"\0\0\x29\x04\xd0\x01\0\0\0\0\0"
EXTRA = b"\xc0\x0c\0\x10\0\1\0\0\0\x09\0\2\1x"


@pytest.mark.parametrize(("behind", "left"), [((OPT,), 0), ((EXTRA, OPT), 1), ((EXTRA, OPT, EXTRA, EXTRA), 1)])
def test_opt_record_of_the_upstream_is_cut_off_with_what_is_behind_it(behind: tuple[bytes, ...], left: int) -> None:
    response = dns.message.from_wire(upstream(QUERY, [A], edns=False)).to_wire()
    found = message.answer(b"".join((response[:10], b"\0", bytes((len(behind),)), response[12:], *behind)), START)
    assert (found.counts, found.rcode, len(found.ttls)) == ((1, 0, left), 16, 1 + left)
    answer = reply(found, asked(use_edns=0))
    assert [str(rrset) for rrset in answer.answer] == ["A.example.test. 300 IN A 192.0.2.1"]
    assert [str(rrset) for rrset in answer.additional] == ['A.example.test. 9 IN TXT "x"'] * left
    assert answer.rcode() == 16


@pytest.mark.parametrize("counts", [(2, 0, 0), (1, 1, 0)])
def test_opt_record_of_another_section(counts: tuple[int, int, int]) -> None:
    response = dns.message.from_wire(upstream(QUERY, [A], edns=False)).to_wire()
    packet = response[:6] + struct.pack("!3H", *counts) + response[12:] + OPT
    with pytest.raises(MalformedError, match="OPT record out of place"):
        message.answer(packet, START)


def test_extended_rcode_is_servfail_for_a_client_without_edns() -> None:
    assert reply(Message(23, (0, 0, 0), b""), asked(use_edns=False)).rcode() == dns.rcode.SERVFAIL


@pytest.mark.parametrize("edns", [None, 512, 600, 1232, 4096])
def test_what_does_not_fit_is_truncated_for_udp_alone(edns: int | None) -> None:
    options = {"use_edns": False} if edns is None else {"use_edns": 0, "payload": edns}
    question = asked(**options)
    limit = 512 if edns is None else min(edns, 1232)
    opt = 0 if edns is None else 11
    head = HEADER + len(question.raw)
    for size in (limit - head - opt, limit - head - opt + 1):
        text = size - 12
        found = Message(0, (1, 0, 0), b"\xc0\x0c" + struct.pack("!HHIH", 16, 1, 5, text) + _txt(text), ((6, 5),), 5)
        whole = size <= limit - head - opt
        over_udp = message.reply(found, question, udp=True)
        answer = dns.message.from_wire(over_udp)
        assert len(over_udp) <= limit
        assert bool(answer.flags & dns.flags.TC) is not whole
        assert bool(answer.answer) is whole
        assert dns.message.from_wire(message.reply(found, question, udp=False)).answer


def _txt(size: int) -> bytes:
    """Character-strings of that many bytes in all."""
    strings, rest = b"", size
    while rest:
        length = min(rest, 256)
        strings += bytes([length - 1]) + b"x" * (length - 1)
        rest -= length
    return strings


def test_ad_is_for_clients_that_ask_for_it() -> None:
    found = Message(0, (0, 0, 0), b"", authentic=True)
    assert not reply(found, asked(use_edns=False)).flags & dns.flags.AD
    assert reply(found, asked(want_dnssec=True)).flags & dns.flags.AD
    assert reply(found, asked(flags=dns.flags.RD | dns.flags.AD)).flags & dns.flags.AD


@given(st.data())
def test_a_damaged_packet_is_malformed_or_read_never_a_crash(data: Any) -> None:
    packet = bytearray(upstream(QUERY, [A], [SOA], ["ns.example.test. 20 A 192.0.2.9"]))
    for _ in range(data.draw(st.integers(1, 4))):
        packet[data.draw(st.integers(2, len(packet) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(START, len(packet)))
    try:
        found = message.answer(bytes(packet[:cut]), START)
    except MalformedError:
        return
    question = asked(use_edns=0)
    answer = message.reply(found, question, udp=True, age=1)
    assert len(answer) <= 1232
    assert answer.startswith(question.id)
    assert question.raw in answer
