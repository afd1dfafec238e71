"""Many sockets in slices: they get SLICE seconds of each turn of the event loop together, and take turns in it.

UDP has its reader in the event loop, so it is answered between two slices, whatever arrives over TCP, on however many
connections. A socket is either armed (an epoll instance says when there is something to do) or in the queue (it has
work in hand). The event loop watches the epoll instance alone.
"""

from __future__ import annotations

import asyncio
import logging
import select
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Protocol

log = logging.getLogger(__name__)

#: Seconds of work in a turn of the event loop. A full batch of UDP packets takes as long.
SLICE = 0.0005
#: Sockets at most that one turn takes into the queue.
EVENTS = 64
#: What `Member.work` says when it could go on at once. Otherwise it says which events it waits for.
AGAIN = -1


class Member(Protocol):
    """A socket that gets its turns."""

    @property
    def number(self) -> int:
        """Its file descriptor."""

    def work(self, until: float) -> int:
        """Do one short piece of work, and stop in it when the clock says `until`.

        AGAIN, or the events to wait for: select.EPOLLIN, select.EPOLLOUT, both, or 0 (errors are always told).
        """

    def cut(self) -> None:
        """Close at once: there is a bug in its work."""


class Turns:
    """The members' turns, from `start` until `stop`.

    clock: seconds, as `until` counts them. length: of a slice, by that clock.
    """

    def __init__(self, *, clock: Callable[[], float] = perf_counter, length: float = SLICE) -> None:
        self.clock = clock
        self._length = length
        self._members: dict[int, Member] = {}
        self._queue: deque[Member] = deque()
        self._queued: set[Member] = set()
        self._again: asyncio.Handle | None = None
        self._epoll: select.epoll | None = None

    def start(self) -> None:
        """Begin, in the running event loop; nothing happens when it has begun."""
        if self._epoll is None:
            self._epoll = select.epoll()
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._epoll.fileno(), self._turn)

    def stop(self) -> None:
        """End; every member has been removed."""
        if self._epoll is not None:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll = None
        if self._again is not None:
            self._again.cancel()
            self._again = None

    def add(self, member: Member) -> None:
        """Give turns to a socket from now on, the first one when it can be read."""
        assert self._epoll is not None
        self._members[member.number] = member
        self._epoll.register(member.number, select.EPOLLIN | select.EPOLLONESHOT)

    def remove(self, member: Member) -> None:
        """Give it no more turns; to be called before its descriptor is closed."""
        assert self._epoll is not None
        del self._members[member.number]
        self._epoll.unregister(member.number)

    def wake(self, member: Member) -> None:
        """Give a member its turn: it has work in hand that no event tells of."""
        if member not in self._queued:
            self._queued.add(member)
            self._queue.append(member)
            self._go_on()

    def _turn(self) -> None:
        # While there is work in hand `_resume` comes anyway: one slice per turn of the event loop.
        if self._again is None:
            self._work()

    def _resume(self) -> None:
        self._again = None
        self._work()

    def _go_on(self) -> None:
        if self._again is None:
            self._again = self._loop.call_soon(self._resume)

    def _work(self) -> None:
        assert self._epoll is not None
        queue, queued, members, clock = self._queue, self._queued, self._members, self.clock
        until = clock() + self._length
        for number, _ in self._epoll.poll(0, EVENTS):
            member = members[number]
            if member not in queued:
                queued.add(member)
                queue.append(member)
        while queue:
            member = queue.popleft()
            queued.discard(member)
            number = member.number
            if members.get(number) is member:
                try:
                    wants = member.work(until)
                except Exception:
                    log.exception("a connection breaks off")
                    member.cut()
                if members.get(number) is member:
                    if wants == AGAIN:
                        queued.add(member)
                        queue.append(member)
                    else:
                        self._epoll.modify(number, wants | select.EPOLLONESHOT)
            if clock() >= until:
                break
        if queue:
            self._go_on()
