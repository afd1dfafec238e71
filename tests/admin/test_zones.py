"""A zone file over HTTP: other work gets its turn between any two pieces of it, and changes do not reach it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import cast

import pytest

from minidns.admin import zones
from minidns.admin.running import Running
from minidns.config.settings import Cluster, Config, Kubernetes, ServerBlock
from minidns.core.model import Deleted, Service, Upserted
from minidns.core.snapshot import FOUND, STEP
from minidns.generation import Generation, site_of
from minidns.server.http.endpoint import Asked, RefusedError
from minidns.transfer.serials import Serials
from tests.support.clusters import service

COUNT = 3000


@dataclass
class Served:
    """As much of a running server as is asked for here."""

    generation: Generation


@pytest.fixture
def served() -> Served:
    config = Config(servers=(ServerBlock(kubernetes=Kubernetes()),), source=Cluster())
    site = site_of(config, 1)
    site.publish([Upserted(service(f"a/web-{n}", f"10.96.{n >> 8}.{n & 255}", ports="http:80")) for n in range(COUNT)])
    site.mark_synced()
    return Served(Generation(config, site, None, Serials()))


async def test_it_is_sent_in_steps_and_is_of_one_moment(served: Served) -> None:
    endpoint, _ = zones.endpoints(cast(Running, served))
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(others())
    reply = await endpoint.handler(Asked({"origin": "cluster.local"}))
    assert not isinstance(reply.body, bytes | str)
    text = b""
    zone = served.generation.site.zones[0]
    async for piece in reply.body:
        assert piece.count(b"\n") <= 2 * STEP
        text += piece
        number = turns % COUNT
        served.generation.publish([Deleted(Service, ("a", f"web-{number}"))])
        served.generation.publish([Upserted(service(f"a/new-{number}", "10.97.0.1"))])
    ticking.cancel()
    lines = text.decode().splitlines()
    # A virtual IP, its SRV record, and that of its port, for each Service there was.
    assert len([line for line in lines if ".a.svc.cluster.local. " in line.split("IN")[0]]) == 3 * COUNT
    assert not [line for line in lines if line.startswith("new-")]
    assert turns > len(lines) / (2 * STEP) + len(zone.nodes) / (2 * FOUND)
    assert zone.overlays == []


async def test_a_zone_that_is_not_here(served: Served) -> None:
    endpoint, _ = zones.endpoints(cast(Running, served))
    with pytest.raises(RefusedError, match=r"no zone example\.org here"):
        await endpoint.handler(Asked({"origin": "example.org"}))
    with pytest.raises(ValueError, match="is not a domain name"):
        await endpoint.handler(Asked({"origin": "a..b"}))


async def test_a_reader_who_leaves_holds_nothing(served: Served) -> None:
    endpoint, _ = zones.endpoints(cast(Running, served))
    reply = await endpoint.handler(Asked({}))
    assert not isinstance(reply.body, bytes | str)
    await anext(reply.body)
    assert len(served.generation.site.zones[0].overlays) == 1
    await reply.body.aclose()
    assert served.generation.site.zones[0].overlays == []
