"""Who asks what, and what comes back: each query as it is answered, and the shares of the last minute."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from time import time

import msgspec

from minidns.admin.feed import Batch, Feed
from minidns.admin.running import Running
from minidns.server.http.broadcast import event
from minidns.server.http.endpoint import EVENTS, JSON, Asked, Endpoint, Reply
from minidns.views.queries import FILTERS, Filter

#: Seconds between two snapshots of the shares, and the most that one is waited for.
PERIOD, LONGEST = 1.0, 60.0


def endpoints(running: Running) -> tuple[Endpoint, ...]:
    feed = Feed(running)

    async def on_queries(asked: Asked) -> Reply:
        wanted = Filter.of(asked.query)

        def encode(batch: Batch) -> bytes:
            shown = {"seen": batch.seen, "shown": len(batch.queries)}
            told = [event(msgspec.json.encode(query)) for query in batch.queries if wanted.passes(query)]
            return b"".join((*told, event(msgspec.json.encode(shown), b"sample")))

        return Reply(feed.batches.read(encode), EVENTS)

    async def on_top(asked: Asked) -> Reply:
        if not asked.query.get("seconds"):
            return Reply(_snapshots(feed), EVENTS)
        seconds = float(asked.query["seconds"])
        if not 0 < seconds <= LONGEST:
            raise ValueError(f"seconds: from 0 to {LONGEST:g}, not {asked.query['seconds']}")
        with feed.looked_at():
            await asyncio.sleep(seconds)
            return Reply(msgspec.json.encode(feed.counting.snapshot(time())), JSON)

    return (
        Endpoint(
            path="/queries",
            doc="server-sent events, one per query that is answered, its data JSON",
            parameters=FILTERS,
            handler=on_queries,
            follows=True,
        ),
        Endpoint(
            path="/top",
            doc="who asks how much of what, in the last minute: server-sent events, one per second, its data JSON",
            parameters={"seconds": "look for so long, and answer once, in JSON"},
            handler=on_top,
            follows=True,
        ),
    )


async def _snapshots(feed: Feed) -> AsyncGenerator[bytes, None]:
    with feed.looked_at():
        yield b": watching\n\n"
        while True:
            await asyncio.sleep(PERIOD)
            yield event(msgspec.json.encode(feed.counting.snapshot(time())))
