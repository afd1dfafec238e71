"""Names changed in the question, and back in the answer."""

from __future__ import annotations

from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidns.config.plugins.rewrite import Rewrite, RewriteRcode, RewriteTtl, RewriteType
from minidns.plugins.rewrite.rules import NoNameError, Rewriter
from tests.support.neighbours import answer_to


def rule(match: Any, pattern: str, replacement: str, **options: Any) -> Rewrite:
    return Rewrite(match=match, pattern=pattern, replacement=replacement, **options)


EXACT = rule("exact", "a.example.", "web.default.svc.cluster.local.")


def query(name: str, **options: Any) -> bytes:
    return dns.message.make_query(name, "A", **options).to_wire()


def rewritten_name(name: str, *rules: Rewrite) -> str | None:
    found = Rewriter(rules).rewrite(query(name, use_edns=0))
    return None if found is None else str(dns.message.from_wire(found.packet).question[0].name)


@pytest.mark.parametrize(
    ("rule", "name", "expected"),
    [
        (EXACT, "A.Example.", "web.default.svc.cluster.local."),
        (EXACT, "b.example.", None),
        (EXACT, "x.a.example.", None),
        (rule("prefix", "www.", "web."), "www.example.", "web.example."),
        (rule("prefix", "www.", "web."), "a.www.example.", None),
        (rule("suffix", ".a.", ".b.c."), "x.y.a.", "x.y.b.c."),
        (rule("suffix", ".a.", ".b."), "a.", None),
        (rule("substring", "us-west", "eu"), "x.us-west.a.", "x.eu.a."),
        (rule("regex", r"(.*)-(us-1)\.example\.org", "{1}.service.{2}.b"), "f-us-1.example.org.", "f.service.us-1.b."),
        (rule("regex", "^x", "y"), "a.x.", None),
    ],
)  # fmt: skip
def test_name_in_the_question(rule: Rewrite, name: str, expected: str | None) -> None:
    assert rewritten_name(name, rule) == expected


def test_rest_of_the_packet_stays() -> None:
    packet = query("A.Example.", want_dnssec=True, payload=4000)
    found = Rewriter((EXACT,)).rewrite(packet)
    assert found is not None
    before, after = dns.message.from_wire(packet), dns.message.from_wire(found.packet)
    assert (after.id, after.flags, after.payload, after.ednsflags) == (
        before.id,
        before.flags,
        before.payload,
        before.ednsflags,
    )


def test_rules_end_at_the_first_match_unless_told_to_go_on() -> None:
    first, second = rule("exact", "a.", "b."), rule("exact", "b.", "c.")
    assert rewritten_name("a.", first, second) == "b."
    assert rewritten_name("a.", rule("exact", "a.", "b.", stop=False), second) == "c."
    assert rewritten_name("b.", first, second) == "c."


@pytest.mark.parametrize("made", ["x" * 64, "..", ".".join(["x" * 60] * 5)])
def test_new_name_that_is_none(made: str) -> None:
    with pytest.raises(NoNameError):
        rewritten_name("a.b.", rule("substring", "a", made))


ODD = (
    b"\3a.b\4test\0", b"\3a@b\4test\0", b"\3a b\4test\0", b'\3a"b\4test\0', b"\3a\\b\4test\0", b"\3a\xffb\4test\0",
    b"\5\xc3\x84\0\x80.\4test\0", b"\1.\4test\0",
)  # fmt: skip


def question_of(name: bytes) -> bytes:
    return b"\0\1\1\0\0\1\0\0\0\0\0\0" + name + b"\0\1\0\1"


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize(
    "rule",
    [
        rule("suffix", ".test.", ".b.", answer_auto=True),
        rule("substring", "test", "b"),
        rule("regex", r"(.*)\.test\.", "{1}.b.", answer_names=((r"(.*)\.b\.", "{1}.test."),)),
    ],
)
def test_any_bytes_of_a_label_are_asked_as_they_came(rule: Rewrite, name: bytes) -> None:
    found = Rewriter((rule,)).rewrite(question_of(name))
    assert found is not None
    new = name[:-6] + b"\1b\0"
    assert found.packet == question_of(new)
    answer = found.packet[:2] + b"\x84\0\0\1\0\1\0\0\0\0" + question_of(new)[12:] + new
    restored = found.restore(answer + b"\0\1\0\1\0\0\0\5\0\4\xc0\0\2\1", "udp")
    assert restored[12:].startswith(name + b"\0\1\0\1")
    owner = dns.message.from_wire(restored).answer[0].name.to_wire()
    assert owner == (new if rule.match == "substring" else name)


def test_a_dot_within_a_label_is_no_end_of_one() -> None:
    """`a\\.x.b.` is not below `x.b.`."""
    for match, pattern in (("suffix", ".x.b."), ("regex", r"a\.x"), ("substring", "a.x"), ("exact", "a.x.b.")):
        assert Rewriter((rule(match, pattern, "c."),)).rewrite(question_of(b"\3a.x\1b\0")) is None


@given(st.lists(st.binary(min_size=1, max_size=20), max_size=8))
def test_every_name_survives_the_way_to_text_and_back(labels: list[bytes]) -> None:
    name = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    found = Rewriter((rule("suffix", ".", ".", answer_auto=True),)).rewrite(question_of(name))
    assert found is not None
    assert found.packet == question_of(name.lower())


def test_time_of_a_regular_expression_is_linear() -> None:
    """A pattern that takes a backtracking engine 2 to the power of 60 steps; 26 letters took it seconds."""
    assert rewritten_name("a" * 60 + ".test.", rule("regex", r"^(a+)+b\.test\.$", "c.")) is None


def restored(name: str, rules: list[Rewrite], *records: str, transport: str = "udp", **options: Any) -> Any:
    """What the client sees when the rewritten question is answered with these records."""
    packet = query(name, **options)
    found = Rewriter(tuple(rules)).rewrite(packet)
    assert found is not None
    message = dns.message.from_wire(found.restore(answer_to(found.packet, *records), transport))
    assert dns.message.from_wire(packet).is_response(message)
    assert str(message.question[0].name) == name
    return message


def lines(message: dns.message.Message) -> list[str]:
    return [str(rrset) for rrset in message.answer]


def test_exact_rule_restores_owners_and_targets() -> None:
    message = restored(
        "A.Example.",
        [EXACT],
        "web.default.svc.cluster.local. 5 A 192.0.2.1",
        "x.example. 5 CNAME web.default.svc.cluster.local.",
        "other.cluster.local. 5 A 192.0.2.2",
        use_edns=0,
    )
    assert lines(message) == [
        "A.Example. 5 IN A 192.0.2.1",
        "x.example. 5 IN CNAME A.Example.",
        "other.cluster.local. 5 IN A 192.0.2.2",
    ]
    assert message.edns == 0


@pytest.mark.parametrize(
    ("options", "owner"),
    [({}, "x.b."), ({"answer_auto": True}, "x.a."), ({"answer_names": ((r"(.*)\.b\.", "{1}.z"),)}, "x.z.")],
)
def test_suffix_rule_restores_owners_when_told_to(options: Any, owner: str) -> None:
    message = restored("x.a.", [rule("suffix", ".a.", ".b.", **options)], "x.b. 5 A 192.0.2.1")
    assert lines(message) == [f"{owner} 5 IN A 192.0.2.1"]


def test_suffix_rule_restores_a_whole_chain() -> None:
    message = restored(
        "x.a.", [rule("suffix", ".a.", ".b.", answer_auto=True)], "x.b. 5 CNAME y.b.", "y.b. 5 A 192.0.2.1"
    )
    assert lines(message) == ["x.a. 5 IN CNAME y.a.", "y.a. 5 IN A 192.0.2.1"]


def test_values_are_changed_by_their_own_rule() -> None:
    message = restored(
        "x.a.",
        [rule("suffix", ".a.", ".b.", answer_values=((r"(.*)\.b\.", "{1}.v."),))],
        "x.b. 5 SRV 1 2 3 y.b.",
        "x.b. 5 MX 1 z.b.",
    )
    assert lines(message) == ["x.b. 5 IN SRV 1 2 3 y.v.", "x.b. 5 IN MX 1 z.v."]


def test_several_rules_are_undone_in_reverse() -> None:
    rules = [rule("exact", "a.", "b.", stop=False), rule("exact", "b.", "c.")]
    assert lines(restored("a.", rules, "c. 5 A 192.0.2.1")) == ["a. 5 IN A 192.0.2.1"]


def test_answer_that_no_longer_fits_is_truncated() -> None:
    records = [f"x.b. 5 A 192.0.2.{last}" for last in range(28)]
    long = "x." + "a" * 60 + "."
    message = restored(long, [rule("suffix", long[1:], ".b.")], *records, use_edns=False)
    assert message.flags & dns.flags.TC
    assert not message.answer
    assert restored(long, [rule("suffix", long[1:], ".b.")], *records, transport="tcp", use_edns=False).answer


def test_answer_that_cannot_be_read_is_servfail() -> None:
    found = Rewriter((EXACT,)).rewrite(query("a.example."))
    assert found is not None
    message = dns.message.from_wire(found.restore(b"nonsense", "udp"))
    assert (message.rcode(), str(message.question[0].name)) == (2, "a.example.")


def test_large_answers_are_whole() -> None:
    """Compression reaches 16,383 bytes; beyond, names are written out."""
    records = [f"{'t' * 50}{number}.zone{number}.b. 5 A 192.0.2.1" for number in range(500)]
    message = restored("x.a.", [rule("suffix", ".a.", ".b.", answer_auto=True)], *records, transport="tcp")
    assert len(message.to_wire()) > 0x4000
    assert {str(rrset.name) for rrset in message.answer} == {
        f"{'t' * 50}{number}.zone{number}.a." for number in range(500)
    }


def test_every_kind_of_name_in_data() -> None:
    message = restored(
        "x.a.",
        [rule("suffix", ".a.", ".b.", answer_auto=True)],
        "x.b. 5 NS n.b.",
        'x.b. 5 NAPTR 1 2 "s" "http" "" n.b.',
        "x.b. 5 SOA n.b. h.b. 1 2 3 4 5",
        "x.b. 5 DNAME n.b.",
        "x.b. 5 HTTPS 1 n.b. alpn=h2 port=8443",
        "x.b. 5 TYPE65300 \\# 3 010203",
    )
    assert lines(message) == [
        "x.a. 5 IN NS n.a.",
        'x.a. 5 IN NAPTR 1 2 "s" "http" "" n.a.',
        "x.a. 5 IN SOA n.a. h.b. 1 2 3 4 5",
        "x.a. 5 IN DNAME n.a.",
        'x.a. 5 IN HTTPS 1 n.b. alpn="h2" port="8443"',
        "x.a. 5 IN TYPE65300 \\# 3 010203",
    ]


@given(st.binary(max_size=60))
def test_packet_that_is_no_question_is_left_alone(packet: bytes) -> None:
    assert Rewriter((EXACT,)).rewrite(packet) is None


def test_types_ttls_and_rcodes() -> None:
    rules = (
        RewriteType(before=255, after=1, stop=False),
        RewriteTtl(match="suffix", pattern=".example.", low=10, high=20, stop=False),
        RewriteRcode(match="regex", pattern="^a", before=0, after=3),
    )
    found = Rewriter(rules).rewrite(dns.message.make_query("A.example.", "ANY").to_wire())
    assert found is not None
    assert dns.message.from_wire(found.packet).question[0].rdtype == dns.rdatatype.A
    answer = dns.message.from_wire(found.restore(answer_to(found.packet, "A.example. 5 A 192.0.2.1"), "udp"))
    assert answer.question[0].rdtype == dns.rdatatype.ANY
    assert answer.rcode() == dns.rcode.NXDOMAIN
    assert answer.answer[0].ttl == 10
    assert Rewriter(rules).rewrite(query("b.other.")) is None
