"""One secondary, asked and told over UDP: a message goes out, and its answer comes back or does not."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Any

from minidns.config.plugins.transfer import Secondary
from minidns.core import wire
from minidns.transfer.tsig import Keys, Signature

log = logging.getLogger(__name__)


class Peer(asyncio.DatagramProtocol):
    """keys: of the server block, when the secondary has a key."""

    def __init__(self, secondary: Secondary, keys: Keys | None) -> None:
        self.secondary = secondary
        self._keys = keys if secondary.key is not None else None
        self._transport: asyncio.DatagramTransport | None = None
        self._opening = asyncio.Lock()
        self._waiting: dict[bytes, asyncio.Future[bytes | None]] = {}

    async def ask(self, message: bytes, patience: float) -> bytes | None:
        """The answer to a message without its ID, None when there is none within `patience` seconds, or when its
        signature is not right."""
        id_ = random.randrange(1 << 16).to_bytes(2, "big")
        while id_ in self._waiting:
            id_ = random.randrange(1 << 16).to_bytes(2, "big")
        packet, mac = id_ + message, b""
        if self._keys is not None and self.secondary.key is not None:
            packet, mac = self._keys.sign(packet, self.secondary.key)
        loop = asyncio.get_running_loop()
        coming = self._waiting[id_] = loop.create_future()
        # Not `wait_for`, nor a lock that nobody holds: of 200 notifications a second these would be a third.
        late = loop.call_later(patience, _give_up, coming)
        try:
            (self._transport or await self._opened()).sendto(packet)
            reply = await coming
        except OSError:
            return None
        finally:
            late.cancel()
            del self._waiting[id_]
        return None if reply is None else self._verified(reply, mac)

    def close(self) -> None:
        """Nothing more is asked."""
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, _: Any) -> None:
        coming = self._waiting.get(data[:2])
        if coming is not None and len(data) >= wire.HEADER and data[2] & 0x80 and not coming.done():
            coming.set_result(data)

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None

    async def _opened(self) -> asyncio.DatagramTransport:
        async with self._opening:
            if self._transport is None:
                where = self.secondary.host, self.secondary.port
                loop = asyncio.get_running_loop()
                self._transport, _ = await loop.create_datagram_endpoint(lambda: self, remote_addr=where)
            return self._transport

    def _verified(self, reply: bytes, mac: bytes) -> bytes | None:
        if self._keys is None:
            return reply
        found = self._keys.verify(reply, mac)
        if isinstance(found, Signature):
            return found.packet
        log.warning("an answer of %s is not signed as it should be", self.secondary)
        return None


def _give_up(coming: asyncio.Future[bytes | None]) -> None:
    if not coming.done():
        coming.set_result(None)
