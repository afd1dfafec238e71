"""What secondaries cost, and how they keep up: `python -m benchmarks.secondaries`, one table from one run.

Whole zones are of the cluster of `benchmarks.scale`, the rest is of that of `benchmarks.cluster`: 10,000 Services and
5,000 endpoints. Core 0 is minidns's (and that of what it is compared with, while minidns rests), core 1 is shared by
the API server, the secondaries and the clock. A part that takes longer than it should ends the run: `PARTS`.

- whole: a whole zone, of minidns and of a Knot that serves the same zone, to the same Knot as the secondary: records
  per second by that one's log, the primary's CPU time; the longest wait for an answer of minidns meanwhile, its memory.
- followed: from an event on the wire to the new answer of a secondary, which is alone with it, while so many changes
  come per second; questions per second of a node's Knot and Unbound beside minidns's own.
- light: with light secondaries (`benchmarks.followers`), CPU time of minidns for a change, and questions per second
  that minidns answers beside it, for each second of CPU time at full load: others may use its core.
"""

from __future__ import annotations

import asyncio
import gc
import os
import re
import signal
import subprocess
import sys
import tempfile
from ipaddress import IPv4Address
from pathlib import Path
from time import perf_counter
from typing import NoReturn

import dns.message

from benchmarks import cluster, scale
from benchmarks.followers import ZONE
from benchmarks.light import light
from benchmarks.primary import (
    LARGE,
    SMALL,
    FollowError,
    churn,
    filled,
    full_load,
    primary,
    questions,
    running,
    told,
    until,
)
from benchmarks.processes import cpu_time, started
from tests.support.apiserver import ApiServer
from tests.support.neighbours import free_port
from tests.support.secondaries import Knot, Server, Unbound

#: Seconds that each part may take.
PARTS = {"whole": 300, "followed": 240, "light": 180}
RATES, EVENTS = (1, 100, 500), 100
#: Where servers keep what they write: not on a disk that others use too.
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
#: Seconds between two questions about what an event changed.
LOOK = 0.001
#: A Knot that serves the same zone from a file.
PRIMARY = """\
server:
    rundir: "{folder}"
    listen: "127.0.0.1@{port}"
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "{folder}"
log:
  - target: stderr
    any: info
acl:
  - id: everybody
    address: 127.0.0.1
    action: transfer
zone:
  - domain: {zone}
    file: "{folder}/zone"
    acl: everybody
    semantic-checks: off
    zonefile-sync: -1
    journal-content: none
"""
_FINISHED = re.compile(r"AXFR, incoming.* finished.*?, (?:serial.*?, )?([0-9.]+) seconds, (\d+) messages, (\d+) bytes")


async def whole(_: ApiServer, folder: Path) -> None:
    """The whole zone, by minidns and by Knot, to a Knot."""
    port = free_port()
    secondary, again = (Knot(folder / name, port, zones=(ZONE,)) for name in ("whole-minidns", "whole-again"))
    async with primary(folder, port, ["127.0.0.1"], LARGE) as process:
        scale.reset_peak(process.pid)
        before = scale.peak(process.pid)
        count, zone = await asyncio.to_thread(_counted, port)
        (folder / "zone").write_text(zone)
        client = await scale.Client.open(port)
        used = sum(cpu_time(process.pid))
        with running(secondary):
            await until(secondary, LARGE)
        used = sum(cpu_time(process.pid)) - used
        grown = scale.peak(process.pid) / before - 1
        rest = await scale.waits(client, asyncio.create_task(asyncio.sleep(2)))
        # Another one for the waits: a question per millisecond takes of the secondary's core.
        with running(again):
            fetched = asyncio.create_task(until(again, LARGE))
            waits = await scale.waits(client, fetched)
            await fetched
    rate = _told_whole("minidns", secondary, count, used)
    told("  memory grows by (target: a tenth)", f"{grown:.1%}")
    told("  an answer of minidns at rest", scale.spread(rest))
    told("  and meanwhile (target: 10 ms)", scale.spread(waits))
    home = folder / "knot-primary"
    home.mkdir()
    (folder / "zone").rename(home / "zone")
    port = free_port()
    (home / "conf").write_text(PRIMARY.format(folder=home, port=port, zone=ZONE))
    other = Knot(folder / "whole-knot", port, zones=(ZONE,))
    with started([other.path, "-c", str(home / "conf")], core=0, log=home / "log") as process:
        client = await scale.Client.open(port)
        try:
            await scale.until_answered(client, *LARGE, pause=0.05)
        except TimeoutError:
            raise FollowError(f"Knot does not answer: {(home / 'log').read_text()}") from None
        used = sum(cpu_time(process.pid))
        with running(other):
            await until(other, LARGE)
        used = sum(cpu_time(process.pid)) - used
    told("  minidns's rate to Knot's (target: 0.5)", f"{rate / _told_whole('Knot', other, count, used):.2f}")


def _counted(port: int) -> tuple[int, str]:
    """The records of the zone, and its zone file, as dig has it from a transfer."""
    command = f"dig @127.0.0.1 -p {port} +noall +answer +onesoa {ZONE} AXFR".split()
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return text.count("\n"), text


def _told_whole(name: str, secondary: Server, count: int, used: float) -> float:
    log = secondary.folder.joinpath("log").read_text()
    found = _FINISHED.search(log)
    if found is None:
        raise FollowError(f"no transfer in the log of {secondary.program}: {log[-1000:]}")
    seconds = float(found[1])
    what = f"{count / seconds:,.0f} records/s ({seconds:.2f} s, {int(found[3]) / 1e6:.1f} MB, {found[2]} messages)"
    told(f"AXFR of {count:,} records by {name}", f"{what}, CPU {used / count * 1e6:.2f} us/record")
    return count / seconds


def _put(server: ApiServer, number: int, address: str) -> bytes:
    """The one endpoint of a Service has that address now; returns the question for it."""
    name = cluster.headless_name("db", number)
    endpoint = {"addresses": [address], "hostname": "probe", "conditions": {"ready": True}}
    server.put("endpointslices", cluster.endpoint_slice("db", number, [endpoint]))
    return dns.message.make_query(f"probe.{name}", "A").to_wire()


async def following(server: ApiServer, secondary: Server, rate: int) -> list[float]:
    """Milliseconds from an event on the wire to the secondary's answer, while `rate` changes come per second."""
    client = await scale.Client.open(secondary.port)
    events = 15 if rate == 1 else EVENTS
    task = asyncio.create_task(churn(server, rate)) if rate > 1 else None
    found = []
    await asyncio.sleep(0.5)
    try:
        for step in range(events):
            number, where = step % 100, str(IPv4Address("172.16.0.0") + server.version % 0xFFFFF)
            query = _put(server, number, where)
            start = perf_counter()
            try:
                await scale.until_answered(client, query, where, LOOK)
            except TimeoutError:
                raise FollowError(f"{secondary.program} does not follow: {secondary.log()}") from None
            found.append((perf_counter() - start) * 1000)
            # No two at the same place of the interval between two notifications.
            await asyncio.sleep(1 if rate == 1 else 0.02 + step % 7 * 0.007)
    finally:
        if task is not None:
            task.cancel()
    return sorted(found)


def _move(pid: int, core: int) -> None:
    """A process with all of its threads to a core."""
    subprocess.run(["taskset", "-a", "-c", "-p", str(core), str(pid)], check=True, stdout=subprocess.DEVNULL)


async def followed(server: ApiServer, folder: Path) -> None:
    """Real secondaries: how fast they follow, and how many questions they answer."""
    asked, own = questions(folder), 0.0
    for kind in (Unbound, Knot):
        port = free_port()
        one: Server = kind(folder / kind.program, port, zones=(ZONE,))
        if isinstance(one, Unbound):
            one.has_file = False  # half a million records, at each change
        async with primary(folder, port, [f"127.0.0.1:{one.port}"], SMALL) as process:
            with running(one):
                await until(one, SMALL)
                for pace in RATES:
                    found = await following(server, one, pace)
                    goal = " (target: median 50, p99 300)" if pace == 100 else ""
                    told(f"event to {one.program}'s answer, {pace} changes/s{goal}", scale.spread(found))
                if not own:
                    queries, own = await full_load(port, process.pid, asked)
                    told("queries/s of minidns", f"{queries:,.0f}, CPU {own:.2f} us/query")
                _move(one.pid, 0)
                queries, cpu = await full_load(one.port, one.pid, asked)
                what = f"{queries:,.0f}, CPU {cpu:.2f} us/query, {cpu / own:.2f} of minidns's"
                told(f"  of a node's {one.program}", what)


async def main() -> int:
    """Builds the clusters, and measures."""
    os.sched_setaffinity(0, {1})
    gc.disable()  # a pause of this process must not look like one of minidns's
    only = sys.argv[1:] or list(PARTS)
    if unknown := set(only) - set(PARTS):
        print(f"benchmarks: no part {', '.join(sorted(unknown))}: there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    part = ""

    def end(*_: object) -> NoReturn:
        raise FollowError(f"{part} is not done after {PARTS[part]} seconds")

    signal.signal(signal.SIGALRM, end)
    try:
        for part, measure in (("whole", whole), ("followed", followed), ("light", light)):
            if part in only:
                signal.alarm(PARTS[part])
                with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
                    async with filled(Path(folder), large=part == "whole") as server:
                        await measure(server, Path(folder))
    except FollowError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
