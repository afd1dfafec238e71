"""TCP over real sockets: pipelining, order, limits, and clients that are slow, silent, half-closed or wrong."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from typing import Any

import dns.rcode
import pytest

from minidns.core.responder import Channel, Client, Forward, Messages, Responder
from minidns.metrics import Timing
from minidns.server.tcp import BATCH, PENDING, TcpServer, bind
from tests.support.client import parsed, query
from tests.support.clusters import endpoints, headless, service, zone_of

Z = "default.svc.cluster.local."
WEB, BIG, SOME, OUTSIDE = (query(name) for name in (f"web.{Z}", f"big.{Z}", f"some.{Z}", "example.com."))
DEADLINE = 20.0


def responder() -> Responder:
    members = tuple(f"10.1.{number >> 8}.{number & 255}" for number in range(5000))
    zone = zone_of(
        service("default/web", "10.96.0.1"),
        headless("default/big"),
        endpoints("default/big-1", *members),
        headless("default/some"),
        endpoints("default/some-1", *members[:1000]),
    )
    return Responder(zone, forwards=True)


class Upstream:
    """Answers what is forwarded, once a test says so; what ends in "now." at once."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.may_answer = asyncio.Event()
        self.silent = False

    def resolve(self, packet: bytes, forward: Forward, *_: object) -> bytes | Coroutine[Any, Any, bytes | None]:
        return reversed_flags(packet) if b"\3now" in forward.question.name else self._answer(packet)

    async def _answer(self, packet: bytes) -> bytes | None:
        self.asked.append(packet)
        await self.may_answer.wait()
        return None if self.silent else reversed_flags(packet)


def reversed_flags(packet: bytes) -> bytes:
    return packet[:2] + b"\x81\x80" + packet[4:]


@asynccontextmanager
async def serving(
    host: str = "127.0.0.1", *, idle: float = 600.0, connections: int = 100, upstream: Upstream | Transfer | None = None
) -> AsyncIterator[TcpServer]:
    answers = responder()
    channel = answers.channel("tcp", "2" if ":" in host else "1")
    server = TcpServer(
        channel, answers.respond, (upstream or Upstream()).resolve, Timing(), idle=idle, connections=connections
    )
    await server.start(bind(host, 0, socket.AF_INET6 if ":" in host else socket.AF_INET, shared=False))
    try:
        async with asyncio.timeout(DEADLINE):
            yield server
    finally:
        async with asyncio.timeout(DEADLINE):
            await server.stop()


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(server: TcpServer, host: str = "127.0.0.1") -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection(host, server.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def framed(*packets: bytes) -> bytes:
    return b"".join(len(packet).to_bytes(2, "big") + packet for packet in packets)


def numbered(packet: bytes, number: int) -> bytes:
    return number.to_bytes(2, "big") + packet[2:]


async def receive(reader: asyncio.StreamReader) -> bytes:
    size = int.from_bytes(await reader.readexactly(2), "big")
    return await reader.readexactly(size)


async def received(reader: asyncio.StreamReader, count: int) -> list[int]:
    """The IDs of the next answers."""
    return [int.from_bytes((await receive(reader))[:2], "big") for _ in range(count)]


async def until(condition: Callable[[], bool]) -> None:
    """Let others run until something is so; the test's own deadline ends it."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_question_and_its_answer(host: str) -> None:
    async with serving(host) as server, connected(server, host) as (reader, writer):
        for _ in range(2):
            writer.write(framed(WEB))
            reply = parsed(await receive(reader))
            assert (reply.id, str(reply.answer[0][0])) == (int.from_bytes(WEB[:2], "big"), "10.96.0.1")
        assert server.timing.count == 2


async def test_pipelined_questions_are_answered_in_turn() -> None:
    """More of them than one batch, in one piece."""
    count = BATCH * 5 + 3
    async with serving() as server, connected(server) as (reader, writer):
        writer.write(framed(*(numbered(WEB, number) for number in range(count))))
        assert await received(reader, count) == list(range(count))


async def test_what_is_forwarded_does_not_hold_up_the_rest() -> None:
    upstream = Upstream()
    async with serving(upstream=upstream) as server, connected(server) as (reader, writer):
        writer.write(framed(numbered(OUTSIDE, 1), numbered(WEB, 2), numbered(OUTSIDE, 3), numbered(query("x.now."), 4)))
        assert await received(reader, 2) == [2, 4]
        assert [int.from_bytes(packet[:2], "big") for packet in upstream.asked] == [1, 3]
        upstream.may_answer.set()
        assert sorted(await received(reader, 2)) == [1, 3]


async def test_questions_that_wait_for_an_upstream_are_bounded() -> None:
    upstream = Upstream()
    async with serving(upstream=upstream) as server, connected(server) as (reader, writer):
        writer.write(framed(*(numbered(OUTSIDE, number) for number in range(PENDING + 50)), numbered(WEB, 9999)))
        await until(lambda: len(upstream.asked) == PENDING)
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(upstream.asked) == PENDING
        upstream.may_answer.set()
        assert sorted(await received(reader, PENDING + 51)) == [*range(PENDING + 50), 9999]


async def test_an_upstream_that_says_nothing_is_silence() -> None:
    upstream = Upstream()
    upstream.silent = True
    upstream.may_answer.set()
    async with serving(upstream=upstream) as server, connected(server) as (reader, writer):
        writer.write(framed(OUTSIDE))
        await until(lambda: bool(upstream.asked))
        writer.write(framed(numbered(WEB, 7)))
        assert await received(reader, 1) == [7]


async def test_a_question_byte_by_byte() -> None:
    async with serving() as server, connected(server) as (reader, writer):
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in framed(numbered(WEB, 1), numbered(WEB, 2)):
            writer.write(bytes((byte,)))
            await asyncio.sleep(0)
        assert await received(reader, 2) == [1, 2]


async def test_empty_frames_and_garbage_are_stepped_over() -> None:
    async with serving() as server, connected(server) as (reader, writer):
        writer.write(
            framed(b"", b"", b"x", bytes(11), numbered(WEB, 1), b"\xff" * 40, b"\0\5" + b"\1" * 30, numbered(WEB, 6))
        )
        first, second, third = [await receive(reader) for _ in range(3)]
        assert (first[:2], second[:2], third[:2]) == (b"\0\1", b"\0\5", b"\0\6")
        assert second[3] & 15 == dns.rcode.FORMERR


async def test_an_answer_as_long_as_a_frame_can_be() -> None:
    async with serving() as server, connected(server) as (reader, writer):
        writer.write(framed(BIG))
        reply = await receive(reader)
        assert 65535 - 16 <= len(reply) <= 65535
        assert len(parsed(reply).answer[0]) == 4092


@pytest.mark.parametrize("rest", [b"", b"\0", framed(WEB)[:-3]], ids=["nothing", "half a length", "half a question"])
async def test_a_client_that_sends_no_more_gets_its_answers(rest: bytes) -> None:
    """Half-closed, also in the middle of a question (RFC 7766, 6.2.4)."""
    upstream = Upstream()
    count = BATCH * 3
    async with serving(upstream=upstream) as server, connected(server) as (reader, writer):
        writer.write(framed(*(numbered(WEB, number) for number in range(count)), numbered(OUTSIDE, count)) + rest)
        writer.write_eof()
        assert await received(reader, count) == list(range(count))
        upstream.may_answer.set()
        assert await received(reader, 1) == [count]
        assert await reader.read() == b""


async def test_idle_connections_are_closed() -> None:
    async with serving(idle=0.05) as server, connected(server) as (reader, writer):
        writer.write(framed(numbered(WEB, 1)))
        assert await received(reader, 1) == [1]
        assert await reader.read() == b""


async def test_half_a_question_does_not_keep_a_connection() -> None:
    async with serving(idle=0.05) as server, connected(server) as (reader, writer):
        writer.write(framed(WEB)[:-1])
        assert await reader.read() == b""


async def test_a_question_that_waits_keeps_its_connection() -> None:
    upstream = Upstream()
    async with serving(idle=0.02, upstream=upstream) as server, connected(server) as (reader, writer):
        writer.write(framed(numbered(OUTSIDE, 1)))
        await until(lambda: bool(upstream.asked))
        await asyncio.sleep(0.2)
        upstream.may_answer.set()
        assert await received(reader, 1) == [1]


async def test_one_connection_too_many_is_closed_and_a_free_place_is_given_again() -> None:
    async with serving(connections=2) as server:
        async with connected(server) as (reader, writer), connected(server) as (other, other_writer):
            for some, write in ((reader, writer), (other, other_writer)):
                write.write(framed(WEB))
                await receive(some)
            async with connected(server) as (third, _):
                with suppress(ConnectionError):
                    assert await third.read() == b""
            writer.write(framed(numbered(WEB, 3)))
            assert await received(reader, 1) == [3]
        await until(lambda: not server._connections)
        async with connected(server) as (reader, writer):
            writer.write(framed(numbered(WEB, 4)))
            assert await received(reader, 1) == [4]


async def test_a_client_that_does_not_read_is_not_read_either() -> None:
    """Its answers stay within what the sockets and one batch hold, others are answered, and all come when it reads."""
    count = 400
    async with serving() as server, connected(server) as (reader, writer), connected(server) as (other, other_writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(framed(*(numbered(BIG, number) for number in range(count))))
        stuck = -1
        while stuck != server.timing.count:
            stuck = server.timing.count
            for _ in range(5):
                other_writer.write(framed(WEB))
                await receive(other)
                stuck += 1
        assert stuck < count
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert await received(reader, count) == list(range(count))


@pytest.mark.parametrize("half_closed", [False, True])
@pytest.mark.parametrize("full", [False, True])
async def test_a_client_that_never_reads_gives_its_place_back(full: bool, half_closed: bool) -> None:
    """Also when less waits for it than makes the transport "full": once an orderly close then waited for ever."""
    async with serving(idle=0.2, connections=1) as server:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.connect(("127.0.0.1", server.port))
        client.setblocking(False)
        asked = 0
        while not unsent(server):
            client.send(framed(*[BIG if full else SOME] * (50 if full else 1)))
            asked += 50 if full else 1
            await until(lambda: server.timing.count == asked or bool(unsent(server)))  # noqa: B023
        assert (unsent(server) > 65536) == full
        if half_closed:
            client.shutdown(socket.SHUT_WR)
        served = False
        while not served:
            async with connected(server) as (reader, writer):
                with suppress(ConnectionError, asyncio.IncompleteReadError):
                    writer.write(framed(numbered(WEB, 3)))
                    served = await received(reader, 1) == [3]
        client.close()


async def test_stop_waits_while_a_client_takes_its_answers() -> None:
    """Once the end of the loop cut off what the kernel had no room for."""
    async with serving() as server:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.connect(("127.0.0.1", server.port))
        client.setblocking(False)
        asked = 0
        while not unsent(server):
            client.send(framed(SOME))
            asked += 1
            await until(lambda: server.timing.count == asked or bool(unsent(server)))  # noqa: B023

        async def left_by_stop() -> int:
            await server.stop()
            return unsent(server)

        stopping = asyncio.create_task(left_by_stop())
        await asyncio.sleep(0)
        reader, writer = await asyncio.open_connection(sock=client)
        assert len(await received(reader, asked)) == asked
        assert await stopping == 0
        writer.close()


def unsent(server: TcpServer) -> int:
    """Bytes that wait for the only client to read."""
    return sum(one._transport.get_write_buffer_size() for one in server._connections if one._transport)


async def test_a_connection_that_is_cut_off_is_forgotten_with_what_it_waited_for() -> None:
    upstream = Upstream()
    async with serving(upstream=upstream) as server:
        async with connected(server) as (_, writer):
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.write(framed(OUTSIDE, OUTSIDE))
            await until(lambda: len(upstream.asked) == 2)
        await until(lambda: not server._connections)
        upstream.may_answer.set()
        async with connected(server) as (reader, writer):
            writer.write(framed(numbered(WEB, 5)))
            assert await received(reader, 1) == [5]


async def test_stop_answers_what_has_been_read() -> None:
    """More than a batch, and more forwarded questions than may wait at once: once those beyond were dropped."""
    upstream = Upstream()
    asked = PENDING * 2 + 10
    async with serving(upstream=upstream) as server, connected(server) as (reader, writer):
        writer.write(framed(*(numbered(WEB, number) for number in range(100))))
        assert await received(reader, 100) == list(range(100))
        writer.write(framed(*(numbered(OUTSIDE, number) for number in range(asked)), numbered(WEB, 9999)))
        await until(lambda: len(upstream.asked) == PENDING)
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0)
        upstream.may_answer.set()
        await stopping
        assert sorted(await received(reader, asked + 1)) == [*range(asked), 9999]
        assert await reader.read() == b""
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection("127.0.0.1", server_port(server, writer))


def server_port(_: TcpServer, writer: asyncio.StreamWriter) -> int:
    return int(writer.get_extra_info("peername")[1])


class Transfer:
    """What a zone transfer is to a connection: `count` messages of `size` bytes. taken: how many were asked for."""

    def __init__(self, count: int, size: int = 12) -> None:
        self.count, self.size = count, size
        self.client = ""
        self.taken = 0
        self.closed = False

    def resolve(self, packet: bytes, _: Forward, __: Channel, client: Client) -> Messages:
        self.client = client.address
        return self._messages(packet)

    def _messages(self, packet: bytes) -> Iterator[bytes]:
        try:
            for number in range(self.count):
                yield b""  # nothing to send yet
                self.taken += 1
                yield number.to_bytes(2, "big") + bytes(self.size - 2)
            if self.count == 0:
                raise RuntimeError(packet.hex())
        finally:
            self.closed = True


async def test_an_answer_of_many_messages_in_order_and_what_was_asked_behind_it_after_it() -> None:
    transfer = Transfer(500)
    async with serving(upstream=transfer) as server, connected(server) as (reader, writer):
        writer.write(framed(numbered(WEB, 1000), OUTSIDE, numbered(WEB, 1001), OUTSIDE, numbered(WEB, 1002)))
        expected = [1000, *range(500), 1001, *range(500), 1002]
        assert await received(reader, len(expected)) == expected
        assert (transfer.client, transfer.closed) == ("127.0.0.1", True)


async def test_messages_are_made_one_per_turn_and_as_the_client_reads() -> None:
    transfer = Transfer(2000, 60000)
    async with serving(upstream=transfer) as server, connected(server) as (reader, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        turns: list[int] = []

        def tick() -> None:
            turns.append(transfer.taken)
            asyncio.get_running_loop().call_soon(tick)

        tick()
        writer.write(framed(OUTSIDE))
        await until(lambda: len(turns) > 1000 and turns[-1] == turns[-500] > 0)
        assert max(two - one for one, two in pairwise(turns)) == 1
        assert transfer.taken < 500
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert await received(reader, 2000) == list(range(2000))


async def test_messages_end_with_their_client() -> None:
    transfer = Transfer(2000, 60000)
    async with serving(upstream=transfer) as server:
        async with connected(server) as (reader, writer):
            writer.write(framed(OUTSIDE))
            assert await received(reader, 1) == [0]
        await until(lambda: transfer.closed)
        assert transfer.taken < 2000


async def test_messages_end_with_the_server() -> None:
    transfer = Transfer(2000, 60000)
    async with serving(upstream=transfer) as server, connected(server) as (reader, writer):
        writer.write(framed(OUTSIDE))
        assert await received(reader, 1) == [0]
        await server.stop()
        assert transfer.closed


async def test_messages_that_break_off_end_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    transfer = Transfer(0)
    async with serving(upstream=transfer) as server, connected(server) as (reader, writer):
        writer.write(framed(numbered(WEB, 1), OUTSIDE, numbered(WEB, 2)))
        assert await received(reader, 1) == [1]
        with suppress(ConnectionError):
            assert await reader.read() == b""
        assert transfer.closed
    assert "breaks off" in caplog.text


async def test_stop_ends_a_batch_that_is_under_way() -> None:
    async with serving() as server, connected(server) as (reader, writer):
        count = BATCH * 20
        writer.write(framed(*(numbered(WEB, number) for number in range(count))))
        await until(lambda: server.timing.count >= BATCH)
        await server.stop()
        got = []
        with suppress(asyncio.IncompleteReadError):
            while True:
                got += await received(reader, 1)
        assert got == list(range(len(got)))
        assert len(got) == server.timing.count >= BATCH


async def test_stop_without_start() -> None:
    answers = responder()
    await TcpServer(answers.channel("tcp", "1"), answers.respond, Upstream().resolve, Timing()).stop()


async def test_serve_changes_who_answers_on_connections_that_stay() -> None:
    async with serving() as server, connected(server) as (reader, writer):
        writer.write(framed(WEB))
        await receive(reader)
        other = Responder(zone_of(service("default/web", "10.96.0.2")))
        server.serve(other.respond, Upstream().resolve, other.channel("tcp", "1"))
        writer.write(framed(WEB))
        assert str(parsed(await receive(reader)).answer[0][0]) == "10.96.0.2"


async def test_one_connection_leaves_others_and_timers_their_turn() -> None:
    """A thousand questions at once from one client: between their batches everybody else is served."""
    async with serving() as server, connected(server) as (reader, writer), connected(server) as (other, other_writer):
        other_writer.write(framed(WEB))
        await receive(other)
        before = server.timing.count
        turns: list[int] = []

        def tick() -> None:
            turns.append(server.timing.count - before)
            if turns[-1] < 1000:
                asyncio.get_running_loop().call_soon(tick)

        writer.write(framed(*(numbered(WEB, number) for number in range(1000))))
        tick()
        await until(lambda: turns[-1] >= 1000)
        assert await received(reader, 1000) == list(range(1000))
        assert max(two - one for one, two in pairwise(turns)) <= BATCH
