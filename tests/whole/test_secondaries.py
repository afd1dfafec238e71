"""Knot, NSD and Unbound follow a primary: over restarts and faults of both sides, record for record."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from tests.support.neighbours import free_port
from tests.support.running import Running, eventually, minidns
from tests.support.secondaries import SECRET, ZONES, Knot, Nsd, Server, Unbound
from tests.support.threaded import ThreadedApiServer, api_server, namespace, service

TYPES = ("A", "AAAA", "SRV", "PTR", "CNAME", "TXT", "NS", "MX")
SERVICES = 6


def slice_of(number: int, pods: list[int]) -> Any:
    """The slice of the headless Service `web-NUMBER`."""
    endpoints = [
        {
            "addresses": [f"10.{number}.{pod // 250}.{pod % 250 + 1}"],
            "conditions": {"ready": True},
            "hostname": f"pod-{pod}",
        }
        for pod in pods
    ]
    labels = {"kubernetes.io/service-name": f"web-{number}"}
    return {
        "metadata": {"namespace": "default", "name": f"web-{number}-1", "labels": labels},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
        "endpoints": endpoints,
    }


def fill(api: ThreadedApiServer) -> None:
    api.put("namespaces", namespace("default"))
    api.put("services", service("shop", clusterIP="10.96.0.1", ports=[{"name": "http", "port": 80}]))
    api.put("services", service("away", type="ExternalName", externalName="www.example.com"))
    api.put("services", service("alias", type="ExternalName", externalName="shop.default.svc.cluster.local"))
    for number in range(SERVICES):
        api.put("services", service(f"web-{number}", clusterIP="None", ports=[{"name": "http", "port": 80}]))
        api.put("endpointslices", slice_of(number, [0, 1, 2]))


def churn(api: ThreadedApiServer, count: int, seed: int) -> None:
    """Changes of some pods of some Service, one by one."""
    chosen = random.Random(seed)
    for _ in range(count):
        pods = sorted(chosen.sample(range(30), chosen.randrange(12)))
        api.put("endpointslices", slice_of(chosen.randrange(SERVICES), pods))


def serials(primary: Running) -> dict[str, int]:
    """The serial at which each zone's records are what they are: secondaries are told of no other."""
    return {zone: primary.ask(zone, "SOA").answer[0][0].serial for zone in ZONES}


def zone_of(primary: Running) -> set[tuple[str, str]]:
    """(name, type) of every record."""
    lines = [line for zone in ZONES for line in primary.get(f"/zone?origin={zone}").splitlines()]
    return {(line.split(" ")[0], line.split(" ")[3]) for line in lines}


def told(message: dns.message.Message | None) -> object:
    """What both have to say: the rcode, and every record of the answer but for order and serial."""
    assert message is not None
    rows = {
        (str(rrset.name), rrset.ttl, dns.rdatatype.to_text(rrset.rdtype), str(rdata))
        for rrset in message.answer
        for rdata in rrset
    }
    return dns.rcode.to_text(message.rcode()), rows


def same(primary: Running, servers: list[Server]) -> None:
    """Every name that there is has the same answer to every type, and what there is not is not there."""
    held = zone_of(primary)
    names = {name for name, _ in held}
    above = {name.partition(".")[2] for name in names if name.count(".") > 3}
    missing = {"nobody.default.svc.cluster.local.", "pod-99.web-0.default.svc.cluster.local.", "9.9.9.10.in-addr.arpa."}
    for name in sorted(names | above | missing):
        for type_ in TYPES:
            if type_ == "A" or (name, type_) in held or hash((name, type_)) % 8 == 0:
                expected = told(primary.ask(name, type_, tcp=True))
                for server in servers:
                    assert told(server.ask(name, type_)) == expected, (server.program, name, type_)


def caught_up(primary: Running, servers: list[Server]) -> None:
    """Wait until every secondary has what the primary has, and the primary says so."""

    def settled() -> bool:
        try:
            return all(one["changes"] == 0 for one in json.loads(primary.get("/secondaries")))
        except OSError:  # a busy machine
            return False

    try:
        eventually(settled, patience=90)
    except AssertionError:
        logs = "\n".join(f"{server.program}: {server.log()}" for server in servers)
        raise AssertionError(f"{primary.get('/secondaries')}\n{logs}") from None


@contextmanager
def primary_of(api: ThreadedApiServer, folder: Path, port: int, servers: list[Server]) -> Iterator[Running]:
    told = [word for server in servers for word in ("--transfer", f"127.0.0.1:{server.port}")]
    where = "--kubeconfig", api.kubeconfig(folder), "--listen", f"127.0.0.1:{port}", "--state", str(folder / "state")
    with minidns(*where, "--workers", "2", *told) as running:
        eventually(lambda: running.addresses("shop.default.svc.cluster.local") == ["10.96.0.1"])
        yield running


@contextmanager
def three(folder: Path, port: int) -> Iterator[list[Server]]:
    servers: list[Server] = [kind(folder / kind.program, port) for kind in (Knot, Nsd, Unbound)]
    try:
        for server in servers:
            server.start()
        yield servers
    finally:
        for server in servers:
            server.stop()


def test_three_secondaries_lose_nothing_and_invent_nothing(tmp_path: Path) -> None:
    port = free_port()
    with api_server() as api, three(tmp_path, port) as servers:
        fill(api)
        with primary_of(api, tmp_path, port, servers) as primary:
            caught_up(primary, servers)
            # Thousands of changes, and two of the three are not always there.
            churn(api, 700, seed=1)
            servers[0].kill()
            churn(api, 700, seed=2)
            servers[0].start()
            servers[1].kill()
            servers[1].start()
            churn(api, 700, seed=3)
            caught_up(primary, servers)
            same(primary, servers)
            admin = f"127.0.0.1:{primary.admin}"
            run = [sys.executable, "-m", "minidns", "secondaries", "--admin", admin]
            listed = subprocess.run(run, capture_output=True, text=True, check=True).stdout.splitlines()
            assert len(listed) == 1 + len(servers) * len(ZONES)
            assert all(" nothing " in line for line in listed[1:])
            transfers = primary.get("/metrics")
            assert 'minidns_transfers_total{kind="ixfr"}' in transfers
            before = serials(primary)
            os.kill(primary.process.pid, signal.SIGKILL)
            primary.process.wait()
            (tmp_path / "state.zones").unlink(missing_ok=True)
            # Nobody is there to ask, and they answer.
            for server in servers:
                assert told(server.ask("shop.default.svc.cluster.local", "A"))[0] == "NOERROR"  # type: ignore[index]
            churn(api, 200, seed=4)
        # The new one has no journal that reaches back: what they have is older, and they take the whole zone.
        with primary_of(api, tmp_path, port, servers) as primary:
            caught_up(primary, servers)
            assert all(serial > before[zone] for zone, serial in serials(primary).items())
            churn(api, 50, seed=5)
            caught_up(primary, servers)
            assert primary.stop() == 0
            churn(api, 50, seed=6)
        # An orderly end leaves behind what they have: they get what has changed since.
        with primary_of(api, tmp_path, port, servers) as primary:
            caught_up(primary, servers)
            same(primary, servers)
            assert not primary.said("of cluster.local. by 127.0.0.1: the whole zone")


def test_with_the_right_key_and_with_a_wrong_one(tmp_path: Path) -> None:
    port = free_port()
    keys = tmp_path / "keys"
    keys.write_text(f'key "k1" {{ algorithm hmac-sha256; secret "{SECRET}"; }};')
    wrong = SECRET[:-4] + "MDI="
    kinds: list[tuple[type[Server], str | None]] = [(Knot, SECRET), (Nsd, SECRET), (Knot, wrong), (Unbound, None)]
    servers = [kind(tmp_path / f"server-{i}", port, secret=secret) for i, (kind, secret) in enumerate(kinds)]
    right, others = servers[:2], servers[2:]
    told = [word for server in right for word in ("--transfer", f"127.0.0.1:{server.port}#k1")]
    demo = str(Path(__file__).parents[2] / "config" / "demo")
    options = ("--manifests", demo, "--listen", f"127.0.0.1:{port}", "--transfer-keys", str(keys), *told)
    try:
        with minidns(*options) as primary:
            for server in servers:
                server.start()
            caught_up(primary, right)
            same(primary, right)
            eventually(lambda: primary.said("BADSIG"))
            eventually(lambda: primary.said("AXFR of cluster.local. by 127.0.0.1: refused"))
            assert [server.serial("cluster.local") for server in others] == [None, None]
    finally:
        for server in servers:
            server.stop()


def whole_zones(primary: Running) -> int:
    """How many were transferred."""
    found = re.search(r'^minidns_transfers_total\{kind="axfr"\} (\d+)', primary.get("/metrics"), re.MULTILINE)
    return int(found[1]) if found else 0


def test_who_is_further_behind_than_the_journal_reaches_gets_the_whole_zone(tmp_path: Path) -> None:
    port = free_port()
    knot, nsd = Knot(tmp_path / "knot", port), Nsd(tmp_path / "nsd", port)
    with api_server() as api:
        fill(api)
        try:
            with primary_of(api, tmp_path, port, [knot, nsd]) as primary:
                knot.start()
                nsd.start()
                caught_up(primary, [knot, nsd])
                knot.kill()
                before = whole_zones(primary)
                # A thousand pods go and a thousand others come, a megabyte each time: more than 16.
                for number in range(25):
                    api.put("endpointslices", slice_of(0, list(range(1000 * (number % 2), 1000 * (number % 2) + 1000))))
                api.put("endpointslices", slice_of(0, [7]))
                eventually(lambda: primary.addresses("web-0.default.svc.cluster.local") == ["10.0.0.8"])
                knot.start()
                caught_up(primary, [knot, nsd])
                same(primary, [knot, nsd])
                assert whole_zones(primary) > before
        finally:
            knot.stop()
            nsd.stop()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_dig_and_kdig_read_a_transfer(tmp_path: Path, workers: str) -> None:
    demo = str(Path(__file__).parents[2] / "config" / "demo")
    keys = tmp_path / "keys"
    keys.write_text(f'key "k1" {{ algorithm hmac-sha256; secret "{SECRET}"; }};')
    options = ("--transfer", "127.0.0.1#k1", "--transfer-keys", str(keys), "--workers", workers)
    with minidns("--manifests", demo, *options) as primary:
        zone = sorted(" ".join(line.split()) for line in primary.get("/zone").splitlines())
        for command in (
            ["dig", "-k", str(keys), "+onesoa", "+nocomments", "+nostats", "+nocmd", "+nottlunits"],
            ["kdig", "-y", f"hmac-sha256:k1:{SECRET}", "+noall", "+answer"],
        ):
            run = [command[0], "@127.0.0.1", "-p", str(primary.port), *command[1:], "cluster.local", "AXFR"]
            printed = subprocess.run(run, capture_output=True, text=True, timeout=20, check=True).stdout
            lines = [" ".join(line.split()) for line in printed.splitlines() if " IN " in " ".join(line.split())]
            assert sorted(set(lines)) == zone, command[0]
        refused = subprocess.run(
            ["dig", "@127.0.0.1", "-p", str(primary.port), "cluster.local", "AXFR"], capture_output=True, text=True
        )
        assert "Transfer failed" in refused.stdout
