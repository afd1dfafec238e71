"""docs/swap.md: what it tells to run is run, where no cluster is needed, and what it names is there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.places import COREFILES, ROOT
from tests.support.running import eventually, minidns
from tests.support.threaded import api_server
from tests.support.threaded import service as service_object

TEXT = (ROOT / "docs" / "swap.md").read_text()
PATCH = ROOT / "config" / "swap" / "minidns.yaml"
KUBEADM = Path(__file__).parent / "kubeadm" / "deployment.yaml"


def recipes() -> dict[str, list[str]]:
    """The commands of each section."""
    found: dict[str, list[str]] = {}
    for section in TEXT.split("\n## ")[1:]:
        blocks = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
        if commands := [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]:
            found[section.partition("\n")[0]] = commands
    return found


def of_minidns() -> list[str]:
    """Each command of minidns that the recipes have, once."""
    return list(dict.fromkeys(c for commands in recipes().values() for c in commands if c.startswith("minidns ")))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A cluster with a DNS server that answers for it, and a folder with the Corefile of the cluster."""
    folder = tmp_path_factory.mktemp("swap")
    kubeadm = (COREFILES / "kubeadm.Corefile").read_text()
    (folder / "Corefile").write_text(kubeadm)
    with api_server() as api:
        api.put("services", service_object("api", clusterIP="10.96.0.7", clusterIPs=["10.96.0.7"], ports=[]))
        options = ["--kubeconfig", api.kubeconfig(folder)]
        with minidns(*options, "--ttl", "30", "--pods", "insecure") as running:
            eventually(lambda: running.addresses("api.default.svc.cluster.local"))
            dns = service_object("kube-dns", clusterIP="10.96.0.10", clusterIPs=["10.96.0.10"], ports=[])
            dns["metadata"]["namespace"] = "kube-system"
            api.put("services", dns)
            api.put("endpointslices", replica(running.port))
            eventually(lambda: running.addresses("kube-dns.kube-system.svc.cluster.local"))
            yield {"folder": folder, "port": running.port, "kubeconfig": str(folder / "kubeconfig")}


def replica(port: int) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": "kube-dns"}
    return {
        "metadata": {"name": "kube-dns-a", "namespace": "kube-system", "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"]}],
        "ports": [{"name": "dns", "port": port, "protocol": "UDP"}],
    }


@pytest.mark.parametrize("command", of_minidns())
def test_each_command_of_minidns(command: str, place: dict[str, Any]) -> None:
    """As it is written, but for the addresses of the cluster and its DNS."""
    words = shlex.split(command)
    for index, word in enumerate(words):
        if re.fullmatch(r"\d+\.\d+\.\d+\.\d+(:\d+)?", word):
            words[index] = f"127.0.0.1:{place['port']}"
        elif words[index - 1] == "--kubeconfig":
            words[index] = place["kubeconfig"]
    run = [sys.executable, "-m", *words]
    done = subprocess.run(
        run, cwd=place["folder"], env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("nothing unexplained" if words[1] == "compare" else "kubernetes cluster.local.") in done.stdout


def test_recipes_are_short_and_each_has_a_proof_before_and_after() -> None:
    found = recipes()
    assert list(found) == ["kubeadm", "kind", "k3s", "Beside CoreDNS"]
    assert max(map(len, found.values())) <= 10
    for name in ("kubeadm", "kind", "k3s"):
        kinds = [command.split()[1] for command in found[name] if command.startswith("minidns")]
        assert kinds[:3] == ["check", "compare", "compare"]
        assert any("rollout undo deployment/coredns" in command for command in found[name])


def test_files_that_the_recipes_name_are_there() -> None:
    named = {
        word for commands in recipes().values() for c in commands for word in c.split() if word.startswith("config/")
    }
    assert len(named) > 3
    for file in named:
        assert (ROOT / file).exists(), file


def merged(base: Any, patch: Any) -> Any:
    """A strategic merge as far as this patch needs it: lists of named objects by their names, other lists replaced."""
    if isinstance(base, dict) and isinstance(patch, dict):
        return {key: merged(base.get(key), patch[key]) if key in patch else base[key] for key in {**base, **patch}}
    if isinstance(base, list) and all(isinstance(one, dict) and "name" in one for one in (*base, *patch)):
        patches = {one["name"]: one for one in patch}
        return [merged(one, patches[one["name"]]) if one["name"] in patches else one for one in base]
    return patch


def test_patch_makes_of_kubeadms_deployment_what_the_base_for_kind_is() -> None:
    base = yaml.safe_load((ROOT / "config" / "kind" / "deployment.yaml").read_text())
    made = merged(yaml.safe_load(KUBEADM.read_text()), yaml.safe_load(PATCH.read_text()))
    spec, wanted = made["spec"]["template"]["spec"], base["spec"]["template"]["spec"]
    assert spec["securityContext"]["sysctls"] == wanted["securityContext"]["sysctls"]
    (container,), (expected,) = spec["containers"], wanted["containers"]
    assert container == {**expected, "image": "minidns:dev"}
