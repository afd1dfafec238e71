"""Server-sent events (WHATWG HTML, 9.2) for any number of readers, each event put into bytes once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

#: Events that a slow reader may be behind before it loses some.
BEHIND = 1000
#: Seconds between comments that keep a silent stream alive through proxies.
KEEPALIVE = 15.0
#: Seconds between two writes to one reader: an event that comes alone goes out at once, 500 a second are 20 writes.
PAUSE = 0.05

Tell = Callable[[bytes], None]


class Broadcast:
    """Readers of one kind of event.

    follow: called with `tell` when the first reader comes; what it returns is called when the last one has gone. So
    what nobody reads is not made. Data of an event is one line.
    """

    def __init__(self, follow: Callable[[Tell], Callable[[], None]]) -> None:
        self._follow = follow
        self._stop: Callable[[], None] = lambda: None
        self._readers: set[_Reader] = set()

    @property
    def readers(self) -> int:
        return len(self._readers)

    def tell(self, data: bytes) -> None:
        """Give an event to every reader; never waits. Who is too far behind loses it, and is told how many it lost."""
        event = b"data: " + data + b"\n\n"
        for reader in self._readers:
            reader.take(event)

    async def read(self) -> AsyncGenerator[bytes, None]:
        """Every event from the first piece on, which is a comment."""
        reader = _Reader()
        if not self._readers:
            self._stop = self._follow(self.tell)
        self._readers.add(reader)
        try:
            yield b": watching\n\n"
            while True:
                yield await reader.next()
                await asyncio.sleep(PAUSE)
        finally:
            self._readers.discard(reader)
            if not self._readers:
                self._stop()


class _Reader:
    def __init__(self) -> None:
        self._events: list[bytes] = []
        self._lost = 0
        self._some = asyncio.Event()

    def take(self, event: bytes) -> None:
        if len(self._events) < BEHIND:
            self._events.append(event)
            self._some.set()
        else:
            self._lost += 1

    async def next(self) -> bytes:
        """What came since the last time; a comment when that is nothing for long."""
        try:
            async with asyncio.timeout(KEEPALIVE):
                await self._some.wait()
        except TimeoutError:
            return b":\n\n"
        self._some.clear()
        events, self._events = self._events, []
        if self._lost:
            events.append(b": %d events were lost here\n\n" % self._lost)
            self._lost = 0
        return b"".join(events)
