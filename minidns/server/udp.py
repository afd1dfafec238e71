"""UDP: drain the socket, answer, send. No asyncio transport in between: that costs 24 us a query."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Coroutine, Sequence
from time import perf_counter
from typing import Any

from minidns.core.responder import Channel, Client, Exchange, Forward, Observe, Resolve, Resolved, Respond
from minidns.metrics import Traffic
from minidns.server.batch import AVAILABLE, MOST, SIZE, Batch

log = logging.getLogger(__name__)

#: Packets answered per wake-up, so that TCP, the watch and timers get their turn under any load: they wait for half a
#: millisecond. Batches of 32 or 128 cost the same per query.
BATCH = SIZE
#: Room for what arrives while something else is worked on. The kernel doubles it and caps it at net.core.rmem_max.
RECEIVE_BUFFER = 4 << 20
#: Batches in a full buffer: the kernel counts a small packet as 768 bytes.
_LAST_BATCHES = 2 * RECEIVE_BUFFER // 768 // BATCH + 1

WILDCARDS = ("0.0.0.0", "::")
#: Linux's IP_PKTINFO, which Python's socket module does not name before 3.14.
_IP_PKTINFO = 8

#: What recvmsg told beside the packet: the address that it was sent to.
_Ancillary = list[tuple[int, int, bytes]]


def bind(host: str, port: int, family: socket.AddressFamily, *, shared: bool) -> socket.socket:
    """A bound, non-blocking socket. `shared`: other workers bind the same port (SO_REUSEPORT). Raises OSError."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            # For wildcard addresses: which one a question was sent to.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, int(host in WILDCARDS))
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, int(host in WILDCARDS))
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
    except BaseException:
        sock.close()
        raise
    return sock


class UdpServer:
    """Answers the packets of one bound socket, from `start` until `stop`.

    On a wildcard address each answer leaves from the address that its question was sent to.
    """

    def __init__(
        self,
        sock: socket.socket,
        channel: Channel,
        respond: Respond,
        resolve: Resolve,
        traffic: Traffic,
        observe: Observe | None = None,
    ) -> None:
        self._sock = sock
        self.channel = channel
        self._respond = respond
        self._resolve = resolve
        self._traffic = traffic
        self.observe = observe
        self._tasks: set[asyncio.Task[None]] = set()
        self._wildcard = sock.getsockname()[0] in WILDCARDS
        self._batch = Batch(sock, pktinfo=self._wildcard) if AVAILABLE else None

    @property
    def port(self) -> int:
        return int(self._sock.getsockname()[1])

    def serve(self, respond: Respond, resolve: Resolve, channel: Channel, observe: Observe | None = None) -> None:
        """Answer with something else from the next packet on."""
        self._respond, self._resolve, self.channel, self.observe = respond, resolve, channel, observe

    def start(self) -> None:
        asyncio.get_running_loop().add_reader(self._sock, self._readable)

    async def stop(self) -> None:
        """Answer what has arrived and what is being resolved, then close."""
        asyncio.get_running_loop().remove_reader(self._sock)
        # What comes in meanwhile would keep a flooded server from ever stopping.
        for _ in range(_LAST_BATCHES):
            if not self._readable():
                break
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._sock.close()

    def _readable(self) -> int:
        """Answer up to BATCH packets; returns how many there were."""
        started = perf_counter()
        count = self._drain(self._batch, started) if self._batch else self._drain_any()
        if count:
            self._traffic.batch(count, perf_counter() - started)
        return count

    def _drain(self, batch: Batch, started: float) -> int:
        respond, channel = self._respond, self.channel
        packets = batch.receive()
        replies: list[bytes | Forward | None] = [respond(packet, channel) for packet in packets]
        at_once = self._resolve_batch(batch, packets, replies) if Forward in map(type, replies) else ()
        for index in batch.send(replies):
            reply = replies[index]
            if isinstance(reply, bytes):
                self._send(reply, batch.ancillary(index), batch.address(index))
        if packets:
            self._traffic.messages(packets, replies)
        if self.observe:
            self._tell(batch, packets, replies, at_once, started)
        return len(packets)

    def _tell(
        self,
        batch: Batch,
        packets: list[bytes],
        replies: list[bytes | Forward | None],
        at_once: Sequence[int],
        started: float,
    ) -> None:
        places = [index for index, reply in enumerate(replies) if type(reply) is bytes]
        seconds = perf_counter() - started

        def exchange(number: int) -> Exchange:
            index, local = places[number], self._sock.getsockname()[0]
            reply, client = replies[index], Client(*batch.address(index)[:2])
            assert type(reply) is bytes
            resolved: Resolved = "at once" if index in at_once else "no"
            return Exchange(packets[index], reply, client, local, "udp", seconds, resolved)

        if places and self.observe:
            self.observe(len(places), exchange)

    def _resolve_batch(
        self, batch: Batch, packets: list[bytes], replies: list[bytes | Forward | None]
    ) -> Sequence[int]:
        """Put answers that somebody else has at once in their places, which are returned; others are sent when they
        come."""
        at_once = []
        for index, reply in enumerate(replies):
            if isinstance(reply, Forward):
                address = batch.address(index)
                coming = self._resolve(packets[index], reply, self.channel, Client(*address[:2]))
                if isinstance(coming, bytes):
                    replies[index] = coming
                    at_once.append(index)
                elif isinstance(coming, Coroutine):
                    self._start(self._answer_later(packets[index], coming, batch.ancillary(index), address))
        return at_once

    def _drain_any(self) -> int:
        recvmsg = self._sock.recvmsg
        for count in range(BATCH):
            try:
                packet, ancillary, _, address = recvmsg(MOST, 64)
            except OSError as error:
                if not isinstance(error, BlockingIOError):
                    log.debug("receiving: %s", error)
                return count
            started = perf_counter()
            reply = self._respond(packet, self.channel)
            self._traffic.messages((packet,), (reply,))
            if isinstance(reply, bytes):
                self._send(reply, ancillary, address)
                self._tell_one(packet, reply, address, started)
            elif reply is not None:
                self._later(packet, reply, ancillary, address)
        return BATCH

    def _send(self, reply: bytes, ancillary: _Ancillary, address: Any) -> None:
        try:
            self._sock.sendmsg((reply,), ancillary, 0, address)
        except OSError as error:
            log.debug("the answer to %s is lost: %s", address, error)

    def _tell_one(self, packet: bytes, reply: bytes, address: Any, started: float, resolved: Resolved = "no") -> None:
        if self.observe:
            local, seconds = self._sock.getsockname()[0], perf_counter() - started
            told = Exchange(packet, reply, Client(*address[:2]), local, "udp", seconds, resolved)
            self.observe(1, lambda _: told)

    def _later(self, packet: bytes, forward: Forward, ancillary: _Ancillary, address: Any) -> None:
        started = perf_counter()
        reply = self._resolve(packet, forward, self.channel, Client(*address[:2]))
        if isinstance(reply, bytes):
            self._send(reply, ancillary, address)
            self._tell_one(packet, reply, address, started, "at once")
        elif isinstance(reply, Coroutine):
            self._start(self._answer_later(packet, reply, ancillary, address))

    def _start(self, answer: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(answer)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_later(
        self, packet: bytes, coming: Coroutine[Any, Any, bytes | None], ancillary: _Ancillary, address: Any
    ) -> None:
        started = perf_counter()
        reply = await coming
        self._traffic.batch(1, perf_counter() - started)
        if reply is not None:
            self._traffic.responses.one(len(reply))
            self._send(reply, ancillary, address)
            self._tell_one(packet, reply, address, started, "later")
