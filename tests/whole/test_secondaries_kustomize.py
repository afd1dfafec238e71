"""config/secondaries/kubernetes: it builds, fits together, and its three tiers follow each other, as processes here."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import pytest
import yaml

from tests.support.neighbours import free_port
from tests.support.places import DEMO, ROOT
from tests.support.running import eventually, minidns
from tests.whole.test_kubernetes_config import Strict

NGINX = "nginx.default.svc.cluster.local"
_PATH = "/usr/sbin:/usr/local/sbin:/usr/bin"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the overlay beside its base, with a new key."""
    shutil.copytree(ROOT / "config" / "kubernetes", tmp_path / "kubernetes")
    own = tmp_path / "secondaries" / "kubernetes"
    shutil.copytree(ROOT / "config" / "secondaries" / "kubernetes", own, ignore=shutil.ignore_patterns("*.key"))
    subprocess.run([own / "new-key"], check=True)
    return own


@pytest.fixture
def objects(folder: Path) -> dict[tuple[str, str], Any]:
    """What kustomize makes, by kind and name; names of generated objects without their hash."""
    for path in (*folder.glob("*.yaml"), *(folder.parent.parent / "kubernetes").glob("*.yaml")):
        list(yaml.load_all(path.read_text(), Strict))
    command = ["kubectl", "kustomize", str(folder)]
    built = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    found = {}
    for one in yaml.load_all(built, Strict):
        name = one["metadata"]["name"]
        name = name.rpartition("-")[0] if one["kind"] in ("ConfigMap", "Secret") else name
        assert (one["kind"], name) not in found
        found[one["kind"], name] = one
    return found


def pod(found: dict[tuple[str, str], Any], kind: str, name: str) -> Any:
    return found[kind, name]["spec"]["template"]["spec"]


WORKLOADS = (("Deployment", "minidns"), ("Deployment", "knot"), ("DaemonSet", "unbound"))


def test_everything_is_in_one_namespace_and_each_workload_selects_its_pods(objects: dict[tuple[str, str], Any]) -> None:
    for (kind, _), one in objects.items():
        assert kind.startswith("ClusterRole") or one["metadata"]["namespace"] == "kube-system"
    for kind, name in WORKLOADS:
        spec = objects[kind, name]["spec"]
        assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
    for name in ("minidns", "knot"):
        labels = objects["Deployment", name]["spec"]["template"]["metadata"]["labels"]
        service = objects["Service", name]["spec"]
        assert service["selector"].items() <= labels.items()
        ports = {one["name"] for one in pod(objects, "Deployment", name)["containers"][0]["ports"]}
        assert {one["targetPort"] for one in service["ports"]} <= ports


def test_addresses_and_names_are_the_same_wherever_they_are(objects: dict[tuple[str, str], Any]) -> None:
    knot = objects["ConfigMap", "knot"]["data"]["knot.conf"]
    unbound = objects["ConfigMap", "unbound"]["data"]["unbound.conf"]
    assert f"address: {objects['Service', 'minidns']['spec']['clusterIP']}@53" in knot
    assert f"primary: {objects['Service', 'knot']['spec']['clusterIP']}@53" in unbound
    (address,) = pod(objects, "DaemonSet", "unbound")["initContainers"]
    assert "169.254.20.10/32" in address["args"][0]
    assert "interface: 169.254.20.10@53" in unbound
    assert objects["Deployment", "minidns"]["spec"]["replicas"] == 1
    assert objects["Deployment", "knot"]["spec"]["replicas"] == 2


def test_every_volume_that_is_mounted_is_there_and_every_object_that_it_names(
    objects: dict[tuple[str, str], Any],
) -> None:
    names = {(kind, one["metadata"]["name"]) for (kind, _), one in objects.items()}
    for kind, name in WORKLOADS:
        spec = pod(objects, kind, name)
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        assert {mount["name"] for one in spec["containers"] for mount in one["volumeMounts"]} == set(volumes)
        for volume in volumes.values():
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in names
            elif "secret" in volume:
                assert ("Secret", volume["secret"]["secretName"]) in names
            else:
                assert "emptyDir" in volume


def test_containers_have_no_rights_that_they_do_not_need(objects: dict[tuple[str, str], Any]) -> None:
    added: dict[str, list[str]] = {}
    for kind, name in WORKLOADS:
        spec = pod(objects, kind, name)
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec.get("hostNetwork", False) is (name == "unbound")
        assert spec["securityContext"]["runAsUser"] > 0
        assert (spec.get("automountServiceAccountToken", True)) is (name == "minidns")
        for one in (*spec.get("initContainers", ()), *spec["containers"]):
            context = one["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"]["drop"] == ["ALL"]
            added[one["name"]] = context["capabilities"].get("add", [])
        assert all("memory" in one["resources"]["limits"] for one in spec["containers"])
    assert {name: more for name, more in added.items() if more} == {
        "address": ["NET_ADMIN"],
        "unbound": ["NET_BIND_SERVICE"],
    }


def asked(port: int, name: str, type_: str = "A") -> list[str]:
    try:
        reply = dns.query.udp(dns.message.make_query(name, type_), "127.0.0.1", port=port, timeout=2)
    except (OSError, dns.exception.DNSException):
        return []
    return sorted(str(rdata) for rrset in reply.answer for rdata in rrset)


def test_three_tiers_follow_each_other(folder: Path, objects: dict[tuple[str, str], Any], tmp_path: Path) -> None:
    """With the arguments, configurations and the loop of the manifests; addresses and folders alone are others."""
    manifests = Path(shutil.copytree(DEMO, tmp_path / "demo"))
    first, second, third = free_port(), free_port(), free_port()
    (container,) = pod(objects, "Deployment", "minidns")["containers"]
    arguments = container["args"][1:]
    arguments[arguments.index("--listen") + 1] = f"127.0.0.1:{first}"
    arguments[arguments.index("--probes") + 1] = "127.0.0.1:0"
    arguments[arguments.index("--transfer-keys") + 1] = str(folder / "minidns.key")
    knot, unbound = tmp_path / "knot", tmp_path / "unbound"
    for place in (knot, unbound):
        place.mkdir()
    text = objects["ConfigMap", "knot"]["data"]["knot.conf"].replace("/run/knot", str(knot))
    text = text.replace("/etc/knot-key", str(folder)).replace("10.96.0.11@53", f"127.0.0.1@{first}")
    (knot / "knot.conf").write_text(text.replace("0.0.0.0@53", f"127.0.0.1@{second}"))
    conf = unbound / "unbound.conf"
    text = objects["ConfigMap", "unbound"]["data"]["unbound.conf"].replace("/run/unbound", str(unbound))
    text = text.replace("10.96.0.12@53", f"127.0.0.1@{second}").replace("169.254.20.10@53", f"127.0.0.1@{third}")
    # The next tier is on this machine here.
    conf.write_text(text.replace("server:\n", "server:\n    do-not-query-localhost: no\n", 1))
    follow = pod(objects, "DaemonSet", "unbound")["containers"][1]
    loop = follow["args"][0].replace("/etc/unbound/unbound.conf", str(conf))
    commands = (["knotd", "-c", str(knot / "knot.conf")], ["unbound", "-d", "-c", str(conf)], ["sh", "-c", loop])
    logs = tmp_path / "logs"
    with ExitStack() as stack:
        log = stack.enter_context(logs.open("wb"))
        with minidns("--manifests", str(manifests), *arguments) as running:
            for command in commands:
                path = shutil.which(command[0], path=_PATH)
                assert path, f"these tests need {command[0]}: tests/tools installs it"
                process = subprocess.Popen([path, *command[1:]], stdout=log, stderr=log, env={"PATH": _PATH})
                stack.callback(process.wait, 20)
                stack.callback(process.terminate)
            follows(third, running.addresses(NGINX), logs)
            web = manifests / "web.yaml"
            web.write_text(web.read_text().replace("replicas: 2", "replicas: 4"))
            eventually(lambda: len(running.addresses(NGINX)) == 4)
            expected = running.addresses(NGINX)
            follows(third, expected, logs)
            reverse = ".".join(reversed(expected[0].split("."))) + ".in-addr.arpa"
            assert asked(third, reverse, "PTR") == running.addresses(reverse, "PTR")
        # minidns is gone, and every node has the zone.
        assert asked(third, NGINX) == expected


def follows(port: int, expected: list[str], logs: Path) -> None:
    try:
        eventually(lambda: asked(port, NGINX) == expected, patience=40)
    except AssertionError:
        raise AssertionError(logs.read_text(errors="replace")[-3000:]) from None
