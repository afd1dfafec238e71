"""The API server of the benchmarks, a process of its own: it prints its URL, then obeys lines on its standard input.

`churn`: send CHANGES slice changes per second. `rest`: stop that. It ends with its input. With the argument `huge` it
has what is in `cluster.huge`, too.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator

import msgspec

from benchmarks import cluster
from benchmarks.cluster import JSON
from tests.support.apiserver import ApiServer

#: Changes per second, and how many of them go out at a time.
CHANGES, AT_ONCE = 500, 5


async def main() -> None:
    async with ApiServer() as server:
        objects = cluster.objects()
        for resource, items in cluster.huge().items() if "huge" in sys.argv else ():
            objects[resource] += items
        for resource, items in objects.items():
            server.load(resource, [msgspec.json.encode(item) for item in items], version=1)
        print(server.url, flush=True)
        changes = cluster.changes()
        task: asyncio.Task[None] | None = None
        async for line in _lines():
            if task is not None:
                task.cancel()
            task = asyncio.create_task(_churn(server, changes)) if line == "churn" else None


async def _churn(server: ApiServer, changes: Iterator[JSON]) -> None:
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        for _ in range(AT_ONCE):
            server.put("endpointslices", next(changes))
        server.trim()
        due += AT_ONCE / CHANGES
        await asyncio.sleep(due - loop.time())


async def _lines() -> AsyncIterator[str]:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async for line in reader:
        yield line.decode().strip()


if __name__ == "__main__":
    asyncio.run(main())
