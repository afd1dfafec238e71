"""DNS from a network that leads nowhere to the server on this machine: packets and streams, as they are."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress

from minidns.config.values import Listen

#: Queries under way at once; more are dropped, as a network would.
UNDER_WAY = 200
#: Seconds for an answer: longer than any resolver waits.
PATIENCE = 10.0


async def relay(udp: socket.socket, tcp: socket.socket, server: Listen, process: int) -> int:
    """Pass on what comes to two sockets, until the process ends; its wait status."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Packets(server), sock=udp)
    streams = await asyncio.start_server(_Streams(server).pass_on, sock=tcp)
    ended = asyncio.Event()
    handle = os.pidfd_open(process)
    loop.add_reader(handle, ended.set)
    try:
        await ended.wait()
        return os.waitpid(process, os.WNOHANG)[1]  # noqa: ASYNC222 (it has ended)
    finally:
        loop.remove_reader(handle)
        os.close(handle)
        streams.close()
        transport.close()


class _Packets(asyncio.DatagramProtocol):
    """Each packet goes on from a socket of its own, so that its answer finds the way back."""

    def __init__(self, server: Listen) -> None:
        self._server = server
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(self._tasks) < UNDER_WAY:
            task = asyncio.create_task(self._pass_on(data, addr))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, data: bytes, client: tuple[str, int]) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError, TimeoutError), await _connected(self._server) as outside:
            async with asyncio.timeout(PATIENCE):
                await loop.sock_sendall(outside, data)
                self._transport.sendto(await loop.sock_recv(outside, 65535), client)


class _Streams:
    def __init__(self, server: Listen) -> None:
        self._server = server

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, both ways, until either side ends it."""
        with suppress(OSError):
            theirs, ours = await asyncio.open_connection(self._server.host, self._server.port)
            await asyncio.gather(_pour(reader, ours), _pour(theirs, writer))
        writer.close()


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


async def _connected(server: Listen) -> socket.socket:
    """A UDP socket that speaks with the server alone."""
    loop = asyncio.get_running_loop()
    family, kind, protocol, _, address = (await loop.getaddrinfo(server.host, server.port, type=socket.SOCK_DGRAM))[0]
    outside = socket.socket(family, kind, protocol)
    outside.setblocking(False)
    await loop.sock_connect(outside, address)
    return outside
