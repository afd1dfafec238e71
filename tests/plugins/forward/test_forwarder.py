"""Which upstream is asked first, and what happens when it fails."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from minidns.config.settings import Forward, Policy, Upstream
from minidns.core import names
from minidns.plugins.forward.forwarder import Forwarder
from minidns.plugins.forward.message import Message
from minidns.plugins.forward.upstream import NETWORK_ERROR, NO_REACHABLE_AUTHORITY, UpstreamError
from tests.support.neighbours import answer_to, free_port, scripted

A = names.from_text("a.example.test.") + b"\0\1\0\1"


def forwarder(*ports: int, attempt: float = 5.0, total: float = 10.0, **options: Any) -> Forwarder:
    upstreams = tuple(Upstream(host="127.0.0.1", port=port) for port in ports)
    options = {"policy": Policy.SEQUENTIAL, "health_interval": 0.01, **options}
    return Forwarder(Forward(upstreams=upstreams, read_timeout=attempt, **options), rng=random.Random(1), total=total)


def saying(address: str) -> Callable[[bytes, str], list[bytes]]:
    return lambda query, _: [answer_to(query, f"a.example.test. 300 A {address}")]


async def who(asked: Forwarder) -> int:
    """The last byte of the address that came back."""
    return (await asked.ask(A)).body[-1]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # the condition is another object's state
            await asyncio.sleep(0.005)


async def test_sequential_asks_the_first() -> None:
    async with scripted(saying("192.0.2.1")) as one, scripted(saying("192.0.2.2")) as two:
        asked = forwarder(one.port, two.port)
        assert [await who(asked) for _ in range(4)] == [1, 1, 1, 1]


async def test_round_robin_takes_turns() -> None:
    async with scripted(saying("192.0.2.1")) as one, scripted(saying("192.0.2.2")) as two:
        asked = forwarder(one.port, two.port, policy=Policy.ROUND_ROBIN)
        assert [await who(asked) for _ in range(4)] == [1, 2, 1, 2]


async def test_random_asks_all_of_them() -> None:
    async with scripted(saying("192.0.2.1")) as one, scripted(saying("192.0.2.2")) as two:
        asked = forwarder(one.port, two.port, policy=Policy.RANDOM)
        assert {await who(asked) for _ in range(20)} == {1, 2}


async def test_next_is_asked_when_one_fails() -> None:
    async with scripted(saying("192.0.2.2")) as two:
        asked = forwarder(free_port(), two.port)
        assert await who(asked) == 2
        asked.close()


async def test_unhealthy_upstream_is_asked_last_until_it_answers_a_check() -> None:
    dead: list[bool] = [True]
    async with (
        scripted(lambda query, transport: [] if dead else saying("192.0.2.1")(query, transport), tcp=False) as one,
        scripted(saying("192.0.2.2")) as two,
    ):
        asked = forwarder(one.port, two.port, attempt=0.05, max_fails=2)
        first = asked.servers[0]
        assert await who(asked) == 2
        await until(lambda: not asked.healthy(first))
        before = two.seen[:]
        assert await who(asked) == 2
        assert len(two.seen) == len(before) + 1
        dead.clear()
        await until(lambda: asked.healthy(first))
        assert await who(asked) == 1
        checks = {packet[12:-11] for packet, _ in one.seen if packet[12] == 0}
        assert checks == {b"\0\0\2\0\1"}
        asked.close()


async def test_never_unhealthy_without_max_fails() -> None:
    asked = forwarder(free_port(), max_fails=0)
    with pytest.raises(UpstreamError):
        await asked.ask(A)
    assert asked.healthy(asked.servers[0])


async def test_no_checks_begin_once_it_is_closed() -> None:
    async with scripted(lambda _query, _: [], tcp=False) as silent:
        asked = forwarder(silent.port, attempt=0.05, total=0.2)
        asked.close()
        with pytest.raises(UpstreamError):
            await asked.ask(A)
        assert {packet[12:-11] for packet, _ in silent.seen if packet[12] == 0} == set()


async def test_all_unhealthy_are_asked_all_the_same() -> None:
    async with scripted(saying("192.0.2.1")) as one:
        asked = forwarder(one.port)
        asked.servers[0].checks_failed = 99
        assert await who(asked) == 1


async def test_failure_names_the_reason() -> None:
    asked = forwarder(free_port())
    with pytest.raises(UpstreamError, match="refused") as caught:
        await asked.ask(A)
    assert caught.value.code == NETWORK_ERROR
    asked.close()


async def test_all_attempts_together_have_an_end() -> None:
    async with scripted(lambda _query, _: [], tcp=False) as silent:
        asked = forwarder(silent.port, attempt=60, total=0.05)
        with pytest.raises(UpstreamError, match=r"no answer in 0\.05s") as caught:
            await asked.ask(A)
        assert caught.value.code == NO_REACHABLE_AUTHORITY


async def test_response_code_to_fail_over_from() -> None:
    def servfail(query: bytes, _: str) -> list[bytes]:
        return [answer_to(query, rcode=2)]

    async with scripted(servfail) as one, scripted(saying("192.0.2.2")) as two:
        assert (await forwarder(one.port, two.port).ask(A)).rcode == 2
        assert await who(forwarder(one.port, two.port, failover=(2,))) == 2
        assert (await forwarder(one.port, failover=(2,)).ask(A)).rcode == 2


@pytest.mark.parametrize(
    ("tcp", "options", "first"),
    [
        (False, {}, "udp"),
        (True, {}, "tcp"),
        (True, {"prefer_udp": True}, "udp"),
        (False, {"force_tcp": True}, "tcp"),
        (True, {"force_tcp": True, "prefer_udp": True}, "tcp"),
    ],
)
async def test_transport_to_the_upstream(tcp: bool, options: Any, first: str) -> None:
    async with scripted(saying("192.0.2.1")) as one:
        asked = forwarder(one.port, **options)
        assert isinstance(await asked.ask(A, tcp=tcp), Message)
        assert one.seen[0][1] == first
        asked.close()


def test_names_that_are_served() -> None:
    asked = forwarder(1, zone="example.test.", except_zones=("b.example.test.",))
    served = {"example.test.": True, "a.example.test.": True, "b.example.test.": False, "c.b.example.test.": False}
    served |= {"other.test.": False, "notexample.test.": False}
    assert {name: asked.serves(names.from_text(name)) for name in served} == served


@pytest.mark.parametrize(
    ("limit", "waiting", "under_way", "full"),
    [(0, 10**6, 10**6, False), (2, 1, 1, False), (2, 0, 2, True), (2, 2, 1, True)],
)
def test_full_when_as_many_as_allowed_are_under_way(limit: int, waiting: int, under_way: int, full: bool) -> None:
    asked = forwarder(1, max_concurrent=limit)
    asked.waiting, asked.under_way = waiting, under_way
    assert asked.is_full is full


async def test_so_many_attempts_and_no_more() -> None:
    async with scripted(lambda *_: []) as silent, scripted(saying("192.0.2.2")) as two:
        asked = forwarder(silent.port, two.port, attempt=0.05, max_connect_attempts=1, max_fails=0)
        with pytest.raises(UpstreamError):
            await asked.ask(A)
        assert (len(silent.seen), len(two.seen)) == (1, 0)


@pytest.mark.parametrize(("most", "kept"), [(0, 3), (1, 1)])
async def test_so_many_idle_connections_are_kept(most: int, kept: int) -> None:
    async with scripted(saying("192.0.2.1")) as one:
        asked = forwarder(one.port, force_tcp=True, max_idle_conns=most)
        await asyncio.gather(*(asked.ask(A) for _ in range(3)))
        assert asked.servers[0].idle == kept
        asked.close()


@pytest.mark.parametrize("force_tcp", [False, True])
async def test_questions_come_from_the_source_address(force_tcp: bool) -> None:
    async with scripted(saying("192.0.2.1")) as one:
        asked = forwarder(one.port, source_address="127.0.0.1", force_tcp=force_tcp)
        assert await who(asked) == 1
        asked.close()
        with pytest.raises(UpstreamError):
            await forwarder(one.port, source_address="192.0.2.99", force_tcp=force_tcp, max_fails=0).ask(A)
