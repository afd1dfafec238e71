"""A Corefile that changes under load, the way a ConfigMap volume changes it: a link to another folder."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from pathlib import Path

import dns.flags
import dns.query
import dns.rcode
import dns.serial
import dns.zone
import pytest

from tests.support.client import explained
from tests.support.neighbours import free_port
from tests.support.running import Running, eventually, minidns
from tests.support.threaded import ThreadedApiServer, api_server, namespace, service

COREFILE = ". {{\n bind 127.0.0.1\n kubernetes cluster.local {{\n  ttl {ttl}\n }}\n reload 2s 0s\n {more}\n}}\n"
MANIFEST = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {clusterIP: 10.96.7.7}
"""
NAME = "web.default.svc.cluster.local"


def mount(folder: Path, version: str, corefile: str) -> None:
    """Make a version of the volume, and swap it in."""
    (folder / version).mkdir()
    (folder / version / "Corefile").write_text(corefile.replace(". {", ".:0 {", 1))
    (folder / "..new").symlink_to(version)
    (folder / "..new").replace(folder / "..data")
    if not (folder / "Corefile").is_symlink():
        (folder / "Corefile").symlink_to("..data/Corefile")


def ttl(running: Running) -> int:
    return running.ask(NAME).answer[0].ttl


def test_no_query_is_lost_while_the_configuration_changes(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(MANIFEST)
    (tmp_path / "queries").write_text(f"{NAME} A\n{NAME} AAAA\nnone.{NAME} A\n")
    volume = tmp_path / "volume"
    volume.mkdir()
    mount(volume, "1", COREFILE.format(ttl=11, more=""))
    arguments = ["--conf", str(volume / "Corefile"), "--manifests", str(tmp_path / "web.yaml")]
    with minidns(*arguments) as running:
        eventually(lambda: ttl(running) == 11)
        port = running.port
        load = ["dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", str(tmp_path / "queries"), "-Q", "20000"]
        with subprocess.Popen([*load, "-l", "4"], stdout=subprocess.PIPE, text=True) as dnsperf:
            mount(volume, "2", COREFILE.format(ttl=22, more=""))
            running.process.send_signal(signal.SIGHUP)
            eventually(lambda: ttl(running) == 22)
            mount(volume, "3", COREFILE.format(ttl=33, more="nonsense"))
            running.process.send_signal(signal.SIGHUP)
            eventually(lambda: any("unknown plugin 'nonsense'" in line for line in running.lines))
            assert ttl(running) == 22
            mount(volume, "4", COREFILE.format(ttl=44, more="errors"))
            eventually(lambda: ttl(running) == 44)
            report, _ = dnsperf.communicate(timeout=30)
        sent, completed = (re.search(rf"Queries {what}: +(\d+)", report) for what in ("sent", "completed"))
        assert sent is not None
        assert completed is not None
        assert int(sent[1]) == int(completed[1]) > 1000, report
        assert any("Corefile:7: unknown plugin 'nonsense'" in line for line in running.lines)


CLUSTER = """
.:0 {{
    bind 127.0.0.1
    kubernetes cluster.local {{
        endpoint {url}
        startup_timeout 1s
        ttl {ttl}
    }}
}}
"""


def cluster(server: ThreadedApiServer, address: str) -> ThreadedApiServer:
    """With one Service `web`."""
    server.put("namespaces", namespace("default"))
    server.put("services", service("web", clusterIP=address))
    return server


@pytest.mark.parametrize("workers", ["1", "2"])
def test_another_cluster(tmp_path: Path, workers: str) -> None:
    corefile = tmp_path / "Corefile"
    with api_server() as first, api_server() as second:
        cluster(first, "10.96.0.1")
        cluster(second, "10.96.0.2")
        corefile.write_text(CLUSTER.format(url=first.url, ttl=5))
        with minidns("--conf", str(corefile), "--workers", workers) as running:
            eventually(lambda: everywhere(running, "10.96.0.1", 5))
            # The same cluster, answered from differently, and still followed.
            reread(running, corefile, CLUSTER.format(url=first.url, ttl=6))
            eventually(lambda: everywhere(running, "10.96.0.1", 6))
            first.put("services", service("web", clusterIP="10.96.0.9"))
            eventually(lambda: everywhere(running, "10.96.0.9", 6))
            # One that is not there: everything stays, and is still followed.
            reread(running, corefile, CLUSTER.format(url=f"http://127.0.0.1:{free_port()}", ttl=7))
            eventually(lambda: running.said("stays as it was: API server http://127.0.0.1:"))
            assert running.said("after 1 s")
            first.put("services", service("web", clusterIP="10.96.0.8"))
            eventually(lambda: everywhere(running, "10.96.0.8", 6))
            # Another one: nothing of the first is left, nor followed.
            reread(running, corefile, CLUSTER.format(url=second.url, ttl=8))
            eventually(lambda: everywhere(running, "10.96.0.2", 8))
            first.put("services", service("web", clusterIP="10.96.0.7"))
            second.put("services", service("web", clusterIP="10.96.0.3"))
            eventually(lambda: everywhere(running, "10.96.0.3", 8))
            assert running.status("/ready") == (200, "ready\n")


STATE = """
.:0 {{
    bind 127.0.0.1
    kubernetes cluster.local {{
        endpoint {url}
        startup_timeout 1s
        pods {pods}
    }}
}}
"""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_state_file_does_not_stand_for_the_first_list_of_a_reload(tmp_path: Path, workers: str) -> None:
    """What was saved is older than what is being answered from: a Service that is newer must not be gone meanwhile."""
    corefile, state = tmp_path / "Corefile", tmp_path / "state"
    with api_server() as server:
        cluster(server, "10.96.0.1")
        server.put("services", service("old", clusterIP="10.96.0.2"))
        corefile.write_text(STATE.format(url=server.url, pods="insecure"))
        with minidns("--conf", str(corefile), "--workers", workers, "--state", str(state)) as running:
            eventually(lambda: everywhere(running, "10.96.0.1", 5))
            eventually(state.exists)
            server.put("services", service("web", clusterIP="10.96.0.9"))
            eventually(lambda: everywhere(running, "10.96.0.9", 5))
            server.stop()
            reread(running, corefile, STATE.format(url=server.url, pods="verified"))
            eventually(lambda: running.said("stays as it was: API server http://127.0.0.1:"))
            assert everywhere(running, "10.96.0.9", 5)
            assert not running.said("answering by the new configuration")
            server.start()
            eventually(lambda: running.status("/ready") == (200, "ready\n"))
            reread(running, corefile, STATE.format(url=server.url, pods="verified"))
            eventually(lambda: running.said("answering by the new configuration"))
            assert everywhere(running, "10.96.0.9", 5)
            assert running.ask("1-2-3-4.default.pod.cluster.local").rcode() == dns.rcode.NXDOMAIN


ANSWERED = """
.:0 {{
    bind 127.0.0.1
    kubernetes cluster.local {{
        endpoint {url}
        ttl {ttl}
        pods {pods}
    }}
    {more}
}}
"""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_leaves_the_nodes_as_they_are_is_in_every_answer(tmp_path: Path, workers: str) -> None:
    """TTL, recursion, names by pod address: of answers that were ready, of some that were not, and back again."""
    corefile = tmp_path / "Corefile"
    with api_server() as server:
        cluster(server, "10.96.0.1")
        written: dict[str, object] = {"url": server.url, "ttl": 5, "pods": "disabled", "more": ""}
        corefile.write_text(ANSWERED.format(**written))
        with minidns("--conf", str(corefile), "--workers", workers) as running:
            eventually(lambda: everywhere(running, "10.96.0.1", 5))
            serial = soa(running)
            changes: list[dict[str, object]] = [
                {"ttl": 6},
                {"more": f"forward . 127.0.0.1:{free_port()}"},
                {"pods": "insecure", "ttl": 7},
                {"pods": "disabled", "more": ""},
                {"ttl": 5, "more": f"forward . 127.0.0.1:{free_port()}\n cache 3"},
                {"more": ""},
            ]
            for told, changed in enumerate(changes, 1):
                written |= changed
                reread(running, corefile, ANSWERED.format(**written))
                eventually(lambda: sum("by the new configuration" in line for line in running.lines) == told)  # noqa: B023
                recursion, ttl = (
                    "forward" in str(written["more"]),
                    3 if "cache" in str(written["more"]) else written["ttl"],
                )
                for _ in range(16):
                    for name in (NAME, f"none.{NAME}", "dns-version.cluster.local"):
                        assert bool(running.ask(name).flags & dns.flags.RA) == recursion
                    assert running.ask(NAME).answer[0].ttl == ttl
                    pod = running.ask("1-2-3-4.default.pod.cluster.local")
                    assert bool(pod.answer) == (written["pods"] == "insecure")
                assert dns.serial.Serial(soa(running)) >= serial
                serial = soa(running)
                # Still followed.
                address = f"10.96.1.{told}"
                server.put("services", service("web", clusterIP=address))
                eventually(lambda: everywhere(running, address, int(str(ttl))))  # noqa: B023
            serial = soa(running)
            # One that cannot be had: nothing is different.
            with socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))
                taken.listen()
                text = ANSWERED.format(**written | {"ttl": 9}).replace(".:0", f".:{taken.getsockname()[1]}")
                reread(running, corefile, text)
                eventually(lambda: running.said("stays as it was: cannot listen on"))
            assert everywhere(running, address, 5)
            assert soa(running) == serial
            # Several at once: the last one counts.
            for ttl in (20, 21, 22):
                reread(running, corefile, ANSWERED.format(**written | {"ttl": ttl}))
            eventually(lambda: everywhere(running, address, 22))
            server.put("services", service("web", clusterIP="10.96.0.9"))
            eventually(lambda: everywhere(running, "10.96.0.9", 22))
            assert not running.said("Traceback")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_secondary_has_every_reload(tmp_path: Path, workers: str) -> None:
    """Another TTL is in each record that it has, with those that changed since."""
    corefile = tmp_path / "Corefile"
    with api_server() as server:
        cluster(server, "10.96.0.1")
        written = {"url": server.url, "ttl": 5, "pods": "disabled", "more": "transfer {\n to *\n }"}
        corefile.write_text(ANSWERED.format(**written))
        with minidns("--conf", str(corefile), "--workers", workers) as running:
            eventually(lambda: everywhere(running, "10.96.0.1", 5))
            secondary = dns.zone.Zone("cluster.local.", relativize=False)
            dns.query.inbound_xfr("127.0.0.1", secondary, port=running.port)
            assert ttls(secondary) == {5, 28800}
            for told, (ttl, more) in enumerate(((30, ""), (30, "forward . 127.0.0.1"), (5, "")), 1):
                written |= {"ttl": ttl, "more": f"transfer {{\n to *\n }}\n {more}"}
                reread(running, corefile, ANSWERED.format(**written))
                eventually(lambda: sum("by the new configuration" in line for line in running.lines) == told)  # noqa: B023
                server.put("services", service("web", clusterIP=f"10.96.1.{told}"))
                eventually(lambda: everywhere(running, f"10.96.1.{told}", ttl))  # noqa: B023
                dns.query.inbound_xfr("127.0.0.1", secondary, port=running.port)
                assert ttls(secondary) == {ttl, 28800}
                assert [str(one) for one in secondary.find_rdataset(f"{NAME}.", "A")] == [f"10.96.1.{told}"]
                assert secondary.get_soa().serial == soa(running)


def ttls(zone: dns.zone.Zone) -> set[int]:
    return {rdataset.ttl for _, rdataset in zone.iterate_rdatasets()}


def soa(running: Running) -> int:
    return int(running.ask("cluster.local", "SOA").answer[0][0].serial)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_stale_mark_ends_in_every_answer(tmp_path: Path, workers: str) -> None:
    state = tmp_path / "state"
    questions = [(NAME, "A"), (NAME, "TXT"), (f"none.{NAME}", "A"), ("dns-version.cluster.local", "TXT")]
    with api_server() as server:
        cluster(server, "10.96.0.1")
        arguments = ["--kubeconfig", server.kubeconfig(tmp_path), "--workers", workers, "--state", str(state)]
        with minidns(*arguments) as running:
            eventually(lambda: everywhere(running, "10.96.0.1", 5))
            eventually(state.exists)
        server.stop()
        with minidns(*arguments) as running:
            for _ in range(8):
                for question in questions:
                    assert {3, 19} & {code for code, _ in explained(running.ask(*question))}
            server.start()
            eventually(lambda: running.said(": synced in "))
            for _ in range(8):
                for question in questions:
                    assert not {3, 19} & {code for code, _ in explained(running.ask(*question))}
            server.put("services", service("web", clusterIP="10.96.0.2"))
            eventually(lambda: everywhere(running, "10.96.0.2", 5))


def reread(running: Running, file: Path, text: str) -> None:
    file.write_text(text)
    running.process.send_signal(signal.SIGHUP)


def everywhere(running: Running, address: str, ttl: int) -> bool:
    """Whether every worker has it: over many source ports."""
    answers = [running.ask(NAME).answer for _ in range(16)]
    return all(answer and (str(answer[0][0]), answer[0].ttl) == (address, ttl) for answer in answers)


def test_addresses_for_http_change_too_and_go_back_when_they_cannot(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(MANIFEST)
    corefile, port = tmp_path / "Corefile", free_port()
    text = ".:0 {{\n bind 127.0.0.1\n kubernetes cluster.local\n prometheus 127.0.0.1:{port}\n}}\n"
    corefile.write_text(".:0 {\n bind 127.0.0.1\n kubernetes cluster.local\n}\n")
    admin = free_port()
    arguments = ["--conf", str(corefile), "--manifests", str(tmp_path / "web.yaml"), "--admin", f"127.0.0.1:{admin}"]
    with minidns(*arguments) as running, socket.socket() as taken:
        running.admin = port
        reread(running, corefile, text.format(port=port))
        eventually(lambda: running.said("answering by the new configuration"))
        assert "coredns_dns_requests_total" in running.get("/metrics")
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        reread(running, corefile, text.format(port=taken.getsockname()[1]))
        eventually(lambda: running.said(f"stays as it was: cannot listen on 127.0.0.1:{taken.getsockname()[1]} (HTTP)"))
        assert "coredns_dns_requests_total" in running.get("/metrics")
        assert running.addresses(NAME) == ["10.96.7.7"]


def test_configuration_that_says_the_same_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(MANIFEST)
    corefile = tmp_path / "Corefile"
    corefile.write_text(".:0 {\n bind 127.0.0.1\n kubernetes cluster.local\n}\n")
    with minidns("--conf", str(corefile), "--manifests", str(tmp_path / "web.yaml")) as running:
        reread(running, corefile, "# a remark\n.:0 {\n bind 127.0.0.1\n kubernetes cluster.local\n}\n")
        reread(running, corefile, ".:0 {\n kubernetes 1 2 3\n")
        eventually(lambda: running.said("the configuration stays as it was"))
        corefile.unlink()
        running.process.send_signal(signal.SIGHUP)
        eventually(lambda: running.said("Corefile:1: cannot read it"))
        assert running.addresses(NAME) == ["10.96.7.7"]
        assert not running.said("answering by the new configuration")
        assert not running.said("Traceback")
