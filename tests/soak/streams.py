"""Readers of the admin port: some read, some never do, some send what is no request."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from random import Random

from tests.soak.world import World

READERS = 6
#: Seconds that a reader stays.
STAY = 1.5
_STREAMS = ("/queries", "/watch", "/top", "/zone", "/zone?origin=in-addr.arpa")
_PAGES = (
    "/metrics", "/status", "/state", "/map", "/map?namespace=a", "/map?namespace=a&service=svc-1", "/map?search=svc",
    "/records?name=svc-0.a.svc.cluster.local", "/explain?name=svc-0.a&from=b", "/explain?name=x&type=NOPE",
    "/walk?name=svc-1.a&from=b", "/secondaries", "/", "/nowhere", "/zone?origin=..", "/map?after=%00&x=%zz",
)  # fmt: skip
_JUNK = (
    b"GET / HTTP/1.1\r\n",
    b"\x16\x03\x01\x02\0",
    b"GET /" + b"a" * 20_000,
    b"POST /dns-query HTTP/1.1\r\nHost: [::1]\r\nContent-Type: application/dns-message\r\nContent-Length: 9\r\n\r\n\0",
    b"GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n",
    b"POST /verbs HTTP/1.1\r\nHost: [::1]\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
)


async def reader(world: World, number: int) -> None:
    rng = world.random(f"reader {number}")
    while world.storming:
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(STAY):
                await _read(world, rng)
        world.counts["readers of the admin port"] += 1


async def _read(world: World, rng: Random) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as sock:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await loop.sock_connect(sock, ("127.0.0.1", world.running.admin))
        if rng.random() < 0.2:
            await loop.sock_sendall(sock, rng.choice(_JUNK))
            await loop.sock_recv(sock, 1000)
            return
        follows = rng.random() < 0.6
        path = rng.choice(_STREAMS if follows else _PAGES)
        await loop.sock_sendall(sock, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        if follows and rng.random() < 0.7:
            await asyncio.sleep(STAY)  # it never reads
        head = b""
        while chunk := await loop.sock_recv(sock, 65536):
            head = head or chunk
        if head.startswith(b"HTTP/1.1 500"):
            world.found(f"{path} is answered by {head[:200]!r}")
