"""TCP over real sockets: pipelining, order, limits, and clients that are slow, silent, half-closed or wrong."""

from __future__ import annotations

import asyncio
import errno
import resource
import select
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, NamedTuple

import dns.rcode
import pytest

from minidns.core.responder import Channel, Client, Forward, Messages, Respond, Responder
from minidns.metrics import Traffic
from minidns.server.connection import ANSWERS, BATCH, PENDING, Connection
from minidns.server.places import KERNEL, Limits, source_of
from minidns.server.tcp import TcpListener, TcpServer, bind
from minidns.server.turns import Turns
from tests.support.client import parsed, query
from tests.support.clusters import endpoints, headless, service, zone_of

Z = "default.svc.cluster.local."
WEB, BIG, SOME, OUTSIDE = (query(name) for name in (f"web.{Z}", f"big.{Z}", f"some.{Z}", "example.com."))
DEADLINE = 20.0
#: Nobody is idle, and some connections are enough.
LIMITS = Limits(connections=100, per_client=100, idle=600.0)


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
        self.padding = 0

    def resolve(self, packet: bytes, forward: Forward, *_: object) -> bytes | Coroutine[Any, Any, bytes | None]:
        return reversed_flags(packet) if b"\3now" in forward.question.name else self._answer(packet)

    async def _answer(self, packet: bytes) -> bytes | None:
        self.asked.append(packet)
        await self.may_answer.wait()
        return None if self.silent else reversed_flags(packet) + bytes(self.padding)


def reversed_flags(packet: bytes) -> bytes:
    return packet[:2] + b"\x81\x80" + packet[4:]


class Served(NamedTuple):
    """A server with one listening socket."""

    server: TcpServer
    listener: TcpListener

    @property
    def answered(self) -> int:
        return self.listener.traffic.count


@asynccontextmanager
async def serving(
    host: str = "127.0.0.1",
    *,
    limits: Limits = LIMITS,
    upstream: Upstream | Transfer | None = None,
    respond: Respond | None = None,
    turns: Turns | None = None,
) -> AsyncIterator[Served]:
    answers = responder()
    channel = answers.channel("tcp", "2" if ":" in host else "1")
    server = TcpServer(limits, turns=turns)
    sock = bind(host, 0, socket.AF_INET6 if ":" in host else socket.AF_INET, shared=False)
    resolve = (upstream or Upstream()).resolve
    listener = server.listen(sock, channel, respond or answers.respond, resolve, Traffic())
    try:
        async with asyncio.timeout(DEADLINE):
            yield Served(server, listener)
    finally:
        async with asyncio.timeout(DEADLINE):
            await listener.stop()


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(served: Served, host: str = "127.0.0.1", source: str | None = None) -> AsyncIterator[Streams]:
    local = (source, 0) if source else None
    reader, writer = await asyncio.open_connection(host, served.listener.port, local_addr=local)
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


async def nothing_more(count: Callable[[], int], turns: int = 200) -> int:
    """What a number stays at: it has not moved for that many turns of the event loop."""
    same, last = 0, count()
    while same < turns:
        await asyncio.sleep(0)
        same = same + 1 if count() == last else 0
        last = count()
    return last


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
        assert server.answered == 2


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
    async with serving(limits=replace(LIMITS, idle=0.05)) as server, connected(server) as (reader, writer):
        writer.write(framed(numbered(WEB, 1)))
        assert await received(reader, 1) == [1]
        assert await reader.read() == b""


async def test_half_a_question_does_not_keep_a_connection() -> None:
    async with serving(limits=replace(LIMITS, idle=0.05)) as server, connected(server) as (reader, writer):
        writer.write(framed(WEB)[:-1])
        assert await reader.read() == b""


async def test_a_question_that_waits_keeps_its_connection() -> None:
    upstream = Upstream()
    async with (
        serving(limits=replace(LIMITS, idle=0.02), upstream=upstream) as server,
        connected(server) as (reader, writer),
    ):
        writer.write(framed(numbered(OUTSIDE, 1)))
        await until(lambda: bool(upstream.asked))
        await asyncio.sleep(0.2)
        upstream.may_answer.set()
        assert await received(reader, 1) == [1]


async def test_at_the_cap_the_idlest_goes() -> None:
    """Questions keep a place, empty messages and garbage do not (RFC 7766, 6.2.3)."""
    async with AsyncExitStack() as stack, serving(limits=replace(LIMITS, connections=3)) as server:
        first, second, third = [await stack.enter_async_context(connected(server)) for _ in range(3)]
        for reader, writer in (third, second, first):
            writer.write(framed(WEB))
            await receive(reader)
        third[1].write(framed(b"", b"", b"x", bytes(11)))
        await nothing_more(lambda: server.answered)
        await asked(await stack.enter_async_context(connected(server)))
        assert await third[0].read() == b""
        for streams in (second, first):
            await asked(streams)


async def test_at_the_cap_of_a_client_its_own_idlest_goes() -> None:
    """One client that wants every place takes none of another's."""
    async with AsyncExitStack() as stack, serving(limits=replace(LIMITS, per_client=3)) as server:
        other = await stack.enter_async_context(connected(server, source="127.0.0.2"))
        await asked(other)
        greedy = []
        for _ in range(20):
            greedy.append(await stack.enter_async_context(connected(server)))
            await asked(greedy[-1])
        for reader, _ in greedy[:17]:
            with suppress(ConnectionError):
                assert await reader.read() == b""
        for streams in (*greedy[17:], other):
            await asked(streams)
        assert (len(server.server.places), server.server.places.cut) == (4, 17)


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:0:7::1", "20010db800000007"),
        ("2001:db8:0:7:ffff::", "20010db800000007"),
        ("fe80::1%lo", "fe80000000000000"),
    ],
)
def test_whose_connection_it_is(address: str, source: str) -> None:
    assert source_of(address) == source


async def test_a_place_that_was_given_up_is_free() -> None:
    async with serving(limits=replace(LIMITS, connections=1)) as server:
        for number in range(3):
            async with connected(server) as streams:
                await asked(streams, number)
            await until(lambda: not len(server.server.places))
        assert server.server.places.cut == 0


async def test_a_client_that_does_not_read_is_not_read_either() -> None:
    """Its answers stay within what the sockets and one turn hold, others are answered, and all come when it reads."""
    count = 400
    async with serving() as server, connected(server) as (reader, writer), connected(server) as (other, other_writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(framed(*(numbered(BIG, number) for number in range(count))))
        stuck = -1
        while stuck != server.answered:
            stuck = server.answered
            for _ in range(5):
                other_writer.write(framed(WEB))
                await receive(other)
                stuck += 1
        assert stuck < count
        assert unsent(server) <= ANSWERS + 65537
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert await received(reader, count) == list(range(count))


def client_that_does_not_read(server: Served, question: bytes, count: int) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    client.connect(("127.0.0.1", server.listener.port))
    client.setblocking(False)
    client.send(framed(*[question] * count))
    return client


async def test_clients_that_never_read_hold_what_all_may_hold_and_no_more() -> None:
    """Nine hundred once held 2 GB in the kernel, and half a gigabyte here. The idlest of them go, others stay."""
    limits = replace(LIMITS, held=4 * (KERNEL + ANSWERS + 65537))
    async with AsyncExitStack() as stack, serving(limits=limits) as server:
        reading = await stack.enter_async_context(connected(server))
        await asked(reading)
        places = server.server.places
        clients, stuck = [], server.answered
        for _ in range(10):
            clients.append(client_that_does_not_read(server, BIG, 50))
            stack.callback(clients[-1].close)
            await until(lambda before=stuck: server.answered > before)  # type: ignore[misc]
            stuck = await nothing_more(lambda: server.answered)
            assert places.held == sum(one.held for one in connections(server)) <= limits.held
        assert places.cut + len(places) == 11
        assert 4 <= places.cut <= 6
        assert all(size <= KERNEL for one in connections(server) for size in kernel_buffers(one))
        await asked(reading)
        for client in clients[: places.cut]:
            assert await was_reset(client)


async def was_reset(client: socket.socket) -> bool:
    """Whether the server has cut a connection, or ends it in order. It is let go of here before anything is read."""
    poll = select.poll()
    poll.register(client, 0)
    await until(lambda: bool(poll.poll(0)))
    return client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET


def kernel_buffers(connection: Connection) -> tuple[int, int]:
    """The most memory that the kernel takes for a connection, by direction."""
    options = (socket.SO_SNDBUF, socket.SO_RCVBUF)
    send, receive = (connection._sock.getsockopt(socket.SOL_SOCKET, option) for option in options)
    assert connection._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    return send, receive


async def test_answers_of_upstreams_to_a_client_that_does_not_read_are_bounded() -> None:
    upstream = Upstream()
    upstream.padding = 60000
    async with serving(upstream=upstream) as server:
        client = client_that_does_not_read(server, OUTSIDE, PENDING)
        await until(lambda: len(upstream.asked) == PENDING)
        upstream.may_answer.set()
        assert await was_reset(client)
        assert not connections(server)
        client.close()


@pytest.mark.parametrize("half_closed", [False, True])
@pytest.mark.parametrize("full", [False, True])
async def test_a_client_that_never_reads_gives_its_place_back(full: bool, half_closed: bool) -> None:
    """Whether its answers are still here or with the kernel, which would keep them for minutes."""
    async with serving(limits=replace(LIMITS, idle=0.2)) as server:
        client = client_that_does_not_read(server, BIG if full else SOME, 50 if full else 1)
        await until(lambda: bool(unsent(server)) if full else bool(server.answered))
        if half_closed and not full:
            client.send(framed(BIG)[:1])
        if half_closed:
            client.shutdown(socket.SHUT_WR)
        await until(lambda: not len(server.server.places))
        assert await was_reset(client)
        client.close()


async def test_stop_waits_while_a_client_takes_its_answers() -> None:
    """Once the end of the loop cut off what the kernel had no room for."""
    async with serving() as server:
        client = client_that_does_not_read(server, BIG, 5)
        await until(lambda: bool(unsent(server)))
        stopping = asyncio.create_task(server.listener.stop())
        await asyncio.sleep(0)
        reader, writer = await asyncio.open_connection(sock=client)
        assert len(await received(reader, 5)) == 5
        await stopping
        writer.close()


async def test_stop_gives_up_a_client_that_does_not_read() -> None:
    async with serving() as server:
        client = client_that_does_not_read(server, BIG, 50)
        await until(lambda: bool(unsent(server)))
        await server.listener.stop()
        assert not connections(server)
        client.close()


async def asked(streams: Streams, number: int = 7) -> None:
    """A question gets its answer."""
    reader, writer = streams
    writer.write(framed(numbered(WEB, number)))
    assert await received(reader, 1) == [number]


def connections(server: Served) -> list[Connection]:
    return list(server.listener._connections)


def unsent(server: Served) -> int:
    """Bytes that wait here for clients to read."""
    return sum(len(one._out) for one in connections(server))


async def test_a_connection_that_is_cut_off_is_forgotten_with_what_it_waited_for() -> None:
    upstream = Upstream()
    async with serving(upstream=upstream) as server:
        async with connected(server) as (_, writer):
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.write(framed(OUTSIDE, OUTSIDE))
            await until(lambda: len(upstream.asked) == 2)
        await until(lambda: not connections(server))
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
        stopping = asyncio.create_task(server.listener.stop())
        await asyncio.sleep(0)
        upstream.may_answer.set()
        await stopping
        assert sorted(await received(reader, asked + 1)) == [*range(asked), 9999]
        assert await reader.read() == b""
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection("127.0.0.1", server_port(server, writer))


def server_port(_: Served, writer: asyncio.StreamWriter) -> int:
    return int(writer.get_extra_info("peername")[1])


class Counting(Turns):
    """Turns by a clock that counts work, LENGTH of it in a slice. by_turn: how much there was in each turn."""

    LENGTH = 5

    def __init__(self, work: Callable[[], int]) -> None:
        super().__init__(clock=work, length=self.LENGTH)
        self.by_turn: list[int] = []
        self._before = 0

    def follow(self) -> None:
        """Note in each turn of the event loop, as UDP has its own there, how much work was done since."""
        self.by_turn.append(int(self.clock()) - self._before)
        self._before += self.by_turn[-1]
        asyncio.get_running_loop().call_soon(self.follow)


class Answering:
    """A responder that counts."""

    def __init__(self) -> None:
        self.asked = 0
        self._responder = responder()

    def respond(self, packet: bytes, channel: Channel) -> bytes | Forward | None:
        self.asked += 1
        return self._responder.respond(packet, channel)


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


async def test_messages_are_made_in_slices_and_as_the_client_reads() -> None:
    transfer = Transfer(2000, 60000)
    turns = Counting(lambda: transfer.taken)
    async with serving(upstream=transfer, turns=turns) as server, connected(server) as (reader, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        turns.follow()
        writer.write(framed(OUTSIDE))
        await until(lambda: bool(transfer.taken))
        assert await nothing_more(lambda: transfer.taken) < 500
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert await received(reader, 2000) == list(range(2000))
        assert max(turns.by_turn) <= Counting.LENGTH


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
        await server.listener.stop()
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
        await until(lambda: server.answered >= BATCH)
        await server.listener.stop()
        got = []
        with suppress(asyncio.IncompleteReadError):
            while True:
                got += await received(reader, 1)
        assert got == list(range(len(got)))
        assert len(got) == server.answered >= BATCH


async def test_serve_changes_who_answers_on_connections_that_stay() -> None:
    async with serving() as server, connected(server) as (reader, writer):
        writer.write(framed(WEB))
        await receive(reader)
        other = Responder(zone_of(service("default/web", "10.96.0.2")))
        server.listener.serve(other.respond, Upstream().resolve, other.channel("tcp", "1"))
        writer.write(framed(WEB))
        assert str(parsed(await receive(reader)).answer[0][0]) == "10.96.0.2"


async def test_connections_together_get_a_slice_of_each_turn() -> None:
    """UDP is answered in between: 200 connections that pipelined all they could once took 6,400 questions of a turn."""
    answering = Answering()
    turns = Counting(lambda: answering.asked)
    clients, questions = 40, 100
    async with AsyncExitStack() as stack, serving(turns=turns, respond=answering.respond) as server:
        streams = [await stack.enter_async_context(connected(server)) for _ in range(clients)]
        turns.follow()
        for _, writer in streams:
            writer.write(framed(*(numbered(WEB, number) for number in range(questions))))
        for reader, _ in streams:
            assert await received(reader, questions) == list(range(questions))
        assert max(turns.by_turn) <= Counting.LENGTH
        assert answering.asked == clients * questions


async def test_connections_take_turns() -> None:
    """One that has much to ask leaves another its answer."""
    answering = Answering()
    turns = Counting(lambda: answering.asked)
    async with AsyncExitStack() as stack, serving(turns=turns, respond=answering.respond) as server:
        busy = await stack.enter_async_context(connected(server))
        other = await stack.enter_async_context(connected(server))
        busy[1].write(framed(*(numbered(WEB, number) for number in range(1000))))
        await until(lambda: answering.asked >= Counting.LENGTH)
        await asked(other)
        assert answering.asked < 1000
        assert await received(busy[0], 1000) == list(range(1000))


async def test_a_bug_in_the_work_on_a_connection_ends_that_connection_alone(caplog: pytest.LogCaptureFixture) -> None:
    answer = responder().respond

    def respond(packet: bytes, channel: Channel) -> bytes | Forward | None:
        if packet == OUTSIDE:
            raise ZeroDivisionError
        return answer(packet, channel)

    async with serving(respond=respond) as server, connected(server) as (reader, writer), connected(server) as other:
        writer.write(framed(OUTSIDE))
        assert await reader.read() == b""
        assert "a connection breaks off" in caplog.text
        await asked(other)


async def test_without_descriptors_the_idlest_connection_gives_its_own(caplog: pytest.LogCaptureFixture) -> None:
    """And the server asks again after a while, not at once: it once logged 35,810 tracebacks in six seconds."""
    async with AsyncExitStack() as stack, serving() as server:
        idlest, other = [await stack.enter_async_context(connected(server)) for _ in range(2)]
        await asked(idlest)
        await asked(other)
        client = socket.socket()
        client.setblocking(False)
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
        try:
            await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", server.listener.port))
            assert await idlest[0].read() == b""
            for _ in range(1000):
                await asyncio.sleep(0)
            assert caplog.text.count("cannot accept a connection: Too many open files") == 1
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        streams = await asyncio.open_connection(sock=client)
        await asked(streams)
        await asked(other)
        streams[1].close()
