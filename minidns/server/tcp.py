"""TCP (RFC 7766): pipelined queries answered as they come, each behind its length in two bytes.

All connections of a process take turns (`turns`), within common limits (`places`).

An answer can be many messages (RFC 5936, 2.2): `resolve` returns an iterator of them. One step of it is taken per turn
of its connection, and only while the client reads, so that neither its work nor its memory adds up; b"" sends nothing
and asks for another turn. Questions behind it on that connection wait until it ends. It is closed (`close()`, if it has
one) when the client goes or the server stops. A message that cannot be made ends the connection: the client has no
other way to learn that the rest is missing.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import select
import socket

from minidns.core.responder import Channel, Observe, Resolve, Respond
from minidns.metrics import Traffic
from minidns.server.connection import Connection
from minidns.server.places import RECEIVE_BUFFER, SEND_BUFFER, Limits, Places
from minidns.server.turns import Turns

log = logging.getLogger(__name__)

#: Connections that may wait to be accepted, and that are accepted in one turn.
BACKLOG, ACCEPT = 1024, 8
#: Seconds without accepting when there are no descriptors left, and errors that say so.
BACK_OFF = 1.0
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


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
        # Connections inherit these. Set, they do not grow: a thousand clients that never read took 2 GB.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


class TcpServer:
    """What all listening sockets of a process share: the turns of their connections, and the places."""

    def __init__(self, limits: Limits | None = None, *, turns: Turns | None = None) -> None:
        self.turns = turns or Turns()
        self.places = Places(limits or Limits())
        self._listeners: set[TcpListener] = set()

    def listen(
        self,
        sock: socket.socket,
        channel: Channel,
        respond: Respond,
        resolve: Resolve,
        traffic: Traffic,
        observe: Observe | None = None,
    ) -> TcpListener:
        """Accept connections from a listening socket from now on, and answer on them."""
        self.turns.start()
        listener = TcpListener(self, sock, channel, respond, resolve, traffic, observe)
        self._listeners.add(listener)
        self.turns.add(listener)
        return listener

    def leave(self, listener: TcpListener) -> None:
        """It has closed its socket and all of its connections."""
        self._listeners.discard(listener)
        if not self._listeners:
            self.turns.stop()


class TcpListener:
    """One listening socket and its connections (a `turns.Member`), until `stop`."""

    def __init__(
        self,
        server: TcpServer,
        sock: socket.socket,
        channel: Channel,
        respond: Respond,
        resolve: Resolve,
        traffic: Traffic,
        observe: Observe | None,
    ) -> None:
        self.number = sock.fileno()
        self.channel = channel
        self.respond = respond
        self.resolve = resolve
        self.traffic = traffic
        self.observe = observe
        self._server = server
        self._sock = sock
        self._connections: set[Connection] = set()
        self._listening = True
        self._pause: asyncio.TimerHandle | None = None

    def serve(self, respond: Respond, resolve: Resolve, channel: Channel, observe: Observe | None = None) -> None:
        """Answer with something else from the next query on; connections stay."""
        self.respond, self.resolve, self.channel, self.observe = respond, resolve, channel, observe

    @property
    def port(self) -> int:
        return int(self._sock.getsockname()[1])

    async def stop(self) -> None:
        """Answer what has arrived, then close every connection."""
        self.cut()
        await asyncio.gather(*(connection.finish() for connection in tuple(self._connections)))
        self._server.leave(self)

    def work(self, _: float) -> int:
        """Accept some connections."""
        for _ in range(ACCEPT):
            try:
                sock, address = self._sock.accept()
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno in _NO_ROOM:
                    return self._without_room(error)
                log.debug("accepting: %s", error)  # that connection is gone already
                continue
            sock.setblocking(False)
            connection = Connection(self, sock, address, self._server.turns, self._server.places)
            self._server.places.enter(connection)
            self._connections.add(connection)
            self._server.turns.add(connection)
        return select.EPOLLIN

    def leave(self, connection: Connection) -> None:
        """It is closed."""
        self._connections.discard(connection)

    def cut(self) -> None:
        """Accept no more."""
        if self._listening:
            self._listening = False
            if self._pause is not None:
                self._pause.cancel()
            self._server.turns.remove(self)
            self._sock.close()

    def _without_room(self, error: OSError) -> int:
        """Give the idlest connection's descriptor to the next one; without any, wait."""
        log.warning("cannot accept a connection: %s", error.strerror)
        self._server.places.make_room()
        self._pause = asyncio.get_running_loop().call_later(BACK_OFF, self._server.turns.wake, self)
        return 0
