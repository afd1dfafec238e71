"""A process as its operator sees it: addresses, signals, and what the HTTP side tells."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import dns.edns
import dns.message
import dns.query
import dns.rcode
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.neighbours import free_port, knot
from tests.support.places import DEMO as DEMO_FOLDER
from tests.support.running import PATIENCE, Running, eventually, minidns

DEMO = str(DEMO_FOLDER)
REDIS = "redis-0.redis.default.svc.cluster.local"
COREFILE = """
.:0 {{
    bind 127.0.0.1
    kubernetes cluster.local
    health 127.0.0.1:0 {{
        lameduck {lameduck}
    }}
}}
"""


def asked_at(host: str, port: int, *, tcp: bool = False) -> str:
    """The rcode of an answer that came from the address that was asked: dnspython takes no other."""
    query = dns.message.make_query(REDIS, "A")
    ask = dns.query.tcp if tcp else dns.query.udp
    return dns.rcode.to_text(ask(query, host, port=port, timeout=5).rcode())


def test_several_addresses_of_both_families() -> None:
    listens = ["--listen", "127.0.0.1:0", "--listen", "[::1]:0", "--listen", "127.0.0.3:0"]
    with minidns("--manifests", DEMO, *listens) as running:
        assert [host for host, _ in running.listening] == ["127.0.0.1", "::1", "127.0.0.3"]
        for host, port in running.listening:
            assert asked_at(host, port) == asked_at(host, port, tcp=True) == "NOERROR"


def test_localhost_is_both_families_on_one_port() -> None:
    with minidns("--manifests", DEMO, "--listen", "localhost:0") as running:
        for host in ("127.0.0.1", "::1"):
            assert asked_at(host, running.port) == asked_at(host, running.port, tcp=True) == "NOERROR"


@pytest.mark.parametrize("listen", ["0.0.0.0:0", ":0"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_wildcard_answers_from_the_address_that_was_asked(listen: str, workers: str) -> None:
    with minidns("--manifests", DEMO, "--listen", listen, "--workers", workers) as running:
        hosts = ["127.0.0.1", "127.0.0.2", "127.9.8.7", *([] if "." in listen else ["::1"])]
        for host in hosts:
            assert asked_at(host, running.port) == asked_at(host, running.port, tcp=True) == "NOERROR"


def test_sigterm_answers_what_has_arrived() -> None:
    """Queries that came while the process did not run, and the signal with them."""
    count = 200
    with (
        minidns("--manifests", DEMO) as running,
        socket.socket(type=socket.SOCK_DGRAM) as udp,
        socket.create_connection(("127.0.0.1", running.port)) as tcp,
    ):
        eventually(lambda: asked_at("127.0.0.1", running.port, tcp=True))  # our connection was accepted before this one
        udp.settimeout(PATIENCE)
        tcp.settimeout(PATIENCE)
        running.process.send_signal(signal.SIGSTOP)
        udp.connect(("127.0.0.1", running.port))
        for number in range(count):
            query = dns.message.make_query(REDIS, "A", id=number).to_wire()
            udp.send(query)
            tcp.sendall(len(query).to_bytes(2, "big") + query)
        running.process.send_signal(signal.SIGTERM)
        running.process.send_signal(signal.SIGCONT)
        answered = {dns.message.from_wire(udp.recv(4096)).id for _ in range(count)}
        with tcp.makefile("rb") as stream:
            for _ in range(count):
                dns.message.from_wire(stream.read(int.from_bytes(stream.read(2), "big")))
            assert stream.read() == b""
        assert answered == set(range(count))
        assert running.process.wait(PATIENCE) == 0


def test_lameduck_answers_on_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "Corefile").write_text(COREFILE.format(lameduck="600s"))
    with minidns("--conf", str(tmp_path / "Corefile"), "--manifests", DEMO) as running:
        assert running.status("/health") == (200, "OK")
        running.process.send_signal(signal.SIGTERM)
        eventually(lambda: running.status("/health")[0] == 503)
        assert running.addresses(REDIS)
        running.process.send_signal(signal.SIGTERM)  # twice is an order
        assert running.process.wait(PATIENCE) == 0


def test_port_of_its_own_for_each_endpoint(tmp_path: Path) -> None:
    text = ".:0 {\n bind 127.0.0.1\n kubernetes cluster.local\n health 127.0.0.1:0\n ready 127.0.0.1:0\n"
    port = free_port()
    (tmp_path / "Corefile").write_text(text + f" prometheus 127.0.0.1:{port}\n}}\n")
    with minidns("--conf", str(tmp_path / "Corefile"), "--manifests", DEMO, "--admin", "none") as running:
        assert len(running.http) == 2  # one for health and ready, which share an address
        seen: dict[str, int] = {}
        for (_, port), paths in zip(running.http, (["/health", "/ready"], ["/metrics"]), strict=True):
            running.admin = port
            seen |= {path: running.status(path)[0] for path in paths}
            assert running.status("/zone")[0] == 404
        assert seen == {"/health": 200, "/ready": 200, "/metrics": 200}


def test_admin_endpoints() -> None:
    with minidns("--manifests", DEMO) as running:
        assert running.status("/health") == (200, "OK")
        assert running.status("/ready") == (200, "ready\n")
        status = running.get("/status").splitlines()
        assert status[0].startswith("minidns ")
        assert status[1] == "ready"
        assert f"source: manifests in {DEMO}" in status
        assert f"listening: 127.0.0.1:{running.port}" in status
        assert "cluster.local. 5 IN SOA" in running.get("/zone").splitlines()[0]
        assert "in-addr.arpa. 5 IN SOA" in running.get("/zone?origin=in-addr.arpa").splitlines()[0]
        assert running.status("/zone?origin=example.org") == (404, "no zone example.org here\n")
        assert running.status("/zone?origin=a..b")[0] == 400
        assert running.status("/nothing")[0] == 404


def samples(running: Running) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample of /metrics, by name and sorted labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(running.get("/metrics"))
        for sample in family.samples
    }


@pytest.mark.parametrize("workers", ["1", "2"])
def test_metrics_count_every_answer(workers: str) -> None:
    queries = [(REDIS, "A", False), (REDIS, "AAAA", False), ("none.default.svc.cluster.local", "A", False)] * 5
    queries += [(REDIS, "A", True), ("example.com", "A", True), (REDIS, "TYPE65300", True)] * 3
    with minidns("--manifests", DEMO, "--workers", workers) as running:
        rcodes: Counter[str] = Counter()
        for name, type_, tcp in queries:
            rcodes[dns.rcode.to_text(running.ask(name, type_, tcp=tcp).rcode())] += 1
        found = samples(running)
        server = next(dict(labels)["server"] for name, labels in found if name == "coredns_dns_requests_total")
        common = {"family": "1", "server": server, "view": "", "zone": "."}
        for proto, type_, count in (
            ("udp", "A", 10), ("udp", "AAAA", 5), ("tcp", "A", 6), ("tcp", "other", 3),
        ):  # fmt: skip
            labels = tuple(sorted({**common, "proto": proto, "type": type_}.items()))
            assert found["coredns_dns_requests_total", labels] == count
        for rcode, count in rcodes.items():
            labels = tuple(sorted({"plugin": "", "rcode": rcode, "server": server, "view": "", "zone": "."}.items()))
            assert found["coredns_dns_responses_total", labels] == count
        where = (("server", server), ("view", ""), ("zone", "."))
        assert found["coredns_dns_request_duration_seconds_count", where] == len(queries)
        assert found["coredns_dns_request_duration_seconds_sum", where] > 0
        assert found["minidns_source_synced", ()] == 1
        assert found["minidns_zone_names", (("zone", "cluster.local."),)] > 50


def test_names_outside_are_refused_and_forwarded_when_there_is_somewhere(tmp_path: Path) -> None:
    with knot(tmp_path) as upstream:
        with minidns("--manifests", DEMO) as running:
            printed = running.dig("a.example.test")
            assert "status: REFUSED" in printed
            assert "EDE: 20 (Not Authoritative)" in printed
        with minidns("--manifests", DEMO, "--forward", f"127.0.0.1:{upstream}", "--workers", "2") as running:
            for _ in range(8):
                assert running.addresses("a.example.test") == ["192.0.2.1"]
                assert "flags: qr aa rd ra;" in running.dig(REDIS)


def test_reasons_can_be_left_out() -> None:
    with minidns("--manifests", DEMO, "--no-ede") as running:
        printed = running.dig("none.default.svc.cluster.local")
        assert "status: NXDOMAIN" in printed
        assert "EDE" not in printed


@pytest.mark.parametrize("log", ["", "log\n"])
def test_a_query_may_be_padded_beyond_any_ordinary_length(tmp_path: Path, log: str) -> None:
    (tmp_path / "Corefile").write_text(f".:0 {{\n bind 127.0.0.1\n kubernetes cluster.local\n {log}}}\n")
    with minidns("--conf", str(tmp_path / "Corefile"), "--manifests", DEMO) as running:
        for size in (1200, 1300, 4096, 60000):
            padding = dns.edns.GenericOption(dns.edns.OptionType.PADDING, bytes(size))
            query = dns.message.make_query(REDIS, "A", use_edns=0, options=[padding])
            with socket.socket(type=socket.SOCK_DGRAM) as udp:
                udp.settimeout(5)
                udp.connect(("127.0.0.1", running.port))
                udp.send(query.to_wire(max_size=65535))
                answer = dns.message.from_wire(udp.recv(4096))
            assert dns.rcode.to_text(answer.rcode()) == "NOERROR"
            assert answer.answer


def test_packets_that_are_no_queries_do_not_end_it() -> None:
    with minidns("--manifests", DEMO) as running, socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.connect(("127.0.0.1", running.port))
        query = dns.message.make_query(REDIS, "A").to_wire()
        for packet in (b"", b"\0", b"\xff" * 512, query[:20], query[:2] + b"\x84" + query[3:], b"\0" * 65000):
            udp.send(packet)
        with socket.create_connection(("127.0.0.1", running.port)) as tcp:
            tcp.sendall(b"\0\0" + b"\xff\xff" + b"\0" * 100)
        assert asked_at("127.0.0.1", running.port) == "NOERROR"
        assert not [line for line in running.lines if "Traceback" in line]


def test_probes_have_an_address_of_their_own_and_say_no_from_sigterm_on() -> None:
    probes = free_port()
    with minidns("--manifests", DEMO, "--probes", f"127.0.0.1:{probes}") as running:
        assert running.status("/status")[0] == 200
        running.admin = probes
        assert [running.status(path)[0] for path in ("/health", "/ready", "/metrics")] == [200, 200, 200]
        assert [running.status(path)[0] for path in ("/status", "/zone", "/explain")] == [404, 404, 404]
        running.process.terminate()
        eventually(lambda: running.status("/ready") == (503, "stopping\n"))
        assert running.status("/health")[0] == 503
        assert running.addresses(REDIS)
        running.process.terminate()  # a second signal is an order
        assert running.process.wait(PATIENCE) == 0


def test_probes_go_with_flags_alone(tmp_path: Path) -> None:
    (tmp_path / "Corefile").write_text(". {\n kubernetes cluster.local\n}\n")
    command = [sys.executable, "-m", "minidns", "serve", "--conf", str(tmp_path / "Corefile"), "--probes", ":0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (
        2,
        "minidns: --probes goes with flags: a Corefile has health, ready and prometheus for it\n",
    )


@pytest.mark.parametrize("workers", ["1", "2"])
def test_blocks_with_and_without_addresses_share_a_port(tmp_path: Path, workers: str) -> None:
    port = free_port()
    bound = f"a.test:{port} {{\n bind 127.0.0.2\n template IN A . {{\n rcode NXDOMAIN\n }}\n}}"
    unbound = f".:{port} {{\n template IN A . {{\n rcode NOTIMP\n }}\n}}"
    (tmp_path / "Corefile").write_text(f"{bound}\n{unbound}\n")
    with minidns("--conf", str(tmp_path / "Corefile"), "--workers", workers):
        for tcp in (False, True):
            found = [rcode_at(host, port, tcp=tcp) for host in ("127.0.0.2", "127.0.0.1")]
            assert found == ["NXDOMAIN", "NOTIMP"]


def rcode_at(host: str, port: int, *, tcp: bool) -> str:
    query = dns.message.make_query("x.a.test", "A")
    ask = dns.query.tcp if tcp else dns.query.udp
    return dns.rcode.to_text(ask(query, host, port=port, timeout=5).rcode())
