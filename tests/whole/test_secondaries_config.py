"""config/secondaries: the files as they are, with the servers that they are for, beside what `make run` starts."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import pytest

from tests.support.neighbours import free_port
from tests.support.places import DEMO, ROOT
from tests.support.running import Running, eventually, minidns

FOLDER = ROOT / "config" / "secondaries"
SERVERS = {"knot": ("127.0.0.2", 1153), "nsd": ("127.0.0.3", 1253), "unbound": ("127.0.0.1", 1353)}
PRIMARY, UPSTREAM = 1053, "127.0.0.53"
NGINX = "nginx.default.svc.cluster.local"


@dataclass(frozen=True)
class Secondary:
    """A server that runs by its file of config/secondaries."""

    host: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def answer(self, name: str, type_: str = "A") -> tuple[str, list[str]]:
        """(rcode, data of the answer); ("", []) while nobody answers."""
        try:
            reply = dns.query.udp(dns.message.make_query(name, type_), self.host, port=self.port, timeout=2)
        except (OSError, dns.exception.DNSException):
            return "", []
        return dns.rcode.to_text(reply.rcode()), sorted(str(rdata) for rrset in reply.answer for rdata in rrset)


def replaced(text: str, ports: dict[int, int]) -> str:
    """Other ports for those of the files, so that tests run beside each other and beside `make run`."""
    return re.sub(r"(?<=[@:])(1\d53)\b", lambda found: str(ports[int(found[1])]), text)


def run_arguments() -> list[str]:
    """What `make run` gives to `minidns serve`."""
    said = subprocess.run(["make", "-n", "-C", str(ROOT), "run"], capture_output=True, text=True, check=True).stdout
    (line,) = (line for line in said.splitlines() if "minidns serve" in line)
    return shlex.split(line)[2:]


def own_ports() -> dict[int, int]:
    return {port: free_port() for port in (PRIMARY, *(port for _, port in SERVERS.values()))}


@contextmanager
def primary(folder: Path, ports: dict[int, int]) -> Iterator[Running]:
    """As `make run` does, of a copy of the manifests that may be edited."""
    arguments = [replaced(word, ports) for word in run_arguments()]
    arguments[arguments.index("--manifests") + 1] = str(folder)
    arguments[arguments.index("--state") + 1] = str(folder.with_name("state"))
    with minidns(*arguments, "--listen", f"127.0.0.1:{ports[PRIMARY]}") as running:
        yield running


@contextmanager
def secondary(name: str, folder: Path, ports: dict[int, int], upstream: str = UPSTREAM) -> Iterator[Secondary]:
    """Started by the command that the first line of its file says."""
    shutil.copytree(FOLDER / name, folder / name)
    conf = folder / name / f"{name}.conf"
    told = re.fullmatch(r"# .*: cd config/secondaries/(\w+) && (.*)", conf.read_text().splitlines()[0])
    assert told, conf
    assert told[1] == name
    conf.write_text(replaced(conf.read_text(), ports).replace(UPSTREAM, upstream))
    program, *arguments = shlex.split(told[2])
    path = shutil.which(program, path="/usr/sbin:/usr/local/sbin:/usr/bin")
    assert path, f"these tests need {program}: tests/tools installs it"
    host, port = SERVERS[name]
    log = folder / f"{name}.log"
    with log.open("wb") as file:
        process = subprocess.Popen([path, *arguments], cwd=conf.parent, stdout=file, stderr=file)
    try:
        yield Secondary(host, ports[port], process, log)
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEMO, tmp_path / "demo"))


def is_kept(zones: Path) -> None:
    """Wait until the zones as they are now are in that file, which is written anew after each change."""
    before = zones.stat().st_mtime_ns if zones.exists() else 0
    eventually(lambda: zones.exists() and zones.stat().st_mtime_ns != before)


def test_three_servers_follow_an_edited_manifest_and_outlive_minidns(tmp_path: Path, manifests: Path) -> None:
    ports = own_ports()
    web = manifests / "web.yaml"
    with ExitStack() as stack:
        with primary(manifests, ports) as running:
            servers = [stack.enter_context(secondary(name, tmp_path, ports)) for name in SERVERS]

            def all_have(count: int) -> bool:
                wanted = "NOERROR", running.addresses(NGINX)
                return len(wanted[1]) == count and all(server.answer(NGINX) == wanted for server in servers)

            eventually(lambda: all_have(2))
            web.write_text(web.read_text().replace("replicas: 2", "replicas: 5"))
            eventually(lambda: all_have(5))
            found = json.loads(running.get("/secondaries"))
            assert {one["secondary"] for one in found} == {f"{host}:{ports[port]}" for host, port in SERVERS.values()}
            assert len(found) == 3 * len(SERVERS)
            eventually(lambda: all(one["changes"] == 0 for one in json.loads(running.get("/secondaries"))))
            expected = running.addresses(NGINX)
            is_kept(tmp_path / "state.zones")
            running.process.kill()
        for server in servers:
            assert server.answer(NGINX) == ("NOERROR", expected), server.log.read_text()
            assert server.answer(f"nobody.{NGINX}")[0] == "NXDOMAIN"
        web.write_text(web.read_text().replace("replicas: 5", "replicas: 4"))
        with primary(manifests, ports) as running:
            eventually(lambda: all_have(4))
            (incremental,) = re.findall(r'minidns_transfers_total\{kind="ixfr"\} (\S+)', running.get("/metrics"))
            assert float(incremental) >= len(servers)
            assert not running.said("AXFR of cluster.local.")


def test_unbound_forwards_what_is_not_the_clusters(tmp_path: Path, manifests: Path) -> None:
    """Another minidns is the upstream, with names of its own; addresses' names are those of the first one."""
    ports = own_ports()
    zone = "example.net"
    with minidns("--manifests", str(DEMO), "--zone", zone) as upstream, primary(manifests, ports) as running:
        to = f"127.0.0.1@{upstream.port}"
        with secondary("unbound", tmp_path, ports, upstream=to) as unbound:
            eventually(lambda: unbound.answer(NGINX)[1] == running.addresses(NGINX))
            name = f"nginx.default.svc.{zone}"
            eventually(lambda: unbound.answer(name) == ("NOERROR", upstream.addresses(name)))
            (first, *_) = running.addresses(NGINX)
            reverse = ".".join(reversed(first.split("."))) + ".in-addr.arpa"
            eventually(lambda: unbound.answer(reverse, "PTR") == ("NOERROR", running.addresses(reverse, "PTR")))
