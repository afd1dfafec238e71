"""Packets of people who mean harm, over UDP and TCP."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from random import Random
from time import monotonic

from tests.soak.api import question
from tests.soak.world import PATIENCE, ZONE_HELD, World
from tests.support.client import query

#: Packets in a row, before one that has to be answered: so no more wait than a socket has room for.
BURST = 40
#: Connections at once, of clients with addresses of their own; bytes that each sends at most.
CONNECTIONS, MOST = 24, 1 << 20
_OPTIONS = b"\0\0\x29\4\xd0\0\0\0\0" + (4 * 16300).to_bytes(2, "big") + b"\xfd\xe9\0\0" * 16300


async def over_udp(world: World) -> None:
    """Bursts of packets that are nearly questions, each with a question at its end."""
    rng, loop = world.random("packets"), asyncio.get_running_loop()
    while world.storming:
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            # Not the address of those who mean well: what a stopped worker answers late is not to reach their ports.
            sock.bind(("127.0.2.1", 0))
            sock.connect(("127.0.0.1", world.running.port))
            for _ in range(20):
                if world.is_calm:
                    return
                last = b"\xbe\xef" + query("cluster.local", "SOA")[2:]
                since = monotonic()
                try:
                    async with asyncio.timeout(PATIENCE):
                        for packet in (*(mutated(rng) for _ in range(BURST)), last):
                            await loop.sock_sendall(sock, packet)
                        while (await loop.sock_recv(sock, 65535))[:2] != last[:2]:
                            pass
                except (TimeoutError, OSError):
                    world.missing("a question behind hostile packets", since, ZONE_HELD)
                    break
                world.counts["hostile packets"] += BURST
                await asyncio.sleep(0.01)


def mutated(rng: Random) -> bytes:
    """A question that something is wrong with."""
    packet = bytearray(
        b"\0\0" + query(*question(rng), edns=rng.choice((None, 0, 512, 65535)), do=rng.random() < 0.5)[2:]
    )
    match rng.randrange(7):
        case 0:
            del packet[rng.randrange(len(packet)) :]
        case 1:
            packet += rng.randbytes(rng.randrange(1, 1400))
        case 2:
            packet[2:12] = rng.randbytes(10)
        case 3:
            packet[12:] = rng.randbytes(rng.randrange(1, 400))
        case 4:
            at = rng.randrange(12, len(packet))
            packet[at:at] = b"\xc0\x0c" * rng.randrange(1, 99)
        case 5:
            packet[12:] = b"\1." * rng.randrange(1, 127) + b"\0\0\1\0\1"
        case _:
            for _ in range(rng.randrange(1, 9)):
                packet[rng.randrange(2, len(packet))] ^= 1 << rng.randrange(8)
    return bytes(packet)


async def over_tcp(world: World, number: int) -> None:
    """One connection after the other, with something wrong; nothing is expected of them but that they end."""
    rng, loop = world.random(f"hostile tcp {number}"), asyncio.get_running_loop()
    while world.storming:
        with socket.socket() as sock:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.bind((f"127.0.1.{1 + number}", 0))
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(0.2 + rng.random()):
                    await loop.sock_connect(sock, ("127.0.0.1", world.running.port))
                    await _attack(rng, sock)
            if rng.random() < 0.3:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        world.counts["hostile connections"] += 1


async def _attack(rng: Random, sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    packet = query(*question(rng), edns=None)
    framed = len(packet).to_bytes(2, "big") + packet
    match rng.randrange(7):
        case 0:  # answers that nobody reads
            await loop.sock_sendall(sock, framed * (MOST // len(framed)))
        case 1:  # nothing, thousands of times
            await loop.sock_sendall(sock, b"\0\0" * 50_000)
        case 2:  # half a question
            await loop.sock_sendall(sock, framed[: rng.randrange(1, len(framed))])
        case 3:
            await loop.sock_sendall(sock, rng.randbytes(rng.randrange(1, 100_000)))
        case 4:  # options without end
            wide = packet[:11] + b"\1" + packet[12:] + _OPTIONS
            await loop.sock_sendall(sock, (len(wide).to_bytes(2, "big") + wide) * 4)
        case 5:  # a byte now and then
            for byte in framed:
                await loop.sock_sendall(sock, bytes((byte,)))
                await asyncio.sleep(0.05)
        case _:
            for bad in (mutated(rng) for _ in range(50)):
                await loop.sock_sendall(sock, len(bad).to_bytes(2, "big") + bad)
            await loop.sock_recv(sock, 100)
    await asyncio.sleep(10)
