"""A walk over all names sees each that stays, whatever changes between its steps; a sweep leaves nothing ready."""

from __future__ import annotations

from itertools import islice

from hypothesis import given, settings
from hypothesis import strategies as st

from minidns.core import names
from minidns.core.model import Change, Deleted, Service, Upserted
from minidns.core.names import Name
from minidns.core.responder import Responder
from minidns.core.schema import ZoneSettings
from minidns.core.walk import drop_ready, walk
from minidns.core.zone import NOTHING, Zone
from tests.core.test_zone import changes, zone_settings
from tests.support.client import query
from tests.support.clusters import service, zone_of


@given(
    zone_settings,
    st.lists(changes, max_size=6),
    st.lists(changes, max_size=8),
    st.integers(1, 5),
    st.integers(1, 4),
    st.integers(1, 3),
)
@settings(max_examples=150)
def test_every_name_that_stays_is_seen(
    settings: ZoneSettings, before: list[Change], during: list[Change], step: int, skip: int, each: int
) -> None:
    zone = Zone(settings)
    for change in before:
        zone.apply(change)
    stays, left = set(zone.nodes), iter(during)
    seen: set[Name] = set()
    for number, (some, _) in enumerate(walk(zone, step, skip)):
        seen.update(some)
        for change in islice(left, number % each == 0):
            zone.apply(change)
            stays &= zone.nodes.keys()
    assert stays <= seen


def test_what_is_passed_over_is_passed_in_steps_of_its_own() -> None:
    """750,000 names all at once took 8 ms."""
    zone = zone_of(*(service(f"a/web-{number}", "10.96.0.1") for number in range(100)))
    steps = walk(zone, step=50, skip=10)
    assert [len(next(steps)[0]) for _ in range(2)] == [50, 50]
    zone.apply(Deleted(Service, ("a", "web-99")))
    assert [len(some) for some, _ in steps] == [0] * 9 + [len(zone.nodes) - 99]


def test_it_ends_while_each_step_brings_a_change() -> None:
    zone = zone_of(*(service(f"a/web-{number}", "10.96.0.1") for number in range(1000)))
    seen: set[Name] = set()
    for count, (some, _) in enumerate(walk(zone, step=10, skip=2)):
        seen.update(some)
        zone.apply(Upserted(service("a/new", f"10.97.0.{count % 2 + 1}")))
        assert count < 200
    assert len(seen) > 1000


def test_a_sweep_leaves_nothing_ready_and_other_nodes_alone() -> None:
    zone = zone_of(
        *(service(f"a/web-{number}", "10.96.0.1") for number in range(100)),
        settings=ZoneSettings(origin=names.ROOT, reverse=()),
    )
    responder = Responder(zone)
    channel = responder.channel("udp", "1")
    for number in range(0, 100, 2):
        responder.respond(query(f"web-{number}.a.svc."), channel)
    for name in (".", "nobody.a.svc.", "none."):
        responder.respond(query(name), channel)
    assert sum(node.ready is not NOTHING for node in zone.nodes.values()) == 53
    sweep = drop_ready(zone, 10)
    next(sweep)
    zone.apply(Upserted(service("a/new", "10.97.0.1")))
    left = sum(node.ready is not NOTHING for node in zone.nodes.values())
    assert 0 < left < 53
    assert len(list(sweep)) > 9
    assert all(node.ready is NOTHING for node in zone.nodes.values())
