"""The cluster: a small one in which everything changes, at an API server that cannot be trusted.

What it holds in the end is what it held at the start: so memory can be compared.
"""

from __future__ import annotations

import asyncio
from itertools import product
from random import Random
from typing import Any

from tests.soak.world import World
from tests.support.apiserver import JSON, PATHS, ApiServer, Fault, How

NAMESPACES = ("a", "b", "c")
SERVICES = tuple(f"svc-{number}" for number in range(6))
#: Values that the API does not forbid, or that no server should give.
ODD_PORTS: tuple[Any, ...] = (70000, -1, None, 0)
ODD_NAMES = ("-x", "x" * 70, "UPPER", "käse", "a.b", "", "\x00")
ODD_ADDRESSES = ("", "10.0.0", "fe80::1%eth0", "::ffff:10.0.0.1", "256.1.1.1", "nowhere")
HOW: tuple[How, ...] = ("cut", "end", "stall")
#: Lines of a watch that are none.
GARBAGE = (
    b"\n", b"{}\n", b"null\n", b"[1]\n", b'{"type":"ADDED"}\n', b"\xff\xfe\n", b'{"type":"MODIFIED","object":{"met',
    b'{"type":"WEIRD","object":{"metadata":{"name":"x","resourceVersion":"1"}}}\n',
    b'{"type":"ERROR","object":{"kind":"Status","code":500,"message":"etcd"}}\n',
    b'{"type":"ADDED","object":{"metadata":{"name":7}}}\n',
)  # fmt: skip


def namespace(name: str) -> JSON:
    return {"metadata": {"name": name}}


def service(rng: Random, space: str, name: str) -> JSON:
    port = {"name": "http", "port": rng.choice((80, 8080)), "protocol": "TCP"}
    spec: JSON = {"ports": [port]}
    match rng.randrange(8):
        case 0:
            spec |= {
                "type": "ExternalName",
                "externalName": rng.choice(("www.good.test", f"svc-0.{space}.svc.cluster.local", "..", "x" * 300)),
            }
        case 1 | 2 | 3:
            spec["clusterIP"] = "None"
        case 4:
            spec |= {"clusterIP": "10.96.0.1", "clusterIPs": [rng.choice(ODD_ADDRESSES), "fd00::1"]}
            port |= {"name": rng.choice(ODD_NAMES), "port": rng.choice(ODD_PORTS)}
        case _:
            spec["clusterIP"] = f"10.96.{rng.randrange(4)}.{rng.randrange(1, 250)}"
    return {"metadata": {"name": name, "namespace": space}, "spec": spec}


def endpoint_slice(rng: Random, space: str, name: str, number: int) -> JSON:
    count = rng.choice((0, 1, 2, 3, 3, 5, 40))
    endpoints = [
        {
            "addresses": [f"10.{rng.randrange(1, 5)}.0.{rng.randrange(1, 250)}"],
            "conditions": {"ready": rng.random() < 0.8},
            "hostname": f"pod-{member}",
        }
        for member in range(count)
    ]
    if endpoints and rng.random() < 0.15:
        endpoints[0] |= {"hostname": rng.choice(ODD_NAMES), "addresses": [rng.choice(ODD_ADDRESSES)]}
    port = rng.choice(ODD_PORTS) if rng.random() < 0.1 else 8080
    return {
        "metadata": {
            "name": f"{name}-{number}", "namespace": space, "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
    }  # fmt: skip


def pod(rng: Random, space: str, number: int) -> JSON:
    address = (
        rng.choice(ODD_ADDRESSES) if rng.random() < 0.05 else f"10.{rng.randrange(1, 5)}.0.{rng.randrange(1, 250)}"
    )
    status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
    return {"metadata": {"name": f"pod-{number}", "namespace": space}, "status": status}


def reset(api: ApiServer, seed: str) -> None:
    """The cluster of the start."""
    rng = Random(f"{seed}/cluster")
    wanted: dict[str, dict[tuple[str, str], JSON]] = {resource: {} for resource in PATHS}
    for space in NAMESPACES:
        wanted["namespaces"]["", space] = namespace(space)
        for name in SERVICES:
            wanted["services"][space, name] = service(rng, space, name)
            wanted["endpointslices"][space, f"{name}-0"] = endpoint_slice(rng, space, name, 0)
        for number in range(8):
            wanted["pods"][space, f"pod-{number}"] = pod(rng, space, number)
    for resource, objects in wanted.items():
        for key in api.collections[resource].objects.keys() - objects.keys():
            api.delete(resource, *key)
        for item in objects.values():
            api.put(resource, item)


async def churn(world: World) -> None:
    """Changes, some of them many at once."""
    rng, api = world.random("churn"), world.api
    while world.storming:
        for _ in range(rng.choice((1, 1, 2, 10))):
            change(rng, api)
            world.counts["changes"] += 1
        if world.counts["changes"] % 500 < 10:
            api.trim(2000)
        await asyncio.sleep(rng.choice((0.001, 0.005, 0.02)))


def change(rng: Random, api: ApiServer) -> None:
    """Any object of the cluster comes, changes or goes."""
    space, name = rng.choice(NAMESPACES), rng.choice(SERVICES)
    match rng.randrange(20):
        case 0:
            resource, key, item = "namespaces", ("", space), namespace(space)
        case 1 | 2 | 3 | 4:
            resource, key, item = "services", (space, name), service(rng, space, name)
        case 5 | 6 | 7:
            number = rng.randrange(12)
            resource, key, item = "pods", (space, f"pod-{number}"), pod(rng, space, number)
        case _:
            number = rng.randrange(2)
            key, item = (space, f"{name}-{number}"), endpoint_slice(rng, space, name, number)
            resource = "endpointslices"
    if rng.random() < 0.3 and key in api.collections[resource].objects:
        api.delete(resource, *key)
    else:
        api.put(resource, item)


async def changes(world: World, count: int) -> None:
    """So many changes, one by one."""
    rng = world.random("last changes")
    for _ in range(count):
        change(rng, world.api)
        await asyncio.sleep(0.001)


async def faults(world: World) -> None:
    """Connections to the API server are cut, poisoned, refused and left hanging; versions expire; it goes away."""
    rng, api = world.random("api faults"), world.api
    while world.storming:
        world.counts["API faults"] += 1
        resource = rng.choice((None, *PATHS))
        match rng.randrange(9):
            case 0:
                api.cut()
            case 1:
                api.expire()
                api.cut()
            case 2:
                api.streaming = not api.streaming
            case 3:
                api.expired_status = not api.expired_status
            case 4:
                status = rng.choice((400, 401, 403, 404, 410, 429, 500, 503))
                api.faults.append(
                    Fault(resource, status=status, message="no", retry_after=rng.choice((None, "0", "x")))
                )
                api.cut()
            case 5:
                await api.stop()
                await asyncio.sleep(rng.random() * 0.2)
                await api.start(api.port)
            case 6:
                api.send(resource or "services", rng.choice(GARBAGE))
            case _:
                how: How = rng.choice(HOW)
                extra = rng.choice((b"", b"", *GARBAGE))
                api.faults.append(Fault(resource, after=rng.randrange(20), extra=extra, how=how))
                api.cut()
        await asyncio.sleep(rng.random() * 0.6)


def heal(api: ApiServer) -> None:
    """From now on the API server does what it should."""
    api.faults.clear()
    api.streaming, api.expired_status = True, False
    api.expire()
    api.cut()


def question(rng: Random) -> tuple[str, str]:
    """A name of the cluster, or one that may have been there, and a type."""
    space, name = rng.choice((*NAMESPACES, "nowhere")), rng.choice(SERVICES)
    owner = rng.choice(EVERYTHING) if rng.random() < 0.2 else f"{name}.{space}.svc.cluster.local"
    return owner, rng.choice(("A", "A", "AAAA", "SRV", "TXT", "PTR", "ANY"))


def _names() -> list[str]:
    found = [
        "cluster.local",
        "svc.cluster.local",
        "pod.cluster.local",
        "dns-version.cluster.local",
        "ns.dns.cluster.local",
    ]
    for space, name in product(NAMESPACES, SERVICES):
        service = f"{name}.{space}.svc.cluster.local"
        found += [service, f"_http._tcp.{service}", f"_tcp.{service}", *(f"pod-{n}.{service}" for n in range(6))]
    found += [
        f"{part}.{space}.{tree}.cluster.local".removeprefix(".")
        for space in NAMESPACES
        for tree in ("svc", "pod")
        for part in ("", "none")
    ]
    return found


#: Every name that any change may have made, but for those of odd objects.
EVERYTHING = _names()
