"""Server-sent events (WHATWG HTML, 9.2) for any number of readers, which can be slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Generic, TypeVar

#: Events that a slow reader may be behind before it loses some.
BEHIND = 1000
#: Seconds between comments that keep a silent stream alive through proxies.
KEEPALIVE = 15.0
#: Seconds between two writes to one reader: an event that comes alone goes out at once, 500 a second are 20 writes.
PAUSE = 0.05

E = TypeVar("E")


def event(data: bytes, name: bytes = b"") -> bytes:
    """An event whose data is one line, as it is sent."""
    return (b"event: " + name + b"\n" if name else b"") + b"data: " + data + b"\n\n"


class Broadcast(Generic[E]):
    """Readers of one kind of event, each of which may put it into bytes its own way.

    follow: called with `tell` when the first reader comes; what it returns is called when the last one has gone. So
    what nobody reads is not made. behind: events that a slow reader may be behind before it loses some. size: how much
    is lost with an event.
    """

    def __init__(
        self,
        follow: Callable[[Callable[[E], None]], Callable[[], None]],
        *,
        behind: int = BEHIND,
        size: Callable[[E], int] = lambda _: 1,
    ) -> None:
        self._follow = follow
        self._behind = behind
        self._size = size
        self._stop: Callable[[], None] = lambda: None
        self._readers: set[_Reader[E]] = set()

    @property
    def readers(self) -> int:
        return len(self._readers)

    def tell(self, event: E) -> None:
        """Give an event to every reader; never waits. Who is too far behind loses it, and is told how much it lost."""
        for reader in self._readers:
            reader.take(event)

    async def read(self, encode: Callable[[E], bytes]) -> AsyncGenerator[bytes, None]:
        """Every event from the first piece on, which is a comment. An event "lost" says how much is missing."""
        reader = _Reader[E](self._behind, self._size)
        if not self._readers:
            self._stop = self._follow(self.tell)
        self._readers.add(reader)
        try:
            yield b": watching\n\n"
            while True:
                events, lost = await reader.next()
                told = b"".join(map(encode, events))
                if lost:
                    told += event(b'{"lost":%d}' % lost, b"lost")
                # Nothing for long, or nothing for this reader: a comment, which shows that the stream lives.
                yield told or b":\n\n"
                await asyncio.sleep(PAUSE)
        finally:
            self._readers.discard(reader)
            if not self._readers:
                self._stop()


class _Reader(Generic[E]):
    def __init__(self, behind: int, size: Callable[[E], int]) -> None:
        self._behind, self._size = behind, size
        self._events: list[E] = []
        self._lost = 0
        self._some = asyncio.Event()

    def take(self, event: E) -> None:
        if len(self._events) < self._behind:
            self._events.append(event)
            self._some.set()
        else:
            self._lost += self._size(event)

    async def next(self) -> tuple[list[E], int]:
        """What came since the last time, and how much was lost behind that; nothing when that is so for long."""
        try:
            async with asyncio.timeout(KEEPALIVE):
                await self._some.wait()
        except TimeoutError:
            return [], 0
        self._some.clear()
        events, self._events = self._events, []
        lost, self._lost = self._lost, 0
        return events, lost
