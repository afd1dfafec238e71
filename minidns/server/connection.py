"""One TCP connection: bytes in, questions answered in their turn, bytes out."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import select
import socket
import struct
import sys
import termios
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from time import perf_counter
from typing import Any, Protocol

from minidns.core.responder import Channel, Client, Exchange, Forward, Observe, Resolve, Resolved, Respond
from minidns.metrics import Traffic
from minidns.server.places import KERNEL, MESSAGES_BUFFER, RECEIVE_BUFFER, Places, source_of
from minidns.server.turns import AGAIN, Turns

log = logging.getLogger(__name__)

#: Questions, and bytes of answers, after which a connection has had its turn, and bytes read in one.
BATCH, ANSWERS, READ = 32, 32 << 10, 16 << 10
#: Seconds after which a client that takes nothing of what waits for it is given up when the server stops, and between
#: two looks whether the kernel has brought it all.
FLUSH, LOOK = 1.0, 0.05
#: Queries of one connection that wait for an upstream. More are not read until some are answered.
PENDING = 100

#: A question, its answer, and whether somebody else had it.
_Told = tuple[bytes, bytes, Resolved]

_RESET = struct.pack("ii", 1, 0)


class Listener(Protocol):
    """Where a connection came in: how to answer there, and what is counted."""

    channel: Channel
    respond: Respond
    resolve: Resolve
    traffic: Traffic
    observe: Observe | None

    def leave(self, connection: Connection) -> None:
        """It is closed."""


class Connection:
    """A client's connection (a `turns.Member` and a `places.Guest`), from its acceptance until it is closed."""

    def __init__(
        self, listener: Listener, sock: socket.socket, address: tuple[Any, ...], turns: Turns, places: Places
    ) -> None:
        self.number = sock.fileno()
        self.address = address
        self.client = Client(*address[:2])
        self.source = source_of(address[0])
        self.held = 0
        self._listener = listener
        self._sock = sock
        self._turns = turns
        self._places = places
        self._kernel = KERNEL
        self._in = bytearray()
        self._out = bytearray()
        self._tasks: set[asyncio.Task[None]] = set()
        self._messages: Iterator[bytes] | None = None  # the answer that is under way, of many messages
        self._ended = False  # no more is read
        self._last: int | None = None  # bytes that may still be read
        self._lingering: asyncio.TimerHandle | None = None
        self._gone = asyncio.Event()
        self._answers = 0
        self._local = ""

    @property
    def busy(self) -> bool:
        """Whether its client waits for an upstream."""
        return bool(self._tasks) and not self._out

    def work(self, until: float) -> int:
        """Send what waits, or else read, answer and send once (see `turns.Member`)."""
        try:
            if self._out:
                self._send(b"")
            if not self._out and not self._ended and not self._at_hand():
                self._receive()
            if not self._out:
                self._answer(until)
        except OSError as error:
            log.debug("%s: %s", self.address, error)
            self.cut()
        return self._settle()

    async def finish(self) -> None:
        """Answer what has arrived, then close; a client that does not take its answers is given up."""
        if self._messages is not None:
            self.cut()  # a zone transfer takes as long as its client: it begins again elsewhere
            return
        self._last = 2 * RECEIVE_BUFFER
        if not self._lingering:
            self._turns.wake(self)
        before = (-1, 0)
        while not self._gone.is_set() and (self._tasks or self._progress != before):
            before = self._progress
            with suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), FLUSH)
        self.cut()

    @property
    def _progress(self) -> tuple[int, int]:
        return self._answers, self._with_kernel

    def cut(self) -> None:
        """Close at once. What the client has not taken is lost, in the kernel too."""
        if self._gone.is_set():
            return
        if self._out or self._with_kernel:
            # An orderly close would keep it for a client that may never read.
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._close()

    @property
    def _with_kernel(self) -> int:
        """Bytes that the kernel keeps because the client has not taken them."""
        return int.from_bytes(fcntl.ioctl(self.number, termios.TIOCOUTQ, bytes(4)), sys.byteorder)

    def _linger(self) -> None:
        """Say that no more comes, and close once the client has it all: until then it holds its place."""
        if self._with_kernel == 0:
            self._close()
            return
        if not self._lingering:
            self._turns.remove(self)
            with suppress(OSError):
                self._sock.shutdown(socket.SHUT_WR)
        self._lingering = asyncio.get_running_loop().call_later(LOOK, self._linger)

    def _close(self) -> None:
        self._gone.set()
        if self._lingering:
            self._lingering.cancel()
        else:
            self._turns.remove(self)
        self._places.leave(self)
        self._listener.leave(self)
        self._sock.close()
        self._in.clear()
        self._out.clear()
        for task in self._tasks:
            task.cancel()
        self._end_messages()

    def _at_hand(self) -> bool:
        """Whether there is something to answer without reading more."""
        buffer = self._in
        whole = len(buffer) >= 2 and len(buffer) >= 2 + (buffer[0] << 8 | buffer[1])
        return whole or self._messages is not None or len(self._tasks) >= PENDING

    def _receive(self) -> None:
        try:
            data = self._sock.recv(READ)
        except BlockingIOError:
            self._ended = self._last is not None
            return
        # The client may still want the answers (RFC 7766, 6.2.4): keep our side open until they are sent.
        self._ended = not data
        self._in += data
        if self._last is not None:
            self._last -= len(data)
            self._ended |= self._last <= 0

    def _answer(self, until: float) -> None:
        """Answer whole queries, up to BATCH, ANSWERS and `until`, and send the answers."""
        replies: list[bytes] = []
        told: list[_Told] = []
        started = perf_counter()
        at = count = size = asked = 0
        buffer, listener, clock = self._in, self._listener, self._turns.clock
        respond, channel = listener.respond, listener.channel
        if self._messages is not None:
            replies += self._next_message()
        while self._messages is None and len(self._tasks) < PENDING and len(buffer) - at >= 2:
            end = at + 2 + (buffer[at] << 8 | buffer[at + 1])
            if end > len(buffer):
                break
            packet = bytes(buffer[at + 2 : end])
            at, count = end, count + 1
            said = respond(packet, channel)
            reply = listener.resolve(packet, said, channel, self.client) if isinstance(said, Forward) else said
            asked += said is not None
            if isinstance(reply, bytes):
                replies += (len(reply).to_bytes(2, "big"), reply)
                size += len(reply)
                if listener.observe:
                    told.append((packet, reply, "at once" if isinstance(said, Forward) else "no"))
            elif isinstance(reply, Coroutine):
                self._later(packet, reply)
            elif reply is not None:
                self._messages = reply
                self._kernel = 2 * MESSAGES_BUFFER
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MESSAGES_BUFFER)
            if count == BATCH or size >= ANSWERS or clock() >= until:
                break
        del buffer[:at]
        if count:
            listener.traffic.batch(count, perf_counter() - started)
            # One message stands for those of its turn, which most clients have one of.
            listener.traffic.requests.batch(count, (len(packet),))
        if asked:
            # Empty messages and garbage keep no place.
            self._answers += asked
            self._places.touch(self)
        if replies:
            listener.traffic.responses.batch(len(replies) // 2, (len(replies[-1]),))
            self._send(b"".join(replies))
        if told:
            self._tell(told, started)

    def _send(self, more: bytes) -> None:
        """Send what waits and some more, as far as the kernel takes it."""
        waiting = self._out
        try:
            sent = self._sock.send(waiting + more if waiting else more)
        except BlockingIOError:
            sent = 0
        if waiting:
            waiting += more
            del waiting[:sent]
            if not waiting:
                self._places.touch(self)
        elif sent < len(more):
            waiting += more[sent:]

    def _settle(self) -> int:
        """What it waits for; its memory is accounted for, and it is closed when all is done."""
        if self._gone.is_set():
            return 0
        unsent = len(self._out)
        if held := len(self._in) + (unsent + self._kernel if unsent else 0) or self.held:
            self._places.hold(self, held)
        if unsent > self._places.limits.unsent:
            self.cut()
        if self._gone.is_set():
            return 0
        if unsent:
            return select.EPOLLOUT
        if len(self._tasks) >= PENDING:
            return 0
        if self._at_hand():
            return AGAIN
        if not self._ended:
            return select.EPOLLIN
        if not self._tasks:
            self._linger()
        return 0

    def _next_message(self) -> tuple[bytes, ...]:
        assert self._messages is not None
        try:
            message = next(self._messages, None)
        except Exception:
            log.exception("an answer of many messages breaks off")
            self.cut()
            return ()
        if message is None:
            self._end_messages()
            return ()
        self._places.touch(self)
        return (len(message).to_bytes(2, "big"), message) if message else ()

    def _end_messages(self) -> None:
        close = getattr(self._messages, "close", None)
        self._messages = None
        if close is not None:
            close()

    def _tell(self, told: list[_Told], started: float) -> None:
        seconds = perf_counter() - started

        def exchange(number: int) -> Exchange:
            self._local = self._local or self._sock.getsockname()[0]
            packet, reply, resolved = told[number]
            return Exchange(packet, reply, self.client, self._local, "tcp", seconds, resolved)

        if self._listener.observe:
            self._listener.observe(len(told), exchange)

    def _later(self, packet: bytes, coming: Coroutine[Any, Any, bytes | None]) -> None:
        task = asyncio.get_running_loop().create_task(self._answer_later(packet, coming))
        self._tasks.add(task)
        task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not self._gone.is_set():
            self._turns.wake(self)

    async def _answer_later(self, packet: bytes, coming: Coroutine[Any, Any, bytes | None]) -> None:
        started = perf_counter()
        reply = await coming
        self._listener.traffic.batch(1, perf_counter() - started)
        if reply is not None and not self._gone.is_set():
            self._answers += 1
            self._listener.traffic.responses.one(len(reply))
            self._out += len(reply).to_bytes(2, "big") + reply
            self._places.touch(self)
            self._tell([(packet, reply, "later")], started)
