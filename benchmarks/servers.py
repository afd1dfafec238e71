"""The servers that are compared: one worker each, the same zone, no logging of queries, in a folder of their own."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from benchmarks import cluster
from benchmarks.processes import started
from tests.support.neighbours import free_port

#: The core of the servers, one of which answers at a time. Everything else runs on the other.
CORE = 0
#: Seconds that a server gets to load the zone.
PATIENCE = 60.0
#: minidns while somebody reads its query feed; and seconds that the feed may be silent.
FEED, _SILENCE = "minidns-feed", 60.0
_SBIN = "/usr/sbin:/usr/local/sbin:/usr/bin:/bin:/opt/homebrew/sbin"

KNOT = """\
server:
    rundir: "{folder}"
    listen: 127.0.0.1@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "{folder}"
log:
  - target: stderr
    any: error
template:
  - id: default
    semantic-checks: off
    zonefile-sync: -1
    journal-content: none
zone:
  - domain: {zone}
    file: "{folder}/zone"
"""

NSD = """\
server:
    ip-address: 127.0.0.1@{port}
    server-count: 1
    username: ""
    pidfile: ""
    zonesdir: "{folder}"
    zonelistfile: "{folder}/zone.list"
    xfrdfile: "{folder}/xfrd.state"
    rrl-ratelimit: 0
    rrl-whitelist-ratelimit: 0
remote-control:
    control-enable: no
zone:
    name: {zone}
    zonefile: zone
"""


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
    """How to run minidns: which Python, and how many workers."""

    python: str
    workers: int

    def zone(self, kubeconfig: Path) -> str:
        """The zone file of the cluster."""
        command = [self.python, "-m", "minidns", "zone", "--kubeconfig", str(kubeconfig), "--ttl", "30"]
        command += ["--log", "warning"]
        ended = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if ended.returncode:
            raise StartError("`minidns zone` failed")
        return ended.stdout

    @contextmanager
    def running(self, folder: Path, kubeconfig: Path, *, read: bool = False) -> Iterator[Server]:
        """With all that kubeadm's Corefile switches on, and reasons, rotation, admin endpoints, a watched cluster.

        read: somebody reads the query feed all the time.
        """
        port, admin, name = free_port(), free_port(), FEED if read else "minidns"
        corefile = folder / f"{name}.Corefile"
        corefile.write_text(_COREFILE.format(port=port, kubeconfig=kubeconfig, metrics=free_port()))
        command = [self.python, "-m", "minidns", "serve", "--conf", str(corefile)]
        command += ["--admin", f"127.0.0.1:{admin}", "--workers", str(self.workers)]
        with started(command, CORE, folder / f"{name}.log") as process:
            _wait_until_answers(process, port, folder / f"{name}.log")
            if read:
                stream = urllib.request.urlopen(f"http://127.0.0.1:{admin}/queries", timeout=_SILENCE)
                # It ends with the server.
                threading.Thread(target=lambda: deque(stream, maxlen=0), daemon=True).start()
            yield Server(name, process.pid, port, admin)


#: kubeadm's, without the ports that a benchmark must not take. Nobody is at the upstream: no work asks for its names.
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
    forward . 127.0.0.1:9
    cache 30
    loadbalance
}}
"""


def knot(folder: Path, zone: str) -> AbstractContextManager[Server]:
    """Knot DNS, https://www.knot-dns.cz/."""
    return _authoritative("knot", ["knotd", "-c"], KNOT, folder, zone)


def nsd(folder: Path, zone: str) -> AbstractContextManager[Server]:
    """NSD, https://nlnetlabs.nl/nsd."""
    return _authoritative("nsd", ["nsd", "-d", "-c"], NSD, folder, zone)


OTHERS: dict[str, Callable[[Path, str], AbstractContextManager[Server]]] = {"knot": knot, "nsd": nsd}
PROGRAMS = {"knot": "knotd", "nsd": "nsd"}


def program(name: str) -> str | None:
    """Where a server's program is: distributions keep them where not everybody looks."""
    return shutil.which(PROGRAMS[name], path=_SBIN)


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
def _authoritative(name: str, command: list[str], config: str, folder: Path, zone: str) -> Iterator[Server]:
    found = program(name)
    if found is None:
        raise StartError(f"{name} is not installed: apt install {name}")
    home = folder / name
    home.mkdir()
    (home / "zone").write_text(zone)
    port = free_port()
    (home / "conf").write_text(config.format(folder=home, port=port, zone=cluster.ZONE))
    with started([found, *command[1:], str(home / "conf")], CORE, home / "log") as process:
        _wait_until_answers(process, port, home / "log")
        yield Server(name, process.pid, port)


@contextmanager
def running(
    folder: Path, names: Sequence[str], python: str, workers: int
) -> Iterator[tuple[list[Server], subprocess.Popen[str]]]:
    """Those of the servers that are installed, minidns first, and the API server that it follows."""
    with ExitStack() as stack:
        apiserver = stack.enter_context(started([sys.executable, "-m", "benchmarks.apiserver"], log=folder / "api.log"))
        assert apiserver.stdout
        url = apiserver.stdout.readline().strip()
        if not url:
            raise StartError(f"the API server does not start: {(folder / 'api.log').read_text()[-500:]}")
        config = kubeconfig(folder / "kubeconfig", url)
        minidns = Minidns(python, workers)
        found = []
        if "minidns" in names:
            found.append(stack.enter_context(minidns.running(folder, config)))
        if FEED in names:
            found.append(stack.enter_context(minidns.running(folder, config, read=True)))
        zone = minidns.zone(config)
        for name, start in OTHERS.items():
            if name in names and program(name):
                found.append(stack.enter_context(start(folder, zone)))
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
