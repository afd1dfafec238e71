"""As many descriptors as the limits need, and limits as there are descriptors."""

from __future__ import annotations

import re
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from minidns.server import descriptors
from minidns.server.places import Limits
from tests.support.client import query
from tests.support.running import eventually, minidns

WEB = "web.default.svc.cluster.local"
MANIFEST = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {clusterIP: 10.96.7.1}\n"
COREFILE = ".:0 {\n bind 127.0.0.1\n kubernetes cluster.local\n forward . 127.0.0.1:9\n errors\n}\n"


@pytest.fixture
def few() -> Iterator[int]:
    """A soft limit that is below the hard one."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (500, before[1]))
    yield 500
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_soft_limit_is_raised_to_what_is_wanted(few: int) -> None:
    assert descriptors.allowed(few - 1) == few - 1
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == few
    assert descriptors.allowed(few + 100) == few + 100
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == few + 100


def test_limits_stay_where_there_are_enough(few: int) -> None:
    limits = Limits(connections=few)
    assert descriptors.share(limits, ()) == limits
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == few + descriptors.SPARE


@pytest.mark.parametrize("workers", ["1", "2"])
def test_more_clients_and_questions_than_descriptors(tmp_path: Path, workers: str) -> None:
    """Everybody is answered still, the idlest connections go, and the log stays short."""
    (tmp_path / "web.yaml").write_text(MANIFEST)
    (tmp_path / "Corefile").write_text(COREFILE)
    arguments = ["--conf", str(tmp_path / "Corefile"), "--manifests", str(tmp_path / "web.yaml"), "--workers", workers]
    packet = query(f"{WEB}.")
    with minidns(*arguments, within=("prlimit", "--nofile=64:300")) as running, ExitStack() as stack:
        eventually(lambda: running.said("file descriptors are wanted than there may be"))
        line = next(line for line in running.lines if "file descriptors are wanted" in line)
        assert re.search(r"at most 22 TCP connections, forward max_concurrent 22$", line)
        for number in range(200):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", running.port), timeout=20))
            client.sendall(len(packet).to_bytes(2, "big") + packet)
            assert client.recv(2)
            elsewhere = query(f"{number}.example.").replace(packet[:2], b"\0\1", 1)
            client.sendall(len(elsewhere).to_bytes(2, "big") + elsewhere)
        assert running.addresses(WEB) == ["10.96.7.1"]
        cut = re.search(r"^minidns_tcp_connections_cut_total (\d+)", running.get("/metrics"), re.MULTILINE)
        assert cut
        assert int(cut[1]) >= 200 - 22 * int(workers)
        assert not running.said("Traceback")
        assert len(running.lines) < 60
