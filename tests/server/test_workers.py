"""Several processes on one port: each answers, each follows, and none is missed when it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import pytest

from tests.support.neighbours import free_port, knot
from tests.support.running import PATIENCE, Running, eventually, minidns
from tests.support.threaded import ThreadedApiServer, api_server, endpoints, namespace, service

WEB = "web.default.svc.cluster.local"
MANIFEST = """
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{clusterIP: 10.96.7.{last}}}
"""
#: Questions enough that every worker gets some: the kernel chooses one by the source port.
MANY = 24


def children(process: int) -> set[int]:
    return set(map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split()))


def everywhere(running: Running, expected: list[str], name: str = WEB) -> Callable[[], bool]:
    """Whether every worker answers so."""
    return lambda: all(running.addresses(name) == expected for _ in range(MANY))


def restarts(running: Running) -> int:
    found = re.search(r"^minidns_worker_restarts_total (\d+)", running.get("/metrics"), re.MULTILINE)
    return int(found[1]) if found else 0


@contextmanager
def serving(folder: Path, *options: str, environ: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Two workers that answer from a manifest in `folder`."""
    (folder / "web.yaml").write_text(MANIFEST.format(last=1))
    with minidns("--manifests", str(folder), "--workers", "2", *options, environ=environ) as running:
        yield running


def test_both_answer_and_follow(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        assert len(children(running.process.pid)) == 2
        assert everywhere(running, ["10.96.7.1"])()
        (tmp_path / "web.yaml").write_text(MANIFEST.format(last=2))
        eventually(everywhere(running, ["10.96.7.2"]))
        # Each has answered: what one process counts alone is less than all.
        queries = sum(
            float(line.split()[-1])
            for line in running.get("/metrics").splitlines()
            if line.startswith("coredns_dns_requests_total{")
        )
        assert queries >= 2 * MANY
        assert "minidns_workers 2.0" in running.get("/metrics")


def test_killed_one_is_replaced_by_one_that_knows_all(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        (tmp_path / "web.yaml").write_text(MANIFEST.format(last=2))
        eventually(everywhere(running, ["10.96.7.2"]))
        for killed in range(2):
            before = children(running.process.pid)
            victim = min(before)
            os.kill(victim, signal.SIGKILL)
            eventually(lambda victim=victim: victim not in children(running.process.pid))  # type: ignore[misc]
            eventually(lambda: len(children(running.process.pid)) == 2)
            eventually(everywhere(running, ["10.96.7.2"]))
            assert before - {victim} <= children(running.process.pid)
            assert restarts(running) == killed + 1
        assert running.said("ended, starting another")
        (tmp_path / "web.yaml").write_text(MANIFEST.format(last=3))
        eventually(everywhere(running, ["10.96.7.3"]))


#: Has whatever process of Python gets SIGUSR1 do nothing else any more.
ENDLESS = """
import signal

def endless(*_):
    while True:
        pass

signal.signal(signal.SIGUSR1, endless)
"""


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGUSR1], ids=["stopped", "in a loop"])
def test_one_that_hangs_is_replaced_by_one_that_knows_all(tmp_path: Path, how: signal.Signals) -> None:
    """Meanwhile the watcher goes on."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "sitecustomize.py").write_text(ENDLESS)
    (tmp_path / "objects").mkdir()
    with serving(tmp_path / "objects", environ=os.environ | {"PYTHONPATH": str(tmp_path / "code")}) as running:
        stopped = min(children(running.process.pid))
        os.kill(stopped, how)
        (tmp_path / "objects" / "web.yaml").write_text(MANIFEST.format(last=2))
        eventually(lambda: "10.96.7.2" in running.get("/zone"))
        assert running.status("/ready") == (200, "ready\n")
        eventually(lambda: stopped not in children(running.process.pid))
        assert running.said(f"worker {stopped} hangs")
        eventually(lambda: len(children(running.process.pid)) == 2)
        eventually(everywhere(running, ["10.96.7.2"]))
        assert restarts(running) == 1


@pytest.mark.parametrize("stopped", [False, True])
def test_sigterm_leaves_no_process(tmp_path: Path, stopped: bool) -> None:
    with serving(tmp_path) as running:
        workers = children(running.process.pid)
        if stopped:
            os.kill(min(workers), signal.SIGSTOP)
        assert running.stop() == 0
        for worker in workers:
            with pytest.raises(ProcessLookupError):
                os.kill(worker, 0)


def test_workers_end_with_a_watcher_that_was_killed(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        workers = children(running.process.pid)
        running.process.kill()
        running.process.wait(PATIENCE)
        eventually(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))


def test_sigterm_to_all_of_them_ends_all_of_them(tmp_path: Path) -> None:
    """As systemd does."""
    with serving(tmp_path) as running:
        for worker in children(running.process.pid):
            os.kill(worker, signal.SIGTERM)
        assert running.stop() == 0
        assert not [line for line in running.lines if "Traceback" in line]


def answered(running: Running) -> float:
    lines = running.get("/metrics").splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("coredns_dns_requests_total{"))


def test_counters_never_go_back(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        assert everywhere(running, ["10.96.7.1"])()
        before = answered(running)
        assert before >= MANY
        victim = min(children(running.process.pid))
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: restarts(running) == 1)
        assert answered(running) >= before


@pytest.fixture
def api() -> Iterator[ThreadedApiServer]:
    with api_server() as server:
        server.put("namespaces", namespace("default"))
        server.put("services", service("web", clusterIP="None"))
        server.put("endpointslices", endpoints("web", "10.1.0.1"))
        yield server


def test_killed_before_the_first_list(api: ThreadedApiServer, tmp_path: Path) -> None:
    config = api.kubeconfig(tmp_path)
    api.stop()
    with minidns("--kubeconfig", config, "--workers", "2") as running:
        before = children(running.process.pid)
        os.kill(min(before), signal.SIGKILL)
        eventually(lambda: restarts(running) == 1)
        assert all("EDE: 14" in running.dig(WEB) for _ in range(MANY))
        api.start()
        eventually(everywhere(running, ["10.1.0.1"]))
        api.put("endpointslices", endpoints("web", "10.1.0.2"))
        eventually(everywhere(running, ["10.1.0.2"]))
        assert len(children(running.process.pid)) == 2


def test_corefile_with_forwarding_and_a_loop_through_upstreams(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(MANIFEST.format(last=1))
    with knot(tmp_path) as upstream:
        text = (
            f".:0 {{\n bind 127.0.0.1\n kubernetes cluster.local\n forward . 127.0.0.1:{upstream}\n cache\n loop\n}}\n"
        )
        (tmp_path / "Corefile").write_text(text)
        arguments = ["--conf", str(tmp_path / "Corefile"), "--manifests", str(tmp_path / "web.yaml")]
        with minidns(*arguments, "--workers", "2") as running:
            assert everywhere(running, ["10.96.7.1"])()
            assert everywhere(running, ["192.0.2.1"], "a.example.test")()
            assert re.search(r"^coredns_cache_hits_total\S* [1-9]", running.get("/metrics"), re.MULTILINE)


def test_loop_is_found_before_there_are_workers(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(MANIFEST.format(last=1))
    port = free_port()
    text = f".:{port} {{\n bind 127.0.0.1\n kubernetes cluster.local\n forward . 127.0.0.1:{port}\n loop\n}}\n"
    (tmp_path / "Corefile").write_text(text)
    arguments = ["--conf", str(tmp_path / "Corefile"), "--manifests", str(tmp_path / "web.yaml")]
    with minidns(*arguments, "--workers", "2") as running:
        assert running.process.wait(PATIENCE) == 1
        eventually(lambda: running.said("sends questions back to this server"))


def test_what_was_answered_before_there_are_workers_is_not_answered_after_a_reload(tmp_path: Path) -> None:
    """Recursion available, said by the process that probed for a loop."""
    (tmp_path / "web.yaml").write_text(MANIFEST.format(last=1))
    corefile, port = tmp_path / "Corefile", free_port()
    text = COREFILE.format(port=port, ttl=5, more="%s")
    arguments = ["--conf", str(corefile), "--manifests", str(tmp_path / "web.yaml"), "--workers", "2"]
    query, early = dns.message.make_query(WEB, "A"), []
    with socket.socket(type=socket.SOCK_DGRAM) as silent, ThreadPoolExecutor() as pool:
        silent.bind(("127.0.0.1", 0))
        corefile.write_text(text % f"forward . 127.0.0.1:{silent.getsockname()[1]}\n loop")

        def ask() -> None:
            silent.recvfrom(512)  # the probe: questions are answered already
            early.append(dns.query.udp(query, "127.0.0.1", port=port, timeout=5))

        asked = pool.submit(ask)
        with minidns(*arguments) as running:
            asked.result(PATIENCE)
            assert early[0].flags & dns.flags.RA
            assert running.ask(WEB).flags & dns.flags.RA
            corefile.write_text(text % "errors")
            running.process.send_signal(signal.SIGHUP)
            eventually(lambda: running.said("answering by the new configuration"))
            assert not any(running.ask(WEB).flags & dns.flags.RA for _ in range(MANY))


COREFILE = ".:{port} {{\n bind 127.0.0.1\n kubernetes cluster.local {{\n  ttl {ttl}\n }}\n {more}\n}}\n"


def test_nothing_is_lost_by_reloads(tmp_path: Path) -> None:
    """Every question is answered within five seconds, all the while that workers give way to others."""
    (tmp_path / "web.yaml").write_text(MANIFEST.format(last=1))
    (tmp_path / "queries").write_text(f"{WEB} A\n{WEB} AAAA\nnone.{WEB} A\n")
    corefile = tmp_path / "Corefile"
    corefile.write_text(COREFILE.format(port=0, ttl=11, more=""))
    arguments = ["--conf", str(corefile), "--manifests", str(tmp_path / "web.yaml"), "--workers", "2"]
    with minidns(*arguments) as running:
        load = ["dnsperf", "-s", "127.0.0.1", "-p", str(running.port), "-d", str(tmp_path / "queries"), "-t", "5"]
        with subprocess.Popen(
            [*load, "-Q", "10000", "-l", "3", "-c", "20"], stdout=subprocess.PIPE, text=True
        ) as dnsperf:
            reloads = 0
            while dnsperf.poll() is None:
                reloads += 1
                corefile.write_text(COREFILE.format(port=0, ttl=20 + reloads, more=""))
                running.process.send_signal(signal.SIGHUP)
                eventually(lambda: all(running.ask(WEB).answer[0].ttl == 20 + reloads for _ in range(MANY)))  # noqa: B023
            assert dnsperf.stdout is not None
            report = dnsperf.stdout.read()
        sent, completed = (int(re.search(rf"Queries {what}: +(\d+)", report)[1]) for what in ("sent", "completed"))  # type: ignore[index]
        assert reloads > 1
        assert sent == completed > 1000, report
        assert everywhere(running, ["10.96.7.1"])()
        assert len(children(running.process.pid)) == 2


SHORT_OF_PROCESSES = """
import errno, os, runpy, sys
from pathlib import Path

left, fork = Path(sys.argv[1]), os.fork

def forks():
    if left.exists():
        if not (count := int(left.read_text())):
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        left.write_text(str(count - 1))
    return fork()

os.fork = forks
sys.argv = sys.argv[4:]
runpy.run_module("minidns", run_name="__main__", alter_sys=True)
"""


def test_no_process_to_be_had(tmp_path: Path) -> None:
    """A reload waits for one, and so does the place of a worker that ended; those that there are answer and follow."""
    (tmp_path / "web.yaml").write_text(MANIFEST.format(last=1))
    corefile, left, script = tmp_path / "Corefile", tmp_path / "left", tmp_path / "short.py"
    corefile.write_text(COREFILE.format(port=0, ttl=11, more=""))
    script.write_text(SHORT_OF_PROCESSES)
    arguments = ["--conf", str(corefile), "--manifests", str(tmp_path / "web.yaml"), "--workers", "2"]
    with minidns(*arguments, within=[sys.executable, str(script), str(left)]) as running:
        assert everywhere(running, ["10.96.7.1"])()
        left.write_text("1")
        corefile.write_text(COREFILE.format(port=0, ttl=12, more="# again"))
        running.process.send_signal(signal.SIGHUP)
        eventually(lambda: running.said("cannot start a worker, trying again: Resource temporarily unavailable"))
        (tmp_path / "web.yaml").write_text(MANIFEST.format(last=2))
        eventually(everywhere(running, ["10.96.7.2"]))
        assert not running.said("answering by the new configuration")
        left.unlink()
        eventually(lambda: running.said("answering by the new configuration"))
        assert {running.ask(WEB).answer[0].ttl for _ in range(MANY)} == {12}
        left.write_text("0")
        os.kill(min(children(running.process.pid)), signal.SIGKILL)
        eventually(lambda: sum("cannot start a worker" in line for line in running.lines) == 2)
        left.unlink()
        eventually(lambda: len(children(running.process.pid)) == 2)
        eventually(everywhere(running, ["10.96.7.2"]))
        assert not running.said("Traceback")


def test_addresses_that_come_and_go(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(MANIFEST.format(last=1))
    corefile = tmp_path / "Corefile"
    corefile.write_text(COREFILE.format(port=0, ttl=11, more=""))
    arguments = ["--conf", str(corefile), "--manifests", str(tmp_path / "web.yaml"), "--workers", "2"]
    with minidns(*arguments) as running:
        port = free_port()
        corefile.write_text(COREFILE.format(port=port, ttl=12, more=""))
        running.process.send_signal(signal.SIGHUP)
        eventually(lambda: running.said("answering by the new configuration"))
        with socket.socket(type=socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", running.port))
        running.port = port
        assert everywhere(running, ["10.96.7.1"])()
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            corefile.write_text(COREFILE.format(port=taken.getsockname()[1], ttl=13, more=""))
            running.process.send_signal(signal.SIGHUP)
            eventually(lambda: running.said(f"stays as it was: cannot listen on 127.0.0.1:{taken.getsockname()[1]}"))
        assert everywhere(running, ["10.96.7.1"])()
        assert running.ask(WEB).answer[0].ttl == 12
        assert len(children(running.process.pid)) == 2
