"""The reason of another server's answer is passed on, from the upstream and from the cache (RFC 8914, 3)."""

from __future__ import annotations

import struct

import dns.edns
import dns.message
import dns.rcode
from hypothesis import given
from hypothesis import strategies as st

from minidns.core import wire
from minidns.plugins.forward import message
from tests.support.places import ROOT
from tests.support.running import minidns

MISSING = "missing.default.svc.cluster.local"
REASON = "no Service of that name in namespace default"
DEMO = str(ROOT / "config" / "demo")


def test_dig_sees_the_reason_through_forward_and_cache() -> None:
    with (
        minidns("--manifests", DEMO) as origin,
        minidns("--manifests", DEMO, "--zone", "other.test", "--forward", f"127.0.0.1:{origin.port}") as between,
    ):
        first = between.dig(MISSING)
        asked = origin.get("/metrics")
        again = between.dig(MISSING)
        assert "status: NXDOMAIN" in first
        assert f"EDE: 0 (Other): ({REASON})" in first
        assert f"EDE: 0 (Other): ({REASON})" in again
        assert "coredns_cache_hits_total" in between.get("/metrics")
        assert "EDE" not in between.dig(MISSING, "+noedns")
        assert asked


def error(code: int, text: str) -> dns.edns.EDEOption:
    return dns.edns.EDEOption(dns.edns.EDECode(code), text)


def answered(*options: dns.edns.Option) -> message.Message:
    query = dns.message.make_query("a.example", "A", use_edns=0)
    response = dns.message.make_response(query)
    response.set_rcode(dns.rcode.SERVFAIL)
    response.use_edns(0, options=list(options))
    packet = response.to_wire()
    return message.answer(packet, wire.HEADER + len(b"\1a\7example\0") + 4)


def replied(answer: message.Message, options: bytes = wire.NO_OPTIONS) -> list[dns.edns.Option]:
    asked = wire.parse(dns.message.make_query("a.example", "A", use_edns=0).to_wire())
    return list(dns.message.from_wire(message.reply(answer, asked, udp=True, options=options)).options)


def test_errors_stand_behind_those_of_our_own() -> None:
    ours, theirs = error(3, "ours"), error(6, "bogus")
    assert replied(
        answered(dns.edns.GenericOption(dns.edns.OptionType.NSID, b"12345678"), theirs), wire.ede(3, "ours")
    ) == [ours, theirs]


def test_only_some_errors_are_passed_on_and_their_texts_are_cut() -> None:
    found = replied(answered(*(error(code, "ü" * 100) for code in range(5))))
    assert [option.code for option in found if isinstance(option, dns.edns.EDEOption)] == [0, 1, 2]
    assert all(isinstance(option, dns.edns.EDEOption) and option.text == "ü" * 80 for option in found)


def test_an_answer_without_errors_has_no_options() -> None:
    assert replied(answered()) == []


@given(st.binary(max_size=60))
def test_options_of_any_bytes(raw: bytes) -> None:
    opt = struct.pack("!BHHIH", 0, 41, 1232, 0, len(raw)) + raw
    packet = struct.pack("!6H", 1, 0x8182, 1, 0, 0, 1) + b"\1a\0\0\1\0\1" + opt
    answer = message.answer(packet, wire.HEADER + 7)
    assert all(isinstance(option, dns.edns.EDEOption) for option in replied_a(answer))


def replied_a(answer: message.Message) -> list[dns.edns.Option]:
    asked = wire.parse(dns.message.make_query("a", "A", use_edns=0).to_wire())
    return list(dns.message.from_wire(message.reply(answer, asked, udp=False)).options)
