"""config/kind: minidns in CoreDNS's place differs from kubeadm's CoreDNS in what it must, and in nothing else."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from minidns.config.corefile import parse
from minidns.config.settings import Cluster, Config
from minidns.source.kubernetes.requests import resources
from tests.support.places import COREFILES, ROOT

KIND, KUBEADM = ROOT / "config" / "kind", Path(__file__).parent / "kubeadm"


class StrictLoader(yaml.SafeLoader):
    """A key that is there twice is an error, as kubectl's strict decoding has it."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"{node.start_mark}: a key is there twice"
        return super().construct_mapping(node, deep=deep)


def load(path: Path) -> Any:
    return yaml.load(path.read_text(), StrictLoader)


@pytest.fixture
def corefile(tmp_path: Path) -> Config:
    """kubeadm's ConfigMap."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/resolv.conf").write_text("nameserver 192.0.2.53\n")
    return parse((COREFILES / "kubeadm.Corefile").read_text(), root=tmp_path)


def container(deployment: Any) -> Any:
    (only,) = deployment["spec"]["template"]["spec"]["containers"]
    return only


def test_deployment_differs_in_image_command_security_and_memory_limit_alone() -> None:
    expected = copy.deepcopy(load(KUBEADM / "deployment.yaml"))
    del expected["metadata"]["namespace"]
    container(expected)["image"] = "minidns"
    container(expected)["command"] = ["minidns"]
    sysctl = {"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}
    security = {"sysctls": [sysctl], "seccompProfile": {"type": "RuntimeDefault"}}
    expected["spec"]["template"]["spec"]["securityContext"] = security
    assert container(expected)["resources"]["limits"] == {"memory": "170Mi"}
    container(expected)["resources"]["limits"] = {"memory": "512Mi"}
    assert load(KIND / "deployment.yaml") == expected


def test_kustomization_takes_in_every_manifest_and_names_the_image() -> None:
    kustomization = load(KIND / "kustomization.yaml")
    others = {"kustomization.yaml", "cluster.yaml"}
    assert set(kustomization["resources"]) == {path.name for path in KIND.glob("*.yaml")} - others
    assert kustomization["namespace"] == load(KUBEADM / "deployment.yaml")["metadata"]["namespace"]
    (image,) = kustomization["images"]
    assert image["name"] == container(load(KIND / "deployment.yaml"))["image"]
    assert image["newTag"] == "dev"


def test_ports_of_kubeadms_corefile_are_those_of_probes_and_service(corefile: Config) -> None:
    found = container(load(KIND / "deployment.yaml"))
    ports = {port["name"]: port["containerPort"] for port in found["ports"]}
    assert ports[found["livenessProbe"]["httpGet"]["port"]] == corefile.health[0].listen.port
    assert ports[found["readinessProbe"]["httpGet"]["port"]] == corefile.ready[0].port
    assert ports["metrics"] == corefile.metrics[0].port
    assert {listen.port for block in corefile.servers for listen in block.listen} == {ports["dns"], ports["dns-tcp"]}
    targets = {(port["protocol"], port["targetPort"]) for port in load(KUBEADM / "service.yaml")["spec"]["ports"]}
    assert targets <= {(port["protocol"], port["containerPort"]) for port in found["ports"]}


def test_labels_are_those_the_service_selects() -> None:
    labels = load(KIND / "deployment.yaml")["spec"]["template"]["metadata"]["labels"]
    for service in (KUBEADM / "service.yaml", KIND / "host-port.yaml"):
        assert load(service)["spec"]["selector"].items() <= labels.items()


def test_corefile_is_mounted_where_the_argument_says() -> None:
    found = container(load(KIND / "deployment.yaml"))
    (mount,) = found["volumeMounts"]
    (volume,) = load(KIND / "deployment.yaml")["spec"]["template"]["spec"]["volumes"]
    (item,) = volume["configMap"]["items"]
    assert found["args"] == ["-conf", f"{mount['mountPath']}/{item['path']}"]
    assert volume["name"] == mount["name"]


def test_host_port_leads_to_the_service_over_both_transports() -> None:
    cluster, service = load(KIND / "cluster.yaml"), load(KIND / "host-port.yaml")
    (node,) = cluster["nodes"]
    mapped = {(mapping["protocol"], mapping["containerPort"]) for mapping in node["extraPortMappings"]}
    assert mapped == {(port["protocol"], port["nodePort"]) for port in service["spec"]["ports"]}
    assert {protocol for protocol, _ in mapped} == {"UDP", "TCP"}
    assert {(mapping["listenAddress"], mapping["hostPort"]) for mapping in node["extraPortMappings"]} == {
        ("127.0.0.1", 1053)
    }
    assert all(30000 <= port <= 32767 for _, port in mapped)


def test_role_of_coredns_allows_every_request() -> None:
    rules = load(KUBEADM / "clusterrole.yaml")["rules"]
    allowed = {(group, name) for rule in rules for group in rule["apiGroups"] for name in rule["resources"]}
    assert all(rule["verbs"] == ["list", "watch"] for rule in rules)
    needed = set()
    for resource in resources(Cluster(), pods=True):
        *prefix, _, name = resource.path.strip("/").split("/")
        needed.add(("" if prefix == ["api"] else prefix[1], name))
    assert needed <= allowed
    assert ("discovery.k8s.io", "endpointslices") in needed
