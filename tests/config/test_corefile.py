"""The Corefile reader: text to Config, or an error with file and line."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minidns.config.corefile import CorefileError, describe, parse, read
from minidns.config.plugins.log import COMBINED_LOG, COMMON_LOG
from minidns.config.settings import (
    Cache,
    CacheClass,
    Cluster,
    Config,
    ConfigError,
    Forward,
    Health,
    Hosts,
    Kubernetes,
    Listen,
    Log,
    Manifests,
    PodMode,
    Policy,
    Reload,
    Rewrite,
    ServerBlock,
    Upstream,
)
from tests.support.places import COREFILES, ROOT

RESOLVER = Upstream(host="192.0.2.53")
TEN = CacheClass(ttl=10)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A file system with an /etc/resolv.conf."""
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "resolv.conf").write_text("# made for a test\nsearch example.org\nnameserver 192.0.2.53\noptions ndots:5\n")
    return tmp_path


def server(text: str, root: Path = Path("/"), **env: str) -> ServerBlock:
    """The one server block of a configuration whose plugins are given."""
    (block,) = parse(f".:53 {{\n{text}\n}}\n", root=root, env=env).servers
    return block


KUBEADM = Config(
    servers=(
        ServerBlock(
            kubernetes=Kubernetes(ttl=30, pods=PodMode.INSECURE, fallthrough=("in-addr.arpa.", "ip6.arpa.")),
            forwards=(Forward(upstreams=(RESOLVER,), max_concurrent=1000),),
            cache=Cache(
                success=CacheClass(ttl=30),
                denial=CacheClass(ttl=30),
                disable_success=("cluster.local.",),
                disable_denial=("cluster.local.",),
            ),
            errors=True,
            loop=True,
            prefer=(),
        ),
    ),
    source=Cluster(),
    health=(Health(lameduck=5),),
    ready=(Listen("", 8181),),
    metrics=(Listen("", 9153),),
    reload=Reload(interval=30, jitter=15),
)


def test_kubeadm_corefile_works_unchanged(root: Path) -> None:
    assert parse((COREFILES / "kubeadm.Corefile").read_text(), root=root) == KUBEADM


def test_default_corefile_is_kubeadms() -> None:
    shipped = ROOT / "config" / "Corefile"
    strip = re.compile(r"#.*")
    assert strip.sub("", shipped.read_text()).split() == (COREFILES / "kubeadm.Corefile").read_text().split()


def test_kind_corefile_works_unchanged(root: Path) -> None:
    (block,) = parse((COREFILES / "kind.Corefile").read_text(), root=root).servers
    assert block.kubernetes == KUBEADM.servers[0].kubernetes
    assert block.cache == Cache(success=CacheClass(ttl=30), denial=CacheClass(ttl=30))


def test_k3s_corefile_works_unchanged_without_custom_files(root: Path) -> None:
    (block,) = parse((COREFILES / "k3s.Corefile").read_text(), root=root).servers
    assert block.hosts == Hosts(path=root / "etc/coredns/NodeHosts", ttl=60, reload=15, fallthrough=(".",))
    assert block.kubernetes == Kubernetes(pods=PodMode.INSECURE, fallthrough=("in-addr.arpa.", "ip6.arpa."))


def test_k3s_corefile_takes_in_custom_files(root: Path) -> None:
    custom = root / "etc/coredns/custom"
    custom.mkdir(parents=True)
    (custom / "a.override").write_text("log\n")
    (custom / "b.override").write_text("rewrite name a.example b.example\n")
    (custom / "c.server").write_text("example.org:53 {\n  forward . 192.0.2.1\n}\n")
    first, second = parse((COREFILES / "k3s.Corefile").read_text(), root=root).servers
    assert len(first.logs) == len(first.rewrites) == 1
    assert second.zones == ("example.org.",)


def test_server_block_with_several_zones_ports_and_networks() -> None:
    text = "example.org, dns://a.example:1053\n{\n errors\n}\n10.96.0.0/15 fd00::/8:1053 {\n}"
    blocks = parse(text, default_port=5300).servers
    assert [(block.zones, block.listen) for block in blocks] == [
        (("example.org.",), (Listen("", 5300),)),
        (("a.example.",), (Listen("", 1053),)),
        (("96.10.in-addr.arpa.", "97.10.in-addr.arpa."), (Listen("", 5300),)),
        (("d.f.ip6.arpa.",), (Listen("", 1053),)),
    ]
    assert [block.errors for block in blocks] == [True, True, False, False]


def test_zones_of_the_block_are_those_of_its_plugins() -> None:
    (block,) = parse("cluster.local 10.0.0.0/8 {\n kubernetes\n cache\n hosts\n log\n}").servers
    zones = ("cluster.local.", "10.in-addr.arpa.")
    assert block.kubernetes == Kubernetes(zones=zones)
    assert block.cache == Cache(zones=zones)
    assert block.hosts == Hosts(zones=zones)
    assert block.logs == (Log(zones=zones),)


def test_bind_adds_addresses() -> None:
    assert server("bind 127.0.0.1 ::1\nbind 127.0.0.2").listen == (
        Listen("127.0.0.1", 53),
        Listen("::1", 53),
        Listen("127.0.0.2", 53),
    )


def test_quotes_comments_and_environment() -> None:
    text = 'log . "{name} said \\"hi\\"\n\\there" # a comment { that means nothing\n forward . {$UP} {%UP2%}:5353'
    block = server(text, UP="192.0.2.1", UP2="192.0.2.2")
    assert block.logs == (Log(format='{name} said "hi"\n\\there'),)
    assert block.forwards[0].upstreams == (Upstream(host="192.0.2.1"), Upstream(host="192.0.2.2", port=5353))


def test_quoted_brace_and_brace_from_the_environment_are_text() -> None:
    assert server('log "{"').logs[0].format == "{"
    assert server("log {$BRACE}", BRACE="{").logs[0].format == "{"


def test_snippets_are_put_in_place() -> None:
    text = (
        "(base) {\n errors\n log\n}\n(more) { import base\n cache 10 }\n. {\n import more\n}\na. {\n import {$WHICH}\n}"
    )
    first, second = parse(text, env={"WHICH": "base"}).servers
    assert (first.errors, first.logs, first.cache) == (True, (Log(),), Cache(success=TEN, denial=TEN))
    assert (second.errors, second.logs, second.cache) == (True, (Log(zones=("a.",)),), None)


def test_import_of_a_file_is_relative_to_the_file_with_the_import(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "Corefile").write_text("import sub/zones\n")
    (tmp_path / "sub" / "zones").write_text(". {\n import plugins\n}\n")
    (tmp_path / "sub" / "plugins").write_text("errors")
    assert read(tmp_path / "Corefile").servers[0].errors


def test_two_readings_are_equal_until_something_changes(tmp_path: Path) -> None:
    path = tmp_path / "Corefile"
    path.write_text(f". {{\n forward . {tmp_path}/resolvers\n}}")
    (tmp_path / "resolvers").write_text("nameserver 192.0.2.1")
    before = read(path)
    assert read(path) == before
    (tmp_path / "resolvers").write_text("nameserver 192.0.2.2")
    assert read(path) != before


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ("pods verified", {"pods": PodMode.VERIFIED}),
        ("endpoint_pod_names", {"endpoint_pod_names": True}),
        ("ttl 0", {"ttl": 0}),
        ("noendpoints", {"noendpoints": True}),
        ("fallthrough", {"fallthrough": (".",)}),
        ("fallthrough a.example 10.0.0.0/8", {"fallthrough": ("a.example.", "10.in-addr.arpa.")}),
        ("ignore empty_service", {"ignore_empty_service": True}),
        ("ede off", {"ede": False}),
        ("ede on", {"ede": True}),
    ],
)
def test_kubernetes_answers(options: str, fields: dict[str, Any]) -> None:
    block = server(f"kubernetes cluster.local {{\n{options}\n}}")
    assert block.kubernetes == Kubernetes(zones=("cluster.local.",), **fields)


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ("kubeconfig /k", {"kubeconfig": Path("/k")}),
        ("kubeconfig /k kind", {"kubeconfig": Path("/k"), "context": "kind"}),
        (
            "endpoint https://192.0.2.1:6443\ntls c k a",
            {
                "endpoint": "https://192.0.2.1:6443",
                "client_cert": Path("c"),
                "client_key": Path("k"),
                "ca_cert": Path("a"),
            },
        ),
        ("namespaces a b\nnamespaces c", {"namespaces": ("a", "b", "c")}),
        ("labels environment in (staging, qa),app=x", {"labels": "environment in (staging, qa),app=x"}),
        ("namespace_labels a=b", {"namespace_labels": "a=b"}),
        ("startup_timeout 1m", {"startup_timeout": 60.0}),
    ],
)
def test_kubernetes_source(options: str, fields: dict[str, Any]) -> None:
    config = parse(f". {{\nkubernetes cluster.local {{\n{options}\n}}\n}}")
    assert config.source == Cluster(**fields)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("forward . 192.0.2.53", {}),
        ("forward . dns://192.0.2.53:53", {}),
        ("forward . /etc/resolv.conf", {}),
        ("forward a.example 192.0.2.53", {"zone": "a.example."}),
        ("forward . [2001:db8::1]:5353", {"upstreams": (Upstream(host="2001:db8::1", port=5353),)}),
        ("forward . 2001:db8::1", {"upstreams": (Upstream(host="2001:db8::1"),)}),
        (
            "forward . tls://192.0.2.1 tls://192.0.2.2%b.example:8853 192.0.2.3 {\n tls_servername a.example\n}",
            {
                "upstreams": (
                    Upstream(host="192.0.2.1", port=853, tls=True, server_name="a.example"),
                    Upstream(host="192.0.2.2", port=8853, tls=True, server_name="b.example"),
                    Upstream(host="192.0.2.3"),
                )
            },
        ),
        ("forward . 192.0.2.53 {\n policy round_robin\n}", {"policy": Policy.ROUND_ROBIN}),
        ("forward . 192.0.2.53 {\n max_concurrent 7\n}", {"max_concurrent": 7}),
        ("forward . 192.0.2.53 {\n except a.example b.example\n}", {"except_zones": ("a.example.", "b.example.")}),
        ("forward . 192.0.2.53 {\n force_tcp\n prefer_udp\n}", {"force_tcp": True, "prefer_udp": True}),
        ("forward . 192.0.2.53 {\n expire 20s\n max_fails 0\n}", {"expire": 20.0, "max_fails": 0}),
        (
            "forward . 192.0.2.53 {\n health_check 5s no_rec domain a.example\n}",
            {"health_interval": 5.0, "health_recursion": False, "health_zone": "a.example."},
        ),
        ("forward . 192.0.2.53 {\n failover SERVFAIL REFUSED\n}", {"failover": (2, 5)}),
        ("forward . 192.0.2.53 {\n tls\n}", {}),
        ("forward . 192.0.2.53 {\n failover servfail\n next NxDomain\n}", {"failover": (2,), "next": (3,)}),
        ("forward . 192.0.2.53 {\n health_check 0\n read_timeout 1s\n}", {"read_timeout": 1.0}),
        (
            "forward . 192.0.2.53 {\n max_idle_conns 3\n max_connect_attempts 4\n source_address 192.0.2.9\n}",
            {"max_idle_conns": 3, "max_connect_attempts": 4, "source_address": "192.0.2.9"},
        ),
    ],
)  # fmt: skip
def test_forward(text: str, fields: dict[str, Any], root: Path) -> None:
    assert server(text, root).forwards == (Forward(**{"upstreams": (RESOLVER,), **fields}),)


def test_forwards_keep_their_order() -> None:
    block = server("forward a.example 192.0.2.1\nforward . 192.0.2.2")
    assert [forward.zone for forward in block.forwards] == ["a.example.", "."]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cache", Cache()),
        ("cache 30", Cache(success=CacheClass(ttl=30), denial=CacheClass(ttl=30))),
        ("cache a.example", Cache(zones=("a.example.",))),
        (
            "cache 30 {\n success 5000 60 1\n denial 2500\n}",
            Cache(success=CacheClass(capacity=5000, ttl=60, min_ttl=1), denial=CacheClass(capacity=2500, ttl=30)),
        ),
        ("cache {\n prefetch 10\n}", Cache(prefetch=10)),
        ("cache {\n prefetch 10 5m 20%\n}", Cache(prefetch=10, prefetch_gap=300, prefetch_percent=20)),
        ("cache {\n serve_stale\n}", Cache(serve_stale=3600)),
        ("cache {\n serve_stale 1h immediate\n}", Cache(serve_stale=3600)),
        ("cache {\n serve_stale 2h verify\n}", Cache(serve_stale=7200, verify_stale=True)),
        ("cache {\n servfail 0\n keepttl\n}", Cache(servfail=0, keep_ttl=True)),
        (
            "cache {\n disable success\n disable denial a.example\n disable denial b.example\n}",
            Cache(disable_success=(".",), disable_denial=("a.example.", "b.example.")),
        ),
    ],
)
def test_cache(text: str, expected: Cache) -> None:
    assert server(text).cache == expected


def test_hosts_with_a_file_and_lines() -> None:
    text = "hosts /x/hosts a.example {\n 192.0.2.1 A.example b.a.example.\n 2001:db8::1 a.example\n ttl 10\n"
    block = server(text + " reload 0\n no_reverse\n fallthrough a.example\n}")
    assert block.hosts == Hosts(
        path=Path("/x/hosts"),
        zones=("a.example.",),
        inline=(
            (bytes([192, 0, 2, 1]), ("a.example", "b.a.example")),
            (bytes.fromhex("20010db8000000000000000000000001"), ("a.example",)),
        ),
        ttl=10,
        reload=0,
        reverse=False,
        fallthrough=("a.example.",),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rewrite name A.example b.example", Rewrite(pattern="a.example.", replacement="b.example.")),
        ("rewrite continue name exact a b", Rewrite(pattern="a.", replacement="b.", stop=False)),
        (
            "rewrite stop name suffix .a.example .b.example. answer auto",
            Rewrite(match="suffix", pattern=".a.example.", replacement=".b.example.", answer_auto=True),
        ),
        ("rewrite name prefix WWW. web.", Rewrite(match="prefix", pattern="www.", replacement="web.")),
        ("rewrite name substring x y", Rewrite(match="substring", pattern="x.", replacement="y.")),
        (
            "rewrite stop {\n name regex (.*)\\.a {1}.b\n answer name (.*)\\.b {1}.a\n answer value x y\n}",
            Rewrite(
                match="regex",
                pattern="(.*)\\.a",
                replacement="{1}.b",
                answer_names=(("(.*)\\.b", "{1}.a"),),
                answer_values=(("x", "y"),),
            ),
        ),
        (
            "rewrite {\n name suffix .arpa .arpa\n answer name auto\n value a b\n}",
            Rewrite(
                match="suffix",
                pattern=".arpa.",
                replacement=".arpa.",
                answer_auto=True,
                answer_values=(("a", "b"),),
            ),
        ),
    ],
)
def test_rewrite(text: str, expected: Rewrite) -> None:
    assert server(text).rewrites == (expected,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("log", Log()),
        ("log a.example", Log(zones=("a.example.",))),
        ('log . "{proto} {name}"', Log(format="{proto} {name}")),
        (
            "log . {combined} {\n class denial error\n class success\n}",
            Log(format=COMBINED_LOG, classes=frozenset({"denial", "error", "success"})),
        ),
        ("log . {common} {\n minDuration 1s\n}", Log(format=COMMON_LOG, min_duration=1.0)),
    ],
)
def test_log(text: str, expected: Log) -> None:
    assert server(text).logs == (expected,)


def test_ports_of_the_process() -> None:
    text = "{\n health 127.0.0.1:1 {\n lameduck 1s\n }\n ready :2\n prometheus localhost:3\n reload 10s 9s\n}"
    config = parse(f". {text} a.example {text}")
    assert config.health == (Health(listen=Listen("127.0.0.1", 1), lameduck=1),)
    assert (config.ready, config.metrics) == ((Listen("", 2),), (Listen("localhost", 3),))
    assert config.reload == Reload(interval=10, jitter=5)
    defaults = parse(". {\n health\n ready\n prometheus\n reload 10s\n}")
    assert defaults.health == (Health(listen=Listen("", 8080)),)
    assert (defaults.ready, defaults.metrics) == ((Listen("", 8181),), (Listen("localhost", 9153),))
    assert defaults.reload == Reload(interval=10, jitter=5)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "nothing to serve"),
        (".:53 {\n errors\n", 1, "this { is never closed"),
        (".:53 {\n errors\n}\n}", 4, "a } that closes nothing: a server block is written as `.:53 {`"),
        (".:53\nerrors\n}", 3, "a } that closes nothing"),
        (". { errors }", 1, "a } has a line of its own"),
        (". {\n cache {\n  success 9 }\n}", 3, "a } has a line of its own"),
        (". {\n cache {\n } errors\n}", 3, "'errors' follows a } on its line"),
        (". {\n cache\n {\n }\n}", 3, "a { is at the end of the line that it belongs to, behind cache"),
        (". {\n cache {\n  keepttl\n forward . 192.0.2.1\n}", 4, "the block of cache, from line 2 on, is never closed"),
        (". {\n cache {\n  forward . 192.0.2.1\n }\n}", 3, "forward is a plugin, and no option of cache"),
        ("a, {\n}", 1, "a comma that no zone follows"),
        (":5301 {\n}", 1, "':5301' names no zone: write .:5301"),
        ("a a {\n}", 1, "zone a. on :53 is served already, since Corefile:1"),
        ("a {\n}\na {\n bind ::1\n}", 3, "zone a. on :53 is served already, since Corefile:1"),
        ("a {\n bind ::1\n}\na {\n}", 4, "zone a. on [::1]:53 is served already, since Corefile:1"),
        (". {\n bind {$UNSET}\n}", 2, "the variable UNSET is not set"),
        ("{$UNSET} {\n}", 1, "the variable UNSET is not set"),
        (". {\n health 8080\n}", 2, "'8080' is no address and port: write health :8080"),
        (". {\n ready 127.0.0.1\n}", 2, "write ready :8181"),
        (". {\n cache -1\n}", 2, "a cache TTL must be a whole number from 1"),
        (". {\n cache {\n  serve_stale 1h verified\n }\n}", 3, "unknown refresh mode 'verified'"),
        (". {\n kubernetes a {\n  labels a=b=c,=\n }\n}", 3, "'a=b=c,=' is no term such as a=b"),
        (". {\n hosts {\n  fallthrough\n  192.0.2.1 a\n }\n}", 4, "an entry stands in front of fallthrough"),
        (". {\n loadbalance weighted f\n}", 2, "loadbalance weighted is not here"),
        (". {\n loadbalance {\n  prefer x\n }\n}", 3, "'x' is not a network"),
        (". {\n forward . 192.0.2.1 {\n  source_address x\n }\n}", 3, "'x' is not an IP address"),
        (". {\n forward . 192.0.2.1 {\n  read_timeout 0s\n }\n}", 3, "above 0s"),
        (". {\n forward . 192.0.2.1 {\n  tls no-such-ca\n }\n}", 2, "forward: tls with no-such-ca: "),
        (". {\n rewrite name a b answer auto\n}", 2, "unknown match of rewrite 'a'"),
        (". {\n rewrite name regex a b answer auto answer name c d\n}", 2, "both change the names"),
        (". {\n rewrite edns0 nsid set\n}", 2, "rewrite edns0 is not here: upstreams are asked"),
        ("{\n}", 1, "begins with the zones"),
        (". {\n {\n }\n}", 2, "a { without the name"),
        ('. {\n log "never\n}', 2, "this quote is never closed"),
        (". {\n log \0\n}", 2, "NUL"),
        (". {\n kuberntes\n}", 2, "unknown plugin 'kuberntes', did you mean 'kubernetes'? known: acl, any, autopath"),
        (". {\n geoip\n}", 2, "geoip is a CoreDNS plugin that minidns does not have: answers do not depend"),
        (". {\n kubernetes a {\n  ttl 5\n  pod x\n }\n}", 4, "option of kubernetes 'pod', did you mean 'pods'?"),
        (". {\n kubernetes a {\n  pods verifed\n }\n}", 3, "did you mean 'verified'? known: disabled, insecure"),
        (". {\n kubernetes a {\n  pods\n }\n}", 3, "pods has 0 arguments; write: pods disabled|insecure|verified"),
        (". {\n kubernetes a {\n  ttl 3601\n }\n}", 3, "ttl must be a whole number from 0 to 3600, not '3601'"),
        (". {\n kubernetes a {\n  noendpoints {\n  }\n }\n}", 3, "noendpoints takes no block"),
        (". {\n kubernetes in-addr.arpa\n}", 2, "not a reverse zone"),
        (". {\n kubernetes a b {\n  multicluster c\n }\n}", 2, "multicluster c. is none of the zones of kubernetes"),
        (". {\n kubernetes a\n kubernetes b\n}", 3, "kubernetes is here twice, first at Corefile:2"),
        ("a {\n kubernetes a\n}\nb {\n kubernetes b {\n  namespaces x\n }\n}", 5, "a process has one cluster"),
        ("a {\n reload 10s\n}\nb {\n reload 20s\n}", 5, "a process has one setting"),
        ("a {\n}\nb:53 A.:53 {\n}", 3, "zone a. on :53 is served already, since Corefile:1"),
        ("tls://. {\n}", 1, "tls:// is not served"),
        (".:99999 {\n}", 1, "a port must be"),
        ("2001:db8::1 {\n}", 1, "is not a zone"),
        ("a..b {\n}", 1, "is not a domain name"),
        ("10.0.0.0/33 {\n}", 1, "is not a network"),
        (". {\n forward . no-such-file\n}", 2, "neither an address nor a file"),
        (". {\n forward .\n}", 2, "write: forward ZONE TO..."),
        (". {\n forward 10.0.0.0/15 192.0.2.1\n}", 2, "takes one zone"),
        (". {\n forward . https://192.0.2.1\n}", 2, "unknown protocol of an upstream 'https'"),
        (". {\n forward . tls://a.example\n}", 2, "'a.example' is not an IP address"),
        (". {\n forward . 192.0.2.1 {\n  policy fastest\n }\n}", 3, "unknown policy 'fastest'; known: random"),
        (". {\n forward . 192.0.2.1 {\n  health_check 1s domain\n }\n}", 3, "domain needs a name"),
        (". {\n forward . 192.0.2.1 {\n  failover NOERROR\n }\n}", 3, "failover NOERROR"),
        (". {\n cache 0\n}", 2, "a cache TTL must be"),
        (". {\n cache {\n  prefetch 1 1m 5\n }\n}", 3, "a percentage ends with %"),
        (". {\n cache {\n  servfail 10m\n }\n}", 2, "servfail must be"),
        (". {\n hosts {\n  10.0.0.1 fallthru\n  fallthru\n }\n}", 4, "did you mean 'fallthrough'?"),
        (". {\n hosts {\n  fallthru\n }\n}", 3, "did you mean 'fallthrough'?"),
        (". {\n rewrite class CH IN\n}", 2, "rewrite class is not here: no class but IN"),
        (". {\n rewrite\n}", 2, "write: rewrite"),
        (". {\n rewrite name a\n}", 2, "write: rewrite name exact FROM TO"),
        (". {\n rewrite name regex ( b\n}", 2, "not a regular expression"),
        (". {\n rewrite name exact a b anwser auto\n}", 2, "did you mean 'answer'?"),
        (". {\n rewrite name exact a b answer name c\n}", 2, "write: answer name FROM TO"),
        (". {\n log {\n  class some\n }\n}", 3, "unknown class of answers"),
        (". {\n bind nosuch0\n}", 2, "'nosuch0' is neither an IP address nor an interface; interfaces: "),
        (". {\n bind ::1 ::1\n}", 2, "bind names ::1 twice"),
        (". {\n bind lo {\n  except lo\n }\n}", 2, "no address is left"),
        (". {\n ready 1 2\n}", 2, "ready has 2 arguments; write: ready [ADDRESS]"),
        (". {\n reload 1s\n}", 2, "at least 2s"),
        (". {\n errors {\n  consolidate x .\n }\n}", 3, "'x' is not a duration"),
        (". {\n errors {\n  consolidate 5m (\n }\n}", 3, "'(' is not a regular expression: missing"),
        (". {\n errors {\n  consolidate 5m . loud\n }\n}", 3, "unknown argument of consolidate 'loud'"),
        (". {\n import\n}", 2, "import takes one argument"),
        (". {\n import no-such-file\n}", 2, "snippets defined above: none"),
        (". {\n import {$UNSET}\n}", 2, "its argument is empty"),
        (". {\n import */*.x\n}", 2, "one * in the last part"),
        ("(a) {\n import b\n}\n(b) {\n import a\n}\n. {\n import a\n}", 5, "goes in a circle"),
        ("(a) {\n}\n(a) {\n}", 3, "defined twice"),
        ("(a) {\n", 1, "never closed"),
    ],
)  # fmt: skip
def test_errors_name_file_and_line(text: str, line: int, message: str) -> None:
    with pytest.raises(CorefileError) as caught:
        parse(text, env={})
    assert str(caught.value).startswith(f"Corefile:{line}: ")
    assert message in str(caught.value)


def test_error_in_an_imported_file_names_that_file(tmp_path: Path) -> None:
    (tmp_path / "Corefile").write_text(". {\n import other\n}\n")
    (tmp_path / "other").write_text("errors\ncahce\n")
    with pytest.raises(CorefileError, match=re.escape(f"{tmp_path}/other:2: unknown plugin 'cahce'")):
        read(tmp_path / "Corefile")


def test_file_that_imports_itself_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "Corefile").write_text("import Corefile\n")
    with pytest.raises(CorefileError, match="goes in a circle"):
        read(tmp_path / "Corefile")


def test_snippets_that_double_each_time_end_in_an_error() -> None:
    doubling = "".join(f"(s{n}) {{\n import s{n - 1}\n import s{n - 1}\n}}\n" for n in range(1, 40))
    with pytest.raises(CorefileError, match="beyond 100000 words"):
        parse(f"(s0) {{\n log\n}}\n{doubling}. {{\n import s39\n}}")


def test_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorefileError, match="Corefile:1: cannot read it"):
        read(tmp_path / "Corefile")


def test_resolver_file_without_a_nameserver_is_an_error(root: Path) -> None:
    (root / "etc/resolv.conf").write_text("search example.org\n")
    with pytest.raises(ConfigError, match="names no upstream"):
        server("forward . /etc/resolv.conf", root)


def test_description_says_what_was_understood(root: Path) -> None:
    assert describe(parse((COREFILES / "kubeadm.Corefile").read_text(), root=root)).splitlines() == [
        ":53 serves every name",
        "  kubernetes cluster.local. in-addr.arpa. ip6.arpa.: ttl 30, pods insecure,"
        " fallthrough in-addr.arpa. ip6.arpa.",
        "  forward every other name to 192.0.2.53:53, at most 1000 at once",
        "  cache up to 30s, negative 30s, no answers below cluster.local., no negative answers below cluster.local.",
        "  errors, loop, loadbalance",
        "objects from the cluster it runs in, or the usual kubeconfig",
        "health :8080 (lameduck 5s), ready :8181, metrics :9153",
        "read again when it changes, a look every 30s",
    ]


def test_description_of_everything() -> None:
    text = """
    example.org {
        bind 127.0.0.1 ::1
        rewrite name suffix .a .b
        hosts /h {
            192.0.2.1 a
            fallthrough
        }
        kubernetes cluster.local {
            kubeconfig /k kind
            namespaces a b
            labels x=y
            endpoint_pod_names
            ede off
        }
        forward a.example 192.0.2.1 tls://[2001:db8::1] {
            except b.a.example
            max_concurrent 0
        }
        cache {
            serve_stale 2h
            prefetch 9
        }
        log {
            class denial error
        }
    }"""
    config = parse(text)
    assert describe(replace(config, admin=Listen("127.0.0.1", 8053))).splitlines() == [
        "127.0.0.1:53 [::1]:53 serves example.org.",
        "  rewrite suffix .a. to .b.",
        "  hosts /h and 1 lines here: ttl 3600, fallthrough .",
        "  kubernetes cluster.local.: ttl 5, pods disabled, endpoint pod names, ede off",
        "  forward a.example. to 192.0.2.1:53 tls://[2001:db8::1]:853, random, except b.a.example.",
        "  cache up to 3600s, negative 1800s, stale for 7200s when no upstream answers,"
        " prefetch of names asked 9 times",
        "  log denial error",
        "objects from /k (context kind), namespaces a b, labels x=y",
        "admin 127.0.0.1:8053",
    ]
    demo = replace(config, source=Manifests(path=Path("demo")))
    assert describe(demo).splitlines()[-1] == "objects from the manifests in demo"


VOCABULARY = r"""
. .:53 { } # " \ a.example 10.0.0.0/12 192.0.2.1 kubernetes cluster.local forward cache hosts log rewrite name regex ( [
{1} answer auto errors health lameduck 5s ready prometheus :9153 loop reload bind loadbalance import (s) s ttl 30
fallthrough pods verified disable success denial serve_stale prefetch except policy {$A} {%A%} 0 -1 tls://192.0.2.1%x
tls * ? .. continue stop suffix exact value class minDuration 10%
"""
WORDS = st.sampled_from([*VOCABULARY.split(), "\n", "\n", "{\n", "\n}", "\0", "\ufeff"]) | st.text(max_size=8)


@given(st.lists(WORDS, max_size=40).map(" ".join) | st.text(max_size=200))
@example(". {\n rewrite name regex " + "(" * 150 + " a\n}")
@example(". {\n cache " + "9" * 5000 + "\n}")
@example(". {\n reload " + "9" * 400 + "h\n}")
@example("{$A}{$A} {\n}")
@example(". {\n import \ud800\n}")
@example(". {\n import /\n}")
@example(". {\n forward . " + "x" * 5000 + "\n}")
def test_any_text_gives_a_config_or_an_error_with_file_and_line(text: str) -> None:
    config = error = None
    try:
        config = parse(text, file="/nonexistent/Corefile", root=Path("/nonexistent"), env={"A": "a {$A}"})
    except ConfigError as caught:
        error = str(caught)
    if config is None:
        assert re.match(r"/nonexistent/.*:\d+: .", error or "", re.DOTALL)
    else:
        assert describe(config)
