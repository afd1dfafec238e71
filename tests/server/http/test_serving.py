"""HTTP as programs and browsers meet it: paths, refusals, limits, and readers that come and go."""

from __future__ import annotations

import asyncio
import io
import socket
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp
import msgspec
import pytest

from minidns.config.values import Listen
from minidns.server.http.broadcast import BEHIND, Broadcast, event
from minidns.server.http.connections import MOST
from minidns.server.http.endpoint import EVENTS, JSON, Asked, Endpoint, RefusedError, Reply
from minidns.server.http.serving import READERS, UNDER_WAY, serve

HERE = Listen("127.0.0.1", 0)
PATIENCE = 20.0


@dataclass
class Told:
    """Endpoints as a test wants them."""

    tells: list[Callable[[bytes], None]] = field(default_factory=list)
    open: int = 0
    most_open: int = 0
    going_on: asyncio.Event = field(default_factory=asyncio.Event)
    pieces: int = 0

    def __post_init__(self) -> None:
        self.events: Broadcast[bytes] = Broadcast(self.follow)

    def follow(self, tell: Callable[[bytes], None]) -> Callable[[], None]:
        self.tells.append(tell)
        return lambda: self.tells.remove(tell)

    def endpoints(self) -> tuple[Endpoint, ...]:
        return (
            Endpoint(path="/health", doc="alive", handler=self.on_health, public=True),
            Endpoint(path="/echo", doc="what was asked", parameters={"name": "any"}, handler=self.on_echo),
            Endpoint(path="/wait", doc="until it goes on", handler=self.on_wait),
            Endpoint(path="/endless", doc="pieces", handler=self.on_endless),
            Endpoint(path="/events", doc="events", handler=self.on_events, follows=True),
            Endpoint(path="/scale", doc="a verb", method="POST", handler=self.on_scale),
        )

    async def on_health(self, _: Asked) -> Reply:
        return Reply("OK")

    async def on_echo(self, asked: Asked) -> Reply:
        if not asked.query:
            raise ValueError("a name is missing")
        if asked.query["name"] == "none":
            raise RefusedError(404, "no such name")
        return Reply(asked.query["name"] + " <b>\n")

    async def on_wait(self, _: Asked) -> Reply:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        await self.going_on.wait()
        self.open -= 1
        return Reply("done")

    async def on_endless(self, _: Asked) -> Reply:
        async def pieces() -> AsyncGenerator[bytes, None]:
            self.open += 1
            try:
                while True:
                    self.pieces += 1
                    yield b"x" * 65536
            finally:
                self.open -= 1

        return Reply(pieces())

    async def on_events(self, _: Asked) -> Reply:
        return Reply(self.events.read(event), EVENTS)

    async def on_scale(self, asked: Asked) -> Reply:
        return Reply(msgspec.json.encode(msgspec.json.decode(asked.body, type=dict[str, int])), JSON)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def port(told: Told) -> AsyncIterator[int]:
    async with serve({HERE: told.endpoints()}) as ports:
        yield ports[HERE]
        told.going_on.set()


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        asyncio.timeout(PATIENCE),
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        yield session


async def get(client: aiohttp.ClientSession, port: int, path: str, **headers: str) -> tuple[int, str, str]:
    """Status, content type, body."""
    async with client.get(f"http://127.0.0.1:{port}{path}", headers=headers) as response:
        return response.status, response.content_type, await response.text()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what the server does with a socket is no event here
        await asyncio.sleep(0)


async def test_replies_and_refusals(client: aiohttp.ClientSession, port: int) -> None:
    assert await get(client, port, "/health") == (200, "text/plain", "OK")
    assert await get(client, port, "/echo?name=%C3%A4") == (200, "text/plain", "ä <b>\n")
    assert await get(client, port, "/echo") == (400, "text/plain", "a name is missing\n")
    assert await get(client, port, "/echo?name=none") == (404, "text/plain", "no such name\n")
    assert await get(client, port, "/echo?nam=x") == (400, "text/plain", "unknown parameter 'nam'; known: name\n")
    assert await get(client, port, "/health?x=1") == (400, "text/plain", "unknown parameter 'x'\n")
    status, _, text = await get(client, port, "/none")
    assert status == 404
    assert "GET /echo?name=  what was asked\n" in text
    assert "POST /scale  a verb\n" in text
    async with client.head(f"http://127.0.0.1:{port}/events") as response:
        assert (response.status, response.content_type) == (200, EVENTS)


HOSTS = ["127.0.0.1", "127.0.0.1:{port}", "[::1]:1", "localhost", "LocalHost:8053", "minidns.localhost", "10.1.2.3:80"]
FOREIGN = ["evil.test", "evil.test:{port}", "127.0.0.1.evil.test", "localhost.evil.test", "", "127.0.0.1@evil.test",
           "evil.test#127.0.0.1", "[::1", "127.0.0.1:x", "127.0.0.1/x", "kubernetes"]  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
async def test_host_that_is_ours(client: aiohttp.ClientSession, port: int, host: str) -> None:
    assert await get(client, port, "/echo?name=x", Host=host.format(port=port)) == (200, "text/plain", "x <b>\n")


@pytest.mark.parametrize("host", FOREIGN)
async def test_host_that_was_rebound(client: aiohttp.ClientSession, port: int, told: Told, host: str) -> None:
    for path in ("/echo?name=x", "/health", "/events", "/none"):
        status, _, text = await get(client, port, path, Host=host.format(port=port))
        assert status == 403
        assert "is not this server: ask by its address, or as localhost" in text
    assert not told.tells


@pytest.mark.parametrize(("origin", "status"), [
    ("http://127.0.0.1:{port}", 200), ("https://127.0.0.1:{port}", 200), ("http://evil.test", 403), ("null", 403),
    ("http://127.0.0.1", 403), ("http://localhost:{port}", 403), ("file://127.0.0.1:{port}", 403),
])  # fmt: skip
async def test_pages_of_others(client: aiohttp.ClientSession, port: int, origin: str, status: int) -> None:
    origin = origin.format(port=port)
    assert (await get(client, port, "/echo?name=x", Origin=origin))[0] == status
    async with client.post(f"http://127.0.0.1:{port}/scale", json={"a": 1}, headers={"Origin": origin}) as response:
        assert response.status == status


async def test_what_the_cluster_asks_for_has_any_host(client: aiohttp.ClientSession, told: Told) -> None:
    async with serve({HERE: told.endpoints()[:1]}) as ports:
        assert (await get(client, ports[HERE], "/health", Host="minidns.kube-system.svc:8080"))[0] == 200
        assert (await get(client, ports[HERE], "/echo?name=x"))[0] == 404


@pytest.mark.parametrize(("type_", "body", "status", "text"), [
    (JSON, b'{"replicas":3}', 200, '{"replicas":3}'),
    (JSON + "; charset=utf-8", b"{}", 200, "{}"),
    (JSON, b'{"replicas":"x"}', 400, "Expected `int`, got `str` - at `$[...]`\n"),
    (JSON, b"{", 400, "Input data was truncated\n"),
    ("text/plain", b'{"replicas":3}', 415, "the body must be JSON: Content-Type: application/json\n"),
    ("application/x-www-form-urlencoded", b"a=b", 415, "the body must be JSON: Content-Type: application/json\n"),
    (JSON, b" " * (2 << 20), 413, None),
])  # fmt: skip
async def test_verbs(
    client: aiohttp.ClientSession, port: int, type_: str, body: bytes, status: int, text: str | None
) -> None:
    url = f"http://127.0.0.1:{port}/scale"
    async with client.post(url, data=io.BytesIO(body), headers={"Content-Type": type_}) as response:
        assert response.status == status
        assert text is None or await response.text() == text
    assert (await get(client, port, "/scale"))[0] == 405


@pytest.mark.parametrize(
    "broken",
    [
        b"GET /" + b"a" * 20_000,
        b"GET /health HTTP/1.1\r\nHost localhost\r\n\r\n",
        b"POST /scale HTTP/1.1\r\nHost: [::1]\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
        b"POST /scale HTTP/1.1\r\nHost: [::1]\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nx",
    ],
    ids=["long", "header", "half", "chunks"],
)
async def test_what_is_no_request_is_not_in_the_log(
    client: aiohttp.ClientSession, port: int, broken: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(broken)
    writer.write_eof()
    with suppress(ConnectionError):
        await reader.read()
    writer.close()
    assert (await get(client, port, "/health"))[0] == 200
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_client_that_has_gone_before_the_head_is_not_in_the_log(
    client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"x"

    async def on_late(_: Asked) -> Reply:
        asked.set()
        await gone.wait()
        return Reply(pieces())

    async with serve({HERE: (Endpoint(path="/late", doc="pieces", handler=on_late),)}) as ports:
        _, writer = await asyncio.open_connection("127.0.0.1", ports[HERE])
        writer.write(b"GET /late HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asked.wait()
        linger = struct.pack("ii", 1, 0)  # a reset, not an orderly end
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()
        assert (await get(client, ports[HERE], "/none"))[0] == 404  # the server has looked at its sockets since
        gone.set()
        assert (await get(client, ports[HERE], "/none"))[0] == 404
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_an_error_of_ours_is_in_the_log(
    client: aiohttp.ClientSession, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    async def on_bug(_: Asked) -> Reply:
        raise KeyError("a bug")

    async with serve({HERE: (*told.endpoints(), Endpoint(path="/bug", doc="a bug", handler=on_bug))}) as ports:
        assert (await get(client, ports[HERE], "/bug"))[0] == 500
    assert "KeyError: 'a bug'" in caplog.text


async def test_requests_under_way_are_capped(client: aiohttp.ClientSession, port: int, told: Told) -> None:
    waiting = [asyncio.create_task(get(client, port, "/wait")) for _ in range(UNDER_WAY)]
    await until(lambda: told.open == UNDER_WAY)
    status, _, text = await get(client, port, "/echo?name=x")
    assert (status, text) == (503, f"{UNDER_WAY} such requests are under way: try again later\n")
    assert (await get(client, port, "/health"))[0] == 200
    told.going_on.set()
    assert {status for status, _, _ in await asyncio.gather(*waiting)} == {200}
    assert (await get(client, port, "/echo?name=x"))[0] == 200


async def test_readers_are_capped(client: aiohttp.ClientSession, port: int, told: Told) -> None:
    readers = [await client.get(f"http://127.0.0.1:{port}/events") for _ in range(READERS)]
    await until(lambda: told.events.readers == READERS)
    assert (await get(client, port, "/events"))[0] == 503
    assert (await get(client, port, "/echo?name=x"))[0] == 200
    readers.pop().close()
    while told.events.readers == READERS:  # it is noticed when the next event cannot be written
        told.events.tell(b"{}")
        await asyncio.sleep(0.01)
    readers.append(await client.get(f"http://127.0.0.1:{port}/events"))
    assert readers[-1].status == 200
    for reader in readers:
        reader.close()


async def test_an_answer_in_pieces_waits_for_its_reader(client: aiohttp.ClientSession, port: int, told: Told) -> None:
    async with client.get(f"http://127.0.0.1:{port}/endless") as response:
        assert await response.content.readexactly(1 << 20) == b"x" * (1 << 20)
        assert told.open == 1
        pieces = -1
        while pieces != told.pieces:  # until what is in between is full
            pieces = told.pieces
            await asyncio.sleep(0.05)
        assert (await get(client, port, "/health"))[0] == 200
        assert told.pieces == pieces
        response.close()
    await until(lambda: told.open == 0)


async def test_paths_of_an_address_are_the_only_ones_there(client: aiohttp.ClientSession, told: Told) -> None:
    there = Listen("::1", 0)
    async with serve({HERE: told.endpoints()[:1], there: told.endpoints()[1:2]}) as ports:
        assert (await get(client, ports[HERE], "/health"))[0] == 200
        assert (await get(client, ports[HERE], "/echo?name=x"))[0] == 404
        async with client.get(f"http://[::1]:{ports[there]}/echo?name=x") as response:
            assert response.status == 200


async def test_taken_port_is_named_and_nothing_stays_open(client: aiohttp.ClientSession, told: Told) -> None:
    table = told.endpoints()
    async with serve({HERE: table}) as ports:
        taken = Listen("127.0.0.1", ports[HERE])
        with pytest.raises(OSError, match=rf"cannot listen on {taken} \(HTTP\): Address already in use"):
            async with serve({HERE: table, taken: table}):
                pass
        assert (await get(client, ports[HERE], "/health"))[0] == 200


async def test_an_event_is_told_once_to_every_reader(client: aiohttp.ClientSession, port: int, told: Told) -> None:
    readers = [await client.get(f"http://127.0.0.1:{port}/events") for _ in range(3)]
    for reader in readers:
        assert reader.content_type == "text/event-stream"
        assert await reader.content.readline() == b": watching\n"
    (tell,) = told.tells  # however many read, it is followed once
    tell(b'{"a":1}')
    tell(b'{"a":2}')
    for reader in readers:
        lines = [await reader.content.readline() for _ in range(5)]
        assert lines == [b"\n", b'data: {"a":1}\n', b"\n", b'data: {"a":2}\n', b"\n"]
        reader.close()
    while told.tells:
        tell(b"{}")
        await asyncio.sleep(0.01)
    assert told.events.readers == 0


async def test_a_reader_that_is_behind_is_told_what_it_lost(told: Told) -> None:
    stream = told.events.read(event)
    assert await anext(stream) == b": watching\n\n"
    for number in range(BEHIND + 7):
        told.events.tell(b"%d" % number)
    text = await anext(stream)
    assert text.count(b"data: ") == BEHIND + 1
    assert text.endswith(b'data: %d\n\nevent: lost\ndata: {"lost":7}\n\n' % (BEHIND - 1))
    told.events.tell(b"next")
    assert await anext(stream) == b"data: next\n\n"
    await stream.aclose()
    assert not told.tells


async def test_readers_do_not_hold_up_the_end(client: aiohttp.ClientSession, told: Told) -> None:
    async with serve({HERE: told.endpoints()}) as ports:
        response = await client.get(f"http://127.0.0.1:{ports[HERE]}/events")
        await response.content.readline()
    with suppress(aiohttp.ClientError):
        assert await response.content.read() == b"\n"
    response.close()


async def test_idle_connections_make_room_for_those_that_ask(client: aiohttp.ClientSession, port: int) -> None:
    reading = await client.get(f"http://127.0.0.1:{port}/events")
    idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3 * MOST)]
    assert (await get(client, port, "/health"))[0] == 200
    assert await idle[0][0].read() == b""  # the oldest were closed
    assert await reading.content.readline() == b": watching\n"  # what is being read is not idle
    last, writer = idle[-1]
    writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await last.readline()).startswith(b"HTTP/1.1 200")
    for _, writer in idle:
        writer.close()
    reading.close()


async def test_one_request_begins_per_turn_of_the_loop(client: aiohttp.ClientSession) -> None:
    turn = 0
    begun = []

    async def turns() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    async def on_work(_: Asked) -> Reply:
        begun.append(turn)
        return Reply("done")

    ticking = asyncio.create_task(turns())
    async with serve({HERE: (Endpoint(path="/work", doc="some", handler=on_work),)}) as ports:
        replies = await asyncio.gather(*(get(client, ports[HERE], "/work") for _ in range(UNDER_WAY)))
    ticking.cancel()
    assert {status for status, _, _ in replies} == {200}
    assert len(set(begun)) == len(begun) == UNDER_WAY
