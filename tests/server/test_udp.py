"""UDP over real sockets: both families, wildcard addresses, what is forwarded, batches, and an orderly end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import pairwise
from typing import Any

import dns.rcode
import pytest

from minidns.core.responder import Forward, Resolve, Respond, Responder
from minidns.metrics import Traffic
from minidns.server import udp
from minidns.server.tcp import TcpServer, bind
from minidns.server.udp import BATCH, UdpServer
from tests.support.client import parsed, query
from tests.support.clusters import service, zone_of

WEB, OUTSIDE = query("web.default.svc.cluster.local."), query("example.com.")
NOW, NEVER = query("now.example.com."), query("never.example.com.")
DEADLINE = 20.0
HOSTS = ["127.0.0.1", "::1", "0.0.0.0", "::"]


def numbered(packet: bytes, number: int) -> bytes:
    return number.to_bytes(2, "big") + packet[2:]


def loopback(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


class Upstream:
    """Answers what is forwarded once a test says so: "now" at once, "never" not at all."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.may_answer = asyncio.Event()

    def resolve(self, packet: bytes, forward: Forward, *_: object) -> bytes | Coroutine[Any, Any, bytes | None] | None:
        if b"\3now" in forward.question.name:
            return packet[:2] + b"\x81\x80" + packet[4:]
        return self._answer(packet)

    async def _answer(self, packet: bytes) -> bytes | None:
        self.asked.append(int.from_bytes(packet[:2], "big"))
        await self.may_answer.wait()
        return None if b"\5never" in packet else packet[:2] + b"\x81\x80" + packet[4:]


class Serving:
    """A server, how long its answers took, and the ways to end it."""

    def __init__(self, host: str, respond: Respond | None, resolve: Resolve) -> None:
        responder = Responder(zone_of(service("default/web", "10.96.0.1")), forwards=True)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.responder = responder
        self.timing = Traffic()
        channel = responder.channel("udp", "2" if ":" in host else "1")
        self.server = UdpServer(
            udp.bind(host, 0, family, shared=False), channel, respond or responder.respond, resolve, self.timing
        )
        self.port = self.server.port
        self.running = True

    async def stop(self) -> None:
        if self.running:
            self.running = False
            await self.server.stop()


@asynccontextmanager
async def serving(
    host: str = "127.0.0.1", *, respond: Respond | None = None, upstream: Upstream | None = None, start: bool = True
) -> AsyncIterator[Serving]:
    some = Serving(host, respond, (upstream or Upstream()).resolve)
    if start:
        some.server.start()
    try:
        async with asyncio.timeout(DEADLINE):
            yield some
    finally:
        async with asyncio.timeout(DEADLINE):
            await some.stop()


@contextmanager
def client(some: Serving, host: str = "127.0.0.1") -> Iterator[socket.socket]:
    """A connected socket: only what comes from the very address that was asked gets in."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect((host, some.port))
        yield sock


async def received(sock: socket.socket, count: int) -> list[int]:
    """The IDs of the next answers."""
    loop = asyncio.get_running_loop()
    return [int.from_bytes((await loop.sock_recv(sock, 65535))[:2], "big") for _ in range(count)]


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0)


@pytest.mark.parametrize("host", HOSTS)
async def test_a_question_and_its_answer(host: str) -> None:
    async with serving(host) as some:
        with client(some, loopback(host)) as sock:
            sock.send(WEB)
            reply = parsed(await asyncio.get_running_loop().sock_recv(sock, 65535))
            assert (reply.id, str(reply.answer[0][0])) == (int.from_bytes(WEB[:2], "big"), "10.96.0.1")
        assert some.timing.count == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "127.9.9.9"])
async def test_a_wildcard_answers_from_the_address_that_was_asked(host: str) -> None:
    async with serving("0.0.0.0") as some:
        with client(some, host) as sock:
            sock.send(numbered(WEB, 5))
            assert await received(sock, 1) == [5]


@pytest.mark.parametrize("host", HOSTS)
async def test_what_is_forwarded_is_answered_at_once_or_later_or_never(host: str) -> None:
    upstream = Upstream()
    async with serving(host, upstream=upstream) as some:
        with client(some, loopback(host)) as sock:
            for number, packet in enumerate((OUTSIDE, NEVER, NOW, WEB)):
                sock.send(numbered(packet, number))
            assert await received(sock, 2) == [2, 3]
            assert upstream.asked == [0, 1]
            upstream.may_answer.set()
            assert await received(sock, 1) == [0]
            sock.send(numbered(WEB, 9))
            assert await received(sock, 1) == [9]


@pytest.mark.parametrize("host", HOSTS)
async def test_garbage_and_what_is_too_long_do_no_harm(host: str) -> None:
    async with serving(host) as some:
        with client(some, loopback(host)) as sock:
            for packet in (b"", b"x", bytes(11), b"\xff" * 600, b"\0\1\1\0" + bytes(5000), numbered(WEB, 7)):
                sock.send(packet)
            first = await asyncio.get_running_loop().sock_recv(sock, 65535)
            assert (first[:2], first[3] & 15) == (b"\0\1", dns.rcode.FORMERR)
            assert await received(sock, 1) == [7]


@pytest.mark.parametrize("host", HOSTS)
async def test_an_answer_that_cannot_be_sent_is_lost_and_no_more(host: str) -> None:
    def respond(packet: bytes, *_: object) -> bytes:
        return bytes(70_000) if packet == b"long" else packet

    async with serving(host, respond=respond) as some:
        with client(some, loopback(host)) as sock:
            sock.send(b"long")
            sock.send(b"\0\2")
            assert await received(sock, 1) == [2]


@pytest.mark.parametrize("host", HOSTS)
async def test_stop_answers_what_has_arrived_and_what_waits(host: str) -> None:
    """More than a batch that the loop has not seen yet, and a question that is being resolved."""
    upstream = Upstream()
    async with serving(host, upstream=upstream) as some:
        with client(some, loopback(host)) as sock:
            sock.send(numbered(OUTSIDE, 999))
            await until(lambda: upstream.asked == [999])
            for number in range(BATCH * 2 + 5):
                sock.send(numbered(WEB, number))
            stopping = asyncio.create_task(some.stop())
            assert await received(sock, BATCH * 2 + 5) == list(range(BATCH * 2 + 5))
            assert not stopping.done()
            upstream.may_answer.set()
            assert await received(sock, 1) == [999]
            await stopping


async def test_a_flood_does_not_hold_up_stop() -> None:
    """Each answer brings the next question: once stop went on for as long as there was one more packet."""
    sent = 0

    def respond(packet: bytes, *_: object) -> bytes:
        nonlocal sent
        sent += 1
        flood.send(packet)
        return packet

    async with serving(respond=respond, start=False) as some:
        with client(some) as flood:
            flood.send(WEB)
            await some.stop()
    assert sent >= BATCH


async def test_a_flood_leaves_tcp_and_timers_their_turn() -> None:
    """Between two batches everybody else is served: counted, not timed."""
    packets = BATCH * 6  # a receive buffer of the kernel's default size holds 500
    async with serving(start=False) as some:
        sock, channel = bind("127.0.0.1", 0, socket.AF_INET, shared=False), some.responder.channel("tcp", "1")
        tcp = TcpServer().listen(sock, channel, some.responder.respond, Upstream().resolve, Traffic())
        reader, writer = await asyncio.open_connection("127.0.0.1", tcp.port)
        turns: list[int] = []
        loop = asyncio.get_running_loop()

        def tick() -> None:
            turns.append(some.timing.count)
            if turns[-1] < packets:
                loop.call_soon(tick)

        with client(some) as sock:
            for number in range(packets):
                sock.send(numbered(WEB, number))
            some.server.start()
            tick()
            writer.write(len(WEB).to_bytes(2, "big") + WEB)
            await reader.readexactly(2)
            assert some.timing.count < packets
            await until(lambda: turns[-1] >= packets)
            assert max(after - before for before, after in pairwise(turns)) <= BATCH
        writer.close()
        await tcp.stop()


async def test_serve_changes_who_answers() -> None:
    async with serving() as some:
        other = Responder(zone_of(service("default/web", "10.96.0.2")))
        with client(some) as sock:
            some.server.serve(other.respond, Upstream().resolve, other.channel("udp", "1"))
            sock.send(WEB)
            reply = parsed(await asyncio.get_running_loop().sock_recv(sock, 65535))
            assert str(reply.answer[0][0]) == "10.96.0.2"


def test_bind() -> None:
    """A port is taken once, unless it is shared; what cannot be bound leaves nothing open."""
    with udp.bind("127.0.0.1", 0, socket.AF_INET, shared=True) as first:
        port = first.getsockname()[1]
        with udp.bind("127.0.0.1", port, socket.AF_INET, shared=True) as second:
            assert second.getsockname() == first.getsockname()
        with pytest.raises(OSError, match="in use"):
            udp.bind("127.0.0.1", port, socket.AF_INET, shared=False)
    with pytest.raises(OSError, match="assign"):
        udp.bind("192.0.2.1", 0, socket.AF_INET, shared=False)
