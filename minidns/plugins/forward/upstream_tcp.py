"""Connections to one upstream, used again while they are fresh (RFC 7766, 6.2.1): one question at a time on each."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from minidns.config.plugins.forward import Forward, Upstream

#: Answers of no use that are read on a connection before it is given up.
MAX_STRAY = 16


class Connections:
    """Idle connections, closed when they were not used for `expire` seconds; `max_idle_conns` at most."""

    def __init__(self, upstream: Upstream, tls: ssl.SSLContext | None, options: Forward) -> None:
        self._upstream = upstream
        self._tls = tls
        self._expire = options.expire
        self._most = options.max_idle_conns
        self._source = (options.source_address, 0) if options.source_address else None
        self._idle: list[_Connection] = []
        self._closed = False

    def __len__(self) -> int:
        return len(self._idle)

    async def exchange(self, query: bytes, is_answer: Callable[[bytes], bool]) -> bytes:
        """The answer to a query. Raises OSError or asyncio.IncompleteReadError.

        The upstream may close an idle connection at any time: then the question is asked again on a new one.
        """
        while self._idle:
            connection = self._idle.pop()
            try:
                return await self._on(connection, query, is_answer)
            except (OSError, asyncio.IncompleteReadError):
                continue
        return await self._on(await self._open(), query, is_answer)

    def close(self) -> None:
        """Close the connections that are idle, and keep none from now on."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    async def _open(self) -> _Connection:
        name = self._upstream.server_name or self._upstream.host if self._tls else None
        reader, writer = await asyncio.open_connection(
            self._upstream.host, self._upstream.port, ssl=self._tls, server_hostname=name, local_addr=self._source
        )
        return _Connection(reader, writer)

    async def _on(self, connection: _Connection, query: bytes, is_answer: Callable[[bytes], bool]) -> bytes:
        try:
            packet = await connection.exchange(query, is_answer)
        except BaseException:
            connection.close()
            raise
        self._keep(connection)
        return packet

    def _keep(self, connection: _Connection) -> None:
        if self._closed or 0 < self._most <= len(self._idle):
            connection.close()
            return
        loop = asyncio.get_running_loop()
        connection.expiry = loop.call_later(self._expire, self._drop, connection)
        self._idle.append(connection)

    def _drop(self, connection: _Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)
            connection.close()


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.expiry: asyncio.TimerHandle | None = None

    async def exchange(self, query: bytes, is_answer: Callable[[bytes], bool]) -> bytes:
        if self.expiry:
            self.expiry.cancel()
        self._writer.write(len(query).to_bytes(2, "big") + query)
        await self._writer.drain()
        for _ in range(MAX_STRAY):
            size = int.from_bytes(await self._reader.readexactly(2), "big")
            packet = await self._reader.readexactly(size)
            if is_answer(packet):
                return packet
        raise OSError(f"{MAX_STRAY} answers to other questions")

    def close(self) -> None:
        if self.expiry:
            self.expiry.cancel()
        self._writer.close()
