"""UDP: drain the socket, answer, send. No asyncio transport in between: that costs 24 us a query, this 1 us."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Coroutine
from time import perf_counter
from typing import Any

from minidns.metrics import Timing
from minidns.responder import Channel, Forward

log = logging.getLogger(__name__)

#: Packets answered per wake-up, so that TCP, the watch and timers get their turn under any load. Larger batches
#: gain nothing measurable; a batch of 64 keeps others waiting for half a millisecond.
BATCH = 64
#: A query is a few hundred bytes at most; longer ones are cut, and are malformed then.
LONGEST_QUERY = 4096
#: Room for what arrives while something else is worked on. The kernel doubles it and caps it at net.core.rmem_max.
RECEIVE_BUFFER = 4 << 20

Respond = Callable[[bytes, Channel], "bytes | Forward | None"]
#: (packet, what respond said, channel): the answer of somebody else, None for none.
Resolve = Callable[[bytes, Forward, Channel], Coroutine[Any, Any, bytes | None]]


def bind(host: str, port: int, family: socket.AddressFamily, *, shared: bool) -> socket.socket:
    """A bound, non-blocking socket. `shared`: other workers bind the same port (SO_REUSEPORT). Raises OSError."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
    except BaseException:
        sock.close()
        raise
    return sock


class UdpServer:
    """Answers the packets of one bound socket, from `start` until `stop`."""

    def __init__(
        self, sock: socket.socket, channel: Channel, respond: Respond, resolve: Resolve, timing: Timing
    ) -> None:
        self._sock = sock
        self._channel = channel
        self._respond = respond
        self._resolve = resolve
        self._timing = timing
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        return int(self._sock.getsockname()[1])

    def start(self) -> None:
        asyncio.get_running_loop().add_reader(self._sock, self._readable)

    async def stop(self) -> None:
        """Answer what has arrived and what is being resolved, then close."""
        asyncio.get_running_loop().remove_reader(self._sock)
        while self._readable():
            pass
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._sock.close()

    def _readable(self) -> int:
        """Answer up to BATCH packets; returns how many there were."""
        recvfrom, sendto = self._sock.recvfrom, self._sock.sendto
        respond, channel = self._respond, self._channel
        started = perf_counter()
        count = 0
        try:
            for count in range(BATCH):  # noqa: B007
                packet, address = recvfrom(LONGEST_QUERY)
                reply = respond(packet, channel)
                if isinstance(reply, bytes):
                    try:
                        sendto(reply, address)
                    except OSError as error:
                        log.debug("answer to %s is lost: %s", address, error)
                elif reply is not None:
                    self._later(packet, reply, address)
            count = BATCH
        except BlockingIOError:
            pass
        except OSError as error:
            # An ICMP error of an earlier answer: nothing was received.
            log.debug("receiving: %s", error)
        if count:
            self._timing.batch(count, perf_counter() - started)
        return count

    def _later(self, packet: bytes, forward: Forward, address: Any) -> None:
        task = asyncio.get_running_loop().create_task(self._answer_later(packet, forward, address))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_later(self, packet: bytes, forward: Forward, address: Any) -> None:
        started = perf_counter()
        reply = await self._resolve(packet, forward, self._channel)
        self._timing.batch(1, perf_counter() - started)
        if reply is not None:
            try:
                self._sock.sendto(reply, address)
            except OSError as error:
                log.debug("answer to %s is lost: %s", address, error)
