"""`minidns zone`: what other name servers make of its zone files, and whether they then answer what minidns answers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.zone
import pytest
import yaml

from tests.support.neighbours import knot_with
from tests.support.places import DEMO, MANIFESTS
from tests.support.running import Running, minidns

EDGES = MANIFESTS / "edges.yaml"
ORIGINS = ("cluster.local", "in-addr.arpa", "ip6.arpa")
TYPES = ("A", "AAAA", "SRV", "PTR", "CNAME", "TXT", "NS", "MX")


def zone_text(manifests: Path, origin: str, *options: str) -> str:
    command = [sys.executable, "-m", "minidns", "zone", "--manifests", str(manifests), "--origin", origin, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def complaints(file: Path, origin: str) -> str:
    """What Knot and NSD have against a zone file."""
    path = "/usr/sbin:/usr/bin:/sbin:/bin"
    said = ""
    for program, arguments in (("kzonecheck", ["-o", origin, str(file)]), ("nsd-checkzone", [origin, str(file)])):
        found = shutil.which(program, path=path)
        assert found, f"these tests need {program}: apt-get install knot nsd"
        done = subprocess.run([found, *arguments], capture_output=True, text=True, timeout=60, check=False)
        said += done.stdout + done.stderr if done.returncode else ""
    return said


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 ClusterIP Services, 20 headless ones of 150 pods in two slices each, dual-stack, and aliases."""
    folder = tmp_path_factory.mktemp("large")
    documents = []
    for number in range(300):
        ports = [{"name": "http", "port": 80}, {"name": "dns", "port": number + 1, "protocol": "UDP"}]
        spec = {"ipFamilyPolicy": "PreferDualStack", "ports": ports}
        documents.append(written("Service", f"s{number}", spec, namespace=f"n{number % 7}"))
    for number in range(20):
        labels = {"app": f"h{number}"}
        headless = {"clusterIP": "None", "ipFamilyPolicy": "PreferDualStack", "selector": labels}
        documents.append(written("Service", f"h{number}", {**headless, "ports": [{"name": "db", "port": 5432}]}))
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "c"}]}}
        pods = {"replicas": 150, "serviceName": f"h{number}", "selector": {"matchLabels": labels}, "template": template}
        documents.append(written("StatefulSet", f"p{number}", pods))
        alias = {"type": "ExternalName", "externalName": f"h{number}.default.svc.cluster.local"}
        documents.append(written("Service", f"alias{number}", alias))
    (folder / "all.yaml").write_text(yaml.safe_dump_all(documents))
    return folder


def written(kind: str, name: str, spec: Mapping[str, object], namespace: str = "default") -> dict[str, object]:
    """A manifest."""
    version = "v1" if kind == "Service" else "apps/v1"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("manifests", [DEMO, EDGES], ids=["demo", "edges"])
def test_knot_and_nsd_load_it(manifests: Path, origin: str, tmp_path: Path) -> None:
    text = zone_text(manifests, origin)
    (tmp_path / "zone").write_text(text)
    assert complaints(tmp_path / "zone", origin) == ""
    assert text.splitlines()[0].split()[:5] == [f"{origin}.", "5", "IN", "SOA", f"ns.dns.{origin}."]


@pytest.mark.parametrize("origin", ORIGINS)
def test_knot_and_nsd_load_a_large_one(large: Path, origin: str, tmp_path: Path) -> None:
    text = zone_text(large, origin)
    assert text.count("\n") > 3000
    (tmp_path / "zone").write_text(text)
    assert complaints(tmp_path / "zone", origin) == ""


def test_cluster_zone_is_the_first(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "minidns", "zone", "--manifests", str(DEMO), "--zone", "k8s.test", "--ttl", "7"]
    text = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    (tmp_path / "zone").write_text(text)
    assert complaints(tmp_path / "zone", "k8s.test") == ""
    ttls = {line.split()[1] for line in text.splitlines() if "dns-version" not in line and " SOA " not in line}
    assert ttls == {"7"}
    assert "redis-0.redis.default.svc.k8s.test." in text


@contextmanager
def beside_knot(manifests: Path, folder: Path) -> Iterator[tuple[Running, int]]:
    """minidns, and a Knot that serves the zone files that minidns prints."""
    with minidns("--manifests", str(manifests), "--log", "info") as running:
        for origin in ORIGINS:
            (folder / origin).write_text(running.get(f"/zone?origin={origin}"))
        with knot_with(folder, {origin: origin for origin in ORIGINS}) as port:
            yield running, port


@pytest.mark.parametrize("manifests", [DEMO, EDGES], ids=["demo", "edges"])
def test_knot_answers_from_it_as_minidns_does(manifests: Path, tmp_path: Path) -> None:
    """Every name of the zones, every type that could be there, and names beside them that do not exist."""
    with beside_knot(manifests, tmp_path) as (running, port):
        asked = 0
        for origin in ORIGINS:
            zone = dns.zone.from_text((tmp_path / origin).read_text(), origin, relativize=False)
            parents = {name.parent() for name in zone.nodes if name != dns.name.from_text(origin)}
            missing = {dns.name.from_text("none", name) for name in zone.nodes}
            for name in sorted(set(zone.nodes) | parents | missing):
                for type_ in TYPES:
                    ours, theirs = asked_over_tcp(name, type_, running.port), asked_over_tcp(name, type_, port)
                    assert ours == theirs, f"{name} {type_}"
                    asked += 1
        assert asked > 1000


def asked_over_tcp(name: dns.name.Name, type_: str, port: int) -> tuple[str, bool, frozenset[str], frozenset[str]]:
    """Rcode, AA, the answer section, and the type and owner of what is in the authority section."""
    query = dns.message.make_query(name, type_)
    reply = dns.query.udp(query, "127.0.0.1", port=port, timeout=5)
    if reply.flags & dns.flags.TC:
        reply = dns.query.tcp(query, "127.0.0.1", port=port, timeout=5)
    answer = {f"{rrset.name} {rrset.ttl} {type_of(rrset)} {rdata}" for rrset in reply.answer for rdata in rrset}
    authority = {f"{rrset.name} {type_of(rrset)}" for rrset in reply.authority}
    return dns.rcode.to_text(reply.rcode()), bool(reply.flags & dns.flags.AA), frozenset(answer), frozenset(authority)


def type_of(rrset: dns.rrset.RRset) -> str:
    return dns.rdatatype.to_text(rrset.rdtype)
