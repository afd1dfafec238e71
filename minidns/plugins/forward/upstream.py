"""One upstream: a question goes out, the one right answer is waited for.

Over UDP every question has a socket of its own, so a fresh port and a fresh ID, and its letter case is mixed at random
(draft-vixie-dnsext-dns0x20): what comes from elsewhere, or with another ID, question or case, is ignored while the
wait goes on. A truncated answer is asked for again over TCP, so what is handed back is always whole.

Upstreams that do not keep the case are found out by asking them over TCP, which cannot be forged blindly.
"""

from __future__ import annotations

import asyncio
import random
import socket

from minidns.config.plugins.forward import Forward, Upstream, tls_context
from minidns.core.wire import HEADER, MalformedError
from minidns.plugins.forward import message
from minidns.plugins.forward.message import RD, TC, Message
from minidns.plugins.forward.upstream_tcp import Connections

#: Bytes of an answer that wait for a turn of the event loop to be read: 64 KB with 5,000 records take two milliseconds.
LARGE = 4096
#: Extended DNS Errors (RFC 8914, 4.23 and 4.24).
NO_REACHABLE_AUTHORITY, NETWORK_ERROR = 22, 23


class UpstreamError(Exception):
    """No usable answer. `code` is the Extended DNS Error that says so to the client."""

    def __init__(self, text: str, code: int = NETWORK_ERROR) -> None:
        super().__init__(text)
        self.code = code


class _OtherCaseError(Exception):
    """The answer has the right ID and question, but in another letter case."""


class Server:
    """A resolver that questions are sent to.

    checks_failed: health checks failed in a row, counted by whoever makes
    them. asked: questions sent, for metrics and tests.
    """

    def __init__(self, upstream: Upstream, options: Forward, *, rng: random.Random) -> None:
        self.upstream = upstream
        self.timeout = options.read_timeout
        self._source = options.source_address
        self.checks_failed = 0
        self.asked = 0
        self._rng = rng
        self._only_tcp = upstream.tls or options.force_tcp
        self._connections = Connections(upstream, tls_context(options) if upstream.tls else None, options)
        #: Whether answers repeat the letter case of the question; None until known. Doubtful: one did not.
        self._keeps_case: bool | None = None
        self._doubtful = False
        self._turn = asyncio.Lock()

    def __str__(self) -> str:
        return str(self.upstream)

    async def ask(self, raw: bytes, *, flags: int = RD, do: bool = False, tcp: bool = False) -> Message:
        """The answer to a question (name in lower case, type and class in wire form). Raises UpstreamError.

        flags: RD and CD as they are sent.
        """
        try:
            async with asyncio.timeout(self.timeout):
                if tcp or self._only_tcp:
                    return await self._tcp(raw, flags, do)
                return await self._udp_first(raw, flags, do)
        except TimeoutError:
            if self._doubtful:
                self._keeps_case = None
            raise UpstreamError(f"{self}: no answer in {self.timeout:g}s", NO_REACHABLE_AUTHORITY) from None
        except (OSError, asyncio.IncompleteReadError) as error:
            text = getattr(error, "strerror", None) or str(error)
            raise UpstreamError(f"{self}: {text}") from None
        except MalformedError as error:
            raise UpstreamError(f"{self}: malformed answer: {error}") from None

    @property
    def idle(self) -> int:
        """How many connections are kept."""
        return len(self._connections)

    def close(self) -> None:
        """Close the idle connections, and the others when they are no longer in use."""
        self._connections.close()

    async def _udp_first(self, raw: bytes, flags: int, do: bool) -> Message:
        try:
            packet = await self._udp(raw, flags, do, exact=self._keeps_case is not False)
        except _OtherCaseError:
            try:
                return await self._tcp(raw, flags, do)
            except OSError:
                # Neither the case nor TCP: its port and its ID are all there is to tell an answer by.
                packet = await self._udp(raw, flags, do, exact=False)
        if int.from_bytes(packet[2:4], "big") & TC:
            return await self._tcp(raw, flags, do)
        return message.answer(packet, HEADER + len(raw))

    async def _udp(self, raw: bytes, flags: int, do: bool, *, exact: bool) -> bytes:
        loop = asyncio.get_running_loop()
        query = self._query(raw, flags, do, mix=exact)
        family, kind, protocol, _, address = socket.getaddrinfo(
            self.upstream.host, self.upstream.port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
        )[0]
        with socket.socket(family, kind, protocol) as sock:
            sock.setblocking(False)
            if self._source is not None:
                sock.bind((self._source, 0))
            # Connected, so the kernel drops what comes from any other address.
            sock.connect(address)
            await loop.sock_sendall(sock, query)
            while True:
                packet = await loop.sock_recv(sock, 65535)
                if not _answers(packet, query):
                    continue
                same_case = packet[HEADER : HEADER + len(raw)] == query[HEADER : HEADER + len(raw)]
                if same_case or not exact:
                    self._learn(raw, query, same_case)
                    return packet
                if self._keeps_case is None:
                    raise _OtherCaseError
                self._doubtful = True

    async def _tcp(self, raw: bytes, flags: int, do: bool) -> Message:
        query = self._query(raw, flags, do, mix=True)
        packet = await self._connections.exchange(query, lambda packet: _answers(packet, query))
        end = HEADER + len(raw)
        self._learn(raw, query, packet[HEADER:end] == query[HEADER:end])
        if len(packet) > LARGE:
            # One per turn: many that come at once hold nobody up.
            async with self._turn:
                await asyncio.sleep(0)
                return message.answer(packet, end)
        return message.answer(packet, end)

    def _query(self, raw: bytes, flags: int, do: bool, *, mix: bool) -> bytes:
        self.asked += 1
        asked = mixed_case(raw, self._rng) if mix else raw
        return message.query(asked, self._rng.getrandbits(16), flags=flags, do=do)

    def _learn(self, raw: bytes, query: bytes, same_case: bool) -> None:
        if query[HEADER : HEADER + len(raw)] != raw:
            self._keeps_case, self._doubtful = same_case, False


def mixed_case(raw: bytes, rng: random.Random) -> bytes:
    """A question in lower case with each letter of its name in upper case or not, at random."""
    bits = rng.getrandbits(len(raw))
    name = bytes(
        byte ^ 0x20 if 97 <= byte <= 122 and bits >> place & 1 else byte for place, byte in enumerate(raw[:-4])
    )
    return name + raw[-4:]


def _answers(packet: bytes, query: bytes) -> bool:
    """Whether a packet is the response to a query, its letter case aside."""
    end = query.index(0, HEADER) + 5
    return (
        packet[:2] == query[:2]
        and len(packet) >= end
        and packet[2] & 0xF8 == 0x80
        and packet[4:6] == b"\0\1"
        and packet[HEADER:end].lower() == query[HEADER:end].lower()
    )
