"""One server from its start to the verdict: a storm to warm up, a calm to measure, the storm, and the end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from tests.soak import api, faults, load, packets, streams, upstream, verdict
from tests.soak.secondary import Secondary
from tests.soak.verdict import Size
from tests.soak.world import World, random_of
from tests.support.apiserver import ApiServer
from tests.support.neighbours import Scripted, scripted
from tests.support.running import Running, minidns

#: Seconds of the storm before memory is measured, at most.
WARMING = 60.0
#: Seconds in which nothing is done, before and after the changes that are the last ones; and how many those are.
SETTLING, LAST = 1.5, 300
#: Seconds that the parts of a storm get to end: those of them that wait for an answer.
ENDING = 60.0


async def soak(folder: Path, seed: str, workers: int, seconds: float) -> World:
    """Let it storm for so many seconds; `World.findings` has what must not be."""
    script = upstream.script(random_of(seed, workers, "upstream"))
    async with ApiServer() as server, scripted(script) as answering:
        api.reset(server, seed)
        world = World(seed, workers, folder, Running(None), server, answering.port)  # type: ignore[arg-type]
        async with _minidns(world, folder / "Corefile", workers) as world.running:
            secondary = Secondary()
            if not await verdict.comes_true(lambda: world.running.said("synced in")):
                world.found("it has not become ready")
            warming = min(WARMING, seconds / 3)
            await _storm(world, secondary, answering, warming)
            before = await _calm(world)
            await _storm(world, secondary, answering, seconds - warming)
            await _calm(world)
            async with _minidns(world, folder / "fresh", 1) as fresh:
                await verdict.judge(world, fresh, secondary, before, warm=warming == WARMING)
        if world.running.process.returncode:
            world.found(f"it ended with {world.running.process.returncode}")
    return world


async def _storm(world: World, secondary: Secondary, answering: Scripted, seconds: float) -> None:
    world.storming = True
    parts: list[Coroutine[Any, Any, None]] = [
        *(load.over_udp(world, number) for number in range(load.UDP_CLIENTS)),
        *(load.over_tcp(world, number) for number in range(load.TCP_CLIENTS)),
        *(packets.over_tcp(world, number) for number in range(packets.CONNECTIONS)),
        *(streams.reader(world, number) for number in range(streams.READERS)),
        packets.over_udp(world),
        secondary.run(world),
        upstream.hang_ups(world, answering),
        api.churn(world),
        api.faults(world),
        faults.reloads(world),
        faults.kills(world),
    ]
    try:
        async with asyncio.timeout(seconds + ENDING), asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(part)
            await _until_over(world, monotonic() + seconds)
            world.storming = False
    except TimeoutError:
        world.found(f"the clients have not ended {ENDING:g} s after the storm")
    if world.running.process.poll() is not None:
        raise AssertionError(f"the server ended: {world.running.lines[-30:]}")


async def _until_over(world: World, deadline: float) -> None:
    while monotonic() < deadline and world.running.process.poll() is None:  # noqa: ASYNC110 - time is what is waited for
        await asyncio.sleep(0.1)


async def _calm(world: World) -> Size:
    """The cluster and the configuration of the start; returns the size of the server once it has them."""
    api.heal(world.api)
    faults.configure(world, faults.corefile(world))
    await asyncio.sleep(SETTLING)
    # Workers that are there now have to follow changes; those that begin later have all of them from the start.
    await api.changes(world, LAST)
    api.reset(world.api, world.seed)
    await asyncio.sleep(SETTLING)
    return verdict.size(world.running)


@asynccontextmanager
async def _minidns(world: World, corefile: Path, workers: int) -> AsyncIterator[Running]:
    """A server with the configuration of the start. Starting and ending it holds up nobody."""
    await asyncio.to_thread(corefile.write_text, faults.corefile(world))
    manager = minidns("--conf", str(corefile), "--workers", str(workers))
    running = await asyncio.to_thread(manager.__enter__)
    try:
        yield running
    finally:
        await asyncio.to_thread(manager.__exit__, *sys.exc_info())
