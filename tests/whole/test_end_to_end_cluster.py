"""A process that follows an API server: what it answers before, during and after everything that can go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dns.message
import dns.query
import pytest

from minidns.compare.differences import Case, with_differences
from minidns.compare.seen import Seen, of_message
from tests.support.apiserver import Fault, recorded_events
from tests.support.neighbours import free_port, knot
from tests.support.places import COREFILES
from tests.support.running import Running, eventually, minidns
from tests.support.threaded import ThreadedApiServer, api_server, endpoints, namespace, service
from tests.whole.test_parity import question, recorded, state

WEB = "web.default.svc.cluster.local"
KUBEADM = COREFILES / "kubeadm.Corefile"


@pytest.fixture
def api() -> Iterator[ThreadedApiServer]:
    """A cluster with a headless Service `web` of two endpoints in `default`."""
    with api_server() as server:
        server.put("namespaces", namespace("default"))
        server.put("services", service("web", clusterIP="None"))
        server.put("endpointslices", endpoints("web", "10.1.0.1", "10.1.0.2"))
        yield server


def mark_the_end(server: ThreadedApiServer) -> None:
    """An object of each kind, with which each watch says that it has brought all that was before."""
    server.put("namespaces", namespace("end"))
    pod = {"podIP": "10.9.9.9", "podIPs": [{"ip": "10.9.9.9"}], "phase": "Running"}
    server.put("pods", {"metadata": {"name": "end", "namespace": "end"}, "spec": {}, "status": pod})
    server.put("services", service("end", clusterIP="None"))
    server.put("endpointslices", endpoints("end", "10.9.9.9"))


def ask(running: Running, name: str, type_: str) -> Seen:
    query = dns.message.make_query(name, type_, use_edns=0, payload=4096)
    reply, _ = dns.query.udp_with_fallback(query, "127.0.0.1", port=running.port, timeout=5)
    return of_message(reply.to_wire())[0]


def without_own_addresses(seen: Seen) -> Seen:
    """What a name server says of its own name is about the machine that it runs on."""

    def others(records: frozenset[str]) -> frozenset[str]:
        return frozenset(record for record in records if not record.startswith("ns.dns."))

    return replace(seen, answer=others(seen.answer), additional=others(seen.additional))


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("insecure", "--ttl 30 --pods insecure"),
        ("verified", "--ttl 5 --pods verified --endpoint-pod-names --workers 2"),
    ],
)
def test_recorded_cluster_gives_the_recorded_answers(tmp_path: Path, mode: str, options: str) -> None:
    """Listed as it was before the recorded changes, which then come by the watches."""
    with api_server() as server:
        server.do(lambda it: it.load_recording())
        families = ["--listen", "127.0.0.1:0", "--listen", "[::1]:0"]
        with minidns("--kubeconfig", server.kubeconfig(tmp_path), *families, *options.split()) as running:
            eventually(lambda: running.status("/ready")[0] == 200)
            for resource, event in recorded_events():
                server.do(lambda it, resource=resource, event=event: it.replay(resource, event))  # type: ignore[misc]
            mark_the_end(server)
            for _ in range(8):  # over several source ports: every worker
                eventually(lambda: running.addresses("end.default.svc.cluster.local"))
                eventually(lambda: running.addresses("10-9-9-9.end.pod.cluster.local"))
            theirs, zone = {question(*asked): seen for asked, seen in recorded(mode).items()}, state(mode)
            wrong = []
            for name, type_ in recorded(mode):
                expected, _ = with_differences(Case(*question(name, type_), zone, theirs))
                seen = ask(running, name, type_)
                if without_own_addresses(seen) != without_own_addresses(expected):
                    wrong.append((name, type_, expected, seen))
            assert not wrong


@pytest.mark.parametrize("workers", ["1", "2"])
def test_before_the_first_full_list(api: ThreadedApiServer, tmp_path: Path, workers: str) -> None:
    """A server that stalls in the middle of a list: what is missing is not what is not there."""
    api.do(lambda server: server.faults.append(Fault("endpointslices", how="stall", times=100)))
    with minidns("--kubeconfig", api.kubeconfig(tmp_path), "--workers", workers) as running:
        for name in (WEB, "nothing.default.svc.cluster.local", "1.0.1.10.in-addr.arpa"):
            printed = running.dig(name)
            assert "status: SERVFAIL" in printed
            assert "EDE: 14 (Not Ready)" in printed
        assert "status: REFUSED" in running.dig("example.com")
        assert running.status("/health") == (200, "OK")
        assert running.status("/ready") == (503, "not ready: waiting for the first full list\n")
        assert "not ready: waiting for the first full list" in running.get("/status")
        assert "minidns_source_synced 0.0" in running.get("/metrics")
        api.stop()
        api.do(lambda server: server.faults.clear())
        api.start()
        eventually(lambda: running.addresses(WEB) == ["10.1.0.1", "10.1.0.2"])
        eventually(lambda: running.status("/ready") == (200, "ready\n"))
        assert "minidns_source_synced 1.0" in running.get("/metrics")
        assert "status: NXDOMAIN" in running.dig("nothing.default.svc.cluster.local")
        assert running.said("API server")
        assert running.said("synced in")


def test_forbidden_says_what_to_do(api: ThreadedApiServer, tmp_path: Path) -> None:
    message = 'endpointslices is forbidden: User "system:serviceaccount:kube-system:minidns" cannot list'
    api.do(lambda server: server.faults.append(Fault("endpointslices", status=403, message=message, times=10**6)))
    with minidns("--kubeconfig", api.kubeconfig(tmp_path)) as running:
        eventually(lambda: "403" in running.status("/ready")[1])
        code, text = running.status("/ready")
        assert code == 503
        assert text.startswith("not ready: cannot list endpointslices: 403 ")
        assert "system:serviceaccount:kube-system:minidns" in text
        assert "rbac.yaml" in text
        assert "\n" not in text.rstrip("\n")
        assert "EDE: 14 (Not Ready)" in running.dig(WEB)
        assert running.said("cannot list endpointslices: 403")


def test_outage_keeps_answering_and_catches_up(api: ThreadedApiServer, tmp_path: Path) -> None:
    with minidns("--kubeconfig", api.kubeconfig(tmp_path)) as running:
        eventually(lambda: running.addresses(WEB))
        api.stop()
        eventually(lambda: "without the API server" in running.get("/ready"))
        assert running.addresses(WEB) == ["10.1.0.1", "10.1.0.2"]
        assert "EDE" not in running.dig(WEB)
        assert running.status("/health") == (200, "OK")
        api.put("endpointslices", endpoints("web", "10.1.0.2", "10.1.0.3"))
        api.put("services", service("new", clusterIP="10.96.1.1"))
        api.start()
        eventually(lambda: running.addresses(WEB) == ["10.1.0.2", "10.1.0.3"])
        eventually(lambda: running.addresses("new.default.svc.cluster.local") == ["10.96.1.1"])
        eventually(lambda: running.get("/ready") == "ready\n")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_start_from_the_state_of_an_earlier_run(api: ThreadedApiServer, tmp_path: Path, workers: str) -> None:
    file = tmp_path / "state"
    arguments = ["--kubeconfig", api.kubeconfig(tmp_path), "--state", str(file), "--workers", workers]
    with minidns(*arguments) as running:
        eventually(lambda: running.addresses(WEB))
        eventually(file.exists)
    api.stop()
    with minidns(*arguments) as running:
        printed = running.dig(WEB)
        assert "status: NOERROR" in printed
        assert "EDE: 3 (Stale Answer): (from the state of an earlier run" in printed
        assert "10.1.0.1" in printed
        assert running.get("/ready").startswith("ready, from the state of an earlier run: ")
        assert "minidns_source_stale 1.0" in running.get("/metrics")
        api.put("endpointslices", endpoints("web", "10.1.0.9"))
        api.start()
        eventually(lambda: running.addresses(WEB) == ["10.1.0.9"])
        eventually(lambda: "EDE" not in running.dig(WEB))
        eventually(lambda: running.get("/ready") == "ready\n")
        assert "minidns_source_stale 0.0" in running.get("/metrics")


def test_damaged_state_is_reported_and_ignored(api: ThreadedApiServer, tmp_path: Path) -> None:
    file = tmp_path / "state"
    file.write_bytes(b"\0" * 4000)
    with minidns("--kubeconfig", api.kubeconfig(tmp_path), "--state", str(file)) as running:
        eventually(lambda: running.addresses(WEB) == ["10.1.0.1", "10.1.0.2"])
        assert running.said(str(file))


def test_state_that_cannot_be_written_is_reported_and_does_not_end_the_watch(
    api: ThreadedApiServer, tmp_path: Path
) -> None:
    file = tmp_path / "none" / "state"
    with minidns("--kubeconfig", api.kubeconfig(tmp_path), "--state", str(file)) as running:
        eventually(lambda: running.addresses(WEB))
        eventually(lambda: running.said(str(file)))
        api.put("endpointslices", endpoints("web", "10.1.0.7"))
        eventually(lambda: running.addresses(WEB) == ["10.1.0.7"])


def test_kubeconfig_of_the_environment(api: ThreadedApiServer, tmp_path: Path) -> None:
    environ = {"KUBECONFIG": api.kubeconfig(tmp_path), "PATH": "/usr/bin"}
    with minidns(environ=environ) as running:
        eventually(lambda: running.addresses(WEB))
        assert running.said(f"API server {api.url}, from kubeconfig {tmp_path / 'kubeconfig'}")


def test_corefile_of_kubeadm(api: ThreadedApiServer, tmp_path: Path) -> None:
    """As it is installed, but for ports, for where the API server is, and for the upstream."""
    api.put("services", service("outside", type="ExternalName", externalName="chain.example.test"))
    with knot(tmp_path) as upstream:
        text = KUBEADM.read_text()
        for old, new in (
            (".:53 {", ".:0 {\n    bind 127.0.0.1"),
            ("health {", "health 127.0.0.1:0 {"),
            ("lameduck 5s", "lameduck 0s"),
            ("    ready\n", f"    ready 127.0.0.1:{free_port()}\n"),
            ("ip6.arpa {", f"ip6.arpa {{\n       endpoint {api.url}"),
            ("prometheus :9153", f"prometheus 127.0.0.1:{free_port()}"),
            ("/etc/resolv.conf", f"127.0.0.1:{upstream}"),
        ):
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "Corefile").write_text(text)
        with minidns("--conf", str(tmp_path / "Corefile"), "--admin", "none") as running:
            eventually(lambda: running.addresses(WEB) == ["10.1.0.1", "10.1.0.2"])
            assert running.ask(WEB).answer[0].ttl == 30
            assert running.addresses("10-1-2-3.default.pod.cluster.local") == ["10.1.2.3"]
            assert running.addresses("1.0.1.10.in-addr.arpa", "PTR") == [f"web-0.{WEB}."]
            assert "status: REFUSED" in running.dig("-x", "203.0.113.9")  # what the upstream says of it
            assert running.addresses("outside.default.svc.cluster.local")[:1] == ["192.0.2.1"]
            assert running.ask("a.example.test").answer[0].ttl <= 30
            assert "status: NXDOMAIN" in running.dig("none.default.svc.cluster.local")
            (_, health), (_, ready), (_, metrics) = running.http
            for running.admin, path, expected in (
                (health, "/health", "OK"),
                (ready, "/ready", "ready\n"),
                (metrics, "/metrics", "# HELP coredns_dns_requests_total"),
            ):
                assert running.get(path).startswith(expected)
