"""Records in zone-file text: what dnspython reads there is the rdata in wire form."""

from __future__ import annotations

import struct

import dns.name
import dns.rdata
import dns.rdatatype
import pytest

from minidns.core import names, records
from minidns.core.records import Rrset
from tests.support.clusters import address

NAME = b"\5a.b c\7default\3svc\7cluster\5local\0"
SOA = b"\2ns\3dns\0\x0ahostmaster\1\\\0" + struct.pack("!5I", 0xFFFFFFFF, 7200, 1800, 86400, 5)


@pytest.mark.parametrize(
    ("type_", "rdata"),
    [
        (records.A, address("10.0.0.1")),
        (records.AAAA, address("fd00::1")),
        (records.NS, NAME),
        (records.CNAME, NAME),
        (records.PTR, NAME),
        (records.SRV, records.srv(16, 65535, NAME)),
        (records.TXT, records.character_string("1.1.0")),
        (records.TXT, records.character_string("x" * 200) + records.character_string("y")),
        (records.HINFO, records.character_string("RFC8482") + records.character_string("")),
        (records.SOA, SOA),
    ],
)
def test_text_of_a_record(type_: int, rdata: bytes) -> None:
    """Once the empty string of HINFO, and strings of more than 63 bytes, were cut off."""
    (line,) = records.to_text(Rrset(NAME, type_, 5, (rdata,)))
    owner, ttl, class_, mnemonic, text = line.split(" ", 4)
    assert dns.name.from_text(owner).to_wire() == NAME
    assert (ttl, class_, mnemonic) == ("5", "IN", dns.rdatatype.to_text(dns.rdatatype.RdataType(type_)))
    assert dns.rdata.from_text("IN", mnemonic, text).to_wire() == rdata


def test_one_line_a_record() -> None:
    rrset = Rrset(names.from_text("a.b"), records.A, 30, (address("10.0.0.1"), address("10.0.0.2")))
    assert records.to_text(rrset) == ["a.b. 30 IN A 10.0.0.1", "a.b. 30 IN A 10.0.0.2"]


@pytest.mark.parametrize("number", [*records.TYPES, 0, 99, 65280, 65535])
def test_mnemonics(number: int) -> None:
    text = records.type_text(number)
    if number in records.TYPES:
        assert (records.TYPE_NUMBERS[text], dns.rdatatype.from_text(text)) == (number, number)
    else:
        assert text == f"TYPE{number}"
