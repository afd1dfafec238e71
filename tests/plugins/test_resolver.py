"""The cache and the upstreams of a server block, as a client sees them."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import msgspec
import pytest

from minidns.config.settings import Cache, CacheClass, Forward, Policy, Upstream
from minidns.core import names
from minidns.core.records import CNAME, Rrset
from minidns.plugins.cache import Key
from minidns.plugins.forward import message
from minidns.plugins.loop import LoopProbe
from minidns.plugins.resolver import Resolver
from tests.support.neighbours import Scripted, answer_to, free_port, knot, scripted


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with knot(tmp_path_factory.mktemp("knot")) as port:
        yield port


class Clock:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def resolver(*ports: int, cache: Cache | None = None, clock: Clock | None = None, **options: Any) -> Resolver:
    upstreams = tuple(Upstream(host="127.0.0.1", port=port) for port in ports)
    forward = Forward(upstreams=upstreams, **{"policy": Policy.SEQUENTIAL, "max_fails": 0, **options})
    return Resolver((replace(forward, read_timeout=5.0),), cache, clock=clock or Clock(), total=10.0)


def query(name: str = "a.example.test.", type_: str = "A", **options: Any) -> bytes:
    return dns.message.make_query(name, type_, **options).to_wire()


async def ask(asked: Resolver, packet: bytes, transport: str = "udp") -> dns.message.Message:
    """As the server edge does: from the cache at once, or else by asking."""
    answer = asked.cached(packet, transport) or await asked.resolve(packet, transport)
    message = dns.message.from_wire(answer)
    assert dns.message.from_wire(packet).is_response(message)
    return message


def lines(message: dns.message.Message) -> list[str]:
    return sorted(line for rrset in message.answer for line in str(rrset).splitlines())


def edes(message: dns.message.Message) -> list[tuple[int, str]]:
    return [
        (int(option.code), str(option.text)) for option in message.options if isinstance(option, dns.edns.EDEOption)
    ]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # the condition is another object's state
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize(
    ("name", "type_", "expected"),
    [
        ("a", "A", ["a.example.test. 300 IN A 192.0.2.1"]),
        ("a", "AAAA", ["a.example.test. 300 IN AAAA 2001:db8::1"]),
        (
            "chain",
            "A",
            [
                "a.example.test. 300 IN A 192.0.2.1",
                "chain.example.test. 300 IN CNAME middle.example.test.",
                "middle.example.test. 300 IN CNAME a.example.test.",
            ],
        ),
        ("mx", "MX", ["mx.example.test. 300 IN MX 10 a.example.test."]),
        ("_sip._tcp", "SRV", ["_sip._tcp.example.test. 300 IN SRV 1 2 5060 a.example.test."]),
        ("a", "TXT", []),
    ],
)
async def test_answers_of_a_real_server(port: int, transport: str, name: str, type_: str, expected: list[str]) -> None:
    asked = resolver(port, cache=Cache())
    for _ in range(2):
        assert lines(await ask(asked, query(f"{name}.example.test.", type_), transport)) == expected
    asked.close()
    assert asked.hits == 1


@pytest.mark.parametrize(
    ("name", "rcode"),
    [("none.example.test.", "NXDOMAIN"), ("a.broken.test.", "SERVFAIL"), ("a.other.test.", "REFUSED")],
)
async def test_negative_answers_and_failures_of_a_real_server(port: int, name: str, rcode: str) -> None:
    answer = await ask(resolver(port, cache=Cache()), query(name))
    assert dns.rcode.to_text(answer.rcode()) == rcode
    assert bool(answer.authority) is (rcode == "NXDOMAIN")


async def test_question_comes_back_in_the_letter_case_it_was_asked_in(port: int) -> None:
    asked = resolver(port, cache=Cache())
    for name in ("A.eXample.Test.", "a.example.TEST."):
        answer = await ask(asked, query(name))
        assert str(answer.question[0].name) == str(answer.answer[0].name) == name
    assert (asked.hits, asked.misses) == (1, 1)


async def test_large_answers_are_truncated_for_udp_and_whole_over_tcp(port: int) -> None:
    asked = resolver(port, cache=Cache())
    for name, edns in (("txt", False), ("many", False), ("many", 0)):
        packet = query(f"{name}.example.test.", "TXT" if name == "txt" else "A", use_edns=edns, payload=4096)
        answer = await ask(asked, packet)
        assert answer.flags & dns.flags.TC
        answer = await ask(asked, packet, "tcp")
        assert not answer.flags & dns.flags.TC
        assert len(answer.answer[0]) == (1 if name == "txt" else 120)
    assert not (await ask(asked, query("txt.example.test.", "TXT", use_edns=0))).flags & dns.flags.TC
    asked.close()


async def test_options_of_the_client_go_no_further() -> None:
    async with scripted(lambda packet, _: [answer_to(packet)]) as upstream:
        options = [dns.edns.ECSOption("192.0.2.0", 24), dns.edns.CookieOption(b"12345678", b"")]
        answer = await ask(resolver(upstream.port), query(options=options))
        assert (answer.edns, answer.options) == (0, ())
        assert dns.message.from_wire(upstream.seen[0][0]).options == ()


async def test_ttl_is_counted_down_and_the_upstream_asked_again_at_its_end(port: int) -> None:
    clock = Clock()
    asked = resolver(port, cache=Cache(success=CacheClass(min_ttl=0)), clock=clock)
    ttls = []
    for now in (0, 100.5, 299, 300):
        clock.now = 1000 + now
        ttls.append((await ask(asked, query())).answer[0].ttl)
    assert ttls == [300, 200, 1, 300]


async def test_ttl_is_within_bounds_from_the_first_answer_on(port: int) -> None:
    asked = resolver(port, cache=Cache(success=CacheClass(ttl=30)))
    assert (await ask(asked, query())).answer[0].ttl == 30
    assert (await ask(asked, query("short.example.test."))).answer[0].ttl == 5


async def test_negative_answer_lives_for_the_minimum_of_its_soa(port: int) -> None:
    clock = Clock()
    asked = resolver(port, cache=Cache(), clock=clock)
    packet = query("none.example.test.")
    assert (await ask(asked, packet)).authority[0].ttl == 60
    clock.now += 59
    assert (await ask(asked, packet)).authority[0].ttl == 1
    clock.now += 1
    assert asked.cached(packet, "udp") is None


async def test_dnssec_and_checking_disabled_are_kept_apart() -> None:
    async with scripted(lambda packet, _: [answer_to(packet, "a.example.test. 300 A 192.0.2.1")]) as upstream:
        asked = resolver(upstream.port, cache=Cache())
        packets = [query(), query(want_dnssec=True), query(flags=dns.flags.RD | dns.flags.CD)]
        for packet in packets * 2:
            await ask(asked, packet)
        sent = [dns.message.from_wire(packet) for packet, _ in upstream.seen]
    assert [(bool(one.ednsflags & dns.flags.DO), bool(one.flags & dns.flags.CD)) for one in sent] == [
        (False, False),
        (True, False),
        (False, True),
    ]


async def test_equal_questions_under_way_are_asked_once() -> None:
    async with scripted(lambda packet, _: [answer_to(packet, "a.example.test. 300 A 192.0.2.1")]) as upstream:
        upstream.open.clear()
        asked = resolver(upstream.port)
        packets = [query(name) for name in ("a.example.test.", "A.EXAMPLE.test.")] * 20
        waiting = [asyncio.create_task(ask(asked, packet)) for packet in packets]
        await upstream.arrived.wait()
        waiting[0].cancel()
        upstream.open.set()
        answers = await asyncio.gather(*waiting[1:])
        assert {len(answer.answer) for answer in answers} == {1}
        assert len(upstream.seen) == 1
        assert (asked.forwarders[0].waiting, asked.forwarders[0].under_way) == (0, 0)


async def test_what_is_under_way_when_it_is_closed_is_answered_still() -> None:
    """A new configuration takes over while questions of the old one wait."""
    async with scripted(lambda packet, _: [answer_to(packet, "a.example.test. 300 A 192.0.2.1")]) as upstream:
        upstream.open.clear()
        asked = resolver(upstream.port, force_tcp=True)
        waiting = asyncio.create_task(ask(asked, query()))
        await upstream.arrived.wait()
        asked.close()
        upstream.open.set()
        assert len((await waiting).answer) == 1
        async with asyncio.timeout(20):
            await upstream.all_gone.wait()


@pytest.mark.parametrize("type_", ["AXFR", "IXFR"])
async def test_zone_transfers_are_not_forwarded(type_: str) -> None:
    packet = query(use_edns=0)
    packet = packet.replace(b"\0\1\0\1", b"\0" + bytes([dns.rdatatype.from_text(type_)]) + b"\0\1")
    answer = dns.message.from_wire(await resolver(1).resolve(packet, "tcp"))
    assert answer.rcode() == dns.rcode.REFUSED
    assert edes(answer)[0][0] == 21


async def test_questions_over_the_limit_fail_at_once() -> None:
    async with scripted(lambda packet, _: [answer_to(packet)]) as upstream:
        upstream.open.clear()
        asked = resolver(upstream.port, max_concurrent=2)
        waiting = [asyncio.create_task(ask(asked, query(f"{n}.test."))) for n in range(2)]
        await until(lambda: len(upstream.seen) == 2)
        answer = await ask(asked, query("3.test.", use_edns=0))
        assert answer.rcode() == dns.rcode.SERVFAIL
        assert edes(answer) == [(23, "2 questions are under way already (max_concurrent)")]
        assert (asked.forwarders[0].rejected, len(upstream.seen)) == (1, 2)
        upstream.open.set()
        await asyncio.gather(*waiting)
        assert (await ask(asked, query("3.test."))).rcode() == dns.rcode.NOERROR


async def test_questions_whose_clients_have_gone_count_while_they_are_under_way() -> None:
    """They hold descriptors: clients that hung up and came again once took 2,230 of them past a limit of 1,000."""
    async with scripted(lambda packet, _: [answer_to(packet)]) as upstream:
        upstream.open.clear()
        asked = resolver(upstream.port, max_concurrent=3)
        for number in range(20):
            client = asyncio.create_task(ask(asked, query(f"{number}.test.")))
            await until(lambda number=number, client=client: len(upstream.seen) > number or client.done())  # type: ignore[misc]
            client.cancel()
        assert asked.forwarders[0].under_way == len(upstream.seen) == 3
        assert asked.forwarders[0].rejected == 17
        upstream.open.set()
        await until(lambda: asked.forwarders[0].under_way == 0)
        assert (await ask(asked, query("a.test."))).rcode() == dns.rcode.NOERROR


async def test_clients_that_wait_for_one_question_count_too() -> None:
    async with scripted(lambda packet, _: [answer_to(packet)]) as upstream:
        upstream.open.clear()
        asked = resolver(upstream.port, max_concurrent=3)
        clients = [asyncio.create_task(ask(asked, query("a.test."))) for _ in range(5)]
        await until(lambda: sum(client.done() for client in clients) == 2)
        upstream.open.set()
        answers = await asyncio.gather(*clients)
        assert [answer.rcode() for answer in answers] == [dns.rcode.NOERROR] * 3 + [dns.rcode.SERVFAIL] * 2


async def test_dead_upstream_is_servfail_with_the_reason() -> None:
    port = free_port()
    answer = await ask(resolver(port), query(use_edns=0))
    assert answer.rcode() == dns.rcode.SERVFAIL
    ((code, text),) = edes(answer)
    assert code == 23
    assert text.startswith(f"127.0.0.1:{port}: ")
    assert (await ask(resolver(port), query(use_edns=False))).edns == -1


async def test_failures_are_logged_when_told_to(caplog: pytest.LogCaptureFixture) -> None:
    forward = Forward(upstreams=(Upstream(host="127.0.0.1", port=free_port()),), max_fails=0)
    for errors in (False, True):
        await ask(Resolver((forward,), errors=errors), query("A.b\\010.test."))
    (record,) = caplog.records
    assert record.getMessage().startswith("a.b\\010.test. A: 127.0.0.1:")


async def test_silent_upstream_is_servfail_with_the_reason() -> None:
    async with scripted(lambda _packet, _: [], tcp=False) as upstream:
        forward = Forward(upstreams=(Upstream(host="127.0.0.1", port=upstream.port),), max_fails=0)
        asked = Resolver((replace(forward, read_timeout=0.05),), total=1)
        assert edes(await ask(asked, query(use_edns=0))) == [(22, f"127.0.0.1:{upstream.port}: no answer in 0.05s")]


async def test_name_that_no_forward_serves_is_refused() -> None:
    answer = await ask(resolver(1, zone="other.test."), query(use_edns=0))
    assert answer.rcode() == dns.rcode.REFUSED
    assert edes(answer)[0][0] == 20


async def test_first_forward_whose_zone_matches_is_asked() -> None:
    async with (
        scripted(lambda packet, _: [answer_to(packet, "a.example.test. 300 A 192.0.2.1")]) as one,
        scripted(lambda packet, _: [answer_to(packet, "a.example.test. 300 A 192.0.2.2")]) as two,
    ):
        forwards = [
            Forward(zone=zone, upstreams=(Upstream(host="127.0.0.1", port=server.port),))
            for zone, server in (("example.test.", one), (".", two))
        ]
        asked = Resolver(tuple(forwards))
        for name in ("a.example.test.", "a.other.test."):
            await ask(asked, query(name))
        assert (len(one.seen), len(two.seen)) == (1, 1)


async def test_malformed_packet_is_formerr() -> None:
    assert (await resolver(1).resolve(b"\0\1\1\0\0\1\0\0\0\0\0\0\x05a", "udp"))[3] & 15 == dns.rcode.FORMERR
    assert resolver(1, cache=Cache()).cached(b"\0\1", "udp") is None


class Switch:
    """An upstream's script that a test can turn off, or change the answer of."""

    def __init__(self) -> None:
        self.on = True
        self.record = "a.example.test. 10 A 192.0.2.1"
        self.rcode = 0

    def __call__(self, packet: bytes, _: str) -> list[bytes]:
        return [answer_to(packet, *([self.record] if self.rcode == 0 else []), rcode=self.rcode)] if self.on else []


async def stale_after_a_failure(upstream: Scripted, switch: Switch, **options: Any) -> tuple[Resolver, Clock]:
    clock = Clock()
    cache = Cache(serve_stale=3600, success=CacheClass(min_ttl=0), servfail=0, **options)
    forward = Forward(upstreams=(Upstream(host="127.0.0.1", port=upstream.port),), max_fails=0)
    asked = Resolver((replace(forward, read_timeout=0.05),), cache, clock=clock, total=0.2)
    await ask(asked, query())
    clock.now += 11
    switch.on = False
    return asked, clock


async def test_stale_answer_is_given_at_once_and_refreshed_meanwhile() -> None:
    switch = Switch()
    async with scripted(switch, tcp=False) as upstream:
        asked, _ = await stale_after_a_failure(upstream, switch)
        stale = asked.cached(query(use_edns=0), "udp")
        assert stale is not None
        answer = dns.message.from_wire(stale)
        assert lines(answer) == ["a.example.test. 30 IN A 192.0.2.1"]
        assert edes(answer)[0][0] == 3
        switch.on, switch.record = True, "a.example.test. 10 A 192.0.2.2"
        await until(lambda: (asked.cached(query(), "udp") or b"").endswith(bytes([192, 0, 2, 2])))
        asked.close()


async def test_stale_answer_is_given_after_asking_in_vain() -> None:
    switch = Switch()
    async with scripted(switch, tcp=False) as upstream:
        asked, clock = await stale_after_a_failure(upstream, switch, verify_stale=True)
        assert asked.cached(query(), "udp") is None
        answer = await ask(asked, query(use_edns=0))
        assert (lines(answer), edes(answer)[0][0]) == (["a.example.test. 30 IN A 192.0.2.1"], 3)
        assert len(upstream.seen) > 1
        switch.on, switch.rcode = True, 2
        assert edes(await ask(asked, query(use_edns=0)))[0][0] == 3
        switch.rcode, switch.record = 0, "a.example.test. 10 A 192.0.2.2"
        assert lines(await ask(asked, query())) == ["a.example.test. 10 IN A 192.0.2.2"]
        clock.now += 4000
        switch.on = False
        assert (await ask(asked, query())).rcode() == dns.rcode.SERVFAIL
        asked.close()


async def test_popular_name_is_fetched_before_it_expires() -> None:
    switch, clock = Switch(), Clock()
    async with scripted(switch) as upstream:
        asked = resolver(upstream.port, cache=Cache(prefetch=2, success=CacheClass(min_ttl=0)), clock=clock)
        await ask(asked, query())
        await ask(asked, query())
        assert len(upstream.seen) == 1
        clock.now += 9.5
        assert (await ask(asked, query())).answer[0].ttl == 1
        async with asyncio.timeout(20):
            while (await ask(asked, query())).answer[0].ttl != 10:  # noqa: ASYNC110  # the refresh ends by itself
                await asyncio.sleep(0.005)
        assert (len(upstream.seen), asked.refreshed) == (2, 1)


def chain(*texts: str) -> tuple[Rrset, ...]:
    """CNAME by CNAME through these names."""
    wire = [names.from_text(text) for text in texts]
    return tuple(Rrset(owner, CNAME, 5, (target,)) for owner, target in pairwise(wire))


ALIAS = ("ext.default.svc.cluster.local.", "chain.example.test.")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_alias_is_followed_through_the_upstream(port: int, transport: str) -> None:
    asked = resolver(port, cache=Cache())
    packet = query("Ext.default.svc.cluster.local.", use_edns=0)
    for _ in range(2):
        answer = dns.message.from_wire(await asked.resolve_alias(packet, chain("in.local.", *ALIAS), transport))
        assert str(answer.question[0].name) == "Ext.default.svc.cluster.local."
        assert lines(answer) == [
            "a.example.test. 300 IN A 192.0.2.1",
            "chain.example.test. 300 IN CNAME middle.example.test.",
            "ext.default.svc.cluster.local. 5 IN CNAME chain.example.test.",
            "in.local. 5 IN CNAME ext.default.svc.cluster.local.",
            "middle.example.test. 300 IN CNAME a.example.test.",
        ]
    asked.close()


@pytest.mark.parametrize(
    ("target", "rcode", "answers"),
    [
        ("none.example.test.", "NXDOMAIN", 1),
        ("mx.example.test.", "NOERROR", 1),
        ("a.other.test.", "NOERROR", 1),
        ("a.broken.test.", "SERVFAIL", 0),
    ],
)
async def test_alias_whose_target_has_nothing(port: int, target: str, rcode: str, answers: int) -> None:
    packet = query("ext.local.", use_edns=0)
    answer = dns.message.from_wire(await resolver(port).resolve_alias(packet, chain("ext.local.", target), "udp"))
    assert (dns.rcode.to_text(answer.rcode()), len(answer.answer)) == (rcode, answers)


@pytest.mark.parametrize(
    ("type_", "rdata"),
    [
        ("CNAME", b"\3a\xffb\4test\0"),
        ("HTTPS", b"\0\1\0\0\1\0\1\xff"),
        ("HTTPS", b""),
        ("TYPE65300", b"\xc0\x0c"),
        ("TXT", b"\xff"),
    ],
)
async def test_alias_whose_target_has_odd_data(type_: str, rdata: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """What it means is for the client to say."""
    number = dns.rdatatype.from_text(type_)

    def odd(packet: bytes, _: str) -> list[bytes]:
        answer = answer_to(packet, "none.test. 5 A 192.0.2.1")
        start = len(packet) - 11
        name = b"\2\xff\xfe\4test\0"
        return [answer[:start] + name + struct.pack("!HHIH", number, 1, 5, len(rdata)) + rdata + packet[start:]]

    async with scripted(odd) as upstream:
        asked = resolver(upstream.port)
        packet = query("ext.local.", type_, use_edns=0)
        answer = await asked.resolve_alias(packet, chain("ext.local.", "out.test."), "udp")
        assert answer[3] & 15 == 0
        assert int.from_bytes(answer[6:8], "big") == 2
        assert rdata.removesuffix(b"\4test\0") in answer[:-11]
        assert b"\2\xff\xfe\xc0" in answer
        assert "Traceback" not in caplog.text
        assert not caplog.records


async def test_alias_whose_target_is_answered_with_nonsense(caplog: pytest.LogCaptureFixture) -> None:
    def forward(packet: bytes, _: str) -> list[bytes]:
        answer, start = answer_to(packet, "none.test. 5 A 192.0.2.1"), len(packet) - 11
        return [answer[:start] + b"\xff\xff\0\1\0\1\0\0\0\5\0\4\1\2\3\4" + packet[start:]]

    async with scripted(forward) as upstream:
        asked = resolver(upstream.port)
        packet = query("ext.local.", use_edns=0)
        answer = dns.message.from_wire(await asked.resolve_alias(packet, chain("ext.local.", "out.test."), "udp"))
        assert dns.rcode.to_text(answer.rcode()) == "SERVFAIL"
        (option,) = answer.options
        assert isinstance(option, dns.edns.EDEOption)
        assert option.text == "the answer about the alias's target cannot be read: a pointer does not lead back"
        assert not caplog.records


MANY = [f"out.test. 300 A 10.{number >> 8}.{number & 255}.1" for number in range(3000)]


class Counted(tuple[tuple[int, int], ...]):
    """Places of TTLs that count how often one is looked at."""

    looks = 0

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for place in super().__iter__():
            Counted.looks += 1
            yield place


async def test_a_resolver_that_is_closed_keeps_no_answers() -> None:
    """Reloads leave many behind, faster than the garbage collector comes to them."""
    closed = resolver(1, cache=Cache())
    assert closed.cache is not None
    asked = message.question(query("out.test."))
    whole = message.answer(answer_to(query("out.test.", use_edns=False), *MANY), 12 + len(asked.raw))
    closed.cache.put(Key(asked.name, 1, 1, False, False), whole, 1000.0)
    assert closed.cached(query("out.test."), "tcp")
    closed.close()
    assert closed.cached(query("out.test."), "tcp") is None
    assert closed.cache.entries == {"success": 0, "denial": 0}


@pytest.mark.parametrize("alias", [False, True])
async def test_an_answer_that_is_cut_costs_what_is_sent(alias: bool) -> None:
    """A large answer is not aged, nor joined to an alias, only to be left out."""
    upstream = resolver(1, cache=Cache())
    assert upstream.cache is not None
    asked = message.question(query("out.test."))
    whole = message.answer(answer_to(query("out.test.", use_edns=False), *MANY), 12 + len(asked.raw))
    Counted.looks = 0
    key = Key(asked.name, 1, 1, False, False)
    upstream.cache.put(key, msgspec.structs.replace(whole, ttls=Counted(whole.ttls)), 1000.0)
    for transport, most in (("udp", 80), ("tcp", 4000)):
        Counted.looks = 0
        if alias:
            packet = query("ext.local.", use_edns=0, payload=4096)
            answer = await upstream.resolve_alias(packet, chain("ext.local.", "out.test."), transport)
        else:
            answer = upstream.cached(query("out.test.", use_edns=0, payload=4096), transport) or b""
        found = dns.message.from_wire(answer)
        assert bool(found.flags & dns.flags.TC) is (transport == "udp")
        assert len([1 for rrset in found.answer for _ in rrset]) == (0 if transport == "udp" else 3000 + alias)
        assert Counted.looks < most


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_alias_with_a_large_answer_is_whole_over_tcp(transport: str) -> None:
    records = [f"out.test. 300 MX 5 {'t' * 50}{number}.zone{number}.test." for number in range(500)]

    async with scripted(lambda packet, how: [large(packet, records, how)]) as upstream:
        asked = resolver(upstream.port)
        packet = query("ext.local.", "MX", use_edns=0)
        answer = await asked.resolve_alias(packet, chain("ext.local.", "out.test."), transport)
        found = dns.message.from_wire(answer)
        asked.close()
        assert bool(found.flags & dns.flags.TC) is (transport == "udp")
        if transport == "tcp":
            assert len(answer) > 0x4000
            assert {str(rdata) for rdata in found.answer[1]} == {record.split(maxsplit=3)[3] for record in records}


def large(packet: bytes, records: list[str], transport: str) -> bytes:
    """All records over TCP, none over UDP."""
    answer = dns.message.from_wire(answer_to(packet))
    if transport == "udp":
        answer.flags |= dns.flags.TC
    else:
        answer.answer = dns.message.from_text("\n".join((";ANSWER", *records))).answer
    return answer.to_wire(max_size=65535)


async def test_alias_to_a_name_that_no_forward_serves_stands_alone() -> None:
    asked = resolver(1, zone="other.test.")
    answer = dns.message.from_wire(await asked.resolve_alias(query("ext.local."), chain("ext.local.", "a.b."), "udp"))
    assert (answer.rcode(), lines(answer)) == (0, ["ext.local. 5 IN CNAME a.b."])


async def test_loop_is_found_and_explained() -> None:
    """An upstream that sends each question back to where it came from."""
    back: list[Resolver] = []
    tasks: list[asyncio.Task[bytes]] = []

    def send_back(packet: bytes, _: str) -> list[bytes]:
        tasks.append(asyncio.ensure_future(back[0].resolve(packet, "udp")))
        return [answer_to(packet)]

    async with scripted(send_back) as upstream:
        probe = LoopProbe()
        upstreams = (Upstream(host="127.0.0.1", port=upstream.port),)
        asked = Resolver((Forward(upstreams=upstreams, max_fails=0),), probe=probe)
        back.append(asked)
        text = await probe.run(asked.forwarders)
        assert text is not None
        assert text.startswith(f"loop: 127.0.0.1:{upstream.port} sends questions back to this server")
        await asyncio.gather(*tasks)
        assert len(upstream.seen) == 1


async def test_no_loop_without_one(port: int) -> None:
    asked = resolver(port, free_port())
    assert await LoopProbe().run(asked.forwarders) is None
