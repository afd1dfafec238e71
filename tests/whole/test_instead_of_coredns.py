"""A process with a Corefile between real neighbours: Knot behind it, dig in front of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.neighbours import free_port, knot
from tests.support.running import Running, eventually, minidns

COREFILE = """
. {{
    bind 127.0.0.1
    errors
    health 127.0.0.1:0 {{
       lameduck 0s
    }}
    ready 127.0.0.1:0
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }}
    hosts {hosts} {{
       192.0.2.77 inline.example
       fallthrough
    }}
    rewrite name alias.example web.default.svc.cluster.local
    rewrite stop {{
       name suffix .old.test .example.test answer auto
    }}
    prometheus 127.0.0.1:0
    forward . 127.0.0.1:{upstream} {{
       max_concurrent 1000
    }}
    cache 30 {{
       disable success cluster.local
       disable denial cluster.local
    }}
    loop
    reload
    loadbalance
}}
"""

MANIFESTS = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {clusterIP: 10.96.7.7, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: outside}
spec: {type: ExternalName, externalName: chain.example.test}
"""


def serve(folder: Path, corefile: str) -> list[str]:
    """The arguments for a Corefile and MANIFESTS."""
    (folder / "Corefile").write_text(corefile)
    (folder / "manifests.yaml").write_text(MANIFESTS)
    return ["--conf", str(folder / "Corefile"), "--manifests", str(folder / "manifests.yaml")]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("minidns")
    (folder / "hosts").write_text("192.0.2.78 file.example\n")
    with knot(tmp_path_factory.mktemp("knot")) as upstream:
        text = COREFILE.format(upstream=upstream, hosts=folder / "hosts").replace(". {", ".:0 {", 1)
        with minidns(*serve(folder, text)) as process:
            eventually(lambda: process.addresses("web.default.svc.cluster.local"))
            yield process


def test_name_of_the_cluster(running: Running) -> None:
    shown = running.dig("web.default.svc.cluster.local")
    assert "flags: qr aa rd ra;" in shown
    assert ["web.default.svc.cluster.local.", "30", "IN", "A", "10.96.7.7"] in map(str.split, shown.splitlines())


def test_name_outside_is_forwarded_and_cached(running: Running) -> None:
    for _ in range(2):
        shown = running.dig("+nocookie", "A.example.test", "AAAA")
        assert "status: NOERROR" in shown
        assert "flags: qr aa rd ra;" in shown  # as the upstream has it, which holds the zone
        assert ["A.example.test.", "30", "IN", "AAAA", "2001:db8::1"] in map(str.split, shown.splitlines())
    assert "coredns_cache_hits_total" in running.get("/metrics")


def test_name_outside_that_does_not_exist(running: Running) -> None:
    assert "status: NXDOMAIN" in running.dig("none.example.test")


def test_large_answer_comes_over_tcp(running: Running) -> None:
    assert "ANSWER: 120," in running.dig("+bufsize=512", "many.example.test")
    assert "ANSWER: 120," in running.dig("+tcp", "many.example.test")
    assert "flags: qr aa tc rd ra;" in running.dig("+ignore", "many.example.test")


def test_external_name_is_followed(running: Running) -> None:
    shown = running.dig("+noall", "+answer", "outside.default.svc.cluster.local")
    assert [line.split() for line in shown.splitlines()] == [
        ["outside.default.svc.cluster.local.", "30", "IN", "CNAME", "chain.example.test."],
        ["chain.example.test.", "30", "IN", "CNAME", "middle.example.test."],
        ["middle.example.test.", "30", "IN", "CNAME", "a.example.test."],
        ["a.example.test.", "30", "IN", "A", "192.0.2.1"],
    ]


def test_reverse_names_fall_through_and_names_of_the_cluster_do_not(running: Running) -> None:
    assert "status: NOERROR" in running.dig("-x", "10.96.7.7")
    assert "status: REFUSED" in running.dig("-x", "203.0.113.1")
    assert "status: NXDOMAIN" in running.dig("none.default.svc.cluster.local")


def test_hosts_and_rewrites(running: Running) -> None:
    assert running.addresses("inline.example") == ["192.0.2.77"]
    assert running.addresses("file.example") == ["192.0.2.78"]
    assert running.addresses("alias.example") == ["10.96.7.7"]
    assert "a.old.test." in running.dig("+noall", "+answer", "chain.old.test").splitlines()[-1]


def test_what_dashboards_of_coredns_read(running: Running) -> None:
    """One series of each kind, over UDP and TCP, from the zone and from an upstream."""
    for option in ("+notcp", "+tcp"):
        running.dig(option, "web.default.svc.cluster.local")
    running.dig("none.example.test")
    text = running.get("/metrics")
    for series in (
        'coredns_dns_request_size_bytes_count{proto="udp",',
        'coredns_dns_request_size_bytes_count{proto="tcp",',
        'coredns_dns_response_size_bytes_count{proto="udp",',
        'coredns_dns_response_size_bytes_count{proto="tcp",',
        'coredns_proxy_request_duration_seconds_count{proxy_name="forward",rcode="NXDOMAIN",to="127.0.0.1:',
        "coredns_cache_requests_total{",
    ):
        (line,) = (line for line in text.splitlines() if line.startswith(series))
        assert float(line.rpartition(" ")[2]) >= 1
    assert "coredns_panics_total 0.0" in text
    assert 'coredns_build_info{goversion="python ' in text


def test_dead_upstream_is_servfail_with_the_reason(tmp_path: Path) -> None:
    port = free_port()
    text = f".:0 {{\n bind 127.0.0.1\n kubernetes cluster.local\n forward . 127.0.0.1:{port}\n}}"
    with minidns(*serve(tmp_path, text)) as process:
        shown = process.dig("www.example.test")
        assert "status: SERVFAIL" in shown
        assert f"EDE: 23 (Network Error): (127.0.0.1:{port}: " in shown
        assert process.addresses("web.default.svc.cluster.local") == ["10.96.7.7"]


def test_loop_ends_the_process_and_says_what_to_do(tmp_path: Path) -> None:
    port = free_port()
    text = f".:{port} {{\n bind 127.0.0.1\n kubernetes cluster.local\n forward . 127.0.0.1:{port}\n loop\n}}"
    with minidns(*serve(tmp_path, text)) as process:
        eventually(lambda: any("sends questions back to this server" in line for line in process.lines))
        process.process.wait(20)
