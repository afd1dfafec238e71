"""The queries of all processes in one stream: put in order, with the pods that asked, and with what belongs together.

While nobody looks nothing of this exists: the first one makes every process show a part of what it answers
(`minidns.server.tap`), the last one ends that.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import time

import msgspec

from minidns.admin.running import Running
from minidns.explain.question import name_text
from minidns.server.http.broadcast import Broadcast
from minidns.server.tap import SLICE
from minidns.views.pods import PodNames
from minidns.views.queries import Query, Slice
from minidns.views.shares import Counting
from minidns.views.walks import Walks

#: Seconds from the end of a slice until it is passed on: by then every process has told of it.
GRACE = 0.1
#: Batches that a slow reader may be behind: four seconds.
BEHIND = 16


class Batch(msgspec.Struct, frozen=True):
    """The queries of one slice of time, of `seen` that were answered in it."""

    seen: int
    queries: tuple[Query, ...]


class Feed:
    """The stream, and the shares of its last minute."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._lookers = 0
        self._slices: list[Slice] = []
        self._task: asyncio.Task[None] | None = None
        self._pods = PodNames()
        self._walks = Walks("")
        self.counting = Counting(0.0)
        self.batches: Broadcast[Batch] = Broadcast(self._follow, behind=BEHIND, size=lambda batch: len(batch.queries))

    @contextmanager
    def looked_at(self) -> Iterator[None]:
        """Queries are shown and counted inside."""
        self._begin()
        try:
            yield
        finally:
            self._end()

    def _follow(self, _: Callable[[Batch], None]) -> Callable[[], None]:
        self._begin()
        return self._end

    def _begin(self) -> None:
        self._lookers += 1
        if self._lookers == 1:
            origin = name_text(self._running.generation.site.zones[0].settings.origin)
            self._walks, self.counting = Walks(origin), Counting(time())
            self._running.answering.tap(self._slices.append)
            self._task = asyncio.create_task(self._run(), name="query feed")

    def _end(self) -> None:
        self._lookers -= 1
        if not self._lookers and self._task is not None:
            self._running.answering.tap(None)
            self._task.cancel()
            self._slices.clear()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(SLICE - (time() - GRACE) % SLICE)
            if self._slices:
                slices = self._slices[:]
                self._slices.clear()
                self.batches.tell(self._merged(slices))

    def _merged(self, slices: list[Slice]) -> Batch:
        now = time()
        weighted = sorted(
            ((query, one.weight) for one in slices for query in one.queries), key=lambda pair: pair[0].time
        )
        seen = sum(one.seen for one in slices)
        self.counting.seen(seen, len(weighted), now)
        return Batch(seen, tuple(self._known(query, weight, now) for query, weight in weighted))

    def _known(self, query: Query, weight: float, now: float) -> Query:
        """A query with what this process knows of it."""
        namespace, pod = self._pods.find(self._running.generation.site.zones[0].cluster, packed(query.client)) or (
            None,
            None,
        )
        place = self._walks.add(query)
        known = msgspec.structs.replace(
            query, namespace=namespace, pod=pod, walk=place.walk, step=place.step, search=place.search
        )
        self.counting.add(known, place, weight, now)
        return known


def packed(client: str) -> bytes:
    """The packed form of a client's address as sockets have it, which may have a scope."""
    family = socket.AF_INET6 if ":" in client else socket.AF_INET
    return socket.inet_pton(family, client.partition("%")[0])
