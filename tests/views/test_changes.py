"""The change feed: the endpoints of an event, and exactly the records that came and went."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from minidns.config.settings import Manifests
from minidns.core import answers, reasons, records
from minidns.core.model import (
    Change,
    Deleted,
    Endpoint,
    EndpointSlice,
    Namespace,
    Replaced,
    Service,
    Upserted,
)
from minidns.core.schema import PodMode, ZoneSettings
from minidns.core.zone import Touch, Zone
from minidns.explain import parse_name
from minidns.source.manifests.source import ManifestSource
from minidns.views import differences
from minidns.views.changes import LISTED, EndpointChange, Event, event_of, text, to_json, versions
from tests.support.changing import changes
from tests.support.clusters import address, endpoints, external, service, zone_of
from tests.support.explained import DEFAULT, THE_WEB, WEB, replicas


def happens(zone: Zone, change: Change) -> Event | None:
    """Apply a change as a watched server does."""
    before = versions(zone.cluster, change)
    touches: list[Touch] = []
    zone.apply(change, touches)
    return event_of(zone, before, touches)


def lines(zone: Zone, change: Change) -> list[str]:
    event = happens(zone, change)
    return text(event).splitlines() if event else []


def test_a_pod_becomes_ready() -> None:
    zone = zone_of(DEFAULT, WEB, replicas("", "unready"))
    assert lines(zone, Upserted(replicas("", ""))) == [
        f"EndpointSlice default/web-1: web-1 ready, +web-1.{THE_WEB} A 10.244.0.3",
        f"    +{THE_WEB} A 10.244.0.3",
        f"    +_http._tcp.{THE_WEB} SRV 0 50 80 web-1.{THE_WEB}",
        f"    +web-1.{THE_WEB} SRV 0 100 80 web-1.{THE_WEB}",
        f"    +{THE_WEB} SRV 0 50 80 web-1.{THE_WEB}",
        f"    +3.0.244.10.in-addr.arpa PTR web-1.{THE_WEB}",
    ]


def test_a_pod_becomes_unready() -> None:
    zone = zone_of(DEFAULT, WEB, replicas("", "", ports=""))
    assert lines(zone, Upserted(replicas("", "unready", ports=""))) == [
        f"EndpointSlice default/web-1: web-1 not ready, -web-1.{THE_WEB} A 10.244.0.3",
        f"    -{THE_WEB} A 10.244.0.3",
        f"    -3.0.244.10.in-addr.arpa PTR web-1.{THE_WEB}",
    ]


def test_a_pod_that_is_not_ready_yet() -> None:
    zone = zone_of(DEFAULT, WEB, replicas(""))
    assert lines(zone, Upserted(replicas("", "unready"))) == [
        "EndpointSlice default/web-1: web-1 new, not ready, no record differs"
    ]


def test_a_pod_is_gone() -> None:
    zone = zone_of(DEFAULT, WEB, replicas("", "", ports=""))
    assert lines(zone, Upserted(replicas("", ports="")))[0] == (
        f"EndpointSlice default/web-1: web-1 gone, -web-1.{THE_WEB} A 10.244.0.3"
    )


def test_a_pod_comes_back_with_another_address() -> None:
    zone = zone_of(DEFAULT, WEB, endpoints("default/web-1", "10.0.0.1 host=web-0 pod=web-0"))
    assert lines(zone, Upserted(endpoints("default/web-1", "10.0.0.2 host=web-0 pod=web-0"))) == [
        f"EndpointSlice default/web-1: web-0 changed, ready, -web-0.{THE_WEB} A 10.0.0.1",
        f"    -{THE_WEB} A 10.0.0.1",
        f"    -1.0.0.10.in-addr.arpa PTR web-0.{THE_WEB}",
        f"    +web-0.{THE_WEB} A 10.0.0.2",
        f"    +{THE_WEB} A 10.0.0.2",
        f"    +2.0.0.10.in-addr.arpa PTR web-0.{THE_WEB}",
    ]


def test_a_pod_terminates() -> None:
    zone = zone_of(DEFAULT, WEB, replicas("", ports=""))
    ending = Endpoint((address("10.244.0.2"),), "web-0", "web-0", False, True, True)
    event = happens(zone, Upserted(EndpointSlice("default", "web-1", "web", (), (ending,))))
    assert event
    assert event.endpoints == (EndpointChange("web-0", "ready", "terminating, still serving"),)


def test_services_and_namespaces_come_and_go() -> None:
    zone = zone_of()
    assert lines(zone, Upserted(Namespace("shop"))) == ["Namespace shop: new, no record differs"]
    shop = service("shop/till", "10.96.0.1")
    assert lines(zone, Upserted(shop)) == [
        "Service shop/till: new, +till.shop.svc.cluster.local A 10.96.0.1",
        "    +1.0.96.10.in-addr.arpa PTR till.shop.svc.cluster.local",
    ]
    assert lines(zone, Upserted(external("shop/till", "example.com")))[1:] == [
        "    -1.0.96.10.in-addr.arpa PTR till.shop.svc.cluster.local",
        "    +till.shop.svc.cluster.local CNAME example.com",
    ]
    assert lines(zone, Deleted(Service, shop.key)) == [
        "Service shop/till: gone, -till.shop.svc.cluster.local CNAME example.com"
    ]


def test_nothing_new_is_no_event() -> None:
    zone = zone_of(DEFAULT, WEB, replicas(""))
    assert happens(zone, Upserted(replicas(""))) is None
    assert happens(zone, Deleted(Service, ("default", "none"))) is None
    assert happens(zone, Replaced(Service, (WEB,))) is None


def test_a_list() -> None:
    zone = zone_of(DEFAULT, service("default/a", "10.96.0.1"), service("default/b", "10.96.0.2"))
    change = Replaced(Service, (service("default/b", "10.96.0.2"), service("default/c", "10.96.0.3")))
    event = happens(zone, change)
    assert event
    assert (event.kind, event.action, event.objects, event.name) == ("Service", "listed", 2, "")
    assert text(event).splitlines()[0] == (
        "a list of Services: 2 of them differ -a.default.svc.cluster.local A 10.96.0.1"
    )


def test_a_list_that_changes_one_object_tells_of_it() -> None:
    zone = zone_of(DEFAULT, WEB, replicas("unready", ports=""))
    event = happens(zone, Replaced(EndpointSlice, (replicas("", ports=""),)))
    assert event
    assert (event.name, event.action, event.endpoints[0].now) == ("web-1", "changed", "ready")


def test_a_record_that_another_object_gives_too_stays() -> None:
    """An endpoint that moves to another slice is in both for a moment."""
    one, two = (endpoints(f"default/web-{at}", "10.0.0.1 host=web-0", ports="http:80") for at in (1, 2))
    zone = zone_of(DEFAULT, WEB, one)
    assert "no record differs" in lines(zone, Upserted(two))[0]
    assert "no record differs" in lines(zone, Deleted(EndpointSlice, one.key))[0]


def test_the_other_slices_of_a_service_are_left_alone() -> None:
    two = endpoints("default/web-2", "10.0.0.2", ports="http:80")
    zone = zone_of(DEFAULT, WEB, endpoints("default/web-1", "10.0.0.1", ports="http:80"), two)
    event = happens(zone, Deleted(EndpointSlice, two.key))
    assert event
    # An address, a reverse name, and SRV records at the Service, at its port and at the endpoint.
    assert (event.removed_count, event.added_count) == (6, 0)


def test_big_events_are_cut() -> None:
    zone = zone_of(DEFAULT, WEB)
    event = happens(zone, Upserted(replicas(*[""] * 30)))
    assert event
    assert (len(event.endpoints), event.endpoint_count) == (LISTED, 30)
    # Per endpoint: two addresses, a reverse name, three SRV records.
    assert (len(event.added), event.added_count) == (LISTED, 180)
    shown = text(event).splitlines()
    assert len(shown) == LISTED + 1
    assert "20 more endpoints" in shown[0]
    assert shown[-1] == "    and 170 more records"


def test_json() -> None:
    zone = zone_of(DEFAULT, WEB, replicas("unready", ports=""))
    event = happens(zone, Upserted(replicas("", ports="")))
    assert event
    assert b"\n" not in to_json(event)
    assert msgspec.json.decode(to_json(event), type=Event) == event
    said = json.loads(to_json(event))
    assert said["endpoints"] == [{"name": "web-0", "before": "not ready", "now": "ready"}]
    assert said["added"][0] == {"name": f"web-0.{THE_WEB}", "type": "A", "data": "10.244.0.2"}
    assert said["serial"] == zone.serial


def test_control_characters_are_shown_escaped() -> None:
    evil = "\x1b]0;x\x07"
    zone = zone_of(DEFAULT, Service("default", evil, headless=True))
    sliced = EndpointSlice("default", evil, evil, (), (Endpoint((address("10.0.0.1"),), evil, evil),))
    event = happens(zone, Upserted(sliced))
    assert event
    assert all(line.isprintable() for line in text(event).splitlines())
    assert r"EndpointSlice default/\027]0;x\007: new, \027]0;x\007 new, ready" in text(event)


# Any sequence of changes.


def all_records(zone: Zone) -> set[tuple[bytes, int, bytes]]:
    """Every record but SOA, SRV without priority and weight."""
    return {
        (name, type_, rdata[4:] if type_ == records.SRV else rdata)
        for name in zone.nodes
        for type_ in reasons.types_at(zone, name)
        if type_ != records.SOA and (rrset := answers.rrset_at(zone, name, type_))
        for rdata in rrset.rdata
    }


def weightless(some: Sequence[differences.Record]) -> list[tuple[bytes, int, bytes]]:
    return [(one.name, one.type, one.rdata[4:] if one.type == records.SRV else one.rdata) for one in some]


@given(st.lists(changes, max_size=8))
def test_exactly_the_records_that_differ(sequence: list[Change]) -> None:
    zone = Zone(ZoneSettings(ns_service=("a", "web"), pods=PodMode.VERIFIED))
    for change in sequence:
        before = all_records(zone)
        touches: list[Touch] = []
        zone.apply(change, touches)
        after = all_records(zone)
        added, removed = map(weightless, differences.differences(zone, touches))
        assert sorted(added) == sorted(after - before)
        assert sorted(removed) == sorted(before - after)


@given(st.lists(changes, max_size=8))
def test_any_event_can_be_told(sequence: list[Change]) -> None:
    zone = Zone(ZoneSettings())
    for change in sequence:
        serial = zone.serial
        event = happens(zone, change)
        assert event or zone.serial == serial
        if event:
            assert all(line.isprintable() for line in text(event).splitlines())


# An edit of a manifest.

STATEFUL_SET = """
apiVersion: v1
kind: Service
metadata: {name: nginx}
spec: {clusterIP: None, selector: {app: nginx}, ports: [{name: web, port: 80}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  serviceName: nginx
  replicas: REPLICAS
  selector: {matchLabels: {app: nginx}}
  template: {metadata: {labels: {app: nginx}}}
"""


async def test_a_manifest_is_edited(tmp_path: Path) -> None:
    manifest = tmp_path / "web.yaml"
    manifest.write_text(STATEFUL_SET.replace("REPLICAS", "2"))
    config = Manifests(path=tmp_path)
    source = ManifestSource(config.path, config.service_cidrs, config.pod_cidrs)
    zone = zone_of()
    for change in source.load():
        zone.apply(change)
    events: list[Event] = []
    told = asyncio.Event()

    def publish(changes: Sequence[Change]) -> None:
        events.extend(event for change in changes if (event := happens(zone, change)))
        told.set()

    following = asyncio.create_task(source.run(publish))
    try:
        manifest.write_text(STATEFUL_SET.replace("REPLICAS", "3"))
        await asyncio.wait_for(told.wait(), 20)
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
    (event,) = (event for event in events if event.kind == "EndpointSlice")
    (added,) = answers.answer(zone, parse_name("web-2.nginx.default.svc.cluster.local"), records.A).answer
    line = f"+web-2.nginx.default.svc.cluster.local A {records.rdata_text(records.A, added.rdata[0])}"
    assert text(event).splitlines()[0] == f"EndpointSlice default/{event.name}: web-2 new, ready, {line}"
