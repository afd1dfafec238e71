"""A reload beside a cluster that changes: nothing is lost, what is the same is not built again, and all in steps."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Collection, Sequence
from dataclasses import replace

import pytest

from minidns.admin.state import readiness
from minidns.app import App
from minidns.config.plugins.transfer import Secondary, Transfer
from minidns.config.settings import Cluster, Config, Kubernetes, ServerBlock
from minidns.config.values import Listen
from minidns.core.batches import WORK
from minidns.core.model import Change, Deleted, EndpointSlice, Object, Service, Upserted
from minidns.core.zone import Zone
from minidns.generation import Generation, settle, site_of
from minidns.server.serving import Serving
from minidns.server.workers import Workers
from minidns.site import Site
from minidns.transfer.serials import Serials, is_ahead
from tests.core.test_zone import index
from tests.support.apiserver import ApiServer
from tests.support.clusters import endpoints, headless, service

PATIENCE = 20.0
BLOCK = ServerBlock(kubernetes=Kubernetes(ttl=5))
CONFIG = Config(servers=(BLOCK,), source=Cluster())
OTHER_NAMES = replace(CONFIG, servers=(replace(BLOCK, kubernetes=Kubernetes(endpoint_pod_names=True)),))
OBJECTS: list[Object] = [
    *(service(f"a/web-{n}", f"10.96.{n >> 8}.{n & 255}", ports="http:80") for n in range(500)),
    headless("a/db"),
    *(endpoints(f"a/db-{n}", *(f"10.{n}.0.{m}" for m in range(50)), ports="sql:3306") for n in range(40)),
]


def generation() -> Generation:
    site = site_of(CONFIG, 1)
    site.publish([Upserted(obj) for obj in OBJECTS])
    site.mark_synced()
    return Generation(CONFIG, site, None, Serials())


def parts(zone: Zone) -> object:
    return {name: node for name, node in index(zone).items() if name not in zone.origins}


class Counted(Site):
    """How much each call of `publish` brings in."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.batches: list[int] = []

    def publish(self, changes: Sequence[Change], moment: int | None = None, but: Collection[Zone] = ()) -> None:
        super().publish(changes, moment, but)
        self.batches.append(sum(_endpoints(change) for change in changes))


def _endpoints(change: Change) -> int:
    if isinstance(change, Upserted) and isinstance(change.object, EndpointSlice):
        return len(change.object.endpoints)
    return 1


def test_zones_that_are_told_the_same_are_taken_over() -> None:
    old = generation()
    same = replace(CONFIG, state=None)
    site = site_of(same, 2, like=old.site)
    assert site.zones == old.site.zones
    assert site_of(OTHER_NAMES, 2, like=old.site).zones != old.site.zones


async def test_a_reload_that_changes_nothing_of_a_zone_touches_none_of_its_names() -> None:
    old = generation()
    nodes = dict(old.site.zones[0].nodes)
    serial = old.site.zones[0].serial
    site = site_of(CONFIG, 2, like=old.site)
    await old.prepare(site)
    await old.succeed(CONFIG, site)
    assert old.site is site
    zone = site.zones[0]
    assert zone.synced
    assert zone.serial == serial
    assert all(zone.nodes[name] is node for name, node in nodes.items())


def followed(config: Config, serials: Serials) -> Generation:
    """Of a cluster with a Service, whose zones everybody may transfer."""
    config = replace(config, servers=(replace(config.servers[0], transfers=(Transfer(to=(Secondary("*"),)),)),))
    site = site_of(config, serials.now())
    site.publish([Upserted(OBJECTS[0])])
    site.mark_synced()
    return Generation(config, site, None, serials)


async def test_a_change_is_made_once_in_a_zone_that_two_sites_share() -> None:
    """Processes of which each has one of them number its states alike: an object that changes twice at once, too."""
    old = followed(CONFIG, Serials(steady=lambda: 5.0))
    site = site_of(old.config, 2, like=old.site)
    await old.prepare(site)
    ((zone, journal),) = site.journals
    serial = zone.serial
    old.publish([Upserted(service("a/web-0", address)) for address in ("10.98.0.1", "10.98.0.2")])
    assert zone.serial == serial + 2
    assert len(journal.since(serial) or ()) == 2


@pytest.mark.parametrize("workers", [1, 2])
async def test_no_serial_is_of_two_states_of_a_zone(workers: int) -> None:
    """Two configurations that follow the same cluster, each by lists of its own; with workers, the old ones go on for a
    while after the new ones answer."""
    serials = Serials(steady=lambda: 5.0)
    old, new = followed(CONFIG, serials), followed(OTHER_NAMES, serials)
    new.answering = Workers(new.site, workers) if workers > 1 else Serving(new.site)
    used = []

    def change(*generations: Generation, last: int) -> None:
        for generation in generations:
            generation.publish([Upserted(service("a/web-0", f"10.98.0.{last}"))])
        used.append(old.site.serial)

    for last in range(3):
        change(old, new, last=last)
    ((_, journal),) = new.site.journals
    assert any(journal.since(serial) for serial in used)
    new.go_ahead_of(old.site, new.site)
    for last in range(3, 100):
        change(*((old, new) if workers > 1 else (new,)), last=last)
    assert all(journal.since(serial) is None for serial in used)
    assert all(is_ahead(new.site.serial, serial) for serial in used)


@pytest.mark.parametrize("step", range(5))
async def test_changes_while_a_zone_is_filled_are_in_it(step: int) -> None:
    old = generation()
    site = Counted(OTHER_NAMES)
    preparing = asyncio.create_task(old.prepare(site))
    changes: list[Change] = [
        Upserted(service("a/web-499", "10.97.0.1")),
        Deleted(Service, ("a", "web-498")),
        Upserted(service("a/new", "10.97.0.2")),
        Deleted(EndpointSlice, ("a", "db-39")),
        Upserted(endpoints("a/db-0", "10.200.0.1", ports="sql:3306")),
    ]
    for change in changes:
        for _ in range(step):
            await asyncio.sleep(0)
        old.publish([change])
    assert not preparing.done() or step > 3
    await preparing
    assert parts(site.zones[0]) == parts(old.site.zones[0])
    assert max(site.batches) <= WORK // 20 + 50
    assert len(site.batches) > 20
    before = old.site.zones[0]
    await old.succeed(OTHER_NAMES, site)
    assert old.site is site
    assert not before.nodes


async def test_ready_is_said_once_every_process_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers do when they have been forked anew."""
    begun, done = asyncio.Event(), asyncio.Event()

    async def mark_synced(_: Serving, site: Site) -> None:
        assert site.synced
        begun.set()
        await done.wait()

    monkeypatch.setattr(Serving, "mark_synced", mark_synced)
    async with ApiServer() as server:
        server.load_recording()
        block = replace(BLOCK, listen=(Listen("127.0.0.1", 0),))
        app = App(replace(CONFIG, source=Cluster(endpoint=server.url), admin=None, servers=(block,)))
        async with asyncio.timeout(PATIENCE), app.running():
            await begun.wait()
            assert readiness(app) == (False, "not ready: waiting for the first full list")
            done.set()
            await app.generation.listed.wait()
            assert readiness(app) == (True, "ready")


async def test_a_cluster_that_is_followed_no_more_does_not_stay_in_memory() -> None:
    """Also what was put out of the garbage collector's sight: fronts and plugins know each other."""
    async with ApiServer() as server:
        server.load_recording()
        source = Cluster(endpoint=server.url)
        configs = [
            replace(CONFIG, source=source, admin=None),
            replace(CONFIG, source=replace(source, labels="a=b"), admin=None),
        ]
        configs = [replace(one, servers=(replace(BLOCK, listen=(Listen("127.0.0.1", 0),)),)) for one in configs]
        app = App(configs[0], lambda: configs[1])
        async with asyncio.timeout(PATIENCE), app.running():
            await app.generation.listed.wait()
            old = weakref.ref(app.generation.site.zones[0])
            await app.reload()
            assert app.config == configs[1]
            while old() is not None:  # connections are still being closed
                await asyncio.sleep(0.01)
                settle()
    gc.unfreeze()
