"""config/kubernetes: it parses strictly, fits together, and its role allows what the source asks for and no more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from minidns.admin import table
from minidns.admin.running import Running
from minidns.admin.table import by_address
from minidns.cli.arguments import config_of
from minidns.config.settings import Cluster, Config
from minidns.config.values import Listen
from minidns.source.kubernetes.requests import resources
from tests.support.places import ROOT

TABLE = table.endpoints(cast(Running, None))
FOLDER = ROOT / "config" / "kubernetes"


class Strict(yaml.SafeLoader):
    """Refuses a key that is there twice, as the API server does."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"{node.start_mark}: a key is there twice"
        return super().construct_mapping(node, deep)


def documents() -> dict[str, dict[str, Any]]:
    """Every object of the base by kind; each kind is there once."""
    kustomization = yaml.load((FOLDER / "kustomization.yaml").read_text(), Strict)
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(kustomization["resources"]) == files
    found: dict[str, dict[str, Any]] = {}
    for name in sorted(files):
        for document in yaml.load_all((FOLDER / name).read_text(), Strict):
            assert document["kind"] not in found
            found[document["kind"]] = document
    return found


def allowed() -> set[tuple[str, str, str]]:
    """(API group, resource, verb) that the role grants."""
    rules = documents()["ClusterRole"]["rules"]
    return {(g, r, v) for rule in rules for g in rule["apiGroups"] for r in rule["resources"] for v in rule["verbs"]}


def test_every_kind_has_its_version() -> None:
    assert {kind: document["apiVersion"] for kind, document in documents().items()} == {
        "ServiceAccount": "v1",
        "ClusterRole": "rbac.authorization.k8s.io/v1",
        "ClusterRoleBinding": "rbac.authorization.k8s.io/v1",
        "Deployment": "apps/v1",
        "Service": "v1",
        "PodDisruptionBudget": "policy/v1",
    }


def test_the_role_allows_what_the_source_asks_for_and_no_more() -> None:
    asked = set()
    for resource in resources(Cluster(), pods=True, imports=True):
        parts = resource.path.split("/")
        group = parts[2] if parts[1] == "apis" else ""
        asked |= {(group, parts[-1], "list"), (group, parts[-1], "watch")}
    assert allowed() == asked


def test_the_role_is_bound_to_the_account_that_the_pods_run_as() -> None:
    found = documents()
    account = found["ServiceAccount"]["metadata"]
    binding = found["ClusterRoleBinding"]
    assert binding["roleRef"]["name"] == found["ClusterRole"]["metadata"]["name"]
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}
    ]
    deployment = found["Deployment"]
    assert deployment["metadata"]["namespace"] == account["namespace"]
    assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == account["name"]


def test_selectors_and_ports_meet() -> None:
    found = documents()
    pod = found["Deployment"]["spec"]["template"]
    labels = pod["metadata"]["labels"].items()
    assert found["Deployment"]["spec"]["selector"]["matchLabels"].items() <= labels
    assert found["Service"]["spec"]["selector"].items() <= labels
    (container,) = pod["spec"]["containers"]
    ports = {port["name"]: (port["containerPort"], port["protocol"]) for port in container["ports"]}
    served = {(port["port"], port["protocol"]): ports[port["targetPort"]] for port in found["Service"]["spec"]["ports"]}
    assert served == {(53, "UDP"): (53, "UDP"), (53, "TCP"): (53, "TCP")}
    probes = {container[probe]["httpGet"]["path"]: container[probe]["httpGet"]["port"] for probe in PROBES}
    assert probes == {"/health": "probes", "/ready": "probes"}
    assert found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"].items() <= labels
    budget = found["PodDisruptionBudget"]["spec"]["maxUnavailable"]
    assert budget < found["Deployment"]["spec"]["replicas"]


def test_the_pods_address_has_what_the_cluster_asks_for_and_no_more() -> None:
    config = the_config()
    (container,) = documents()["Deployment"]["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    paths = {listen: [one.path for one in some] for listen, some in by_address(config, TABLE).items()}
    assert paths.pop(Listen("", ports["probes"])) == ["/health", "/ready", "/metrics"]
    assert [listen.host for listen in paths] == ["127.0.0.1"]
    assert {listen.port for block in config.servers for listen in block.listen} == {ports["dns"], ports["dns-tcp"]}


def test_probes_match_lameduck() -> None:
    """It is out of service while it still answers, is not killed for being about to stop, and has time to finish."""
    pod = documents()["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    config = the_config()
    (health,) = config.health
    lameduck = health.lameduck
    ready, alive = container["readinessProbe"], container["livenessProbe"]
    assert 0 < ready["periodSeconds"] * ready["failureThreshold"] <= lameduck
    assert alive["periodSeconds"] * (alive["failureThreshold"] - 1) > lameduck
    assert pod["terminationGracePeriodSeconds"] > 2 * lameduck


def the_config() -> Config:
    """What the container's arguments mean."""
    (container,) = documents()["Deployment"]["spec"]["template"]["spec"]["containers"]
    return config_of(container["args"])


PROBES = ("livenessProbe", "readinessProbe")


def test_the_pod_has_no_rights_it_does_not_need() -> None:
    deployment = documents()["Deployment"]["spec"]
    pod = deployment["template"]["spec"]
    (container,) = pod["containers"]
    assert deployment["replicas"] == 2
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["dnsPolicy"] == "Default"
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "hostNetwork" not in pod
    assert "volumes" not in pod


def test_the_container_starts_with_these_arguments(tmp_path: Path) -> None:
    """It understands them, and stops for want of a cluster, before it listens anywhere."""
    (container,) = documents()["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["minidns"]
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "minidns", *container["args"]]
    ended = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("minidns: no cluster found")


def test_a_key_that_is_there_twice_is_noticed() -> None:
    with pytest.raises(AssertionError, match="twice"):
        yaml.load("a: 1\na: 2\n", Strict)
