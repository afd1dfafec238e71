"""Bytes to Question, Answer to bytes: sizes, profiles, compression, and what is left out first."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import Any

import dns.message
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidns.core import names, records, wire
from minidns.core.answers import Answer
from minidns.core.ready import Ready
from minidns.core.reasons import Reason, Why
from minidns.core.records import Rrset
from minidns.core.wire import Edns, Profile, Question
from tests.support.client import explained
from tests.support.clusters import address

HEAD = struct.Struct("!6H")
NAME = names.from_text("a.b.example.org")
OPT = b"\0\0\x29\4\xd0\0\0\0\0\0\0"


def header(flags: int = 0x0100, counts: tuple[int, int, int, int] = (1, 0, 0, 0)) -> bytes:
    return HEAD.pack(0x1234, flags, *counts)


def test_a_question() -> None:
    packet = header(0x0110, (1, 0, 0, 1)) + b"\1A\1b\7Example\3org\0\0\x1c\0\3" + b"\0\0\x29\2\0\1\2\x80\0\0\4\0\3\0\0"
    raw = packet[12:-15]
    assert wire.parse(packet) == Question(b"\x12\x34", 0x0110, raw, NAME, 28, 3, Edns(512, 2, True))


def test_records_around_a_question_are_stepped_over() -> None:
    record = b"\xc0\x0c" + struct.pack("!HHIH", 65001, 1, 5, 3) + b"\xff\xff\xff"
    owned = b"\1x\xc0\x0c" + struct.pack("!HHIH", 65001, 1, 5, 0)
    packet = header(counts=(1, 1, 2, 2)) + NAME + b"\0\1\0\1" + record + owned + record + OPT + owned + b"trailing"
    assert wire.parse(packet).edns == Edns(1232, 0, False)


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_packet_that_ends_too_soon(cut: int) -> None:
    packet = header(counts=(1, 0, 0, 1)) + NAME + b"\0\1\0\1" + OPT
    with pytest.raises(wire.MalformedError):
        wire.parse(packet[:-cut])


@pytest.mark.parametrize(
    ("name", "pointers", "end"),
    [
        (b"\0", True, 1),
        (b"\1a\0rest", True, 3),
        (b"\1a\xc0\0rest", True, 4),
        (b"\xff\xff", True, 2),
        ((b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"a" * 61 + b"\0", False, 255),
    ],
)
def test_where_a_name_ends(name: bytes, pointers: bool, end: int) -> None:
    assert wire.skip_name(name, 0, pointers=pointers) == end
    assert wire.skip_name(b"xyz" + name, 3, pointers=pointers) == end + 3


@pytest.mark.parametrize(
    "name",
    [
        b"\1a\xc0\0",
        b"\x40" + b"a" * 64 + b"\0",
        b"\x80\0",
        (b"\x3f" + b"a" * 63) * 3 + b"\x3e" + b"a" * 62 + b"\0",
        b"\1a",
    ],
)
def test_where_no_name_ends(name: bytes) -> None:
    with pytest.raises((wire.MalformedError, IndexError)):
        wire.skip_name(name, 0, pointers=False)


class Counted(bytes):
    """Bytes that count how often they are looked at."""

    looks = 0

    def __getitem__(self, at: Any) -> Any:
        self.looks += 1
        return super().__getitem__(at)


@pytest.mark.parametrize("pointers", [False, True])
def test_a_name_without_end_is_not_followed(pointers: bool) -> None:
    name = Counted(b"\1a" * 30000)
    with pytest.raises(wire.MalformedError):
        wire.skip_name(name, 0, pointers=pointers)
    assert name.looks <= names.MAX_NAME


# Ordinary queries


ORDINARY = {
    "no EDNS": (0x0100, (1, 0, 0, 0), b"\0\1", (0x0100, None)),
    "CD and AD": (0x0030, (1, 0, 0, 0), b"\0\1", (0x0030, None)),
    "EDNS": (0x0100, (1, 0, 0, 1), b"\0\1" + OPT, (0x0100, Edns(1232))),
    "DO": (0x0100, (1, 0, 0, 1), b"\0\1\0\0\x29\2\0\0\0\x80\0\0\0", (0x0100, Edns(512, 0, True))),
    "an option": (0x0100, (1, 0, 0, 1), b"\0\1" + OPT[:-1] + b"\5\0\x0a\0\1x", (0x0100, Edns(1232))),
}
ODD = {
    "a response": (0x8100, (1, 0, 0, 0), b"\0\1"),
    "another opcode": (0x2800, (1, 0, 0, 0), b"\0\1"),
    "TC": (0x0200, (1, 0, 0, 0), b"\0\1"),
    "two questions": (0x0100, (2, 0, 0, 0), b"\0\1"),
    "an answer": (0x0100, (1, 1, 0, 0), b"\0\1"),
    "another class": (0x0100, (1, 0, 0, 0), b"\0\3"),
    "something behind": (0x0100, (1, 0, 0, 0), b"\0\1x"),
    "nothing behind": (0x0100, (1, 0, 0, 1), b"\0\1"),
    "two records": (0x0100, (1, 0, 0, 2), b"\0\1" + OPT + OPT),
    "no OPT record": (0x0100, (1, 0, 0, 1), b"\0\1\0\0\x28" + OPT[3:]),
    "an extended rcode": (0x0100, (1, 0, 0, 1), b"\0\1\0\0\x29\4\xd0\1\0\0\0\0\0"),
    "a version": (0x0100, (1, 0, 0, 1), b"\0\1\0\0\x29\4\xd0\0\1\0\0\0\0"),
    "too long a length": (0x0100, (1, 0, 0, 1), b"\0\1" + OPT[:-1] + b"\4"),
    "half an option": (0x0100, (1, 0, 0, 1), b"\0\1" + OPT[:-1] + b"\3\0\x0a\0"),
    "an option too long": (0x0100, (1, 0, 0, 1), b"\0\1" + OPT[:-1] + b"\5\0\x0a\0\2x"),
}


@pytest.mark.parametrize("case", ORDINARY)
def test_ordinary_queries(case: str) -> None:
    flags, counts, tail, expected = ORDINARY[case]
    assert wire.ordinary(header(flags, counts)[2:], tail) == expected


@pytest.mark.parametrize("case", ODD)
def test_odd_queries(case: str) -> None:
    flags, counts, tail = ODD[case]
    assert wire.ordinary(header(flags, counts)[2:], tail) is None


@pytest.mark.parametrize(
    ("edns", "limit", "size"),
    [
        (None, wire.UDP_SIZE, 512),
        (Edns(0), wire.UDP_SIZE, 512),
        (Edns(512), wire.UDP_SIZE, 512),
        (Edns(1000), wire.UDP_SIZE, 1000),
        (Edns(4096), wire.UDP_SIZE, 1232),
        (None, wire.TCP_SIZE, 65535),
        (Edns(512), wire.TCP_SIZE, 65535),
    ],
)
def test_room_of_a_profile(edns: Edns | None, limit: int, size: int) -> None:
    for options in (wire.NO_OPTIONS, wire.ede(3, "old")):
        profile = wire.profile(0x0110, edns, limit, options)
        opt = len(profile.opt) + len(profile.options)
        assert profile.room + 5 + opt == size
        assert profile.variant == 3 + (4 if edns else 0)


def test_ede_is_cut_at_a_whole_character() -> None:
    option = wire.ede(3, "ü" * 100)
    assert option == struct.pack("!HHHH", 166, 15, 162, 3) + ("ü" * 80).encode()
    assert wire.ede(3, "x" + "ü" * 100)[8:] == ("x" + "ü" * 79).encode()
    assert wire.ede(0, "\ud800")[8:] == b"?"


# Answers


def sent(
    name: names.Name, answer: Answer, type_: int = 1, *, room: int | None = None, edns: bool = False
) -> dns.message.Message:
    """An answer as it is sent, whole or within `room` bytes behind the question, read by dnspython."""
    ready = wire.prepare(name, answer)
    profile = wire.profile(0x0100, Edns(4096) if edns else None, wire.UDP_SIZE)
    end = 11 + len(name)
    if room is None:
        head, body, options = (
            ready.heads[profile.variant],
            ready.body[: ready.size] if ready.step else ready.body,
            ready.options,
        )
        if ready.soa is not None:
            body = wire.soa_record(end, answer.authority[0])
    else:
        head, body, options = wire.fit(ready, profile, room, recursion=False, udp=True)
        assert len(body) <= room
    tail = profile.opt + (options or wire.NO_OPTIONS) if edns else b""
    packet = b"\x12\x34" + head + name + type_.to_bytes(2, "big") + b"\0\1" + body + tail
    return dns.message.from_wire(packet)


LABELS = st.sampled_from([b"a", b"b", b"example", b"x" * 40, b"c0"])
NAMES = st.lists(LABELS, min_size=1, max_size=5).map(
    lambda some: b"".join(bytes((len(one),)) + one for one in some) + b"\0"
)


@given(NAMES, st.lists(NAMES, min_size=1, max_size=6), st.lists(st.tuples(NAMES, st.integers(0, 65535)), max_size=8))
def test_names_are_compressed_and_come_back(name: bytes, chain: list[bytes], services: list[tuple[bytes, int]]) -> None:
    """CNAMEs, SRV records, a SOA record and addresses, whichever names they share."""
    owners = list(dict.fromkeys((name, *chain)))
    links = tuple(Rrset(owner, records.CNAME, 5, (target,)) for owner, target in pairwise(owners))
    srv = tuple(dict.fromkeys(records.srv(1, port, target) for target, port in services))
    origin = owners[-1]
    numbers = struct.pack("!5I", 1, 2, 3, 4, 5)
    soa = Rrset(origin, records.SOA, 5, (b"\2ns\3dns" + origin + b"\x0ahostmaster" + origin + numbers,))
    rrsets = (*links, Rrset(origin, records.SRV, 5, srv)) if srv else links
    more = tuple(Rrset(target, records.A, 5, (address("10.0.0.1"), address("10.0.0.2"))) for target, _ in services)
    message = sent(name, Answer(0, Reason(Why.ALIAS), rrsets, (soa,), more), records.SRV)

    def lines(section: list[dns.rrset.RRset]) -> set[str]:
        return {f"{rrset.name} {rdata.to_text()}" for rrset in section for rdata in rrset}

    def ours(some: tuple[Rrset, ...]) -> set[str]:
        return {
            f"{names.to_text(one.owner)} {records.rdata_text(one.type, rdata)}" for one in some for rdata in one.rdata
        }

    assert lines(message.answer) == ours(rrsets)
    assert lines(message.authority) == ours((soa,))
    assert lines(message.additional) == ours(more)


def test_pointers_reach_16_383_bytes_and_no_further() -> None:
    """Owners behind that are written out, or point at what lies before it."""
    targets = [names.from_text(f"{'t' * 50}{number}.zone{number}") for number in range(300)]
    srv = Rrset(NAME, records.SRV, 5, tuple(records.srv(1, 80, target) for target in targets))
    more = tuple(Rrset(target, records.A, 5, (address("10.0.0.1"),)) for target in targets)
    message = sent(NAME, Answer(0, Reason(Why.RECORDS), (srv,), (), more), records.SRV)
    assert len(message.to_wire()) > 0x3FFF
    assert {str(rrset.name) for rrset in message.additional} == {names.to_text(target) for target in targets}


def test_options_are_left_out_before_records() -> None:
    """Once the SOA record of a chain's negative end went with them."""
    chain = Rrset(NAME, records.CNAME, 5, (names.from_text("x.example.org"),))
    origin = names.from_text("example.org")
    numbers = struct.pack("!5I", 1, 2, 3, 4, 5)
    soa = Rrset(origin, records.SOA, 5, (b"\2ns\3dns" + origin + b"\x0ahostmaster" + origin + numbers,))
    answer = Answer(3, Reason(Why.ALIAS_TARGET, ("a", "b")), (chain,), (soa,))
    whole = sent(NAME, answer, edns=True)
    assert (len(whole.answer), len(whole.authority), len(explained(whole))) == (1, 1, 1)
    size = len(wire.prepare(NAME, answer).body)
    without = sent(NAME, answer, edns=True, room=size)
    assert (len(without.answer), len(without.authority), len(explained(without))) == (1, 1, 0)
    alone = sent(NAME, answer, edns=True, room=size - 1)
    assert (len(alone.answer), len(alone.authority), bool(alone.flags & dns.flags.TC)) == (1, 0, False)


@given(st.integers(1, 12), st.integers(0, 700), st.integers(0, 30))
def test_as_many_whole_records_as_fit(count: int, room: int, turns: int) -> None:
    """SRV records of several lengths, in turn: none twice, none in half, no place left that the next could fill."""
    srv = tuple(records.srv(1, number, names.from_text("x" * (1 + 7 * number % 40))) for number in range(count))
    answer = Answer(0, Reason(Why.RECORDS), (Rrset(NAME, records.SRV, 5, srv),))
    ready, profile = wire.prepare(NAME, answer), wire.profile(0, None, wire.UDP_SIZE)
    for turn in range(turns % count + 1):
        head, body, _ = wire.fit(ready, profile, room, recursion=False, udp=True)
        message = dns.message.from_wire(b"\0\0" + head + NAME + b"\0\x21\0\1" + body)
        shown = [rdata.port for rrset in message.answer for rdata in rrset]
        assert len(body) <= room
        assert len(set(shown)) == len(shown)
        assert bool(message.flags & dns.flags.TC) == (len(shown) < count)
        if len(shown) < count:
            assert shown == [(turn + step) % count for step in range(len(shown))]
            sizes = [18 + len(rdata) - 6 for rdata in srv]
            assert len(body) + sizes[(turn + len(shown)) % count] > room


def test_one_answer_kept_for_all_kinds_of_clients() -> None:
    heads = wire.heads(3, (1, 2, 3), wire.flags_of(3, recursion=True))
    for variant, head in enumerate(heads):
        flags, *counts = struct.unpack("!5H", head)
        assert bool(flags & 0x0100) == bool(variant & 1)
        assert bool(flags & 0x0010) == bool(variant & 2)
        assert counts == [1, 1, 2, 3 + (variant >> 2)]
        assert flags & 0x868F == 0x8403 | 0x0080


def test_a_head_counts_to_65535() -> None:
    head = wire.heads(0, (70_000, 0, 70_000), 0)[7]
    assert struct.unpack("!5H", head)[2:] == (65534, 0, 65535)


def test_reasons_without_words_have_no_option() -> None:
    assert wire.reason_options(Reason(Why.RECORDS)) == b""
    option = wire.reason_options(Reason(Why.NOT_SYNCED))
    assert option[:8] == struct.pack("!HHHH", len(option) - 2, 15, len(option) - 6, 14)


def test_what_is_prepared_is_small() -> None:
    """A negative answer holds no record: its SOA record is put together when it is sent."""
    origin = names.from_text("example.org")
    soa = Rrset(origin, records.SOA, 5, (b"\2ns\3dns" + origin + b"\x0ahostmaster" + origin + bytes(20),))
    ready = wire.prepare(NAME, Answer(3, Reason(Why.NO_NAME), authority=(soa,)), explain=False)
    assert ready == Ready(wire.heads(3, (0, 1, 0), wire.flags_of(3)), b"", b"", wire.SOA_SIZE, 3, soa=origin)
    assert len(wire.soa_record(12 + len(NAME) - 1, soa)) == wire.SOA_SIZE


def test_an_error_without_a_question() -> None:
    assert wire.error(header(0x7930), 1) == HEAD.pack(0x1234, 0x8000 | 0x7910 | 1, 0, 0, 0, 0)
    assert isinstance(wire.profile(0, None, 1232), Profile)


def test_extended_errors_are_read_back() -> None:
    record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 5, 4) + bytes(4)
    question = b"\1x\0\0\1\0\1"
    other = struct.pack("!HH", 10, 3) + b"abc"

    def answer(options: bytes, counts: tuple[int, int, int, int] = (1, 1, 0, 1)) -> bytes:
        opt = OPT[:-2] + struct.pack("!H", len(options)) + options
        return header(0x8180, counts) + question + record + opt

    told = wire.ede(18, "grün")[2:]
    assert wire.extended_error(answer(told)) == (18, "grün")
    assert wire.extended_error(answer(other + told + wire.ede(3, "later")[2:])) == (18, "grün")
    assert wire.extended_error(answer(other)) is None
    assert wire.extended_error(answer(b"")) is None
    assert wire.extended_error(answer(struct.pack("!HH", 15, 1) + b"\0")) is None, "too short for a code"
    assert wire.extended_error(answer(struct.pack("!HHH", 15, 3, 18) + b"\xff")) == (18, "\ufffd")
    assert wire.extended_error(header(0x8180, (1, 1, 0, 0)) + question + record) is None
    assert wire.extended_error(header(0x8180, (1, 0, 0, 1)) + question + record) is None, "an address, and no OPT"


@given(st.binary(max_size=60))
def test_no_bytes_keep_extended_errors_from_being_looked_for(rest: bytes) -> None:
    found = wire.extended_error(header(0x8180, (1, 1, 1, 1)) + rest)
    assert found is None or isinstance(found[1], str)
