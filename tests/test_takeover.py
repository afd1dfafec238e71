"""A reload that leaves a zone its nodes takes it over: every answer is another, no node is built again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from minidns.config.plugins.cache import Cache, CacheClass
from minidns.config.plugins.forward import Forward, Upstream
from minidns.config.plugins.transfer import Secondary, Transfer
from minidns.config.settings import Cluster, Config, Kubernetes, ServerBlock
from minidns.config.values import Listen
from minidns.core import names
from minidns.core.model import Namespace, Object, Upserted
from minidns.core.schema import PodMode
from minidns.core.snapshot import Snapshot
from minidns.core.walk import STEP
from minidns.core.zone import NOTHING
from minidns.generation import Generation, site_of
from minidns.server.serving import Serving
from minidns.server.workers import Workers
from minidns.site import Site
from minidns.transfer.serials import Serials, is_ahead
from tests.support.client import explained, parsed, query, said
from tests.support.clusters import endpoints, headless, service

KUBERNETES = Kubernetes(zones=("cluster.local.", "in-addr.arpa."), ttl=5)
BLOCK = ServerBlock(kubernetes=KUBERNETES, listen=(Listen("127.0.0.1", 0),))
CONFIG = Config(servers=(BLOCK,), source=Cluster())
OBJECTS: list[Object] = [
    Namespace("a"),
    *(service(f"a/web-{n}", f"10.96.{n >> 8}.{n & 255}", ports="http:80") for n in range(1000)),
    headless("a/db"),
    *(endpoints(f"a/db-{n}", *(f"10.{n}.0.{m}" for m in range(10)), ports="sql:3306") for n in range(2)),
]


def block(**options: Any) -> Config:
    return replace(CONFIG, servers=(replace(BLOCK, **options),))


def zone(**options: Any) -> Config:
    return block(kubernetes=replace(KUBERNETES, **options))


OTHERS = {
    "ttl": zone(ttl=30),
    "cache": block(cache=Cache(success=CacheClass(ttl=3, min_ttl=0), denial=CacheClass(ttl=2, min_ttl=0))),
    "pods": zone(pods=PodMode.INSECURE),
    "no reasons": zone(ede=False),
    "forward": block(forwards=(Forward(upstreams=(Upstream(host="127.0.0.1"),)),)),
    "listen": block(listen=(Listen("127.0.0.2", 0),)),
}
OTHER_NODES = {
    "zones": zone(zones=("other.test.",)),
    "fewer zones": zone(zones=("cluster.local.",)),
    "noendpoints": zone(noendpoints=True),
    "names of endpoints": zone(endpoint_pod_names=True),
    "what is empty": zone(ignore_empty_service=True),
    "a cluster set": zone(multicluster=("cluster.local.",)),
    "pods verified": zone(pods=PodMode.VERIFIED),
}
NAMES = "web-1.a.svc", "nobody.a.svc", "1-2-3-4.a.pod", "x.a.pod", "db.a.svc", "ns.dns", "dns-version", "svc"
QUESTIONS = [(f"{name}.cluster.local", type_) for name in NAMES for type_ in ("A", "AAAA", "SRV", "TXT")]
QUESTIONS += [("cluster.local", "SOA"), ("cluster.local", "NS"), ("1.0.96.10.in-addr.arpa", "PTR")]


def built(config: Config) -> Site:
    """A site that was never another one."""
    site = site_of(config, 1)
    site.publish([Upserted(obj) for obj in OBJECTS])
    site.mark_synced()
    return site


def generation() -> Generation:
    return Generation(CONFIG, built(CONFIG), None, Serials())


def everything(site: Site) -> dict[tuple[str, str], object]:
    """What a site answers to each question."""
    front = site.fronts[0]
    channel = front.channel("tcp", "1")
    replies = {question: parsed(front.respond(query(*question), channel)) for question in QUESTIONS}
    return {
        question: (reply.flags, list(map(sorted, said(reply))), explained(reply)) for question, reply in replies.items()
    }


async def reload(generation: Generation, config: Config) -> Site:
    """As `minidns.app` and `minidns.server.serving` do it."""
    old = generation.site
    site = site_of(config, old.serial + 1, like=old)
    await generation.prepare(site)
    site.take_over(old)
    await generation.succeed(config, site)
    await site.sweep()
    return site


@pytest.mark.parametrize("what", OTHERS)
async def test_back_and_forth_with_the_same_nodes(what: str) -> None:
    running = generation()
    (index,) = running.site.zones
    nodes, first = dict(index.nodes), everything(running.site)
    for config in (OTHERS[what], CONFIG, OTHERS[what]):
        serial = index.serial
        before = running.site
        site = await reload(running, config)
        assert site.zones == (index,)
        assert all(index.nodes[name] is node for name, node in nodes.items())
        for _ in range(2):
            assert everything(site) == everything(built(config))
            assert (everything(site) == first) == (config is CONFIG)
            index.outdated = True
            await site.sweep()
            everything(before)  # what was under way
        # Secondaries have other records to fetch, or none.
        assert (index.serial != serial) == (what in ("ttl", "cache", "listen"))
        assert index.serial == serial or is_ahead(index.serial, serial)


@pytest.mark.parametrize("what", OTHER_NODES)
async def test_other_nodes_are_another_zone(what: str) -> None:
    running = generation()
    before = running.site.zones
    assert site_of(OTHER_NODES[what], 2, like=running.site).zones != before


def test_a_zone_is_taken_over_by_one_of_several_that_could() -> None:
    running = generation()
    (index,) = running.site.zones
    blocks = [replace(zone(ttl=ttl).servers[0], zones=(f"{ttl}.test",)) for ttl in (30, 5, 60)]
    site = site_of(replace(CONFIG, servers=tuple(blocks)), 2, like=running.site)
    assert [one is index for one in site.zones] == [False, True, False]
    site.take_over(running.site)
    assert [one.settings.ttl for one in site.zones] == [30, 5, 60]
    site = site_of(replace(CONFIG, servers=(blocks[0], blocks[2])), 2, like=running.site)
    assert [one is index for one in site.zones] == [True, False]


def test_nothing_changes_before_it_takes_over() -> None:
    running = generation()
    before, serial = everything(running.site), running.site.serial
    for config in OTHERS.values():
        site_of(config, serial + 100, like=running.site)
        assert everything(running.site) == before
        assert running.site.zones[0].serial == serial


async def test_what_is_ready_goes_in_steps_and_changes_come_in_between() -> None:
    running = generation()
    (index,) = running.site.zones
    everything(running.site)
    front = running.site.fronts[0]
    channel = front.channel("udp", "1")
    for number in range(1000):
        front.respond(query(f"web-{number}.a.svc.cluster.local"), channel)
    site = site_of(OTHERS["ttl"], index.serial + 1, like=running.site)
    preparing = asyncio.create_task(running.prepare(site))
    await asyncio.sleep(0)
    assert preparing.done()  # in one turn: there is nothing to fill
    site.take_over(running.site)
    await running.succeed(OTHERS["ttl"], site)
    sweeping = asyncio.create_task(site.sweep())
    ready, turns = sum(node.ready is not NOTHING for node in index.nodes.values()), 0
    while not sweeping.done():
        await asyncio.sleep(0)
        left = sum(node.ready is not NOTHING for node in index.nodes.values())
        running.publish([Upserted(service("a/new", f"10.97.0.{turns % 2 + 1}"))])
        assert ready - left <= STEP
        ready, turns = left, turns + 1
    assert turns > len(index.nodes) / STEP
    assert (
        everything(site)["web-1.a.svc.cluster.local", "A"]
        == everything(built(OTHERS["ttl"]))["web-1.a.svc.cluster.local", "A"]
    )
    assert not ready


async def test_a_sweep_that_another_reload_overtakes() -> None:
    running = generation()
    sweeps = []
    for what in ("ttl", "forward", "pods", "no reasons", "ttl"):
        old = running.site
        site = site_of(OTHERS[what], old.serial + 1, like=old)
        await running.prepare(site)
        site.take_over(old)
        await running.succeed(OTHERS[what], site)
        everything(site)
        everything(old)  # what was under way is answered by the old one
        sweeps.append(asyncio.create_task(site.sweep()))
        await asyncio.sleep(0)
    await asyncio.gather(*sweeps)
    assert everything(running.site) == everything(built(OTHERS["ttl"]))


async def test_nothing_is_swept_where_nothing_became_outdated() -> None:
    running = generation()
    everything(running.site)
    (index,) = running.site.zones
    ready = {name: node.ready for name, node in index.nodes.items()}
    site = await reload(running, replace(CONFIG, admin=None))
    assert site.zones == (index,)
    assert all(node.ready is ready[name] for name, node in index.nodes.items())


async def test_a_zone_of_several_fronts_is_swept_once_when_the_stale_mark_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = tuple(replace(BLOCK, zones=(name,)) for name in ("a.test", "b.test", "."))
    site = built(replace(CONFIG, servers=blocks))
    site.mark_stale("of yesterday")
    await site.sweep()
    everything(site)
    steps = []
    pause = asyncio.sleep

    async def counted(seconds: float) -> None:
        steps.append(seconds)
        await pause(seconds)

    monkeypatch.setattr(asyncio, "sleep", counted)
    site.mark_stale("")
    await site.sweep()
    await site.sweep()
    (index,) = site.zones
    assert len(steps) == len(index.nodes) // STEP + 1
    assert everything(site) == everything(built(replace(CONFIG, servers=blocks)))


async def test_a_snapshot_stays_by_the_settings_that_it_began_with() -> None:
    running = generation()
    (index,) = running.site.zones
    origin = names.from_text("cluster.local")
    with Snapshot(index) as snapshot:
        wanted = [rrset for some in snapshot.rrsets(origin) for rrset in some]
        found, left = [], list(OTHERS.values())
        for some in snapshot.rrsets(origin, 50, 50):
            found += some
            if left:
                await reload(running, left.pop(0))
    assert not left
    assert found == wanted


async def test_no_serial_is_of_a_worker_that_goes_and_of_one_that_comes() -> None:
    """They answer from copies of one zone, by two configurations, for a while."""
    serials = Serials(steady=lambda: 5.0)
    transfers = (Transfer(to=(Secondary("*"),)),)
    running, goes = (
        Generation(CONFIG, Site(block(transfers=transfers), serial=serials.now()), None, serials) for _ in range(2)
    )
    for one in (running, goes):
        one.site.mark_synced()
    running.answering = Workers(running.site, 2)
    site = await reload(
        running, replace(OTHERS["ttl"], servers=(replace(OTHERS["ttl"].servers[0], transfers=transfers),))
    )
    ((index, journal),) = site.journals
    for last in range(100):
        for one in (running, goes):
            one.publish([Upserted(service("a/web", f"10.98.0.{last}"))])
        assert journal.since(goes.site.serial) is None
        assert is_ahead(index.serial, goes.site.serial)
    assert journal.since(journal.began)


async def test_an_address_that_cannot_be_bound_leaves_everything_as_it_is() -> None:
    running = generation()
    serving = Serving(running.site)
    await serving.start()
    try:
        (taken,) = serving.addresses
        site = site_of(
            block(listen=(Listen("127.0.0.1", taken.port),), forwards=OTHERS["forward"].servers[0].forwards),
            9,
            like=running.site,
        )
        with pytest.raises(OSError, match="cannot listen"):
            await serving.replace(site)
        assert running.site.zones == site.zones
        everything(site)  # what had come in on sockets that are closed again
        assert everything(running.site) == everything(built(CONFIG))
        assert site.zones[0].settings == built(CONFIG).zones[0].settings
    finally:
        await serving.stop()
