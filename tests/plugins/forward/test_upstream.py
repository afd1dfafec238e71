"""One upstream: a real Knot, and one that lies."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.message
import pytest

from minidns.config.settings import ConfigError, Forward, Upstream
from minidns.core import names
from minidns.plugins.forward import message
from minidns.plugins.forward.upstream import NETWORK_ERROR, NO_REACHABLE_AUTHORITY, Server, UpstreamError, mixed_case
from tests.soak.upstream import record, reply
from tests.support.neighbours import answer_to, certificate, free_port, knot, scripted


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with knot(tmp_path_factory.mktemp("knot")) as port:
        yield port


def server(port: int, host: str = "127.0.0.1", timeout: float = 10.0, **options: Any) -> Server:
    upstream = Upstream(host=host, port=port)
    return Server(upstream, Forward(upstreams=(upstream,), read_timeout=timeout, **options), rng=random.Random(1))


def raw(name: str, type_: int = 1) -> bytes:
    return names.from_text(name) + type_.to_bytes(2, "big") + b"\0\1"


A, TXT = raw("a.example.test."), raw("txt.example.test.", 16)
RIGHT = "a.example.test. 300 A 192.0.2.1"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_answer_of_a_real_server(port: int, host: str) -> None:
    answer = await server(port, host).ask(A)
    assert (answer.rcode, answer.counts, answer.ttl) == (0, (1, 0, 0), 300)
    assert answer.body.endswith(bytes([192, 0, 2, 1]))


@pytest.mark.parametrize(
    ("question", "rcode"), [(raw("none.example.test."), 3), (raw("x.broken.test."), 2), (raw("other.test."), 5)]
)
async def test_negative_answers_and_failures_are_answers_too(port: int, question: bytes, rcode: int) -> None:
    assert (await server(port).ask(question)).rcode == rcode


async def test_truncated_answer_is_asked_for_again_over_tcp(port: int) -> None:
    upstream = server(port)
    assert (await upstream.ask(raw("many.example.test."))).counts[0] == 120
    assert upstream.asked == 2
    upstream.close()


async def test_tcp_from_the_start_when_wanted(port: int) -> None:
    for upstream, tcp in ((server(port), True), (server(port, force_tcp=True), False)):
        assert (await upstream.ask(raw("many.example.test."), tcp=tcp)).counts[0] == 120
        assert upstream.asked == 1
        upstream.close()


async def test_every_question_has_a_port_an_id_and_a_case_of_its_own() -> None:
    async with scripted(lambda query, _: [answer_to(query)]) as liar:
        upstream = server(liar.port)
        for _ in range(20):
            await upstream.ask(A)
        sent = [packet for packet, _ in liar.seen]
    assert len({packet[:2] for packet in sent}) > 15
    assert len({packet[12:28] for packet in sent}) > 15
    assert len(set(liar.clients)) > 15
    assert {packet.lower()[12:32] for packet in sent} == {A.lower()}


async def test_question_goes_out_with_edns_and_no_options() -> None:
    async with scripted(lambda query, _: [answer_to(query)]) as liar:
        await server(liar.port).ask(A, flags=0x0110, do=True)
        query = dns.message.from_wire(liar.seen[0][0])
    assert (query.edns, query.payload, query.options, query.ednsflags) == (0, 1232, (), 0x8000)
    assert query.flags == 0x0110


def wrong_id(query: bytes) -> bytes:
    return bytes([query[0] ^ 1]) + answer_to(query, "a.example.test. 300 A 203.0.113.66")[1:]


def other_question(query: bytes) -> bytes:
    return answer_to(query.replace(query[12:14], b"\1b"), "b.example.test. 300 A 203.0.113.66")


def other_type(query: bytes) -> bytes:
    end = query.index(0, 12)
    return answer_to(query[: end + 1] + b"\0\x1c" + query[end + 3 :])


def not_a_response(query: bytes) -> bytes:
    packet = bytearray(answer_to(query, "a.example.test. 300 A 203.0.113.66"))
    packet[2] &= 0x7F
    return bytes(packet)


LIES = [
    wrong_id,
    other_question,
    other_type,
    not_a_response,
    lambda _: b"",
    lambda query: query[:2],
    lambda _: b"\0" * 40,
]


@pytest.mark.parametrize("lie", LIES)
async def test_lies_are_ignored_and_the_truth_is_waited_for(lie: Any) -> None:
    async with scripted(lambda query, _: [lie(query)] * 3 + [answer_to(query, RIGHT)]) as liar:
        answer = await server(liar.port).ask(A)
    assert answer.body.endswith(bytes([192, 0, 2, 1]))


@pytest.mark.parametrize("lie", LIES)
async def test_lies_alone_are_no_answer(lie: Any) -> None:
    async with scripted(lambda query, _: [lie(query)], tcp=False) as liar:
        with pytest.raises(UpstreamError, match=r"no answer in 0\.2s") as caught:
            await server(liar.port, timeout=0.2).ask(A)
    assert caught.value.code == NO_REACHABLE_AUTHORITY


async def test_answer_from_another_socket_is_ignored() -> None:
    def forge(query: bytes, _: str) -> list[bytes]:
        with socket.socket(type=socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            other.sendto(answer_to(query, RIGHT), liar.clients[-1])
        return []

    async with scripted(forge) as liar:
        with pytest.raises(UpstreamError, match="no answer"):
            await server(liar.port, timeout=0.2).ask(A)
        assert len(liar.seen) == 1


def lower(query: bytes, *records: str) -> bytes:
    packet = answer_to(query, *records)
    return packet[:12] + packet[12:].lower()


async def test_upstream_that_changes_the_case_is_found_out_over_tcp() -> None:
    async with scripted(lambda query, _: [lower(query, RIGHT)]) as liar:
        upstream = server(liar.port)
        for _ in range(3):
            assert (await upstream.ask(A)).counts[0] == 1
        assert [transport for _, transport in liar.seen] == ["udp", "tcp", "udp", "udp"]
        assert liar.seen[-1][0][12 : 12 + len(A)] == A
        upstream.close()


async def test_upstream_that_changes_the_case_and_has_no_tcp_is_believed() -> None:
    async with scripted(lambda query, _: [lower(query, RIGHT)], tcp=False) as liar:
        assert (await server(liar.port).ask(A)).counts[0] == 1
        assert [transport for _, transport in liar.seen] == ["udp", "udp"]


async def test_wrong_case_is_a_lie_where_the_case_is_known_to_be_kept() -> None:
    forged = "a.example.test. 300 A 203.0.113.66"
    lies: list[bytes] = []
    async with scripted(lambda query, _: [*([lower(query, forged)] if lies else []), answer_to(query, RIGHT)]) as liar:
        upstream = server(liar.port)
        await upstream.ask(A)
        lies.append(b"from now on")
        answer = await upstream.ask(A)
        assert [transport for _, transport in liar.seen] == ["udp", "udp"]
    assert answer.body.endswith(bytes([192, 0, 2, 1]))


async def test_upstream_that_stops_keeping_the_case_is_asked_anew_after_a_while() -> None:
    changed: list[bool] = []
    async with scripted(lambda query, _: [lower(query, RIGHT) if changed else answer_to(query, RIGHT)]) as liar:
        upstream = server(liar.port, timeout=0.2)
        await upstream.ask(A)
        changed.append(True)
        with pytest.raises(UpstreamError, match="no answer"):
            await upstream.ask(A)
        assert (await upstream.ask(A)).counts[0] == 1
        upstream.close()


async def test_nobody_listening_is_a_network_error() -> None:
    for tcp in (False, True):
        with pytest.raises(UpstreamError, match=r"refused|Connect call failed") as caught:
            await server(free_port()).ask(A, tcp=tcp)
        assert caught.value.code == NETWORK_ERROR


async def test_malformed_records_are_an_error_at_once() -> None:
    async with scripted(lambda query, _: [answer_to(query, RIGHT)[:-3]]) as liar:
        with pytest.raises(UpstreamError, match="malformed answer"):
            await server(liar.port).ask(A)


async def test_one_large_answer_is_read_per_turn_of_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others are answered in between, however many come at once."""
    at, turn, reading = [], 0, message.answer

    def answer(packet: bytes, start: int) -> message.Message:
        at.append(turn)
        return reading(packet, start)

    def right(query: bytes, _: str) -> list[bytes]:
        return [reply(query, query[12 : 12 + len(A)], record(b"\xc0\x0c", 1, b"\n\0\0\1") * 300, 300)]

    async def turns() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(message, "answer", answer)
    async with scripted(right) as other:
        upstream = server(other.port, force_tcp=True)
        counting = asyncio.create_task(turns())
        answers = await asyncio.gather(*(upstream.ask(A) for _ in range(20)))
        counting.cancel()
        upstream.close()
    assert {one.counts for one in answers} == {(300, 0, 0)}
    assert len(set(at)) == len(at) == 20


async def test_connection_is_used_again() -> None:
    async with scripted(lambda query, _: [answer_to(query, RIGHT)]) as liar:
        upstream = server(liar.port)
        for _ in range(3):
            await upstream.ask(A, tcp=True)
        assert (len(liar.seen), liar.connections) == (3, 1)
        upstream.close()


async def test_connection_that_the_upstream_closed_is_replaced() -> None:
    async with scripted(lambda query, _: [answer_to(query, RIGHT)]) as liar:
        upstream = server(liar.port)
        await upstream.ask(A, tcp=True)
        liar.hang_up()
        assert (await upstream.ask(A, tcp=True)).counts[0] == 1
        assert liar.connections == 2
        upstream.close()


async def test_idle_connection_is_closed_when_it_expires() -> None:
    async with scripted(lambda query, _: [answer_to(query, RIGHT)]) as liar:
        upstream = server(liar.port, expire=0.01)
        await upstream.ask(A, tcp=True)
        async with asyncio.timeout(10):
            await liar.all_gone.wait()
        await upstream.ask(A, tcp=True)
        assert liar.connections == 2
        upstream.close()


@pytest.mark.parametrize("lie", LIES[:4])
async def test_lies_over_tcp_are_ignored_too(lie: Any) -> None:
    async with scripted(lambda query, _: [lie(query), answer_to(query, RIGHT)]) as liar:
        upstream = server(liar.port)
        assert (await upstream.ask(A, tcp=True)).counts[0] == 1
        upstream.close()


async def test_answer_over_tls_from_a_server_with_the_right_name(tmp_path: Path) -> None:
    cert, context = certificate(tmp_path, "dns.test")
    async with scripted(lambda query, _: [answer_to(query, RIGHT)], tls=context) as trusted:
        for name, works in (("dns.test", True), ("other.test", False), (None, False)):
            upstream = Upstream(host="127.0.0.1", port=trusted.port, tls=True, server_name=name)
            options = Forward(upstreams=(upstream,), ca_cert=cert)
            asked = Server(upstream, options, rng=random.Random(1))
            if works:
                assert (await asked.ask(A)).counts[0] == 1
                assert trusted.seen[-1][1] == "tcp"
            else:
                with pytest.raises(UpstreamError, match="certificate"):
                    await asked.ask(A)
            asked.close()
        assert len(trusted.seen) == 1


def test_tls_files_that_cannot_be_read_are_an_error(tmp_path: Path) -> None:
    upstream = Upstream(host="127.0.0.1", tls=True)
    options = Forward(upstreams=(upstream,), ca_cert=tmp_path / "none")
    with pytest.raises(ConfigError, match=r"forward: tls with .*none: "):
        Server(upstream, options, rng=random.Random(1))


def test_mixed_case_changes_letters_of_the_name_alone() -> None:
    question = raw("a-1.ex_ample.test.", 0x6162)
    mixed = {mixed_case(question, random.Random(seed)) for seed in range(50)}
    assert len(mixed) > 40
    assert {one.lower() for one in mixed} == {question}
    assert {one[-4:] for one in mixed} == {b"ab\0\1"}
