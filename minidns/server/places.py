"""Who may stay connected to a process, and with how much waiting for them (RFC 7766, 6.2.3).

Whoever has gone longest without a complete question is the idlest, and the first to go: after `Limits.idle` seconds, or
when its place or its memory is wanted by others.
"""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

#: Bytes that the kernel is asked to hold of what waits for a client, and of what waits to be read from it. It takes
#: twice that of memory (socket(7)); by itself it takes up to 6 MB for each.
SEND_BUFFER = 32 << 10
RECEIVE_BUFFER = 32 << 10
#: For an answer of many messages: 16 of them on their way, so that neither side waits for the other after each.
MESSAGES_BUFFER = 256 << 10
#: Bytes that a client holds in the kernel when it does not read its answers.
KERNEL = 2 * SEND_BUFFER


@dataclass(frozen=True, slots=True)
class Limits:
    """Of all connections of a process.

    connections: at once. per_client: of one client (an IPv4 address, or 64 bits of an IPv6 address). idle: seconds
    without a complete question. unsent: bytes of answers that wait for one client. held: bytes of all, what the kernel
    holds for clients that do not read included.
    """

    connections: int = 1000
    per_client: int = 500
    idle: float = 10.0
    unsent: int = 256 << 10
    held: int = 128 << 20


class Guest(Protocol):
    """A connection that has a place. source: whose it is. held: bytes, as `Places.hold` was told."""

    source: str
    held: int

    @property
    def busy(self) -> bool:
        """Whether its client waits for us: it may stay."""

    def cut(self) -> None:
        """Close at once, and `leave`."""


class Places:
    """The places of a process. cut: how many connections had to go for others, or because they were idle."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.cut = 0
        self.held = 0
        self._loop = asyncio.get_running_loop()
        #: When each was last active by the loop's clock, the idlest first: of all, and of each client.
        self._guests: OrderedDict[Guest, float] = OrderedDict()
        self._sources: dict[str, OrderedDict[Guest, None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._guests)

    def enter(self, guest: Guest) -> None:
        """Give a place to a new connection, that of the idlest if there is no other."""
        own = self._sources.get(guest.source)
        if own is not None and len(own) >= self.limits.per_client:
            self._cut(next(iter(own)))
        elif len(self._guests) >= self.limits.connections:
            self.make_room()
        self._guests[guest] = self._loop.time()
        self._sources.setdefault(guest.source, OrderedDict())[guest] = None
        if self._timer is None:
            self._timer = self._loop.call_later(self.limits.idle, self._expire)

    def leave(self, guest: Guest) -> None:
        """Its place is free."""
        self.hold(guest, 0)
        del self._guests[guest]
        own = self._sources[guest.source]
        del own[guest]
        if not own:
            del self._sources[guest.source]
        if not self._guests and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def touch(self, guest: Guest) -> None:
        """A complete question came, or the client has taken all that waited for it."""
        self._guests[guest] = self._loop.time()
        self._guests.move_to_end(guest)
        self._sources[guest.source].move_to_end(guest)

    def hold(self, guest: Guest, count: int) -> None:
        """It holds `count` bytes now. The idlest of those that hold any are cut while there are too many in all."""
        self.held += count - guest.held
        guest.held = count
        while self.held > self.limits.held:
            self._cut(next(one for one in self._guests if one.held))

    def make_room(self) -> bool:
        """Cut the idlest; whether there was any."""
        guest = next(iter(self._guests), None)
        if guest is not None:
            self._cut(guest)
        return guest is not None

    def _cut(self, guest: Guest) -> None:
        self.cut += 1
        guest.cut()

    def _expire(self) -> None:
        now = self._loop.time()
        while self._guests:
            guest, active = next(iter(self._guests.items()))
            left = active + self.limits.idle - now
            if left > 0:
                self._timer = self._loop.call_later(left, self._expire)
                return
            if guest.busy:
                self.touch(guest)
            else:
                self._cut(guest)
        self._timer = None


def source_of(host: str) -> str:
    """Whose connection it is: an IPv4 address, or the first 64 bits of an IPv6 address, which are one subscriber's."""
    if ":" not in host:
        return host
    return socket.inet_pton(socket.AF_INET6, host.partition("%")[0])[:8].hex()
