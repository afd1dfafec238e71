"""Whether a server is what it was: its answers, its memory, its descriptors, its log."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from tests.soak import answers
from tests.soak.faults import children
from tests.soak.secondary import ZONES, Secondary
from tests.soak.world import World
from tests.support.running import Running

#: Seconds that a server gets to become what it was: its waits for an API server grow to thirty.
RECOVERY = 60.0
#: Of the memory and the descriptors before, what there may be after.
GROWTH = 1.10
#: Bytes that each process may add when it was measured after less than a minute: the journal of transfers, the cache
#: and what the interpreter sets aside have not been full by then.
FILLING = 16 << 20


@dataclass(frozen=True, slots=True)
class Size:
    """Of all processes of a server. memory: bytes, what they share counted in each. descriptors: those in use."""

    memory: int
    descriptors: int

    def __str__(self) -> str:
        return f"{self.memory / 1e6:.1f} MB, {self.descriptors} descriptors"


def size(running: Running) -> Size:
    """Memory is what is resident (Rss, proc_pid_smaps(5)): how much of it is shared varies with what is looked at."""
    memory = descriptors = 0
    for pid in (running.process.pid, *children(running.process.pid)):
        with suppress(OSError):  # a worker that ends just now
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            memory += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Rss:"))
            links = [Path(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")]
            # A worker holds the numbers of its parent's connections, so that they are not used again.
            descriptors += sum(os.path.lexists(link) and os.readlink(link) != os.devnull for link in links)
    return Size(memory, descriptors)


async def comes_true(condition: Callable[[], bool], patience: float = RECOVERY) -> bool:
    """Whether it does in time. An OSError (a busy machine, places that others have) is not yet."""
    deadline = monotonic() + patience
    while monotonic() < deadline:
        with suppress(OSError):
            if await asyncio.to_thread(condition):
                return True
        await asyncio.sleep(0.1)
    return False


async def judge(world: World, fresh: Running, secondary: Secondary, before: Size, *, warm: bool) -> None:
    """Note as findings whatever is not as it must be. warm: whether `before` was measured after a minute of storm."""
    running = world.running
    if not await comes_true(lambda: answers.zones(running) == answers.zones(fresh)):
        world.found("the server has not what the cluster has")
    right = await asyncio.to_thread(answers.zones, fresh)
    served = await asyncio.to_thread(answers.zones, running)
    for zone in ZONES:
        while not await secondary.transfer(world, zone):  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.5)
        for who, rows in (("the server", served[zone]), ("a secondary", secondary.rows(zone))):
            for finding in answers.unlike(right[zone], rows, who):
                world.found(finding)
    world.counts["answers compared"], wrong = await asyncio.to_thread(answers.compare, running, fresh)
    for finding in (*wrong, *complaints(running)):
        world.found(finding)
    after = size(running)

    def small() -> bool:
        nonlocal after
        after = size(running)
        most = before.memory * GROWTH + (0 if warm else FILLING * (1 + len(children(running.process.pid))))
        return after.memory <= most and after.descriptors <= before.descriptors * GROWTH

    if not await comes_true(small, 20.0):
        world.found(f"it was {before}, and is {after} now")
    world.sizes = f"{before} before, {after} after, {len(running.lines):,} lines of log"


def complaints(running: Running) -> list[str]:
    """What a log must not have, each with the lines after it."""
    lines = running.lines
    return [
        "\n    ".join(lines[at : at + 30]) for at, line in enumerate(lines) if "Traceback" in line or "CRITICAL" in line
    ]
