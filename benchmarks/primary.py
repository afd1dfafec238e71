"""A primary, its cluster and its secondaries, for `benchmarks.secondaries`."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from time import perf_counter

import dns.message
import msgspec

from benchmarks import cluster, scale
from benchmarks.followers import ZONE
from benchmarks.processes import cpu_time, started
from minidns.cli import bench
from tests.support.apiserver import ApiServer
from tests.support.neighbours import free_port
from tests.support.secondaries import Server

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
#: Seconds of questions at full load.
QUERIES = 4.0
#: What is asked for to know that all is there, and its address: the last that is listed.
Last = tuple[bytes, str]
LARGE = scale.question(scale.HEADLESS - 1, 99), scale.address(scale.HEADLESS - 1, 99, 0)
SMALL = dns.message.make_query(cluster.endpoint_name("wide", 9, 99), "A").to_wire(), "10.128.19.135"


class FollowError(Exception):
    """A server does not do what it has to; the text says which."""


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


async def churn(server: ApiServer, rate: float) -> None:
    """Changes without end."""
    due = perf_counter()
    for item in cluster.changes():
        server.put("endpointslices", item)
        server.trim()
        due += 1 / rate
        await asyncio.sleep(due - perf_counter())


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


def told(what: str, value: str) -> None:
    """A line of the table."""
    print(f"{what:52}  {value}", flush=True)


def questions(folder: Path) -> Path:
    """For the addresses of all Services, as dnsperf reads them."""
    path = folder / "questions"
    path.write_text("".join(f"{cluster.service_name(n)} A\n" for n in range(cluster.SERVICES)))
    return path


async def full_load(port: int, pid: int, questions: Path) -> tuple[float, float]:
    """(queries/s, CPU microseconds per query) at full load, once everything has been asked for."""
    await asyncio.to_thread(bench.measure, bench.command(f"127.0.0.1:{port}", questions, 1.0))
    used = sum(cpu_time(pid))
    result = await asyncio.to_thread(bench.measure, bench.command(f"127.0.0.1:{port}", questions, QUERIES))
    return result.rate, (sum(cpu_time(pid)) - used) / result.completed * 1e6
