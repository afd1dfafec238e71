"""The servers that are compared: one worker each, the same zone, no logging of queries, in a folder of their own."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import urllib.request
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from benchmarks import cluster
from benchmarks.others import OTHERS
from benchmarks.processes import started
from tests.support.neighbours import free_port

#: The core of the servers, one of which answers at a time. Everything else runs on the other.
CORE = 0
#: Seconds that a server gets to load the zone.
PATIENCE = 60.0
#: minidns while somebody reads its query feed; and seconds that the feed may be silent.
FEED, _SILENCE = "minidns-feed", 60.0
#: minidns with DNS in a worker of its own (`benchmarks.apart`), and with names rewritten.
APART, REWRITING = "apart", "rewriting"
#: The port of an upstream where nobody is: no work asks for names of others.
NOBODY = 9


class StartError(Exception):
    """A server does not start; the text says why."""


@dataclass(frozen=True, slots=True)
class Server:
    """One that answers on 127.0.0.1:port. admin: the port of minidns's admin endpoints."""

    name: str
    pid: int
    port: int
    admin: int | None = None


@dataclass(frozen=True, slots=True)
class Minidns:
    """How to run minidns: which Python, how many workers, the port of its upstream."""

    python: str
    workers: int
    upstream: int = NOBODY

    def zone(self, kubeconfig: Path) -> str:
        """The zone file of the cluster."""
        command = [self.python, "-m", "minidns", "zone", "--kubeconfig", str(kubeconfig), "--ttl", "30"]
        command += ["--log", "warning"]
        ended = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if ended.returncode:
            raise StartError("`minidns zone` failed")
        return ended.stdout

    @contextmanager
    def running(self, folder: Path, kubeconfig: Path, name: str = "minidns") -> Iterator[Server]:
        """With all that kubeadm's Corefile switches on, and reasons, rotation, admin endpoints, a watched cluster.

        name: FEED is one whose query feed somebody reads all the time, APART has DNS in a process of its own, REWRITING
        has a regular expression tried on each name.
        """
        port, admin = free_port(), free_port()
        corefile = folder / f"{name}.Corefile"
        ports = {"port": port, "upstream": self.upstream, "metrics": free_port()}
        more = _REWRITE if name == REWRITING else ""
        corefile.write_text(_COREFILE.format(kubeconfig=kubeconfig, more=more, **ports))
        command = [self.python, "-m", "benchmarks.apart" if name == APART else "minidns", "serve"]
        command += ["--conf", str(corefile), "--admin", f"127.0.0.1:{admin}", "--workers", str(self.workers)]
        with started(command, CORE, folder / f"{name}.log") as process:
            _wait_until_answers(process, port, folder / f"{name}.log")
            if name == FEED:
                stream = urllib.request.urlopen(f"http://127.0.0.1:{admin}/queries", timeout=_SILENCE)
                # It ends with the server.
                threading.Thread(target=lambda: deque(stream, maxlen=0), daemon=True).start()
            yield Server(name, process.pid, port, admin)


_REWRITE = r"rewrite name regex ^((a+)+)\.costly\.cluster\.local$ {1}.cluster.local"
#: kubeadm's, without the ports that a benchmark must not take.
_COREFILE = """\
.:{port} {{
    bind 127.0.0.1
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        kubeconfig {kubeconfig}
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }}
    prometheus 127.0.0.1:{metrics}
    forward . 127.0.0.1:{upstream}
    cache 30
    loadbalance
    {more}
}}
"""


def kubeconfig(path: Path, url: str) -> Path:
    """A kubeconfig for an API server that asks for no credentials. YAML reads JSON."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "bench",
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
        "clusters": [{"name": "bench", "cluster": {"server": url}}],
        "users": [{"name": "bench", "user": {}}],
    }
    path.write_text(json.dumps(content))
    return path


@contextmanager
def _other(name: str, folder: Path, zone: str, upstream: int) -> Iterator[Server]:
    other = OTHERS[name]
    if other.path is None:
        raise StartError(f"{name} is not installed: apt install {name}")
    home = folder / name
    home.mkdir()
    (home / "zone").write_text(zone)
    port = free_port()
    (home / "conf").write_text(other.config.format(folder=home, port=port, zone=cluster.ZONE, upstream=upstream))
    with started([other.path, *other.command[1:], str(home / "conf")], CORE, home / "log") as process:
        _wait_until_answers(process, port, home / "log")
        yield Server(name, process.pid, port)


@contextmanager
def running(
    folder: Path, names: Sequence[str], minidns: Minidns, *objects: str
) -> Iterator[tuple[list[Server], subprocess.Popen[str]]]:
    """Those of the servers that are installed, minidns first, and the API server that it follows.

    objects: what the cluster has besides, as `benchmarks.apiserver` takes it.
    """
    with ExitStack() as stack:
        command = [sys.executable, "-m", "benchmarks.apiserver", *objects]
        apiserver = stack.enter_context(started(command, log=folder / "api.log"))
        assert apiserver.stdout
        url = apiserver.stdout.readline().strip()
        if not url:
            raise StartError(f"the API server does not start: {(folder / 'api.log').read_text()[-500:]}")
        config = kubeconfig(folder / "kubeconfig", url)
        found = [
            stack.enter_context(minidns.running(folder, config, name))
            for name in ("minidns", FEED, APART, REWRITING)
            if name in names
        ]
        zone = minidns.zone(config)
        for name, other in OTHERS.items():
            if name in names and other.path:
                found.append(stack.enter_context(_other(name, folder, zone, minidns.upstream)))
            elif name in names:
                print(f"{name} is not installed (apt install {name}): without it", file=sys.stderr)
        yield found, apiserver


def _wait_until_answers(process: subprocess.Popen[str], port: int, log: Path) -> None:
    """Until the last Service that the zone holds has its address."""
    labels = cluster.service_name(cluster.SERVICES - 1).split(".")
    name = b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"
    query = b"\0\1\0\0\0\1\0\0\0\0\0\0" + name + b"\0\1\0\1"
    deadline = monotonic() + PATIENCE
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        sock.settimeout(0.2)
        while monotonic() < deadline and process.poll() is None:
            with suppress(OSError):
                sock.send(query)
                if sock.recv(4096)[6:8] == b"\0\1":
                    return
            sleep(0.05)
    raise StartError(f"{process.args!r} does not answer: {log.read_text()[-500:] or 'it said nothing'}")
