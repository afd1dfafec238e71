"""A snapshot is the zone of one moment, whatever changes while it is read, in steps that are bounded."""

from __future__ import annotations

from itertools import islice

import dns.name
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


def whole(zone: Zone) -> list[Rrset]:
    """Every rrset of a zone that nothing happens to."""
    with Snapshot(zone) as snapshot:
        return [rrset for origin in zone.origins for step in snapshot.rrsets(origin) for rrset in step]


@given(zone_settings, st.lists(changes, max_size=6), st.lists(changes, min_size=1, max_size=8), st.integers(1, 5))
@settings(max_examples=150)
def test_changes_do_not_reach_it(settings: ZoneSettings, before: list[Change], during: list[Change], step: int) -> None:
    zone = Zone(settings)
    for change in before:
        zone.apply(change)
    wanted = whole(zone)
    left = iter(during)
    found: list[Rrset] = []
    with Snapshot(zone) as snapshot:
        for origin in zone.origins:
            for rrsets in snapshot.rrsets(origin, step, found_at_once=step):
                found += rrsets
                for change in islice(left, 1):
                    zone.apply(change)
    assert found == wanted
    assert zone.overlays == []


def test_it_ends_while_every_step_brings_a_new_name() -> None:
    zone = zone_of(headless("default/db"), endpoints("default/db-1", "10.1.0.1"))
    wanted = whole(zone)
    found: list[Rrset] = []
    steps = 0
    with Snapshot(zone) as snapshot:
        for origin in zone.origins:
            for rrsets in snapshot.rrsets(origin):
                found += rrsets
                steps += 1
                zone.apply(Upserted(endpoints("default/db-1", f"10.1.0.{steps % 200 + 2}")))
                assert steps < 100
    assert found == wanted


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
            owners = [rrset.owner for step in snapshot.rrsets(origin) for rrset in step]
        assert owners[0] == origin
        read = [dns.name.from_wire(owner, 0)[0] for owner in owners]
        assert read == sorted(read)
    assert rrsets[0].type == SOA


def test_a_zone_of_the_root() -> None:
    zone = zone_of(service("default/web", "10.96.0.1"), settings=ZoneSettings(origin=names.ROOT, reverse=()))
    assert [rrset.owner for rrset in whole(zone)][:2] == [names.ROOT, names.ROOT]
    assert names.from_text("web.default.svc") in {rrset.owner for rrset in whole(zone)}


def test_each_step_is_small() -> None:
    members = [f"10.1.{number >> 8}.{number & 255}" for number in range(1000)]
    zone = zone_of(headless("a/db"), *(endpoints(f"a/db-{n}", one, ports="x:1") for n, one in enumerate(members)))
    with Snapshot(zone) as snapshot:
        steps = [sum(len(rrset.rdata) for rrset in step) for step in snapshot.rrsets(ORIGIN)]
    # All but three rrsets have three records at most: the Service's own two, and that of its port, are a step each.
    assert len([step for step in steps if step > STEP + 3]) == 3
    assert max(steps) < 1000 + STEP


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
