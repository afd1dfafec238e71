"""How long anything holds the event loop: `python -m benchmarks.turns [ENDPOINTS]`, 100,000 by default.

A site with that many endpoints, a tenth as many ClusterIP Services, and no sockets. While something goes on, the CPU
time of each turn of the loop is taken: no packet waits longer than the longest, whatever else the machine does, and
what other processes take is not in it.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import msgspec

from minidns.admin import explaining, zones
from minidns.admin.running import Running
from minidns.config.plugins.forward import Forward, Upstream
from minidns.config.settings import Cluster, Config, Kubernetes, ServerBlock
from minidns.core import names
from minidns.core.batches import batches, differences
from minidns.core.model import Endpoint, EndpointSlice, Kind, Namespace, Object, Port, Replaced, Service
from minidns.generation import Generation, settle, site_of
from minidns.server.http.endpoint import Asked
from minidns.transfer.serials import Serials

PER_SERVICE, NAMESPACES, HUGE = 100, 100, 10_000
BLOCK = ServerBlock(kubernetes=Kubernetes())
CONFIG = Config(servers=(BLOCK,), source=Cluster())
OTHER_TTL = replace(CONFIG, servers=(replace(BLOCK, kubernetes=Kubernetes(ttl=30)),))
FORWARDED = replace(CONFIG, servers=(replace(BLOCK, forwards=(Forward(upstreams=(Upstream(host="127.0.0.1"),)),)),))
OTHER_ZONE = replace(CONFIG, servers=(replace(BLOCK, kubernetes=Kubernetes(zones=("other.test",))),))
HTTP, SQL = Port("http", "TCP", 80), Port("sql", "TCP", 5432)


@dataclass
class Served:
    """As much of a running server as is asked for here."""

    generation: Generation


def objects(count: int) -> dict[Kind, list[Object]]:
    """A cluster of that many endpoints."""
    found: dict[Kind, list[Object]] = {Namespace: [], Service: [], EndpointSlice: []}
    found[Namespace] += [Namespace(f"team-{number}") for number in range(NAMESPACES)]
    for number in range(count // 10):
        space, address = f"team-{number % NAMESPACES}", (0x0A600001 + number).to_bytes(4, "big")
        found[Service].append(Service(space, f"app-{number}", (address,), ports=(HTTP,)))
    for number in range(count // PER_SERVICE):
        space, name = f"team-{number % NAMESPACES}", f"db-{number}"
        found[Service].append(Service(space, name, headless=True, ports=(SQL,)))
        members = tuple(endpoint(name, number * PER_SERVICE + one, one) for one in range(PER_SERVICE))
        found[EndpointSlice].append(EndpointSlice(space, f"{name}-x", name, (SQL,), members))
    found[Service].append(Service("team-0", "huge", headless=True, ports=(SQL,)))
    for number in range(HUGE // PER_SERVICE):
        members = tuple(endpoint("huge", count + number * PER_SERVICE + one, one) for one in range(PER_SERVICE))
        members = tuple(msgspec.structs.replace(one, hostname=f"huge-{number}-{one.hostname}") for one in members)
        found[EndpointSlice].append(EndpointSlice("team-0", f"huge-{number}", "huge", (SQL,), members))
    return found


def endpoint(service: str, place: int, one: int) -> Endpoint:
    """A ready pod of a StatefulSet."""
    return Endpoint(((0x0A800000 + place).to_bytes(4, "big"),), f"{service}-{one}", f"{service}-{one}")


class Turns:
    """The CPU time of each turn of the running loop, in milliseconds."""

    def __init__(self) -> None:
        loop: Any = asyncio.get_running_loop()
        self._took: list[float] = []
        turn: Callable[[], None] = loop._run_once

        def measured() -> None:
            start = time.thread_time()
            turn()
            self._took.append((time.thread_time() - start) * 1000)

        loop._run_once = measured

    async def told(self, name: str, work: Awaitable[object]) -> None:
        """Do it, and print a line of the table."""
        await asyncio.sleep(0)
        self._took.clear()
        await work
        await asyncio.sleep(0)
        took = sorted(self._took)
        rest = ", ".join(f"{one:.1f}" for one in took[-4:-1][::-1])
        print(f"{name:30} longest turn {took[-1]:5.1f} ms (then {rest}), {sum(took):6.0f} ms in {len(took)} turns")


async def reload(old: Generation, config: Config) -> None:
    site = site_of(config, 2, like=old.site)
    await old.prepare(site)
    site.take_over(old.site)
    await old.succeed(config, site)
    await site.sweep()


async def freshen(generation: Generation) -> None:
    """The first lists are in after a start from a state file."""
    generation.site.mark_stale("")
    await generation.site.sweep()


async def relist(generation: Generation, listed: Replaced) -> None:
    """A list in which nothing is new, as `minidns.source.kubernetes.source` publishes it."""
    for batch in batches(differences(listed, generation.site.known()[listed.kind])):
        generation.publish(batch)
        await asyncio.sleep(0)


async def zone_file(generation: Generation) -> None:
    endpoints = zones.endpoints(cast(Running, Served(generation)))
    (handler,) = (one.handler for one in endpoints if one.path == "/zone")
    reply = await handler(Asked({}))
    assert not isinstance(reply.body, bytes | str)
    async for _ in reply.body:
        pass


async def explain(generation: Generation, **query: str) -> None:
    endpoints = explaining.endpoints(cast(Running, Served(generation)))
    await endpoints[0].handler(Asked(query))


async def ask_all(generation: Generation) -> None:
    """The first SRV answer of a headless Service."""
    front = generation.site.fronts[0]
    question = names.from_text("huge.team-0.svc.cluster.local") + b"\0\x21\0\1"
    front.respond(b"\0\1\1\0\0\1\0\0\0\0\0\0" + question, front.channel("tcp", "1"))


async def main(count: int) -> None:
    """Builds the site, and measures."""
    site = site_of(CONFIG, 1)
    for kind, some in objects(count).items():
        site.publish([Replaced(kind, tuple(some))])
    site.mark_synced()
    generation = Generation(CONFIG, site, None, Serials())
    settle()
    print(f"{count} endpoints, {len(site.zones[0].nodes)} names")
    turns = Turns()
    await turns.told("reload, zone as before", reload(generation, CONFIG))
    await turns.told("reload, another TTL", reload(generation, OTHER_TTL))
    await turns.told("reload, forward added", reload(generation, FORWARDED))
    generation.site.mark_stale("yesterday")
    await turns.told("the stale mark ends", freshen(generation))
    for kind in (Service, EndpointSlice):
        listed = Replaced(kind, tuple(generation.site.known()[kind].values()))
        await turns.told(f"re-list of {kind.__name__}s", relist(generation, listed))
    await turns.told("GET /zone", zone_file(generation))
    await turns.told("explain with a search list", explain(generation, name="nobody.team-1", **{"from": "team-2"}))
    huge = "huge.team-0.svc.cluster.local"
    await turns.told("explain 10,000 endpoints", explain(generation, name=huge))
    await turns.told("the same by its short name", explain(generation, name="huge", **{"from": "team-0"}))
    await turns.told("a name below it that is not there", explain(generation, name=f"nobody.{huge}"))
    await turns.told("first SRV of 10,000 endpoints", ask_all(generation))
    await turns.told("reload, another cluster domain", reload(generation, OTHER_ZONE))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
