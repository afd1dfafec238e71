"""A snapshot is the zone of one moment, whatever changes while it is read, in steps that are bounded."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import dns.name
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidns.core import names, reasons
from minidns.core.model import Change, Deleted, EndpointSlice, Upserted
from minidns.core.names import Name
from minidns.core.records import SOA, Rrset
from minidns.core.schema import ZoneSettings
from minidns.core.snapshot import STEP, Snapshot
from minidns.core.zone import Zone
from tests.core.test_zone import changes, zone_settings
from tests.support.clusters import endpoints, headless, service, zone_of

ORIGIN = names.from_text("cluster.local")


Read = Callable[..., Iterator[list[Rrset]]]


def bodies(snapshot: Snapshot, *arguments: Any, **options: Any) -> Iterator[list[Rrset]]:
    """`Snapshot.bodies` as rrsets again."""
    for some in snapshot.bodies(*arguments, **options):
        found: dict[tuple[Name, int, int], list[bytes]] = {}
        for owner, of_owner in some:
            assert of_owner
            for body in of_owner:
                type_, class_, ttl, length = struct.unpack_from("!HHIH", body)
                assert (class_, length) == (1, len(body) - 10)
                found.setdefault((owner, type_, ttl), []).append(body[10:])
        yield [Rrset(*key, tuple(rdata)) for key, rdata in found.items()]


#: All ways to read one.
ways = pytest.mark.parametrize("way", [bodies, Snapshot.rrsets, Snapshot.in_order])


def whole(zone: Zone, way: Read = Snapshot.in_order) -> list[Rrset]:
    """Every rrset of a zone that nothing happens to."""
    with Snapshot(zone) as snapshot:
        return [rrset for origin in zone.origins for step in way(snapshot, origin) for rrset in step]


@ways
@given(zone_settings, st.lists(changes, max_size=6), st.lists(changes, min_size=1, max_size=8), st.integers(1, 5))
@settings(max_examples=150)
def test_changes_do_not_reach_it(
    way: Read, settings: ZoneSettings, before: list[Change], during: list[Change], step: int
) -> None:
    zone = Zone(settings)
    for change in before:
        zone.apply(change)
    wanted = whole(zone)
    left = iter(during)
    found: list[Rrset] = []
    with Snapshot(zone) as snapshot:
        for origin in zone.origins:
            for rrsets in way(snapshot, origin, step, found_at_once=step):
                found += rrsets
                for change in islice(left, 1):
                    zone.apply(change)
    assert found == wanted if way is Snapshot.in_order else sorted(found) == sorted(wanted)
    assert zone.overlays == []


@ways
def test_names_that_come_and_go_are_there_once(way: Read) -> None:
    members = [f"10.1.0.{number} host=h{number}" for number in range(200)]
    slices = [endpoints(f"a/db-{number}", *members[number : number + 20]) for number in range(0, 200, 20)]
    for seed in range(20):
        chance = random.Random(seed)
        zone = zone_of(headless("a/db"), *slices, service("a/web", "10.96.0.1", ports="x:1"))
        wanted = sorted(whole(zone))
        found: list[Rrset] = []
        with Snapshot(zone) as snapshot:
            for origin in zone.origins:
                for rrsets in way(snapshot, origin, step=5, found_at_once=7):
                    found += rrsets
                    for _ in range(chance.randrange(4)):
                        which = chance.randrange(10)
                        less = chance.sample(members[which * 20 : which * 20 + 20], chance.randrange(20))
                        zone.apply(Upserted(endpoints(f"a/db-{which * 20}", *less)))
        assert sorted(found) == wanted


@ways
def test_all_may_have_been_touched_before_it_is_read(way: Read) -> None:
    zone = zone_of(headless("a/db"), *(endpoints(f"a/db-{n}", f"10.1.0.{n}", ports="x:1") for n in range(100)))
    wanted = sorted(whole(zone))
    with Snapshot(zone) as snapshot:
        for number in range(100):
            zone.apply(Deleted(EndpointSlice, ("a", f"db-{number}")))
        steps = [step for origin in zone.origins for step in way(snapshot, origin, found_at_once=10)]
    assert sorted(rrset for step in steps for rrset in step) == wanted
    assert max(len(step) for step in steps) <= STEP


def test_thousands_of_names_below_one_are_put_in_order_in_steps() -> None:
    # Backwards, and so that a label is in several runs: an empty non-terminal that came again.
    members = [f"10.1.{number >> 8}.{number & 255} host=h{number}" for number in range(500, 0, -1)]
    zone = zone_of(headless("a/db"), endpoints("a/db-1", *members))
    with Snapshot(zone) as snapshot:
        steps = list(snapshot.in_order(ORIGIN, step=1000, found_at_once=50))
    assert [rrset for step in steps for rrset in step] == whole(zone)[: sum(map(len, steps))]
    # One for every 50 names that were found, reverse names too, and one for every 50 in order below the Service.
    assert len(steps) >= len(zone.nodes) // 50 + 500 // 50


@ways
def test_it_ends_while_every_step_brings_a_new_name(way: Read) -> None:
    zone = zone_of(headless("default/db"), endpoints("default/db-1", "10.1.0.1"))
    wanted = whole(zone)
    found: list[Rrset] = []
    steps = 0
    with Snapshot(zone) as snapshot:
        for origin in zone.origins:
            for rrsets in way(snapshot, origin):
                found += rrsets
                steps += 1
                zone.apply(Upserted(endpoints("default/db-1", f"10.1.0.{steps % 200 + 2}")))
                assert steps < 100
    assert sorted(found) == sorted(wanted)


def test_everything_is_there_once_in_canonical_order() -> None:
    zone = zone_of(
        service("default/web", "10.96.0.1", "fd00::1", ports="http:80"),
        headless("default/db"),
        endpoints("default/db-1", "10.1.0.1 host=a", "10.1.0.2 host=aa", "10.1.0.3 host=b", ports="sql:3306"),
    )
    rrsets = whole(zone)
    assert len(rrsets) == sum(len(reasons.types_at(zone, name)) for name in zone.nodes)
    assert len({(rrset.owner, rrset.type) for rrset in rrsets}) == len(rrsets)
    for origin in zone.origins:
        with Snapshot(zone) as snapshot:
            owners = [rrset.owner for step in snapshot.in_order(origin) for rrset in step]
            as_they_come = [rrset for step in snapshot.rrsets(origin) for rrset in step]
        assert as_they_come[0].type == SOA
        assert sorted(rrset.owner for rrset in as_they_come) == sorted(owners)
        assert owners[0] == origin
        read = [dns.name.from_wire(owner, 0)[0] for owner in owners]
        assert read == sorted(read)
    assert rrsets[0].type == SOA


@ways
def test_a_name_that_ends_with_the_bytes_of_another_is_not_below_it(way: Read) -> None:
    inner = b"\x09x\x07cluster\x05local\0"  # the label "x\\007cluster"
    zone = zone_of(service("default/web", "10.96.0.1"), settings=ZoneSettings(origin=inner, reverse=(ORIGIN,)))
    with Snapshot(zone) as snapshot:
        owners = {rrset.owner for step in way(snapshot, ORIGIN) for rrset in step}
    assert owners == {ORIGIN}
    assert any(rrset.owner.endswith(b"\3web\7default\3svc" + inner) for rrset in whole(zone, way))


def test_a_zone_of_the_root() -> None:
    zone = zone_of(service("default/web", "10.96.0.1"), settings=ZoneSettings(origin=names.ROOT, reverse=()))
    for way in (bodies, Snapshot.rrsets, Snapshot.in_order):
        owners = [rrset.owner for rrset in whole(zone, way)]
        assert owners[:2] == [names.ROOT, names.ROOT]
        assert names.ROOT not in owners[2:]
        assert names.from_text("web.default.svc") in owners


def test_each_step_is_small() -> None:
    members = [f"10.1.{number >> 8}.{number & 255}" for number in range(1000)]
    zone = zone_of(headless("a/db"), *(endpoints(f"a/db-{n}", one, ports="x:1") for n, one in enumerate(members)))
    with Snapshot(zone) as snapshot:
        steps = [sum(len(rrset.rdata) for rrset in step) for step in snapshot.rrsets(ORIGIN)]
    # All but three rrsets have three records at most: the Service's own two, and that of its port, are a step each.
    assert len([step for step in steps if step > STEP + 3]) == 3
    assert max(steps) < 1000 + STEP


@ways
def test_names_of_another_zone_are_passed_over_in_steps(way: Read) -> None:
    zone = zone_of(headless("a/db"), *(endpoints(f"a/db-{n}", f"10.1.0.{n}") for n in range(100)))
    with Snapshot(zone) as snapshot:
        assert len(list(way(snapshot, names.IP6_ARPA, found_at_once=10))) >= len(zone.nodes) // 10


def test_open_ones_cost_a_change_what_it_touches_and_closed_ones_nothing() -> None:
    zone = zone_of(headless("a/db"), *(endpoints(f"a/db-{n}", f"10.1.0.{n}", ports="x:1") for n in range(100)))
    first, second = Snapshot(zone), Snapshot(zone)
    touched = set(zone.apply(Upserted(endpoints("a/db-7", "10.1.0.200", ports="x:1"))))
    assert [set(overlay) for overlay in zone.overlays] == [touched, touched]
    first.close()
    first.close()
    assert len(zone.overlays) == 1
    again: list[Name] = zone.apply(Deleted(EndpointSlice, ("a", "db-7")))
    assert set(zone.overlays[0]) == touched | set(again)
    second.close()
    assert zone.overlays == []
