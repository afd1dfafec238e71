"""TCP (RFC 7766): pipelined queries answered as they come, each behind its length in two bytes.

An answer can be many messages (RFC 5936, 2.2): `resolve` returns an iterator of them. One step of it is taken per turn
of the event loop, and only while the client reads, so that neither its work nor its memory adds up; b"" sends nothing
and asks for another turn. Questions behind it on that connection wait until it ends. It is closed (`close()`, if it has
one) when the client goes or the server stops. A message that cannot be made ends the connection: the client has no
other way to learn that the rest is missing.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from time import perf_counter
from typing import Any, cast

from minidns.core.responder import Channel, Client, Forward, Observe, Resolve, Respond
from minidns.metrics import Timing

log = logging.getLogger(__name__)

#: Queries answered before others get their turn.
BATCH = 32
#: Seconds without a whole query after which a connection is closed (RFC 7766, 6.2.3: "of the order of a few seconds").
IDLE = 10.0
#: Connections that may wait to be accepted.
BACKLOG = 1024
#: Connections at once per listening socket. One more is closed at once.
CONNECTIONS = 1000
#: Seconds that a client gets at the end to take the answers that wait for it.
FLUSH = 1.0
#: Queries of one connection that wait for an upstream. More are not read until some are answered.
PENDING = 100


def bind(host: str, port: int, family: socket.AddressFamily, *, shared: bool) -> socket.socket:
    """A listening, non-blocking socket. `shared`: others listen on the same port (SO_REUSEPORT). Raises OSError."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


class TcpServer:
    """The connections of one listening socket."""

    def __init__(
        self,
        channel: Channel,
        respond: Respond,
        resolve: Resolve,
        timing: Timing,
        *,
        idle: float = IDLE,
        connections: int = CONNECTIONS,
        observe: Observe | None = None,
    ) -> None:
        self.channel = channel
        self.observe = observe
        self.respond = respond
        self.resolve = resolve
        self.timing = timing
        self.idle = idle
        self._limit = connections
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self, sock: socket.socket) -> None:
        """Accept connections from a listening socket, which is closed by `stop`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), sock=sock, backlog=BACKLOG)

    def serve(self, respond: Respond, resolve: Resolve, channel: Channel, observe: Observe | None = None) -> None:
        """Answer with something else from the next query on; connections stay."""
        self.respond, self.resolve, self.channel, self.observe = respond, resolve, channel, observe

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Answer what has been read, then close every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await asyncio.gather(*(connection.finish() for connection in tuple(self._connections)))

    def admit(self, connection: _Connection) -> bool:
        if len(self._connections) >= self._limit:
            log.debug("closing a connection: there are %d", len(self._connections))
            return False
        self._connections.add(connection)
        return True

    def leave(self, connection: _Connection) -> None:
        self._connections.discard(connection)


class _Connection(asyncio.Protocol):
    def __init__(self, server: TcpServer) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._client = Client("", 0)
        self._buffer = bytearray()
        self._tasks: set[asyncio.Task[None]] = set()
        self._messages: Iterator[bytes] | None = None  # the answer that is under way, of many messages
        self._gone = asyncio.Event()
        self._full = False  # the client does not read its answers
        self._ended = False  # the client sends no more
        self._paused = False
        self._working: asyncio.Handle | None = None
        self._alive = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._client = Client(*(transport.get_extra_info("peername") or self._client)[:2])
        if self._server.admit(self):
            self._timer = self._loop.call_later(self._server.idle, self._check_idle)
        else:
            self._transport.abort()

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        self._gone.set()
        self._server.leave(self)
        for waiting in (self._timer, self._working):
            if waiting:
                waiting.cancel()
        for task in self._tasks:
            task.cancel()
        self._end_messages()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._working is None:
            self._work()

    def eof_received(self) -> bool:
        """The client may still want the answers (RFC 7766, 6.2.4): keep our side open until they are sent."""
        self._ended = True
        self._close_when_done()
        return True

    def pause_writing(self) -> None:
        self._full = True
        self._balance()

    def resume_writing(self) -> None:
        self._full = False
        self._balance()
        if self._working is None:
            self._work()

    async def finish(self) -> None:
        """Answer what has been read, then close."""
        self._ended = True
        if self._transport is not None:
            self._transport.pause_reading()
        if self._messages is not None and self._transport is not None:
            self._transport.abort()  # a zone transfer takes as long as its client: it begins again elsewhere
            return
        # Answers that come let queries that waited for a place be read, which may wait for answers in turn.
        while self._working is not None or self._tasks:
            if self._working is not None:
                self._working.cancel()
                self._work()
            else:
                await asyncio.wait(self._tasks)
        if self._transport is not None:
            self._transport.close()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), FLUSH)

    def _work(self) -> None:
        """Answer up to BATCH whole queries of the buffer, and come back for the rest."""
        self._working = None
        replies: list[bytes] = []
        started = perf_counter()
        at = count = 0
        buffer = self._buffer
        if self._messages is not None and not self._full:
            replies += self._next_message()
        while (
            count < BATCH
            and self._messages is None
            and not self._full
            and len(self._tasks) < PENDING
            and len(buffer) - at >= 2
        ):
            end = at + 2 + int.from_bytes(buffer[at : at + 2], "big")
            if end > len(buffer):
                break
            packet = bytes(buffer[at + 2 : end])
            at, count = end, count + 1
            server = self._server
            said = server.respond(packet, server.channel)
            reply = server.resolve(packet, said, server.channel, self._client) if isinstance(said, Forward) else said
            if isinstance(reply, bytes):
                replies += (len(reply).to_bytes(2, "big"), reply)
                self._observe(packet, reply, started)
            elif isinstance(reply, Coroutine):
                self._later(packet, reply)
            elif reply is not None and self._transport is not None:
                self._messages = reply
        del buffer[:at]
        if count:
            self._alive = self._loop.time()
            self._server.timing.batch(count, perf_counter() - started)
        if replies and self._transport is not None:
            self._transport.write(b"".join(replies))
        more = count == BATCH or (self._messages is not None and not self._full)
        if more and self._transport is not None:
            self._working = self._loop.call_soon(self._work)
        self._balance()
        self._close_when_done()

    def _next_message(self) -> tuple[bytes, ...]:
        assert self._messages is not None
        try:
            message = next(self._messages, None)
        except Exception:
            log.exception("an answer of many messages breaks off")
            message = None
            if self._transport is not None:
                self._transport.abort()
        if message is None:
            self._end_messages()
            return ()
        self._alive = self._loop.time()
        return (len(message).to_bytes(2, "big"), message) if message else ()

    def _end_messages(self) -> None:
        close = getattr(self._messages, "close", None)
        self._messages = None
        if close is not None:
            close()

    def _observe(self, packet: bytes, reply: bytes, started: float) -> None:
        if self._server.observe and self._transport is not None:
            remote, local = (self._transport.get_extra_info(what) for what in ("peername", "sockname"))
            self._server.observe(packet, reply, remote, local[0], "tcp", perf_counter() - started)

    def _later(self, packet: bytes, coming: Coroutine[Any, Any, bytes | None]) -> None:
        task = self._loop.create_task(self._answer_later(packet, coming))
        self._tasks.add(task)
        task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._working is None and self._transport is not None:
            self._work()

    async def _answer_later(self, packet: bytes, coming: Coroutine[Any, Any, bytes | None]) -> None:
        started = perf_counter()
        reply = await coming
        self._server.timing.batch(1, perf_counter() - started)
        if reply is not None and self._transport is not None:
            self._alive = self._loop.time()
            self._transport.write(len(reply).to_bytes(2, "big") + reply)
            self._observe(packet, reply, started)

    def _balance(self) -> None:
        """Read only while there is something to do with it: the buffer stays within one chunk and one query."""
        wanted = self._full or self._working is not None or self._messages is not None or len(self._tasks) >= PENDING
        if self._transport is None or self._ended or wanted == self._paused:
            return
        self._paused = wanted
        if wanted:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _close_when_done(self) -> None:
        busy = self._working is not None or self._tasks or self._full or self._messages is not None
        if self._ended and not busy and self._transport is not None:
            self._transport.close()

    def _check_idle(self) -> None:
        assert self._transport is not None
        left = self._alive + self._server.idle - self._loop.time()
        if left > 0 or self._tasks:
            self._timer = self._loop.call_later(max(left, 0.1), self._check_idle)
        elif self._transport.get_write_buffer_size():
            self._transport.abort()  # an orderly close would wait for a client that does not read
        else:
            self._transport.close()
