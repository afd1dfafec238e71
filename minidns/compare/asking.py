"""Questions to one server, over UDP and, where an answer does not fit, TCP."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from minidns.compare.differences import Question
from minidns.compare.seen import SILENCE, Seen, UnreadableError, of_message
from minidns.core import records

#: Sockets that questions leave from: kube-proxy leads each to one replica behind a Service's address.
SOCKETS = 8
#: Seconds that an answer may take, of each try; what is lost is asked again.
PATIENCE = (1.0, 2.0, 4.0)
#: Bytes of a UDP answer: what passes everywhere without fragments.
SIZE = 1232


class Asker:
    """Asks one server. Made by `asker`."""

    def __init__(self, host: str, port: int, sockets: list[_Socket]) -> None:
        self._host, self._port, self._sockets = host, port, sockets

    async def ask(self, question: Question) -> Seen:
        """What the server says; SILENCE when it says nothing that can be read, however often it is asked."""
        for patience in PATIENCE:
            packet = _query(question)
            try:
                async with asyncio.timeout(patience):
                    seen, truncated = of_message(await random.choice(self._sockets).exchange(packet))
                    if truncated:
                        seen, _ = of_message(await self._over_tcp(packet))
                return seen
            except (OSError, TimeoutError, UnreadableError, asyncio.IncompleteReadError):
                continue
        return SILENCE

    async def _over_tcp(self, packet: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(len(packet).to_bytes(2, "big") + packet)
            return await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        finally:
            writer.close()


@asynccontextmanager
async def asker(host: str, port: int) -> AsyncIterator[Asker]:
    """Somebody to ask a server. Raises OSError when it has no address."""
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as opened:
        sockets = []
        for _ in range(SOCKETS):
            transport, protocol = await loop.create_datagram_endpoint(_Socket, remote_addr=(host, port))
            opened.callback(transport.close)
            sockets.append(protocol)
        yield Asker(host, port, sockets)


class _Socket(asyncio.DatagramProtocol):
    """A connected socket with the questions that wait for an answer."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, asyncio.Future[bytes]] = {}
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    async def exchange(self, packet: bytes) -> bytes:
        """The answer to a packet. Raises OSError when nobody listens there."""
        assert self._transport is not None
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        key = _key(packet)
        self._waiting[key] = answer
        try:
            self._transport.sendto(packet)
            return await answer
        finally:
            self._waiting.pop(key, None)

    def datagram_received(self, data: bytes, _addr: object) -> None:
        answer = self._waiting.get(_key(data)) if len(data) > 12 and data[2] & 0x80 else None
        if answer is not None and not answer.done():
            answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(exc)


def _query(question: Question) -> bytes:
    name, type_ = question
    head = struct.pack("!6H", random.getrandbits(16), 0x0100, 1, 0, 0, 1)
    return head + name + struct.pack("!HH", type_, 1) + struct.pack("!BHHIH", 0, records.OPT, SIZE, 0, 0)


def _key(packet: bytes) -> bytes:
    """ID and question, whose name comes back in the letter case that it was asked in, or not."""
    end = packet.find(0, 12)
    return packet[:2] + packet[12 : end + 5].lower()
