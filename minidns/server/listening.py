"""One address to listen on: its UDP and TCP sockets, on the same port, for each address family."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable

from minidns.config.values import Listen
from minidns.core.responder import Channel, Observe, Resolve, Respond
from minidns.metrics import Traffic
from minidns.server import tcp, udp
from minidns.server.tcp import TcpListener, TcpServer
from minidns.server.udp import UdpServer

log = logging.getLogger(__name__)

#: How often another port is tried when a free one is asked for and TCP finds UDP's taken.
_TRIES = 20
#: What a machine without IPv6 says.
_NO_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)

MakeChannel = Callable[[str, str], Channel]


class Listening:
    """The sockets of one `Listen`: `open`, then `start` and `stop`, or `close` if others use them.

    shared: other sockets are bound to the same port (SO_REUSEPORT). traffic: what went over them, by transport.
    """

    def __init__(self, listen: Listen, *, shared: bool = False) -> None:
        self._listen = listen
        self._shared = shared
        self._sockets: list[tuple[socket.socket, socket.socket, str]] = []
        self._servers: list[UdpServer | TcpListener] = []
        self.traffic = {"udp": Traffic(), "tcp": Traffic()}
        self.port = listen.port

    def open(self) -> None:
        """Bind: what comes in from now on waits for `start`. Raises OSError, which names the address."""
        for attempt in range(_TRIES):
            try:
                self._bind()
                return
            except OSError as error:
                self.close()
                self.port = self._listen.port
                if self._listen.port or error.errno != errno.EADDRINUSE or attempt == _TRIES - 1:
                    raise OSError(error.errno, f"cannot listen on {self._listen}: {error.strerror}") from error

    def start(
        self,
        respond: Respond,
        resolve: Resolve,
        channel: MakeChannel,
        tcp_server: TcpServer,
        observe: Observe | None = None,
    ) -> None:
        """Answer from now on. tcp_server: what TCP connections share with those of other addresses."""
        for udp_socket, tcp_socket, family in self._sockets:
            server = UdpServer(udp_socket, channel("udp", family), respond, resolve, self.traffic["udp"], observe)
            server.start()
            listener = tcp_server.listen(
                tcp_socket, channel("tcp", family), respond, resolve, self.traffic["tcp"], observe
            )
            self._servers += (server, listener)

    async def stop(self) -> None:
        """Answer what has arrived, then close."""
        for server in self._servers:
            await server.stop()
        self._servers.clear()
        self.close()

    def serve(self, respond: Respond, resolve: Resolve, channel: MakeChannel, observe: Observe | None = None) -> None:
        """Answer with something else from the next packet on; the sockets stay."""
        for server in self._servers:
            server.serve(respond, resolve, channel(server.channel.transport, server.channel.family), observe)

    def observe(self, observe: Observe | None) -> None:
        """Tell somebody else of the answers from now on."""
        for server in self._servers:
            server.observe = observe

    def copy(self) -> Listening:
        """The same sockets once more, to be stopped without closing these."""
        made = Listening(self._listen, shared=self._shared)
        made._sockets = [(one.dup(), other.dup(), family) for one, other, family in self._sockets]
        made.port = self.port
        return made

    def close(self) -> None:
        """Close the sockets here; where another process has them, they stay open there."""
        for udp_socket, tcp_socket, _ in self._sockets:
            udp_socket.close()
            tcp_socket.close()
        self._sockets.clear()

    @property
    def numbers(self) -> list[int]:
        """The file descriptors."""
        return [sock.fileno() for one, other, _ in self._sockets for sock in (one, other)]

    def _bind(self) -> None:
        for host, family, number in self._hosts():
            try:
                udp_socket = udp.bind(host, self.port, family, shared=self._shared)
            except OSError as error:
                if self._sockets and error.errno in _NO_FAMILY:
                    log.info("%s: no IPv6 here, IPv4 only", self._listen)
                    continue
                raise
            self.port = udp_socket.getsockname()[1]
            try:
                tcp_socket = tcp.bind(host, self.port, family, shared=self._shared)
            except OSError:
                udp_socket.close()
                raise
            self._sockets.append((udp_socket, tcp_socket, number))

    def _hosts(self) -> list[tuple[str, socket.AddressFamily, str]]:
        """(address, family, the family's number in metrics) of each pair of sockets."""
        host = self._listen.host
        both = {"": ("0.0.0.0", "::"), "localhost": ("127.0.0.1", "::1")}
        return [
            (one, socket.AF_INET6, "2") if ":" in one else (one, socket.AF_INET, "1") for one in both.get(host, (host,))
        ]
