"""Messages taken apart: every byte is named once, whatever the bytes are, and the values are those dnspython reads."""

from __future__ import annotations

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minidns.core import names
from minidns.core.responder import Responder
from minidns.core.schema import ZoneSettings
from minidns.views.dissection import Dissection, Field, dissect
from minidns.views.dissection.message import MOST
from tests.support.clusters import endpoints, external, headless, recorded_zone, zone_of
from tests.support.explained import DEFAULT

ZONE = recorded_zone(ZoneSettings())
RESPONDER = Responder(ZONE)
NAMES = sorted(ZONE.nodes)
TYPES = ["A", "AAAA", "SRV", "PTR", "SOA", "NS", "TXT", "ANY", "MX", "AXFR"]


def fields(dissection: Dissection) -> list[Field]:
    return [field for part in dissection.parts for field in part.fields]


def covers(packet: bytes) -> Dissection:
    """Take it apart, and check that each byte is in exactly one field."""
    found = dissect(packet)
    at = 0
    for field in fields(found):
        assert field.start == at < field.end
        at = field.end
    assert at == len(packet) == found.size
    return found


def answer_to(query: dns.message.Message, transport: str = "udp", responder: Responder = RESPONDER) -> bytes:
    reply = responder.respond(query.to_wire(), responder.channel(transport, "1"))
    assert isinstance(reply, bytes)
    return reply


@given(
    st.sampled_from(NAMES),
    st.sampled_from(["", "no.", "a.b.", "_x._tcp."]),
    st.sampled_from(TYPES),
    st.sampled_from([-1, 0]),
    st.sampled_from(["udp", "tcp"]),
)
def test_any_answer_is_covered_and_read_as_dnspython_reads_it(
    name: bytes, more: str, type_: str, edns: int, transport: str
) -> None:
    query = dns.message.make_query(more + names.to_text(name), type_, use_edns=edns)
    packet = answer_to(query, transport)
    found, message = covers(packet), dns.message.from_wire(packet)
    assert not found.problem
    for part in found.parts:
        assert all(field.reference.startswith("RFC ") for field in part.fields)
    for section, rrsets in ("ANSWER", message.answer), ("AUTHORITY", message.authority):
        lines = [part.line.split(" ", 4) for part in found.parts if part.section == section]
        expected = [
            [str(rrset.name), str(rrset.ttl), "IN", dns.rdatatype.to_text(rrset.rdtype), rdata.to_text()]
            for rrset in rrsets
            for rdata in rrset
        ]
        assert sorted(lines) == sorted(expected)
    assert f"status: {dns.rcode.to_text(message.rcode())}, id: {message.id}" in found.text
    for option in message.options:
        if isinstance(option, dns.edns.EDEOption):
            assert f"; EDE: {int(option.code)} (" in found.text
            assert f": ({option.text})" in found.text


@given(st.binary(max_size=200))
def test_any_bytes_are_covered(packet: bytes) -> None:
    covers(packet)


@given(st.data())
def test_a_damaged_answer_is_covered(data: st.DataObject) -> None:
    query = dns.message.make_query(names.to_text(data.draw(st.sampled_from(NAMES))), "SRV", use_edns=0)
    packet = bytearray(answer_to(query, "tcp")[:400])
    for _ in range(data.draw(st.integers(1, 4))):
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    covers(bytes(packet[: data.draw(st.integers(0, len(packet)))]))


HEAD = bytes.fromhex("1234818000010001 00000000".replace(" ", ""))


@pytest.mark.parametrize(
    ("packet", "problem"),
    [
        (b"", "2 bytes are due at byte 0"),
        (HEAD[:7], "2 bytes are due at byte 6"),
        (HEAD + b"\xc0\x0c", "leads forward"),
        (HEAD + b"\x80", "neither a length nor a pointer"),
        (HEAD + b"\3web\xc0\x0c", "the name at byte 12 has no end"),
        (HEAD + b"\0\0\1\0\1" + b"\0\0\1\0\1\0\0\0\5\0\4\1\2", "goes beyond the end"),
    ],
)
def test_what_is_wrong_is_said(packet: bytes, problem: str) -> None:
    assert problem in covers(packet).problem


def test_pointers_that_lead_to_pointers_cost_little() -> None:
    chain = b"".join((0xC000 | max(12, 12 + 2 * (at - 1))).to_bytes(2, "big") for at in range(8000))
    found = covers(HEAD + chain)
    assert found.problem


def test_a_compressed_name_shows_where_it_goes_on() -> None:
    zone = zone_of(DEFAULT, external("default/db", "web.default.svc.cluster.local"))
    packet = answer_to(dns.message.make_query("db.default.svc.cluster.local", "A"), responder=Responder(zone))
    found = covers(packet)
    pointers = [field for field in fields(found) if field.to is not None]
    assert [field.to for field in pointers] == [12, 15, 27, 27, 27]
    assert pointers[1].value == "web.default.svc.cluster.local. (the rest is at byte 15)"


def test_header_bits_and_the_reason() -> None:
    found = covers(answer_to(dns.message.make_query("no.default.svc.cluster.local", "A", use_edns=0)))
    flags = next(field for field in fields(found) if field.bits)
    assert sum(bit.bits for bit in flags.bits) == 16
    assert {bit.name: bit.value for bit in flags.bits} == {
        "QR": "1", "OPCODE": "0000", "AA": "1", "TC": "0", "RD": "1", "RA": "0", "Z": "0", "AD": "0", "CD": "0",
        "RCODE": "0011",
    }  # fmt: skip
    assert flags.bits[-1].meaning == "NXDOMAIN"
    by_name = {field.name: field for field in fields(found)}
    assert by_name["INFO-CODE"].value == "0 (Other)"
    assert by_name["EXTRA-TEXT"].reference == "RFC 8914, 2"
    assert by_name["EXTRA-TEXT"].value == "no Service of that name in namespace default"


def test_a_truncated_answer_says_so() -> None:
    addresses = [f"10.0.{number // 250}.{number % 250 + 1}" for number in range(100)]
    zone = zone_of(DEFAULT, headless("default/many"), endpoints("default/many-1", *addresses, of="many"))
    query = dns.message.make_query("many.default.svc.cluster.local", "A")
    found = covers(answer_to(query, responder=Responder(zone)))
    flags = next(field for field in fields(found) if field.bits)
    assert next(bit for bit in flags.bits if bit.name == "TC").meaning == "truncated: ask again over TCP"
    assert "flags: qr aa tc rd;" in found.text


def test_a_large_set_is_not_read_to_its_end() -> None:
    addresses = [f"10.1.{number // 250}.{number % 250 + 1}" for number in range(1000)]
    zone = zone_of(DEFAULT, headless("default/many"), endpoints("default/many-1", *addresses, of="many"))
    query = dns.message.make_query("many.default.svc.cluster.local", "A")
    found = covers(answer_to(query, "tcp", Responder(zone)))
    assert not found.problem
    assert found.parts[-1].title == f"{1000 - MOST} more records"


@given(st.text(max_size=20))
@example("\x1b[31m<b>")
def test_labels_and_texts_are_escaped(text: str) -> None:
    raw = text.encode("utf-8", "replace")[:63]
    packet = HEAD[:4] + b"\0\1\0\0\0\0\0\0" + (bytes((len(raw),)) + raw if raw else b"") + b"\0\0\1\0\1"
    found = covers(packet)
    assert found.parts[1].line.isascii()
    assert found.parts[1].line.isprintable()
