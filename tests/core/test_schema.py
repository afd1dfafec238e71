"""What one object gives to which names; what cannot be a name gives nothing."""

from __future__ import annotations

import pytest

from minidns.core import names, schema
from minidns.core.model import Endpoint, EndpointSlice, Namespace, Port, Service
from minidns.core.schema import Alias, Apex, Exists, Hosts, NotReady, PodMode, Pointer, Text, ZoneSettings
from tests.support.clusters import address, endpoint, endpoints, external, headless, pod, port, service

#: A zone so deep that a label of 40 still fits in front of `svc` or `pod`, but little more does.
DEEP = ZoneSettings(origin=names.from_text(".".join(["z" * 63, "z" * 63, "z" * 63, "z" * 15])), reverse=())
Z = ZoneSettings()


def name(text: str) -> names.Name:
    return names.from_text(f"{text}.cluster.local".removeprefix("@."))


def test_negative_ttl() -> None:
    assert [ZoneSettings(ttl=ttl).negative_ttl for ttl in (0, 4, 5, 6, 3600)] == [0, 4, 5, 5, 5]


def test_a_zone_without_objects() -> None:
    origin = name("@")
    given = dict(schema.of_zone(ZoneSettings(reverse=()), (address("192.0.2.1"),)))
    assert given == {
        origin: Apex(origin),
        name("ns.dns"): Hosts((address("192.0.2.1"),)),
        name("dns-version"): Text("1.1.0"),
        name("svc"): Exists(),
        name("pod"): Exists(),
    }


def test_a_zone_whose_origin_leaves_no_room() -> None:
    origin = names.from_text(".".join(["z" * 63, "z" * 63, "z" * 63, "z" * 59]))
    assert len(origin) == 253
    settings = ZoneSettings(origin=origin, reverse=(), pods=PodMode.VERIFIED)
    assert list(schema.of_zone(settings, ())) == [(origin, Apex(origin))]
    assert list(schema.of_namespace(settings, "a")) == []
    assert list(schema.of_pod(settings, pod("a/p", "10.0.0.1"))) == []
    assert list(schema.of_service(settings, service("a/s", "10.0.0.1"))) == []
    assert list(schema.of_slice(settings, headless("a/s"), endpoints("a/s-1", "10.0.0.1"))) == []


def test_names_that_do_not_fit_below_a_deep_zone() -> None:
    """The Service fits, its ports, endpoints and pods do not."""
    assert len(DEEP.origin) == 209
    long = service(f"n/{'s' * 30}", "10.0.0.1", ports="http:80")
    owner = schema.service_name(DEEP, "n", "s" * 30)
    assert owner is not None
    assert [at for at, _ in schema.of_service(DEEP, long)] == [owner]
    member = endpoints("n/x", "10.0.0.100", ports="http:80")
    given = list(schema.of_slice(DEEP, headless(f"n/{'s' * 30}"), member))
    assert given == [(owner, Hosts((address("10.0.0.100"),), (80,), (), (4,)))]
    assert list(schema.of_endpoint(DEEP, owner, (80,), member.endpoints[0])) == []
    assert list(schema.of_endpoint(DEEP, owner, (80,), endpoint("10.0.0.100 unready"))) == []
    verified = ZoneSettings(origin=DEEP.origin, reverse=(), pods=PodMode.VERIFIED)
    assert list(schema.of_pod(verified, pod(f"{'n' * 34}/p", "10.0.0.1"))) == []


@pytest.mark.parametrize("mode", PodMode)
def test_a_namespace(mode: PodMode) -> None:
    given = dict(schema.of_namespace(ZoneSettings(pods=mode), "a"))
    assert given == {name("a.svc"): Exists(), name("a.pod"): Exists(pods=True)}


@pytest.mark.parametrize("mode", PodMode)
def test_a_pod(mode: PodMode) -> None:
    given = dict(schema.of_pod(ZoneSettings(pods=mode), pod("a/p", "10.0.0.1", "fd00::1")))
    expected = {
        name("10-0-0-1.a.pod"): Hosts((address("10.0.0.1"),)),
        name("fd00--1.a.pod"): Hosts((address("fd00::1"),)),
    }
    assert given == (expected if mode is PodMode.VERIFIED else {})


def test_a_virtual_ip() -> None:
    owner, ips = name("s.a.svc"), (address("10.0.0.1"), address("fd00::1"))
    given = dict(schema.of_service(Z, service("a/s", "10.0.0.1", "fd00::1", ports="http:80 :81 any:")))
    assert given == {
        owner: Hosts(ips, (80, 81), (), (4, 16)),
        name("_http._tcp.s.a.svc"): Hosts((), (80,), (owner,), (4, 16)),
        names.reverse(ips[0]): Pointer(owner, virtual=True),
        names.reverse(ips[1]): Pointer(owner, virtual=True),
    }


def test_a_headless_service_gives_nothing_by_itself() -> None:
    assert list(schema.of_service(Z, headless("a/s", ports="http:80"))) == []


@pytest.mark.parametrize(
    ("target", "alias"),
    [
        ("www.example.com", "www.example.com"),
        ("WWW.Example.com.", "www.example.com"),
        ("localhost", "localhost"),
        ("192.0.2.1", None),
        ("192.0.2.1.", None),
        ("fd00::1", None),
        ("", None),
        (".", None),
        ("..", None),
        ("a..b", None),
        ("a" * 64, None),
        ("\ud800", None),
    ],
)
def test_an_alias(target: str, alias: str | None) -> None:
    expected = [] if alias is None else [(name("s.a.svc"), Alias(names.from_text(alias)))]
    assert list(schema.of_service(Z, external("a/s", target))) == expected


def test_a_slice_gives_one_part_to_each_name_of_its_service() -> None:
    owner = name("s.a.svc")
    members = (
        "10.0.0.1 host=h",
        "10.0.0.2+10.0.0.3",
        "10.0.0.1 host=h",
        "10.0.0.4 unready",
        f"10.0.0.5 host={'x' * 64}",
    )
    given = dict(schema.of_slice(Z, headless("a/s"), endpoints("a/x", *members, ports="http:80 dns:53/UDP :80 any:")))
    targets = tuple(name(f"{label}.s.a.svc") for label in ("10-0-0-2", "10-0-0-3", "h"))
    ips = tuple(address(f"10.0.0.{last}") for last in (1, 2, 3, 5))
    assert given == {
        owner: Hosts(ips, (80, 53), targets, (4,)),
        name("_http._tcp.s.a.svc"): Hosts((), (80,), targets, (4,)),
        name("_dns._udp.s.a.svc"): Hosts((), (53,), targets, (4,)),
    }


def test_the_order_of_a_slices_endpoints_makes_no_other_part() -> None:
    members = "10.0.0.2 host=b", "10.0.0.1 host=a", "10.0.0.3"
    given = [
        list(schema.of_slice(Z, headless("a/s"), endpoints("a/x", *some, ports="http:80")))
        for some in (members, members[::-1])
    ]
    assert given[0] == given[1]


@pytest.mark.parametrize("slice_", [endpoints("a/x"), endpoints("a/x", "10.0.0.1 unready", ports="http:80")])
def test_a_slice_without_ready_endpoints_gives_nothing(slice_: EndpointSlice) -> None:
    assert list(schema.of_slice(Z, headless("a/s"), slice_)) == []
    assert list(schema.of_slice(Z, service("a/s", "10.0.0.9"), endpoints("a/x", "10.0.0.1"))) == []


def test_an_endpoint() -> None:
    owner = name("s.a.svc")
    one, two = address("10.0.0.1"), address("10.0.0.2")
    assert list(schema.of_endpoint(Z, owner, (80,), endpoint("10.0.0.1+10.0.0.2 host=h"))) == [
        (name("h.s.a.svc"), Hosts((one,), (80,), (), (4,))),
        (names.reverse(one), Pointer(name("h.s.a.svc"))),
        (name("h.s.a.svc"), Hosts((two,), (80,), (), (4,))),
        (names.reverse(two), Pointer(name("h.s.a.svc"))),
    ]
    assert list(schema.of_endpoint(Z, owner, (), endpoint("fd00::1+fd00::2 unready"))) == [
        (name("fd00--1.s.a.svc"), NotReady()),
        (name("fd00--2.s.a.svc"), NotReady()),
    ]


@pytest.mark.parametrize(
    ("text", "pod_names", "labels"),
    [
        ("10.0.0.1", False, ("10-0-0-1",)),
        ("10.0.0.1+10.0.0.2 pod=p", False, ("10-0-0-1", "10-0-0-2")),
        ("10.0.0.1+10.0.0.2 pod=p", True, ("p",)),
        ("10.0.0.1 pod=p host=h", True, ("h",)),
        (f"10.0.0.1 pod={'p' * 63}", True, ("p" * 63,)),
        (f"10.0.0.1 pod={'p' * 64}", True, ("10-0-0-1",)),
    ],
)
def test_labels_of_an_endpoint(text: str, pod_names: bool, labels: tuple[str, ...]) -> None:
    assert schema.endpoint_labels(ZoneSettings(endpoint_pod_names=pod_names), endpoint(text)) == labels


@pytest.mark.parametrize(("count", "weight"), [(1, 100), (2, 50), (3, 33), (99, 1), (100, 1), (10_000, 1)])
def test_weights(count: int, weight: int) -> None:
    assert schema.weight(count) == weight


def test_names_of_ports() -> None:
    assert schema.port_name(port("HTTP:80"), name("s")) == name("_http._tcp.s")
    assert schema.port_name(port(":80"), name("s")) is None
    assert schema.port_name(Port("x", "p" * 63, 80), name("s")) is None
    assert schema.port_name(Port("x" * 63, "TCP", 80), name("s")) is None


@pytest.mark.parametrize("number", [-1, 65536, 2**63])
def test_a_port_that_no_record_can_hold_is_left_out(number: int) -> None:
    bad, long = Port("bad", "TCP", number), Port("x" * 63, "TCP", 1)
    web = Service("a", "s", (address("10.0.0.1"),), ports=(bad, port("http:80"), port("any:"), long))
    assert schema.port_numbers(web) == (80, 1)
    placed = dict(schema.of_service(Z, web))
    assert name("_bad._tcp.s.a.svc") not in placed
    assert placed[name("s.a.svc")] == Hosts((address("10.0.0.1"),), (80, 1), (), (4,))
    slice_ = EndpointSlice("a", "s-1", "s", web.ports, (endpoint("10.0.0.1"),))
    of_slice = dict(schema.of_slice(Z, Service("a", "s", headless=True), slice_))
    assert name("_http._tcp.s.a.svc") in of_slice
    assert name("_bad._tcp.s.a.svc") not in of_slice
    said = [f"port bad {number}/TCP is not within 0 and 65535", f"the name of port {'x' * 63} is too long for a label"]
    assert [text.split(", ")[0] for text in schema.left_out(web)] == said
    assert [text.split(", ")[0] for text in schema.left_out(slice_)] == said


def test_a_hostname_that_is_no_label_is_left_out() -> None:
    hosts = ("web", "x" * 64, "\0", "ä" * 31, "ä" * 32, None, "")
    slice_ = EndpointSlice("a", "s-1", "s", (), tuple(Endpoint((address("10.0.0.1"),), host) for host in hosts))
    assert list(schema.left_out(slice_)) == [f"hostname {host} is no label" for host in ("x" * 64, "\0", "ä" * 32)]
    assert list(schema.left_out(Namespace("x" * 64))) == []


def test_a_virtual_ip_is_pointed_to_before_endpoints() -> None:
    one, two, three = (name(f"{label}.a.svc") for label in ("x", "y", "z"))
    assert schema.names_at([Pointer(one), Pointer(two), Pointer(one)], 12) == (one, two)
    assert schema.names_at([Pointer(one), Pointer(two, virtual=True), Pointer(three, virtual=True)], 12) == (two, three)
    assert schema.names_at([Pointer(one), Alias(two)], 5) == (two,)


def test_reverse_names_of_our_zones_only() -> None:
    settings = ZoneSettings(reverse=(names.from_text("10.in-addr.arpa"),))
    assert schema.reverse_name(settings, address("10.1.2.3")) == names.from_text("3.2.1.10.in-addr.arpa")
    assert schema.reverse_name(settings, address("110.1.2.3")) is None
    assert schema.reverse_name(settings, address("fd00::1")) is None
