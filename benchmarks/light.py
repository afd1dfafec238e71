"""What many light secondaries cost minidns (`benchmarks.secondaries`)."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.followers import Told, address
from benchmarks.primary import SMALL, FollowError, churn, full_load, primary, questions, told
from benchmarks.processes import cpu_time, started
from tests.support.apiserver import ApiServer
from tests.support.neighbours import free_port

#: How many follow: nobody at the beginning and at the end, as others use this machine, too. Changes a second, and
#: seconds of them.
FOLLOWERS, CHANGES, SECONDS = (0, 1, 10, 100, 0), 100, 5.0


async def light(server: ApiServer, folder: Path) -> None:
    """What minidns does for a change, and how much less for questions, with so many light secondaries."""
    asked = questions(folder)
    found = [(count, await _followed_by(server, folder, count, asked)) for count in FOLLOWERS]
    none = [one for count, one in found if not count]
    alone, free = (sum(getattr(one, what) for one in none) / len(none) for what in ("change", "queries"))
    told(f"{CHANGES} changes/s, nobody follows", f"{alone * 1e6:,.0f} us of CPU for each")
    told("  and queries at full load", f"{free:,.0f} for a second of CPU ({none[0].rate:,.0f}/s)")
    for count, one in found:
        if not count:
            continue
        more, goal = one.change - alone, " (target: under 10%)" if count <= 10 else ""
        told(
            f"  {count} follow{'s' if count == 1 else ''}{goal}",
            f"{more * CHANGES:.1%} of a core more, {more / count * 1e6:,.0f} us for each change and secondary",
        )
        told(f"  and queries{goal}", f"{1 - one.queries / free:.1%} less for a second of CPU ({one.rate:,.0f}/s)")
        behind = f", {one.behind} are behind 2 s after the last change" if one.behind else ""
        told(
            "  transfers",
            f"{one.transfers:.1f}/s to each of {one.size:,.0f} bytes, {one.refused} refused{behind}",
        )


class Cost(NamedTuple):
    """change: seconds of CPU time. queries: for a second of CPU time; rate: for a second. transfers: a second to each,
    of `size` bytes. behind: how many are, 2 s after the last change."""

    change: float
    queries: float
    rate: float
    transfers: float
    size: float
    refused: int
    behind: int


async def _followed_by(server: ApiServer, folder: Path, count: int, asked: Path) -> Cost:
    port, at = free_port(), free_port()
    async with primary(folder, port, [f"{address(number)}:{at}" for number in range(count)], SMALL) as process:
        command = [sys.executable, "-m", "benchmarks.followers", str(port), str(at), str(count or 1)]
        with started(command, core=1, log=folder / "followers.log") as followers:
            await asyncio.sleep(1)
            task = asyncio.create_task(churn(server, CHANGES))
            await asyncio.sleep(1)
            before, used, version = _said(followers), sum(cpu_time(process.pid)), server.version
            await asyncio.sleep(SECONDS)
            used, version, after = sum(cpu_time(process.pid)) - used, server.version - version, _said(followers)
            answers, cpu = await full_load(port, process.pid, asked)
            task.cancel()
            await asyncio.sleep(2)
            last = _said(followers)
    transfers = after.transfers - before.transfers
    return Cost(
        change=used / version,
        queries=1e6 / cpu,
        rate=answers,
        transfers=transfers / SECONDS / max(count, 1),
        size=(after.bytes - before.bytes) / max(transfers, 1),
        refused=last.refused,
        behind=count - last.latest if count else 0,
    )


def _said(followers: subprocess.Popen[str]) -> Told:
    assert followers.stdin
    assert followers.stdout
    followers.stdin.write("\n")
    followers.stdin.flush()
    line = followers.stdout.readline()
    if not line:
        raise FollowError("benchmarks.followers has ended")
    return msgspec.json.decode(line, type=Told)
