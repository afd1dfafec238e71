"""Fields that the Kubernetes API does not know."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import yaml

from minidns.source.manifests.files import parse
from minidns.source.manifests.strict import unknown_fields
from tests.support.fields import KINDS, table
from tests.support.places import ROOT

POD = """
apiVersion: v1
kind: Pod
metadata: {name: p, annotations: {anything: goes}, labels: {here: too}}
spec:
  nodeSelector: {any: key}
  containers:
  - name: a
    image: x
    env: [{name: A, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]
    resources: {limits: {cpu: 1, nvidia.com/gpu: 2}}
    readinessProbe: {httpGet: {path: /, port: 80, httpHeaders: [{name: a, value: b}]}, timeoutSeconds: 1}
  volumes: [{name: v, configMap: {name: c, items: [{key: k, path: p}]}}, {name: w, emptyDir: {}}]
  affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution:
    [{weight: 1, preference: {matchExpressions: [{key: k, operator: In, values: [v]}]}}]}}
status: {podIP: 10.0.0.1, qosClass: Burstable}
"""


def found(text: str, kind: str) -> list[str]:
    return [str(each) for each in unknown_fields(yaml.safe_load(text), kind)]


def test_the_table_is_that_of_the_api() -> None:
    text = (ROOT / "minidns" / "source" / "manifests" / "fields.json").read_bytes()
    assert msgspec.json.decode(text) == table(), "python -m tests.support.fields > minidns/source/manifests/fields.json"
    assert len(KINDS) == 11


def test_fields_that_dns_has_no_use_for_are_fields_all_the_same() -> None:
    assert found(POD, "Pod") == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("nodeSelector:", "nodeSelektor:", "unknown field spec.nodeSelektor, did you mean nodeSelector?"),
        (
            "timeoutSeconds",
            "timeoutSecond",
            "unknown field spec.containers[0].readinessProbe.timeoutSecond, did you mean",
        ),
        ("emptyDir", "emptydir", "unknown field spec.volumes[1].emptydir, did you mean emptyDir?"),
        ("fieldPath", "xyz", "unknown field spec.containers[0].env[0].valueFrom.fieldRef.xyz"),
        ("status:", "state:", "unknown field state"),
    ],
)
def test_a_slip_is_named_by_its_path_at_any_depth(old: str, new: str, said: str) -> None:
    (text,) = found(POD.replace(old, new), "Pod")
    assert text.startswith(said)


def test_the_line_is_that_of_the_name_and_the_object_counts() -> None:
    content = parse(
        b"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  clusterIp:\n    None\n  selectr:\n    a: b\n"
    )
    assert [tuple(each) for each in content.warnings] == [
        (5, "document 1 (Service default/a): unknown field spec.clusterIp, did you mean clusterIP?"),
        (7, "document 1 (Service default/a): unknown field spec.selectr, did you mean selector?"),
    ]
    assert len(content.objects) == 1


def test_in_json_there_is_no_line() -> None:
    (warning,) = parse(
        b'{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "sepc": {}}', json=True
    ).warnings
    assert warning.line == 0
    assert warning.text.endswith("unknown field sepc, did you mean spec?")


@pytest.mark.parametrize("value", ["spec: 3", "spec: [1, [2], {}]", "spec: null", "1: 2", "metadata: {1: 2}"])
def test_values_of_other_shapes_are_nothing_to_fail_at(value: str) -> None:
    for kind in KINDS:
        assert all("unknown field" in text for text in found(value, kind))


@pytest.mark.parametrize("file", sorted(path for path in (ROOT / "config").rglob("*.yaml")), ids=lambda path: path.name)
def test_the_manifests_of_this_project_have_no_slip(file: Path) -> None:
    assert [text for _, text in parse(file.read_bytes()).warnings] == []
