"""How many connections an address takes: when it is full, the one that has been idle for longest makes room.

A client that connects and asks nothing would otherwise hold a descriptor for as long as it likes, and enough of them
would keep probes out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

#: Connections of one address.
MOST = 128


class Connections:
    """The connections of one address: a protocol factory for `loop.create_server`.

    server: aiohttp's, which is there once its runner is set up.
    """

    def __init__(self) -> None:
        self.server: web.Server | None = None
        self._busy: set[asyncio.BaseTransport] = set()

    @contextmanager
    def asking(self, request: web.BaseRequest) -> Iterator[None]:
        """The request's connection is not idle meanwhile."""
        transport = request.transport
        if transport is None:
            yield
            return
        self._busy.add(transport)
        try:
            yield
        finally:
            self._busy.discard(transport)

    def __call__(self) -> asyncio.BaseProtocol:
        assert self.server is not None
        # In the order in which they came. One that was aborted in this turn of the loop is still among them.
        here = [one.transport for one in self.server.connections if one.transport and not one.transport.is_closing()]
        if len(here) >= MOST:
            idle = next((transport for transport in here if transport not in self._busy), None)
            if idle is None:
                return _Refused()
            idle.abort()
        return self.server()


class _Refused(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()
