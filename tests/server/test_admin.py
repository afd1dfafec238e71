"""The HTTP side alone: paths, status codes, and readers that come and go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp
import pytest

from minidns.config.values import Listen
from minidns.server import admin

HERE = Listen("127.0.0.1", 0)


@dataclass
class Told:
    """Answers as a test wants them."""

    healthy: bool = True
    is_ready: bool = True
    queues: list[asyncio.Queue[bytes]] = field(default_factory=list)

    def health(self) -> bool:
        return self.healthy

    def ready(self) -> tuple[bool, str]:
        return self.is_ready, "ready" if self.is_ready else "not ready: <no list>"

    def status(self) -> str:
        return "status <b>\n"

    async def metrics(self) -> bytes:
        return b"# nothing\n"

    def explain(self, query: Mapping[str, str]) -> bytes:
        if "name" not in query:
            raise ValueError("a name is missing")
        return b'{"name":"x"}'

    def zone(self, origin: str) -> str:
        if origin:
            raise ValueError(f"no zone {origin} here")
        return "zone\n"

    def subscribe(self, queue: asyncio.Queue[bytes]) -> Callable[[], None]:
        self.queues.append(queue)
        return lambda: self.queues.remove(queue)


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def get(client: aiohttp.ClientSession, port: int, path: str) -> tuple[int, str, str]:
    """Status, content type, body."""
    async with client.get(f"http://127.0.0.1:{port}{path}") as response:
        return response.status, response.content_type, await response.text()


async def test_every_path(client: aiohttp.ClientSession) -> None:
    told = Told()
    async with admin.serve({HERE: admin.PATHS}, told) as ports:
        port = ports[HERE]
        assert await get(client, port, "/health") == (200, "text/plain", "OK")
        assert await get(client, port, "/ready") == (200, "text/plain", "ready\n")
        assert await get(client, port, "/status") == (200, "text/plain", "status <b>\n")
        assert await get(client, port, "/metrics") == (200, "text/plain", "# nothing\n")
        assert await get(client, port, "/explain?name=x") == (200, "application/json", '{"name":"x"}')
        assert await get(client, port, "/explain") == (400, "text/plain", "a name is missing\n")
        assert await get(client, port, "/zone") == (200, "text/plain", "zone\n")
        assert await get(client, port, "/zone?origin=x") == (404, "text/plain", "no zone x here\n")
        assert (await get(client, port, "/none"))[0] == 404
        told.healthy = told.is_ready = False
        assert (await get(client, port, "/health"))[0] == 503
        assert await get(client, port, "/ready") == (503, "text/plain", "not ready: <no list>\n")


async def test_paths_of_an_address_are_the_only_ones_there(client: aiohttp.ClientSession) -> None:
    there = Listen("::1", 0)
    async with admin.serve({HERE: ("/health",), there: ("/ready",)}, Told()) as ports:
        assert (await get(client, ports[HERE], "/health"))[0] == 200
        assert (await get(client, ports[HERE], "/ready"))[0] == 404
        async with client.get(f"http://[::1]:{ports[there]}/ready") as response:
            assert response.status == 200


async def test_taken_port_is_named_and_nothing_stays_open(client: aiohttp.ClientSession) -> None:
    async with admin.serve({HERE: ("/health",)}, Told()) as ports:
        taken = Listen("127.0.0.1", ports[HERE])
        with pytest.raises(OSError, match=rf"cannot listen on {taken} \(HTTP\): Address already in use"):
            async with admin.serve({HERE: ("/health",), taken: ("/health",)}, Told()):
                pass
        assert (await get(client, ports[HERE], "/health"))[0] == 200


async def test_watchers_get_events_and_leave(client: aiohttp.ClientSession) -> None:
    told = Told()
    async with admin.serve({HERE: admin.PATHS}, told) as ports:
        async with client.get(f"http://127.0.0.1:{ports[HERE]}/watch") as response:
            assert response.content_type == "text/event-stream"
            assert await response.content.readline() == b": watching\n"
            (queue,) = told.queues
            queue.put_nowait(b'{"a":1}')
            queue.put_nowait(b'{"a":2}')
            lines = [await response.content.readline() for _ in range(5)]
            assert lines == [b"\n", b'data: {"a":1}\n', b"\n", b'data: {"a":2}\n', b"\n"]
        async with asyncio.timeout(20):
            while told.queues:  # it is noticed when the next event cannot be written
                told.queues[0].put_nowait(b"{}")
                await asyncio.sleep(0)


async def test_watchers_do_not_hold_up_the_end(client: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(20):
        async with admin.serve({HERE: admin.PATHS}, Told()) as ports:
            response = await client.get(f"http://127.0.0.1:{ports[HERE]}/watch")
            await response.content.readline()
        with suppress(aiohttp.ClientError):
            assert await response.content.read() == b"\n"
        response.close()
