"""One address to listen on: its UDP and TCP sockets, on the same port, for each address family."""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Callable

from minidns.metrics import Timing
from minidns.responder import Channel
from minidns.server import udp
from minidns.server.tcp import TcpServer
from minidns.server.udp import Observe, Resolve, Respond, UdpServer
from minidns.values import Listen

log = logging.getLogger(__name__)

#: How often another port is tried when a free one is asked for and TCP finds UDP's taken.
_TRIES = 20
#: What a machine without IPv6 says.
_NO_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)

MakeChannel = Callable[[str, str], Channel]


class Listening:
    """The sockets of one `Listen`, from `start` to `stop`.

    shared: other processes listen there too (SO_REUSEPORT). timings: how long answers took, by transport.
    """

    def __init__(self, listen: Listen, *, shared: bool = False) -> None:
        self._listen = listen
        self._shared = shared
        self._servers: list[UdpServer | TcpServer] = []
        self.timings = {"udp": Timing(), "tcp": Timing()}
        self.port = listen.port

    async def start(
        self, respond: Respond, resolve: Resolve, channel: MakeChannel, observe: Observe | None = None
    ) -> None:
        """Bind, and answer from now on. Raises OSError, which names the address."""
        for attempt in range(_TRIES):
            try:
                await self._bind(respond, resolve, channel, observe)
                return
            except OSError as error:
                await self.stop()
                self.port = self._listen.port
                if self._listen.port or error.errno != errno.EADDRINUSE or attempt == _TRIES - 1:
                    why = os.strerror(error.errno or 0)  # asyncio's own text names the address once more
                    raise OSError(error.errno, f"cannot listen on {self._listen}: {why}") from error

    async def stop(self) -> None:
        """Answer what has arrived, then close."""
        for server in self._servers:
            await server.stop()
        self._servers.clear()

    def serve(self, respond: Respond, resolve: Resolve, channel: MakeChannel, observe: Observe | None = None) -> None:
        """Answer with something else from the next packet on; the sockets stay."""
        for server in self._servers:
            server.serve(respond, resolve, channel(server.channel.transport, server.channel.family), observe)

    async def _bind(self, respond: Respond, resolve: Resolve, channel: MakeChannel, observe: Observe | None) -> None:
        bound = 0
        for host, family, number in self._hosts():
            try:
                sock = udp.bind(host, self.port, family, shared=self._shared)
            except OSError as error:
                if bound and error.errno in _NO_FAMILY:
                    log.info("%s: no IPv6 here, IPv4 only", self._listen)
                    continue
                raise
            server = UdpServer(sock, channel("udp", number), respond, resolve, self.timings["udp"], observe)
            server.start()
            self._servers.append(server)
            self.port = server.port
            tcp = TcpServer(channel("tcp", number), respond, resolve, self.timings["tcp"], observe=observe)
            self._servers.append(tcp)
            await tcp.start(host, self.port, family, shared=self._shared)
            bound += 1

    def _hosts(self) -> list[tuple[str, socket.AddressFamily, str]]:
        """(address, family, the family's number in metrics) of each pair of sockets."""
        host = self._listen.host
        both = {"": ("0.0.0.0", "::"), "localhost": ("127.0.0.1", "::1")}
        return [
            (one, socket.AF_INET6, "2") if ":" in one else (one, socket.AF_INET, "1") for one in both.get(host, (host,))
        ]
