"""What secondaries cost, and how they keep up: `python -m benchmarks.secondaries`, one table from one run.

Whole zones are of the cluster of `benchmarks.scale`, the rest is of that of `benchmarks.cluster`: 10,000 Services and
5,000 endpoints. Core 0 is minidns's (and that of what it is compared with, while minidns rests), core 1 is shared by
the API server, the secondaries and the clock.

- A whole zone, of minidns and of a Knot that serves the same zone, to the same Knot as the secondary: records per
  second by that one's log, the primary's CPU time; the longest wait for an answer of minidns meanwhile, its memory.
- From an event on the wire to the new answer of a secondary, while so many changes come per second.
- CPU time of minidns for a change and a secondary, with light secondaries (`benchmarks.followers`).
- Questions per second of a node's Knot and Unbound beside minidns's own.
"""

from __future__ import annotations

import asyncio
import gc
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from time import perf_counter

import dns.message
import msgspec

from benchmarks import cluster, scale
from benchmarks.followers import ZONE, Told, address
from benchmarks.processes import cpu_time, started
from minidns.cli import bench
from tests.support.apiserver import ApiServer
from tests.support.neighbours import free_port
from tests.support.secondaries import Knot, Server, Unbound

RATES, FOLLOWERS, FOLLOWED = (1, 100, 500), (1, 10, 100), 100
EVENTS, SECONDS, QUERIES = 100, 5.0, 4.0
#: Where servers keep what they write: not on a disk that others use too.
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
#: Seconds between two questions about what an event changed.
LOOK = 0.001
COREFILE = """
{zone}:{port} in-addr.arpa:{port} {{
    bind 127.0.0.1
    kubernetes {{
        kubeconfig {folder}/kubeconfig main
        ttl 5
    }}
    {transfer}
}}
"""
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


#: What is asked for to know that all is there, and its address: the last that is listed.
Last = tuple[bytes, str]
LARGE = scale.question(scale.HEADLESS - 1, 99), scale.address(scale.HEADLESS - 1, 99, 0)
SMALL = dns.message.make_query(cluster.endpoint_name("wide", 9, 99), "A").to_wire(), "10.128.19.135"


class FollowError(Exception):
    """A server does not do what it has to; the text says which."""


def told(what: str, value: str) -> None:
    """A line of the table."""
    print(f"{what:52}  {value}", flush=True)


@contextmanager
def minidns(folder: Path, port: int, to: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """minidns, that lets these addresses have the zone and tells them of changes."""
    corefile = folder / "Corefile"
    transfer = f"transfer {ZONE} {{\n to {' '.join(to)}\n }}" if to else ""
    corefile.write_text(COREFILE.format(zone=ZONE, port=port, folder=folder, transfer=transfer))
    command = [sys.executable, "-m", "minidns", "serve", "--conf", str(corefile), "--log", "warning"]
    with started([*command, "--admin", f"127.0.0.1:{free_port()}"], core=0, log=folder / "minidns.log") as process:
        yield process


@asynccontextmanager
async def primary(folder: Path, port: int, to: Sequence[str], last: Last) -> AsyncIterator[subprocess.Popen[str]]:
    """The same, once it answers from everything."""
    with minidns(folder, port, to) as process:
        client = await scale.Client.open(port)
        try:
            await scale.until_answered(client, *last, pause=0.05)
        except TimeoutError:
            raise FollowError(f"minidns does not answer: {(folder / 'minidns.log').read_text()}") from None
        await asyncio.sleep(1)
        yield process


async def until(server: Server, last: Last) -> None:
    """Wait until a secondary has everything."""
    client = await scale.Client.open(server.port)
    try:
        await scale.until_answered(client, *last, pause=0.05)
    except TimeoutError:
        raise FollowError(f"{server.program} does not follow: {server.log()}") from None


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """A secondary, on this core."""
    server.start()
    try:
        yield server
    finally:
        server.stop()


async def whole(folder: Path) -> None:
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


async def churn(server: ApiServer, rate: float) -> None:
    """Changes without end."""
    due = perf_counter()
    for item in cluster.changes():
        server.put("endpointslices", item)
        server.trim()
        due += 1 / rate
        await asyncio.sleep(due - perf_counter())


def _put(server: ApiServer, number: int, address: str) -> bytes:
    """The one endpoint of a Service has that address now; returns the question for it."""
    name = cluster.headless_name("db", number)
    endpoint = {"addresses": [address], "hostname": "probe", "conditions": {"ready": True}}
    server.put("endpointslices", cluster.endpoint_slice("db", number, [endpoint]))
    return dns.message.make_query(f"probe.{name}", "A").to_wire()


async def following(server: ApiServer, secondary: Server, rate: int) -> list[float]:
    """Milliseconds from an event on the wire to the secondary's answer, while `rate` changes come per second."""
    client = await scale.Client.open(secondary.port)
    events = 20 if rate == 1 else EVENTS
    task = asyncio.create_task(churn(server, rate)) if rate > 1 else None
    found = []
    await asyncio.sleep(0.5)
    try:
        for step in range(events):
            number, address = step % 100, str(IPv4Address("172.16.0.0") + server.version % 0xFFFFF)
            query = _put(server, number, address)
            start = perf_counter()
            await scale.until_answered(client, query, address, LOOK)
            found.append((perf_counter() - start) * 1000)
            # No two at the same place of the interval between two notifications.
            await asyncio.sleep(1 if rate == 1 else 0.02 + step % 7 * 0.007)
    finally:
        if task is not None:
            task.cancel()
    return sorted(found)


async def light(server: ApiServer, folder: Path) -> None:
    """CPU time of a change for each of many light secondaries."""
    port, at = free_port(), free_port()
    alone = 0.0
    for count in (0, *FOLLOWERS):
        async with primary(folder, port, [f"{address(number)}:{at}" for number in range(count)], SMALL) as process:
            command = [sys.executable, "-m", "benchmarks.followers", str(port), str(at), str(count or 1)]
            with started(command, core=1, log=folder / "followers.log") as followers:
                await asyncio.sleep(1)
                task = asyncio.create_task(churn(server, FOLLOWED))
                await asyncio.sleep(1)
                before, used, version = _said(followers), sum(cpu_time(process.pid)), server.version
                await asyncio.sleep(SECONDS)
                used, version, after = sum(cpu_time(process.pid)) - used, server.version - version, _said(followers)
                task.cancel()
                await asyncio.sleep(1)
                last = _said(followers)
        each = used / version * 1e6
        if not count:
            alone = each
            told(f"CPU of a change, {FOLLOWED} changes/s, nobody follows", f"{each:,.0f} us")
            continue
        transfers = after.transfers - before.transfers
        per = f"{(each - alone) / count:,.0f} us/change/secondary"
        how = (
            f"{transfers / count / SECONDS:.1f} transfers/s each, {(after.bytes - before.bytes) / transfers:,.0f} bytes"
        )
        if refused := after.refused - before.refused:
            how += f", {refused} refused"
        told(
            f"  {count} follow{'s' if count == 1 else ''}",
            f"{per}, {(each - alone) * version / SECONDS / 1e6:.1%} of a core more; {how}",
        )
        if last.latest != count:
            raise FollowError(f"{count - last.latest} of {count} secondaries are behind")


def _said(followers: subprocess.Popen[str]) -> Told:
    assert followers.stdin
    assert followers.stdout
    followers.stdin.write("\n")
    followers.stdin.flush()
    return msgspec.json.decode(followers.stdout.readline(), type=Told)


async def rates(process: subprocess.Popen[str], port: int, secondaries: Sequence[Server]) -> None:
    """Questions per second of a node's servers, and of minidns itself."""
    questions = secondaries[0].folder / "questions"
    questions.write_text("".join(f"{cluster.service_name(n)} A\n" for n in range(cluster.SERVICES)))
    own = await _rate(port, process.pid, questions)
    told("queries/s of minidns", f"{own[0]:,.0f}, CPU {own[1]:.2f} us/query")
    for secondary in secondaries:
        _move(secondary.pid, 0)
        rate, cpu = await _rate(secondary.port, secondary.pid, questions)
        _move(secondary.pid, 1)
        told(
            f"  of a node's {secondary.program}",
            f"{rate:,.0f}, CPU {cpu:.2f} us/query, {cpu / own[1]:.2f} of minidns's",
        )


async def _rate(port: int, pid: int, questions: Path) -> tuple[float, float]:
    """(queries/s, CPU microseconds per query) at full load, once everything has been asked for."""
    await asyncio.to_thread(bench.measure, bench.command(f"127.0.0.1:{port}", questions, 1.0))
    used = sum(cpu_time(pid))
    result = await asyncio.to_thread(bench.measure, bench.command(f"127.0.0.1:{port}", questions, QUERIES))
    return result.rate, (sum(cpu_time(pid)) - used) / result.completed * 1e6


def _move(pid: int, core: int) -> None:
    """A process with all of its threads to a core."""
    subprocess.run(["taskset", "-a", "-c", "-p", str(core), str(pid)], check=True, stdout=subprocess.DEVNULL)


async def followed(server: ApiServer, folder: Path) -> None:
    """Real secondaries: how fast they follow, and how many questions they answer."""
    port = free_port()
    knot, unbound = Knot(folder / "knot", port, zones=(ZONE,)), Unbound(folder / "unbound", port, zones=(ZONE,))
    unbound.has_file = False  # half a million records, at each change
    to = [f"127.0.0.1:{one.port}" for one in (knot, unbound)]
    async with primary(folder, port, to, SMALL) as process:
        with running(knot), running(unbound):
            for one in (knot, unbound):
                await until(one, SMALL)
            for one in (knot, unbound):
                for rate in RATES:
                    found = await following(server, one, rate)
                    told(f"event to {one.program}'s answer, {rate} changes/s", scale.spread(found))
            await rates(process, port, (knot, unbound))


async def main() -> int:
    """Builds the cluster, and measures."""
    os.sched_setaffinity(0, {1})
    gc.disable()  # a pause of this process must not look like one of minidns's
    only = sys.argv[1:] or ["whole", "followed", "light"]
    try:
        with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
            if "whole" in only:
                async with filled(Path(folder), large=True):
                    await whole(Path(folder))
            async with filled(Path(folder), large=False) as server:
                if "followed" in only:
                    await followed(server, Path(folder))
                if "light" in only:
                    await light(server, Path(folder))
    except FollowError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    return 0


@asynccontextmanager
async def filled(folder: Path, *, large: bool) -> AsyncIterator[ApiServer]:
    """An API server with one of the two clusters, and a kubeconfig for it."""
    async with ApiServer() as server:
        if large:
            spaces = ({"metadata": {"name": scale.namespace(number)}} for number in range(scale.NAMESPACES))
            slices = (scale.endpoint_slice(number) for number in range(scale.HEADLESS))
            objects = {"namespaces": list(spaces), "services": list(scale.services()), "endpointslices": list(slices)}
        else:
            objects = cluster.objects()
        for resource, items in objects.items():
            server.load(resource, list(map(msgspec.json.encode, items)), 1)
        scale.kubeconfig(folder / "kubeconfig", server.url)
        yield server


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
