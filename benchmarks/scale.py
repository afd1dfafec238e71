"""A large cluster: `python -m benchmarks.scale` starts minidns against an API server with 10,000 ClusterIP Services and
1,000 headless ones of 100 endpoints each, as large on the wire as a real one's, and prints what that costs.

Core 0 is minidns's alone; the API server, the clock and dnsperf share core 1. What is measured: seconds from the first
request until an answer; resident memory after the sync, and its peak in a re-list of everything; the longest wait for
an answer meanwhile, and while 500 changes arrive per second (a question per millisecond: a pause of the server cannot
hide); and the time from an event on the wire to the new answer.
"""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import aiohttp
import dns.message
import dns.rcode
import msgspec
import yaml

from benchmarks.processes import cpu_time, started
from tests.support.apiserver import ApiServer
from tests.support.neighbours import free_port

JSON = dict[str, Any]
CLUSTER_IPS, HEADLESS, ENDPOINTS, NAMESPACES = 10_000, 1_000, 100, 100
CHANGES, SECONDS, EVENTS, QUERIES = 500, 10.0, 300, 10_000
PATIENCE, HTTP_SECONDS = 60.0, 4.0
COREFILE = """
.:{port} {{
    bind 127.0.0.1
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        kubeconfig {folder}/kubeconfig main
        ttl {ttl}
    }}
    {more}
}}
"""
#: What is asked of the admin port, and what a Corefile changes.
HTTP = {
    "/zone": "/zone",
    "/explain": "/explain?name=nobody.namespace-1&from=namespace-2",
}
RELOADS = {"a plugin": (5, "errors"), "the TTL": (7, "errors")}
#: What CoreDNS 1.14.7 was measured with, by the lines of the table.
COREDNS = {
    "first request to full answers": "0.8-1.0 s",
    "resident after the sync": "165-179 MB",
    "event to answer, at rest": "median 0.5 ms, p99 2-4 ms",
    "event to answer, under load": "median 1.0 ms, p99 13 ms (8,000 queries/s)",
}


def services() -> Iterator[JSON]:
    """All Services."""
    for number in range(CLUSTER_IPS + HEADLESS):
        headless = number >= CLUSTER_IPS
        name = f"headless-{number - CLUSTER_IPS}" if headless else f"service-{number}"
        address = "None" if headless else str(IPv4Address("10.96.0.0") + number + 1)
        ports = [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080}]
        spec = {"clusterIP": address, "clusterIPs": [address], "ports": ports, "selector": {"app": name}}
        families = {"type": "ClusterIP", "sessionAffinity": "None", "ipFamilies": ["IPv4"]}
        yield {"metadata": meta(name, number, {}), "spec": {**spec, **families}, "status": {"loadBalancer": {}}}


def endpoint_slice(number: int, moved: int = -1, shift: int = 0) -> JSON:
    """The slice of a headless Service; the address of one endpoint is moved by `shift`."""
    name = f"headless-{number}"
    labels = {"kubernetes.io/service-name": name, "service.kubernetes.io/headless": ""}
    return {
        "metadata": meta(f"{name}-x7k2p", number, labels),
        "addressType": "IPv4",
        "endpoints": [endpoint(number, one, shift if one == moved else 0) for one in range(ENDPOINTS)],
        "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
    }


def endpoint(number: int, one: int, shift: int) -> JSON:
    """A ready pod of a StatefulSet."""
    name = f"headless-{number}-{one}"
    return {
        "addresses": [address(number, one, shift)],
        "conditions": {"ready": True, "serving": True, "terminating": False},
        "hostname": name,
        "targetRef": {"kind": "Pod", "namespace": namespace(number), "name": name, "uid": uid(number * 1000 + one)},
        "nodeName": f"node-{one}",
        "zone": "zone-a",
    }


def address(number: int, one: int, shift: int) -> str:
    """Of an endpoint."""
    return str(IPv4Address("10.128.0.0") + (number * ENDPOINTS + one + shift * HEADLESS * ENDPOINTS) % 0x7F0000)


def namespace(number: int) -> str:
    """Of an object, by its number."""
    return f"namespace-{number % NAMESPACES}"


def uid(number: int) -> str:
    """As long as a real one."""
    return f"611b024d-b2d4-4e81-a804-{number:012d}"


def meta(name: str, number: int, labels: JSON) -> JSON:
    """With what a real object's metadata carries along."""
    fields = {"f:metadata": {"f:labels": {".": {}, "f:app": {}}}, "f:spec": {"f:ports": {}, "f:selector": {}}}
    managed = {
        "manager": "kube-controller-manager",
        "operation": "Update",
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    stamps = {"resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {"name": name, "namespace": namespace(number), "uid": uid(number), "labels": labels, **stamps} | {
        "managedFields": [managed]
    }


class Client(asyncio.DatagramProtocol):
    """Asks one question at a time."""

    def __init__(self, port: int) -> None:
        self._server = ("127.0.0.1", port)
        self._answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, _: Any) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(data)

    @classmethod
    async def open(cls, port: int) -> Client:
        """A client of that port."""
        loop = asyncio.get_running_loop()
        _, client = await loop.create_datagram_endpoint(lambda: cls(port), local_addr=("127.0.0.1", 0))
        return client

    async def ask(self, query: bytes) -> bytes | None:
        """The answer, None when there is none within a tenth of a second."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.sendto(query, self._server)
        try:
            async with asyncio.timeout(0.1):
                return await self._answer
        except TimeoutError:
            return None


def question(number: int, one: int) -> bytes:
    """For the address of an endpoint."""
    name = f"headless-{number}-{one}.headless-{number}.{namespace(number)}.svc.cluster.local"
    return dns.message.make_query(name, "A").to_wire()


async def until_answered(client: Client, query: bytes, wanted: str, pause: float = 0.0) -> None:
    """Asks until the answer has that address."""
    packed = IPv4Address(wanted).packed
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await client.ask(query)
            if answer is not None and packed in answer[len(query) - 11 :]:
                return
            await asyncio.sleep(pause)


def resident(pid: int) -> float:
    """MB of a process and its workers; what they share counts once (Pss in proc(5), smaps_rollup)."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    rollups = [Path(f"/proc/{one}/smaps_rollup").read_text().splitlines() for one in (pid, *children)]
    return sum(int(line.split()[1]) for lines in rollups for line in lines if line.startswith("Pss:")) / 1024


def peak(pid: int) -> float:
    """MB that a process without its workers had at most."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def reset_peak(pid: int) -> None:
    """The peak of resident memory starts anew (proc(5))."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


async def waits(client: Client, meanwhile: asyncio.Task[None]) -> list[float]:
    """Milliseconds of each answer while something else goes on."""
    found, query = [], question(HEADLESS - 1, 0)
    while not meanwhile.done():
        sent = perf_counter()
        await client.ask(query)
        found.append((perf_counter() - sent) * 1000)
        await asyncio.sleep(0.001)
    return sorted(found)


async def relist(server: ApiServer, follower: Client) -> None:
    """Everything is listed again; one slice in a hundred has changed."""
    numbers = range(0, HEADLESS - 1, 100)
    items = [msgspec.json.encode(endpoint_slice(number, 0, 1)) for number in numbers]
    server.load("endpointslices", items, server.version + 1)
    server.expire()
    server.cut()
    await until_answered(follower, question(numbers[-1], 0), address(numbers[-1], 0, 1), pause=0.01)
    await asyncio.sleep(1)


async def churn(server: ApiServer, items: list[JSON]) -> None:
    """Slices change, one endpoint each."""
    start = perf_counter()
    for step in range(int(CHANGES * SECONDS)):
        server.put("endpointslices", items[step % len(items)])
        server.trim()
        await asyncio.sleep(start + step / CHANGES - perf_counter())


async def latencies(server: ApiServer, client: Client) -> list[float]:
    """Milliseconds from an event on the wire to the answer that has it."""
    found = []
    for step in range(EVENTS):
        number, shift = 500 + step % 100, 3 + server.version % 50
        server.put("endpointslices", endpoint_slice(number, 7, shift))
        start = perf_counter()
        await until_answered(client, question(number, 7), address(number, 7, shift))
        found.append((perf_counter() - start) * 1000)
        await asyncio.sleep(0.01)
    return sorted(found)


@asynccontextmanager
async def load(port: int, folder: Path) -> AsyncIterator[None]:
    """Questions at a fixed rate, on this core."""
    queries = folder / "queries"
    queries.write_text("".join(f"service-{n}.{namespace(n)}.svc.cluster.local A\n" for n in range(CLUSTER_IPS)))
    command = f"taskset -c 1 dnsperf -s 127.0.0.1 -p {port} -d {queries} -l 60 -Q {QUERIES}".split()
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    await asyncio.sleep(1)
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


def told(name: str, value: str) -> None:
    """A line of the table."""
    print(f"{name:32}  {value:44}  {COREDNS.get(name, '-')}", flush=True)


def spread(values: list[float]) -> str:
    """In milliseconds."""
    return f"median {median(values):.2f} ms, p99 {values[len(values) * 99 // 100]:.2f} ms, most {values[-1]:.1f} ms"


async def got(admin: int, path: str) -> None:
    """Asks the admin port for that, by two clients at once, for a while."""

    async def one() -> None:
        while perf_counter() < end:
            async with session.get(f"http://127.0.0.1:{admin}{path}") as response:
                async for _ in response.content.iter_chunked(1 << 16):
                    pass

    end = perf_counter() + HTTP_SECONDS
    async with aiohttp.ClientSession() as session:
        await asyncio.gather(one(), one())


async def measure(server: ApiServer, folder: Path, options: list[str]) -> None:
    """Prints the table."""
    port = free_port()
    client, second = await Client.open(port), await Client.open(port)
    corefile, admin = folder / "Corefile", free_port()
    corefile.write_text(COREFILE.format(port=port, folder=folder, ttl=5, more=""))
    command = [sys.executable, "-m", "minidns", "serve", "--conf", str(corefile), "--log", "warning", *options]
    with started([*command, "--admin", f"127.0.0.1:{admin}"], core=0) as process:
        async with asyncio.timeout(PATIENCE):
            await server.asked.wait()
        start, used = perf_counter(), sum(cpu_time(process.pid))
        await until_answered(client, question(HEADLESS - 1, 99), address(HEADLESS - 1, 99, 0), pause=0.01)
        seconds, used = perf_counter() - start, sum(cpu_time(process.pid)) - used
        told("first request to full answers", f"{seconds:.2f} s, of them {used:.2f} s of CPU")
        await asyncio.sleep(2)
        told("resident after the sync", f"{resident(process.pid):.0f} MB")
        told("peak of the sync", f"{peak(process.pid):.0f} MB")
        reset_peak(process.pid)
        told("an answer during a re-list", spread(await waits(client, asyncio.create_task(relist(server, second)))))
        told("peak of a re-list", f"{peak(process.pid):.0f} MB")
        items = [endpoint_slice(number, one, 2) for one in range(2) for number in range(200)]
        for name, path in HTTP.items():
            told(f"an answer, GET {name}", spread(await waits(client, asyncio.create_task(got(admin, path)))))
        for name, (ttl, more) in RELOADS.items():
            corefile.write_text(COREFILE.format(port=port, folder=folder, ttl=ttl, more=more))
            process.send_signal(signal.SIGHUP)
            told(f"an answer, reload of {name}", spread(await waits(client, asyncio.create_task(asyncio.sleep(8)))))
        told(f"an answer, {CHANGES} changes/s", spread(await waits(client, asyncio.create_task(churn(server, items)))))
        told("event to answer, at rest", spread(await latencies(server, client)))
        if shutil.which("dnsperf"):
            async with load(port, folder):
                told("event to answer, under load", spread(await latencies(server, client)) + f" ({QUERIES} queries/s)")
        told("resident at the end", f"{resident(process.pid):.0f} MB")


def kubeconfig(path: Path, server: str) -> None:
    """The file that leads to the API server."""
    context = {"name": "main", "context": {"cluster": "here", "user": "me"}}
    cluster = {"name": "here", "cluster": {"server": server}}
    users = [{"name": "me", "user": {}}]
    path.write_text(
        yaml.safe_dump({"current-context": "main", "contexts": [context], "clusters": [cluster], "users": users})
    )


async def main() -> None:
    """Builds the cluster, and measures."""
    os.sched_setaffinity(0, {1})
    gc.disable()  # a pause of this process must not look like one of minidns's
    async with ApiServer() as server:
        server.load("namespaces", [msgspec.json.encode({"metadata": {"name": namespace(n)}}) for n in range(100)], 1)
        server.load("services", map(msgspec.json.encode, services()), 1)
        server.load("endpointslices", [msgspec.json.encode(endpoint_slice(n)) for n in range(HEADLESS)], 1)
        size = sum(len(item) for resource in server.collections.values() for item in resource.objects.values())
        print(f"{CLUSTER_IPS + HEADLESS} Services, {HEADLESS * ENDPOINTS} endpoints, {size / 1e6:.0f} MB of JSON\n")
        print(f"{'':32}  {'minidns':44}  CoreDNS 1.14.7")
        with tempfile.TemporaryDirectory() as folder:
            kubeconfig(Path(folder, "kubeconfig"), server.url)
            await measure(server, Path(folder), sys.argv[1:])


if __name__ == "__main__":
    asyncio.run(main())
