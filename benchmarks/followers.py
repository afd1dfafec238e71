"""Light secondaries for a benchmark: `python -m benchmarks.followers PRIMARY PORT COUNT`, one process for all of them.

Each has a loopback address of its own (`address`), where it is told of changes at PORT; it fetches them from
127.0.0.1:PRIMARY over a TCP connection of its own each time, as Knot, NSD and Unbound do, and keeps the serial alone. A
line on the standard input is answered by one: how many transfers and records came, and how many secondaries have
the latest serial that any of them has.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import Any

import dns.message
import dns.rdatatype
import msgspec

from minidns.core import records, wire

ZONE = "cluster.local"
#: Seconds that a transfer may take, and until one that was refused is tried again.
_PATIENCE, AGAIN = 5.0, 0.2
_QUESTION = dns.message.make_query(ZONE, "SOA", use_edns=False, flags=0).to_wire()[12:]


def address(number: int) -> str:
    """Of a light secondary."""
    return f"127.0.{1 + number // 250}.{1 + number % 250}"


class Told(msgspec.Struct):
    """What all of them did so far."""

    transfers: int = 0
    records: int = 0
    bytes: int = 0
    whole: int = 0
    refused: int = 0
    latest: int = 0


class Follower(asyncio.DatagramProtocol):
    """One secondary."""

    def __init__(self, host: str, primary: int, told: Told) -> None:
        self._host, self._primary, self._told = host, primary, told
        self._news = asyncio.Event()
        self.serial: int | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, peer: Any) -> None:
        if data[2] >> 3 & 15 == 4:  # NOTIFY (RFC 1996)
            self._news.set()
            self._transport.sendto(data[:2] + bytes((data[2] | 0x80,)) + data[3:], peer)
            return
        head = data[:2] + b"\x84\0\0\1\0\1\0\0\0\0"
        self._transport.sendto(head + _QUESTION + _soa(self.serial or 0), peer)

    async def run(self) -> None:
        """Fetch what changed, whenever there is word of something."""
        while True:
            with suppress(OSError, EOFError, TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    await self._transfer()
            await self._news.wait()
            self._news.clear()

    async def _transfer(self) -> None:
        kind = records.SOA if self.serial is None else records.IXFR
        question = _QUESTION[:-4] + kind.to_bytes(2, "big") + _QUESTION[-2:]
        authority = b"" if self.serial is None else _soa(self.serial)
        query = b"\0\1\0\0\0\1\0\0" + (b"\0\1" if authority else b"\0\0") + b"\0\0" + question + authority
        reader, writer = await asyncio.open_connection("127.0.0.1", self._primary, local_addr=(self._host, 0))
        try:
            writer.write(len(query).to_bytes(2, "big") + query)
            serials: list[int] = []
            count = 0
            while not _is_whole(serials, count):
                message = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
                self._told.bytes += len(message)
                if message[3] & 15:
                    self._told.refused += 1
                    asyncio.get_running_loop().call_later(AGAIN, self._news.set)
                    return
                count += _read(message, serials)
        finally:
            writer.close()
        if self.serial is not None:
            self._told.transfers += 1
            self._told.records += count
            self._told.whole += len(serials) == 2
        self.serial = serials[0]


def _is_whole(serials: list[int], count: int) -> bool:
    """Whether all SOA records came: one alone, that of a whole zone twice, or new, old, new, new (RFC 1995, 4)."""
    if len(serials) == 2:
        return serials[0] == serials[1]
    return len(serials) == 4 or count == len(serials) == 1


def _read(message: bytes, serials: list[int]) -> int:
    """How many records a message has; the serials of SOA records among them are added."""
    at = wire.skip_name(message, wire.HEADER) + 4
    count = int.from_bytes(message[6:8], "big")
    for _ in range(count):
        at = wire.skip_name(message, at)
        end = at + 10 + int.from_bytes(message[at + 8 : at + 10], "big")
        if message[at : at + 2] == b"\0\6":
            serials.append(int.from_bytes(message[end - 20 : end - 16], "big"))
        at = end
    return count


def _soa(serial: int) -> bytes:
    return b"\xc0\x0c\0\6\0\1\0\0\0\0\0\x16\0\0" + serial.to_bytes(4, "big") + bytes(16)


async def main() -> None:
    primary, port, count = map(int, sys.argv[1:])
    loop, told = asyncio.get_running_loop(), Told()
    tasks, followers = [], []
    for number in range(count):
        follower = Follower(address(number), primary, told)
        await loop.create_datagram_endpoint(lambda one=follower: one, local_addr=(address(number), port))  # type: ignore[misc]
        followers.append(follower)
        tasks.append(asyncio.create_task(follower.run()))
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async for _ in lines:
        found = [follower.serial or 0 for follower in followers]
        told.latest = found.count(max(found))
        print(msgspec.json.encode(told).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
