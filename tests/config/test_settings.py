"""The configuration types and the small values they are made of."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidns.config.settings import (
    Cache,
    CacheClass,
    Cluster,
    Config,
    ConfigError,
    Forward,
    Hosts,
    Kubernetes,
    Listen,
    Manifests,
    Reload,
    Rewrite,
    ServerBlock,
    Upstream,
)
from minidns.config.values import duration, network, number, reverse_zones, selector, zone_name, zone_names


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (".", "."),
        ("cluster.local", "cluster.local."),
        ("Cluster.LOCAL.", "cluster.local."),
        ("_tcp.x", "_tcp.x."),
    ],
)
def test_zone_name_has_one_normal_form(text: str, name: str) -> None:
    assert zone_name(text) == name


@pytest.mark.parametrize("text", ["", "..", "a..b", ".a", "a b", "a\\.b", "ä.example", "x" * 64, "a." * 127 + "a"])
def test_zone_name_refuses_what_is_no_name(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a domain name"):
        zone_name(text)


@pytest.mark.parametrize(
    ("text", "zones"),
    [
        ("example.org", ["example.org."]),
        ("10.96.0.0/16", ["96.10.in-addr.arpa."]),
        ("10.0.0.0/8", ["10.in-addr.arpa."]),
        ("10.0.0.0/15", ["0.10.in-addr.arpa.", "1.10.in-addr.arpa."]),
        ("192.0.2.64/26", [f"{last}.2.0.192.in-addr.arpa." for last in range(64, 128)]),
        ("10.96.3.4/16", ["96.10.in-addr.arpa."]),
        ("0.0.0.0/0", ["in-addr.arpa."]),
        ("fd00::/8", ["d.f.ip6.arpa."]),
        ("fd00::/7", ["c.f.ip6.arpa.", "d.f.ip6.arpa."]),
        ("2001:db8::/32", ["8.b.d.0.1.0.0.2.ip6.arpa."]),
        ("::/0", ["ip6.arpa."]),
    ],
)
def test_network_becomes_reverse_zones(text: str, zones: list[str]) -> None:
    assert list(zone_names(text)) == zones


@given(st.ip_addresses(), st.integers(0, 128), st.ip_addresses())
def test_reverse_zones_cover_the_network_and_nothing_else(address: Any, length: int, other: Any) -> None:
    net = ipaddress.ip_network(f"{address}/{min(length, address.max_prefixlen)}", strict=False)
    zones = reverse_zones(net)
    for candidate in (address, other):
        pointer = f".{candidate.reverse_pointer}."
        covered = any(pointer.endswith(f".{zone}") for zone in zones)
        assert covered == (candidate in net)


@pytest.mark.parametrize(
    ("text", "seconds"), [("5s", 5), ("300ms", 0.3), ("1m30s", 90), ("1.5h", 5400), ("0", 0), ("0s", 0)]
)
def test_duration_is_read_as_go_writes_it(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "-5s", "5 s", "5d", "9" * 400 + "h"])
def test_duration_refuses_the_rest(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a duration"):
        duration(text)


@pytest.mark.parametrize("text", ["", "-1", "1.0", "٣", "9" * 5000, "4"])
def test_number_refuses_what_is_none_or_out_of_range(text: str) -> None:
    with pytest.raises(ConfigError, match="a port must be a whole number from 0 to 3"):
        number(text, "a port", 0, 3)


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ("127.0.0.1:1053", Listen("127.0.0.1", 1053)),
        ("[::1]:1053", Listen("::1", 1053)),
        (":1053", Listen("", 1053)),
        ("1053", Listen("", 1053)),
        ("localhost:1053", Listen("localhost", 1053)),
        ("127.0.0.1", Listen("127.0.0.1", 53)),
        ("::1", Listen("::1", 53)),
        ("[::1]", Listen("::1", 53)),
    ],
)
def test_listen_address_is_read(text: str, listen: Listen) -> None:
    assert Listen.parse(text) == listen
    assert Listen.parse(str(listen)) == listen


@pytest.mark.parametrize("text", ["example.org:53", "127.0.0.1:x", "127.0.0.1:70000", "1.2.3:53", "[::1", "127.0.0.1:"])
def test_listen_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        Listen.parse(text)


UPSTREAM = Upstream(host="192.0.2.1")
BLOCK = ServerBlock()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Config(servers=()), "nothing to serve"),
        (lambda: Config(servers=(BLOCK, BLOCK)), "zone . on :53 is served twice"),
        (lambda: Config(servers=(BLOCK,), workers=-1), "workers must be"),
        (lambda: Config(servers=(ServerBlock(kubernetes=Kubernetes()),)), "kubernetes needs a source"),
        (lambda: ServerBlock(zones=()), "needs a zone and an address"),
        (lambda: Kubernetes(ttl=3601), "ttl must be from 0 to 3600"),
        (lambda: Kubernetes(zones=("in-addr.arpa.",)), "not a reverse zone"),
        (lambda: Cluster(namespaces=("a",), namespace_labels="b=c"), "cannot both be set"),
        (lambda: Cluster(endpoint="10.0.0.1"), "not a URL"),
        (lambda: Cluster(endpoint="https://a", kubeconfig=Path("b")), "keep one of them"),
        (lambda: Cluster(context="kind"), "needs the kubeconfig"),
        (lambda: Reload(interval=1), "at least 2s"),
        (lambda: Reload(interval=10, jitter=11), "jitter"),
        (lambda: Forward(upstreams=()), "1 to 15 upstreams, not 0"),
        (lambda: Forward(upstreams=(UPSTREAM,) * 16), "1 to 15 upstreams, not 16"),
        (lambda: Upstream(host="dns.example"), "not an IP address"),
        (lambda: Upstream(host="192.0.2.1", port=0), "port 0 is not within"),
        (lambda: Forward(upstreams=(UPSTREAM,), health_interval=0), "an interval above 0"),
        (lambda: Forward(upstreams=(UPSTREAM,), client_cert=Path("c")), "come together"),
        (lambda: CacheClass(capacity=0), "a cache capacity must be"),
        (lambda: CacheClass(ttl=0), "cache TTLs must be"),
        (lambda: Cache(servfail=301), "servfail must be"),
        (lambda: Cache(prefetch_percent=5), "prefetch percentage must be"),
        (lambda: Hosts(ttl=0), "ttl must be from 1"),
        (lambda: Rewrite(match="prefix", pattern="", replacement="a"), "needs a name to look for"),
        (lambda: Listen("", 65536), "port 65536"),
        (lambda: Rewrite(match="regex", pattern="(", replacement="a"), "not a regular expression"),
        (lambda: Rewrite(match="regex", pattern="(a)", replacement="{2}"), r"has 1 groups"),
        (lambda: Manifests(path=Path(), pod_cidrs=(network("10.96.0.0/12"),)), "overlap"),
        (lambda: Manifests(path=Path(), pod_cidrs=(network("10.1.0.0/16"), network("10.2.0.0/16"))), "one IPv4"),
    ],
)  # fmt: skip
def test_values_that_make_no_sense_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_same_zone_may_be_served_on_several_free_ports() -> None:
    block = ServerBlock(listen=(Listen("127.0.0.1", 0),))
    assert len(Config(servers=(block, block)).servers) == 2


@pytest.mark.parametrize(
    "text",
    ["a", "!a", "a=b", "a==b", "a!=b", "a=", "k8s.io/a_b.c=d", "a in (b, c),d notin (e)", " a = b , ! c ", "a in (b,)"],
)
def test_label_selectors(text: str) -> None:
    assert selector(text) == text


@pytest.mark.parametrize(
    "text", ["", "=", "a=b=c", "a,", ",a", "a in b", "a b", "-a", "a=-", "A/b/c", "a > 1", "a in (b"]
)
def test_what_is_no_label_selector(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a label selector"):
        selector(text)
