"""The zone index: any sequence of changes leaves what a fresh build gives, and costs what it touches."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidns.core import names, schema
from minidns.core.model import (
    Change,
    Deleted,
    Endpoint,
    EndpointSlice,
    ImportedSlice,
    Key,
    Kind,
    Namespace,
    Object,
    Pod,
    Replaced,
    Service,
    ServiceImport,
    Upserted,
)
from minidns.core.names import Name
from minidns.core.records import Rrset
from minidns.core.responder import Responder
from minidns.core.schema import PodMode, ZoneSettings
from minidns.core.snapshot import Snapshot
from minidns.core.walk import drop_ready
from minidns.core.zone import Touch, Zone
from tests.support.client import explained, parsed, presentation
from tests.support.clusters import (
    address,
    endpoints,
    external,
    headless,
    imported,
    imported_slice,
    port,
    service,
    zone_of,
)

# Any sequence of changes. The pools are small, so that objects meet.

NAMESPACES = ("a", "b")
SERVICES = ("s", "t")
IPV4 = tuple(address(f"10.0.0.{last}") for last in (1, 2, 3))
IPV6 = tuple(address(f"fd00::{last}") for last in (1, 2))
PORTS = tuple(
    tuple(map(port, text.split()))
    for text in ("", "http:80", "http:80 https:443", "https:443", ":80", "dns:53/UDP any:")
)
TARGETS = ("s.a.svc.cluster.local", "t.b.svc.cluster.local", "www.example.com", "192.0.2.1", "")

ports = st.sampled_from(PORTS)
namespaces = st.builds(Namespace, st.sampled_from(NAMESPACES))
services = (
    st.builds(
        Service,
        st.sampled_from(NAMESPACES),
        st.sampled_from(SERVICES),
        st.just(()),
        headless=st.just(True),
        ports=ports,
        selector=st.sampled_from([(), (("app", "x"),)]),
    )
    | st.builds(
        Service,
        st.sampled_from(NAMESPACES),
        st.sampled_from(SERVICES),
        st.lists(st.sampled_from(IPV4 + IPV6), max_size=2, unique=True).map(tuple),
        ports=ports,
    )
    | st.builds(
        Service,
        st.sampled_from(NAMESPACES),
        st.sampled_from(SERVICES),
        external_name=st.sampled_from(TARGETS),
    )
)
members = st.builds(
    Endpoint,
    st.lists(st.sampled_from(IPV4), min_size=1, max_size=2, unique=True).map(tuple)
    | st.sampled_from(IPV6).map(lambda ip: (ip,)),
    st.sampled_from([None, None, "h", "i"]),
    st.sampled_from([None, "p", "q", "x" * 64]),
    ready=st.sampled_from([True, True, True, False]),
)
slices = st.builds(
    EndpointSlice,
    st.sampled_from(NAMESPACES),
    st.sampled_from(["x", "y", "z"]),
    st.sampled_from([*SERVICES, *SERVICES, ""]),
    ports,
    st.lists(members, max_size=3).map(tuple),
)
pods = st.builds(
    Pod,
    st.sampled_from(NAMESPACES),
    st.sampled_from(["p", "q"]),
    st.lists(st.sampled_from(IPV4 + IPV6), max_size=2, unique=True).map(tuple),
)
imports = services.filter(lambda one: one.external_name is None).map(imported)
imported_slices = st.builds(imported_slice, slices, st.sampled_from(["h", "i", "I", "", "x" * 64]))
OBJECTS: dict[Kind, st.SearchStrategy[Object]] = {
    Namespace: namespaces,
    Service: services,
    EndpointSlice: slices,
    Pod: pods,
    ServiceImport: imports,
    ImportedSlice: imported_slices,
}
KINDS = tuple(OBJECTS)


def keys(kind: Kind) -> st.SearchStrategy[Key]:
    return OBJECTS[kind].map(lambda obj: obj.key)


def lists(kind: Kind) -> st.SearchStrategy[Replaced]:
    objects = st.lists(OBJECTS[kind], max_size=4, unique_by=lambda obj: obj.key)
    return objects.map(lambda found: Replaced(kind, tuple(found)))


upserted = st.one_of(services, slices, imports, imported_slices, *OBJECTS.values()).map(Upserted)
deleted = st.sampled_from(KINDS).flatmap(lambda kind: st.builds(Deleted, st.just(kind), keys(kind)))
changes = st.one_of(upserted, upserted, upserted, deleted, st.sampled_from(KINDS).flatmap(lists))
zone_settings = st.builds(
    ZoneSettings,
    pods=st.sampled_from(PodMode),
    endpoint_pod_names=st.booleans(),
    ignore_empty_service=st.booleans(),
    exposed_namespaces_only=st.booleans(),
    multicluster=st.booleans(),
    ttl=st.sampled_from([5, 30]),
    ns_service=st.just(("a", "s")),
    ns_addresses=st.sampled_from([(), (address("192.0.2.53"),)]),
    reverse=st.sampled_from(
        [(names.IN_ADDR_ARPA, names.IP6_ARPA), (), (names.from_text("0.10.in-addr.arpa"),)],
    ),
)


def questions() -> list[bytes]:
    labels = [*SERVICES, "nobody"]
    hosts = ["h", "i", "p", "10-0-0-1", "10-0-0-2", "fd00--1", "_tcp", "_http._tcp", "_https._tcp", "_dns._udp", "x.h"]
    hosts += ["h.h", "h.i", "i.i", "10-0-0-1.h", "p.i"]
    found = ["", "svc", "dns-version", "ns.dns", "foo"]
    for namespace in (*NAMESPACES, "c"):
        found += [
            f"{namespace}.svc",
            f"{namespace}.pod",
            *(f"{ip}.{namespace}.pod" for ip in ("10-0-0-1", "fd00--1", "x")),
        ]
        found += [f"{label}.{namespace}.svc" for label in labels]
        found += [f"{host}.{label}.{namespace}.svc" for host, label in product(hosts, labels[:2])]
    below = [f"{name}.cluster.local".removeprefix(".") for name in found]
    reverse = [
        "in-addr.arpa",
        "10.in-addr.arpa",
        "0.0.10.in-addr.arpa",
        "1.0.0.10.in-addr.arpa",
        "3.0.0.10.in-addr.arpa",
    ]
    typed = [(name, type_) for name in below for type_ in (1, 28, 33, 99)] + [
        ("cluster.local", 2),
        ("cluster.local", 6),
    ]
    typed += [(name, type_) for name in reverse for type_ in (12, 6)] + [("dns-version.cluster.local", 16)]
    header, opt = b"\0\1\1\0\0\1\0\0\0\0\0\1", b"\0\0\x29\xff\xff\0\0\0\0\0\0"
    return [header + names.from_text(name) + type_.to_bytes(2, "big") + b"\0\1" + opt for name, type_ in typed]


QUESTIONS = questions()


def index(zone: Zone) -> dict[Name, tuple[Counter[schema.Part], int]]:
    return {name: (Counter(node.parts), node.children) for name, node in zone.nodes.items()}


def records_of(reply: object) -> tuple[object, ...]:
    message = parsed(reply)
    sections = [sorted(presentation(section)) for section in (message.answer, message.authority, message.additional)]
    return message.rcode(), message.flags, explained(message), sections


def all_answers(responder: Responder) -> list[bytes]:
    channel = responder.channel("tcp", "1")
    replies = [responder.respond(question, channel) for question in QUESTIONS]
    return [reply for reply in replies if isinstance(reply, bytes)]


def different(ours: list[bytes], fresh: list[bytes]) -> list[tuple[tuple[object, ...], tuple[object, ...]]]:
    """Where answers differ in more than the order of records, which is the order in which objects came."""
    assert len(ours) == len(fresh)
    pairs = ((records_of(one), records_of(two)) for one, two in zip(ours, fresh, strict=True) if one != two)
    return [(one, two) for one, two in pairs if one != two]


def built(settings: ZoneSettings, zone: Zone) -> Zone:
    """A zone that was told of the same objects by lists."""
    fresh = Zone(settings)
    for kind in reversed(KINDS):
        fresh.apply(Replaced(kind, tuple(zone.cluster.all(kind).values())))
    fresh.serial, fresh.synced = zone.serial, True
    return fresh


def follow(before: dict[Name, tuple[Counter[schema.Part], int]], feed: list[Touch]) -> dict[Name, Counter[schema.Part]]:
    """The parts of every name, from what they were and what a feed says."""
    after = {name: Counter(parts) for name, (parts, _) in before.items()}
    for touch in feed:
        parts = after.setdefault(touch.name, Counter())
        parts.update(touch.given)
        parts.subtract(touch.taken)
    return {name: +parts for name, parts in after.items() if +parts}


def check(settings: ZoneSettings, sequence: list[Change]) -> None:
    """After each change: the index, the answers and the report of what was touched are those of the new state."""
    zone = Zone(settings)
    zone.synced = True
    responder = Responder(zone)
    answers = all_answers(responder)
    for change in sequence:
        before, serial = index(zone), zone.serial
        feed: list[Touch] = []
        touched = zone.apply(change, feed)
        fresh = built(settings, zone)
        after = index(zone)
        assert after == index(fresh)
        assert zone.not_ready == fresh.not_ready
        assert zone.serial == serial + bool(touched)
        assert {touch.name for touch in feed} == set(touched)
        assert follow(before, feed) == {name: parts for name, (parts, _) in after.items() if parts}
        now = all_answers(responder)
        assert not different(now, all_answers(Responder(fresh)))
        if not touched:
            assert not [pair for pair in different(now, answers) if pair[0][3] != pair[1][3]]
        answers = now


@given(zone_settings, st.lists(changes, min_size=1, max_size=8))
@settings(max_examples=80)
def test_any_changes_give_what_a_fresh_build_gives(settings: ZoneSettings, sequence: list[Change]) -> None:
    check(settings, sequence)


others = st.fixed_dictionaries(
    {
        "ttl": st.sampled_from([5, 30]),
        "version_ttl": st.sampled_from([schema.VERSION_TTL, 60]),
        "negative": st.sampled_from([None, (3, 2)]),
        "pods": st.sampled_from([PodMode.DISABLED, PodMode.INSECURE]),
        "ns_addresses": st.sampled_from([(), (address("192.0.2.53"),)]),
    }
)


@given(zone_settings, st.lists(others, min_size=1, max_size=3), st.lists(changes, max_size=6), st.data())
@settings(max_examples=80)
def test_other_settings_of_the_same_shape_are_answered_by_from_the_same_nodes(
    first: ZoneSettings, then: list[dict[str, object]], sequence: list[Change], data: st.DataObject
) -> None:
    zone = Zone(first)
    zone.synced = True
    for change in sequence:
        zone.apply(change)
    all_answers(Responder(zone))
    for other in then:
        if first.pods is PodMode.VERIFIED:
            other["pods"] = PodMode.VERIFIED
        before, serial = dict(zone.nodes), zone.serial
        with Snapshot(zone) as snapshot:
            wanted = [rrset for origin in zone.origins for some in snapshot.in_order(origin) for rrset in some]
            zone.answer_by(settings := replace(zone.settings, **other))  # type: ignore[arg-type]
            assert wanted == [rrset for origin in zone.origins for some in snapshot.in_order(origin) for rrset in some]
        assert zone.settings == settings
        assert zone.outdated
        assert zone.nodes == before
        assert all(zone.nodes[name] is node for name, node in before.items())
        for _ in drop_ready(zone):
            pass
        fresh = built(settings, zone)
        assert index(zone) == index(fresh)
        assert not different(all_answers(Responder(zone)), all_answers(Responder(fresh)))
        assert (zone.serial != serial) == (records_of_zone(zone, serial) != wanted)
        zone.apply(data.draw(changes))


def records_of_zone(zone: Zone, serial: int) -> list[Rrset]:
    """All records, with a serial of our own."""
    with Snapshot(zone) as snapshot:
        snapshot.serial = serial
        return [rrset for origin in zone.origins for some in snapshot.in_order(origin) for rrset in some]


def up(*objects: Object) -> list[Change]:
    return [Upserted(obj) for obj in objects]


NAMED: dict[str, list[Change]] = {
    # Once the additional address that another slice, with other ports, gives to a target stayed the old one.
    "a host in two slices of different ports": up(
        Namespace("a"),
        headless("a/s"),
        endpoints("a/x", "10.0.0.1 host=h", ports="http:80", of="s"),
        endpoints("a/y", "10.0.0.2 host=h", ports="https:443", of="s"),
        endpoints("a/y", "10.0.0.3 host=h", ports="https:443", of="s"),
        endpoints("a/y", of="s"),
    ),
    # Once "nothing here, only names below" was kept when there were none any more.
    "the last name below goes": [
        *up(Namespace("a"), service("a/s", "10.0.0.1", ports="http:80")),
        Deleted(Namespace, ("", "a")),
        Deleted(Service, ("a", "s")),
        *up(service("a/s", "10.0.0.1")),
    ],
    "a slice before its Service, and after it": [
        *up(endpoints("a/x", "10.0.0.1 host=h", "10.0.0.2", ports="http:80", of="s"), headless("a/s")),
        Deleted(Service, ("a", "s")),
        *up(headless("a/s")),
        Deleted(EndpointSlice, ("a", "x")),
    ],
    "every shape to every other": up(
        endpoints("a/x", "10.0.0.1 host=h", ports="http:80", of="s"),
        *(
            shape
            for one, two in product(range(3), repeat=2)
            for shape in (
                (
                    headless("a/s"),
                    service("a/s", "10.0.0.2", ports="http:80"),
                    external("a/s", "t.b.svc.cluster.local"),
                )[one],
                (
                    headless("a/s"),
                    service("a/s", "10.0.0.2", ports="http:80"),
                    external("a/s", "t.b.svc.cluster.local"),
                )[two],
            )
        ),
    ),
    "an endpoint moves between slices": up(
        headless("a/s"),
        endpoints("a/x", "10.0.0.1 host=h", "10.0.0.2 host=i", ports="http:80", of="s"),
        endpoints("a/y", "10.0.0.1 host=h", ports="http:80", of="s"),
        endpoints("a/x", "10.0.0.2 host=i", ports="http:80", of="s"),
    ),
    "a slice moves to another Service": up(
        headless("a/s"),
        headless("a/t"),
        endpoints("a/x", "10.0.0.1 host=h", ports="http:80", of="s"),
        endpoints("a/x", "10.0.0.1 host=h", ports="http:80", of="t"),
        endpoints("a/x", "10.0.0.1 host=h", ports="http:80", of=""),
    ),
    "ports are renamed": up(
        headless("a/s"),
        endpoints("a/x", "10.0.0.1 host=h", ports="http:80", of="s"),
        endpoints("a/x", "10.0.0.1 host=h", ports="https:80", of="s"),
        endpoints("a/x", "10.0.0.1 host=h", ports=":80", of="s"),
        service("a/t", "10.0.0.2", ports="http:80"),
        service("a/t", "10.0.0.2", ports="https:80"),
    ),
    "one address, many Services": [
        *up(
            headless("a/s"),
            headless("a/t"),
            service("b/s", "10.0.0.1"),
            endpoints("a/x", "10.0.0.1", of="s"),
            endpoints("a/y", "10.0.0.1 host=h", "10.0.0.1 host=h", of="t"),
        ),
        Deleted(Service, ("b", "s")),
        Deleted(Service, ("a", "s")),
    ],
    "the Service that gives ns.dns its addresses": [
        *up(service("a/s", "10.0.0.1"), service("a/s", "10.0.0.2", "fd00::1"), headless("a/s")),
        Deleted(Service, ("a", "s")),
    ],
    "readiness comes and goes": up(
        headless("a/s"),
        service("a/t", "10.0.0.3", ports="http:80"),
        *(
            endpoints(f"a/{slice_}", f"10.0.0.{last} host=h{unready}", ports="http:80", of=of)
            for slice_, of, last in (("x", "s", 1), ("y", "t", 2))
            for unready in ("", " unready", "")
        ),
    ),
}


def set_wide(change: Change) -> Change:
    """The same change of what other clusters export, each slice in the cluster that its name says."""
    kinds: dict[Kind, Kind] = {Service: ServiceImport, EndpointSlice: ImportedSlice}
    if isinstance(change, Deleted):
        return Deleted(kinds.get(change.kind, change.kind), change.key)
    assert isinstance(change, Upserted)
    match change.object:
        case Service(external_name=None):
            return Upserted(imported(change.object))
        case EndpointSlice():
            return Upserted(imported_slice(change.object, change.object.name))
    return change


@pytest.mark.parametrize("case", NAMED)
def test_named_changes_of_imports_give_what_a_fresh_build_gives(case: str) -> None:
    check(ZoneSettings(ns_service=("a", "s"), multicluster=True), list(map(set_wide, NAMED[case])))


@pytest.mark.parametrize("case", NAMED)
@pytest.mark.parametrize("ignore", [False, True])
def test_named_changes_give_what_a_fresh_build_gives(case: str, ignore: bool) -> None:
    check(ZoneSettings(pods=PodMode.VERIFIED, ns_service=("a", "s"), ignore_empty_service=ignore), NAMED[case])


# What a change costs


def huge(parts: int = 10) -> Zone:
    """A headless Service of 100 pods in each of its slices, and two others."""
    slices = [slice_of(part) for part in range(parts)]
    zone = Zone(ZoneSettings())
    zone.apply(Replaced(Namespace, (Namespace("default"),)))
    zone.apply(
        Replaced(
            Service,
            (headless("default/big", ports="http:80"), headless("default/small"), service("default/web", "10.96.0.1")),
        )
    )
    zone.apply(Replaced(EndpointSlice, (*slices, endpoints("default/small-1", "10.9.0.1", "10.9.0.2"))))
    zone.synced = True
    return zone


def slice_of(part: int, *, last: str = "99", ports: str = "http:80") -> EndpointSlice:
    ips = [f"10.1.{part}.{number}" for number in range(99)] + [f"10.1.{part}.{last}"]
    return endpoints(f"default/big-{part}", *ips, ports=ports)


def ready_names(zone: Zone) -> set[Name]:
    return {name for name, node in zone.nodes.items() if node.ready}


def below_big(*labels: str) -> set[Name]:
    return {
        names.from_text(".".join((*label.split(), "big.default.svc.cluster.local")).lstrip(".")) for label in labels
    }


def test_one_slice_event_touches_the_names_of_what_differs_in_it() -> None:
    """Of 10,000 endpoints in 100 slices."""
    zone = huge(100)
    responder = Responder(zone)
    channel = responder.channel("udp", "1")
    for name in list(zone.nodes):
        for type_ in (1, 33, 12):
            responder.respond(b"\0\1\1\0\0\1\0\0\0\0\0\0" + name + type_.to_bytes(2, "big") + b"\0\1", channel)
    everything = ready_names(zone)
    assert len(everything) == len(zone.nodes) > 20_000
    feed: list[Touch] = []
    touched = zone.apply(Upserted(slice_of(7, last="200")), feed)
    service_names = below_big("", "_http._tcp")
    gone = below_big("10-1-7-99") | {names.reverse(address("10.1.7.99"))}
    come = below_big("10-1-7-200") | {names.reverse(address("10.1.7.200"))}
    assert set(touched) == service_names | gone | come
    assert len(touched) == len(feed) == 6
    assert everything - ready_names(zone) == service_names | gone
    assert set(zone.nodes) == everything - gone | come


def test_a_slice_whose_ports_change_touches_the_names_of_its_endpoints_only() -> None:
    zone = huge()
    touched = zone.apply(Upserted(slice_of(7, ports="http:81")))
    assert set(touched) == below_big("", "_http._tcp", *(f"10-1-7-{last}" for last in range(100)))


@pytest.mark.parametrize("part", [0, 5, 9])
def test_a_slice_that_goes_takes_its_own_names(part: int) -> None:
    zone = huge()
    touched = zone.apply(Deleted(EndpointSlice, ("default", f"big-{part}")))
    ips = [f"10.1.{part}.{last}" for last in range(100)]
    hosts = below_big(*(ip.replace(".", "-") for ip in ips))
    assert set(touched) == below_big("", "_http._tcp") | hosts | {names.reverse(address(ip)) for ip in ips}


def test_what_is_not_in_an_answer_touches_nothing() -> None:
    zone = huge()
    serial = zone.serial
    same = slice_of(7)
    terminating = [
        Endpoint(one.addresses, one.hostname, one.pod, one.ready, serving=False, terminating=True)
        for one in same.endpoints
    ]
    big = zone.cluster.service(("default", "big"))
    assert big is not None
    for obj in (
        EndpointSlice("default", "big-7", "big", same.ports, tuple(terminating)),
        Service("default", "big", headless=True, ports=big.ports, selector=(("app", "big"),), publish_not_ready=True),
        Pod("default", "p", (address("10.1.7.7"),)),
        EndpointSlice("default", "stray", "", same.ports, same.endpoints),
        EndpointSlice("default", "early", "not-yet", same.ports, same.endpoints),
    ):
        feed: list[Touch] = []
        assert not zone.apply(Upserted(obj), feed)
        assert not feed
    assert zone.serial == serial


@pytest.mark.parametrize("kind", KINDS)
def test_a_list_of_the_same_objects_touches_nothing(kind: Kind) -> None:
    """Also when they were decoded anew."""
    zone, again = huge(), huge()
    serial = zone.serial
    for objects in (zone.cluster.all(kind).values(), again.cluster.all(kind).values()):
        assert zone.apply(Replaced(kind, tuple(objects))) == []
    assert zone.serial == serial


def test_a_list_touches_what_differs() -> None:
    zone = huge()
    objects = [obj for obj in zone.cluster.all(EndpointSlice).values() if obj.key != ("default", "big-3")]
    objects[0] = slice_of(0, last="222")
    touched = zone.apply(Replaced(EndpointSlice, tuple(objects)))
    assert len(touched) == 2 + 200 + 4


@pytest.mark.parametrize(
    "change",
    [
        Deleted(Service, ("default", "nobody")),
        Deleted(Pod, ("default", "nobody")),
        Upserted(service("default/web", "10.96.0.1")),
        Upserted(Namespace("default")),
    ],
)
def test_nothing_new_touches_nothing(change: Change) -> None:
    zone = huge()
    serial = zone.serial
    assert zone.apply(change) == []
    assert zone.serial == serial


def test_the_serial_wraps() -> None:
    zone = Zone(ZoneSettings(), serial=0xFFFFFFFF)
    zone.apply(Upserted(Namespace("a")))
    assert zone.serial == 0


# Look-ups


def test_the_closest_encloser_and_the_origin_of_a_name() -> None:
    zone = huge()
    for text, encloser, origin in (
        ("x.y.web.default.svc.cluster.local", "web.default.svc.cluster.local", "cluster.local"),
        ("web.default.svc.cluster.local", "web.default.svc.cluster.local", "cluster.local"),
        ("1.1.1.1.in-addr.arpa", "in-addr.arpa", "in-addr.arpa"),
        ("7.1.1.10.in-addr.arpa", "7.1.1.10.in-addr.arpa", "in-addr.arpa"),
    ):
        assert zone.encloser(names.from_text(text)) == names.from_text(encloser)
        assert zone.origin(names.from_text(text)) == names.from_text(origin)
    assert zone.encloser(names.from_text("example.com")) is None
    assert zone.origin(names.from_text("example.com")) is None


def test_a_zone_that_is_not_served_holds_nothing() -> None:
    zone = Zone(ZoneSettings(served=False))
    assert (zone.nodes, zone.origins) == ({}, ())


def test_names_that_dns_cannot_have_are_left_out() -> None:
    zone = zone_of(
        Namespace("n" * 64),
        service(f"default/{'s' * 64}", "10.96.0.1"),
        headless("default/db"),
        endpoints("default/db-1", f"10.0.0.1 host={'h' * 64}", "10.0.0.2 host=ok", ports="http:80 :81 any:"),
        external("default/e", "a..b"),
        endpoints("default/x", "10.0.0.3", of="s" * 64),
    )
    below = [names.to_text(name) for name in zone.nodes if names.is_below(name, names.from_text("svc.cluster.local"))]
    assert sorted(below) == sorted(
        f"{label}svc.cluster.local."
        for label in ("", "default.", "db.default.", "ok.db.default.", "_tcp.db.default.", "_http._tcp.db.default.")
    )


def test_a_zone_nobody_asks_is_let_go_of_in_steps() -> None:
    zone = zone_of(service("a/s", "10.0.0.1"))
    overlay: dict[Name, tuple[schema.Part, ...]] = {}
    zone.overlays.append(overlay)
    assert not zone.shrink(10)
    assert zone.nodes
    zone.overlays.clear()
    steps = 1
    while zone.shrink(4):
        steps += 1
    assert not zone.nodes
    assert steps > 2
