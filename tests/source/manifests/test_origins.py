"""From manifests to what an explanation tells to do next: file, line, and annotation or verb, and no kubectl."""

from __future__ import annotations

import textwrap
from ipaddress import ip_network
from pathlib import Path

import pytest

from minidns.core.model import Change
from minidns.core.schema import ZoneSettings
from minidns.core.zone import Zone
from minidns.explain import Explanation, explain
from minidns.source.manifests.controllers.verbs import Delete, Ready, Restart, Unready, Verb
from minidns.source.manifests.source import ManifestSource

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {clusterIP: None, selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}
"""
WORKLOAD = """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  serviceName: web
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
ANNOTATIONS
    spec: {containers: [{name: web, ports: [{name: http, containerPort: 80}]}]}
"""
NAME = "web.default.svc.cluster.local"


class Played:
    """Manifests, one file for each, with the zone and what explains it."""

    def __init__(self, folder: Path, **files: str) -> None:
        for name, text in files.items():
            (folder / f"{name}.yaml").write_text(text)
        self.source = ManifestSource(folder, (ip_network("10.96.0.0/16"),), (ip_network("10.244.0.0/16"),))
        self.zone = Zone(ZoneSettings())
        self.publish(self.source.load())
        self.zone.synced = True

    def publish(self, changes: list[Change] | tuple[Change, ...]) -> None:
        for change in changes:
            self.zone.apply(change)

    async def do(self, verb: Verb) -> None:
        await self.source.stage.do(verb, lambda changes: self.publish(list(changes)))

    def explain(self, name: str, type_: int = 1) -> Explanation:
        return explain(self.zone, name, type_, ground=self.source.origins)


def workload(*annotations: str) -> str:
    lines = "\n".join(f"        {line}" for line in annotations)
    return WORKLOAD.replace("ANNOTATIONS\n", f"      annotations:\n{lines}\n" if annotations else "")


def test_an_annotation_of_a_template(tmp_path: Path) -> None:
    played = Played(tmp_path, a=SERVICE, b="# a comment\n" + workload('minidns.dev/ready: "false"'))
    assert played.explain(NAME).steps == (
        "annotation minidns.dev/ready of StatefulSet web (b.yaml:13) plays a probe that fails: take it away, or"
        " minidns ready pod/web-0",
        "spec.publishNotReadyAddresses: true in a.yaml:1 would give them names before that",
    )


def test_an_annotation_that_names_the_pod_asked_for(tmp_path: Path) -> None:
    played = Played(tmp_path, a=SERVICE, b=workload('minidns.dev/not-ready: "0 1"'))
    assert played.explain(f"web-1.{NAME}").steps[0] == (
        "annotation minidns.dev/not-ready of StatefulSet web (b.yaml:12) names it: take it out, or"
        " minidns ready pod/web-1"
    )


def test_the_annotation_and_the_status_of_a_pod(tmp_path: Path) -> None:
    pod = """\
        apiVersion: v1
        kind: Pod
        metadata:
          name: {}
          namespace: shop
          labels: {{app: web}}
          {}
    """
    noted = textwrap.dedent(pod).format("one", 'annotations: {minidns.dev/ready: "false"}')
    waiting = textwrap.dedent(pod).format("two", "") + "status: {phase: Pending, podIP: 10.244.9.9}\n"
    service = SERVICE.replace("name: web", "name: web, namespace: shop")
    played = Played(tmp_path, a=service, b=noted)
    assert played.explain("web.shop.svc.cluster.local").steps[0] == (
        "annotation minidns.dev/ready of Pod one (b.yaml:7) plays a probe that fails: take it away, or"
        " minidns ready pod/one -n shop"
    )
    assert played.source.origins.unready("shop", "none") == ""
    (tmp_path / "more").mkdir()
    other = Played(tmp_path / "more", a=service, b=waiting)
    assert other.explain("web.shop.svc.cluster.local").steps[0].startswith("the status of Pod two (b.yaml:1) says so")


async def test_verbs(tmp_path: Path) -> None:
    played = Played(tmp_path, a=SERVICE, b=workload())
    await played.do(Unready(target="pod/web-0"))
    name = f"web-0.{NAME}"
    assert played.explain(name).steps[0] == "a verb made pod web-0 not ready: minidns ready pod/web-0 takes it back"
    await played.do(Ready(target="pod/web-0"))
    assert played.explain(name).resolves
    await played.do(Delete(target="pod/web-0"))
    assert played.explain(name).steps[0] == "pod web-0 ends: no name comes back with it"


async def test_a_pod_that_was_just_made(tmp_path: Path) -> None:
    text = workload().replace("StatefulSet", "Deployment").replace("  serviceName: web\n", "")
    played = Played(tmp_path, a=SERVICE, b=text)
    await played.do(Restart(target="deployment/web"))
    made = [row for row in (played.explain(NAME).service or pytest.fail("no Service")).endpoints if not row.ready]
    assert made
    for one in made:
        why = played.source.origins.unready("default", str(one.pod))
        assert why == f"pod {one.pod} has just been made, and is ready in a moment"


def test_a_selector_that_matches_nothing(tmp_path: Path) -> None:
    (step,) = Played(tmp_path, a="\n\n" + SERVICE).explain(NAME).steps
    assert step == "compare its selector (a.yaml:3) with the labels in the templates of pods: minidns lint tells more"


def test_a_cluster_ip_whose_selector_matches_nothing(tmp_path: Path) -> None:
    found = Played(tmp_path, a=SERVICE.replace("clusterIP: None, ", "")).explain(NAME)
    assert found.facts == ("no endpoint is behind it: its selector app=web matches no running pod; connections fail",)
    assert found.steps[0].startswith("compare its selector (a.yaml:1)")


def test_a_target_port_that_no_container_has(tmp_path: Path) -> None:
    played = Played(tmp_path, a=SERVICE.replace("targetPort: http", "targetPort: htp"), b=workload())
    found = played.explain(f"_http._tcp.{NAME}", 33)
    assert found.sentence == "port http of Service default/web is in none of its EndpointSlices"
    assert found.steps == ("a targetPort that is a name (a.yaml:1) has to be the name of a port of a container",)


def test_a_service_name_that_names_no_service_while_another_selects_the_pods(tmp_path: Path) -> None:
    played = Played(tmp_path, a=SERVICE, b=workload().replace("serviceName: web", "serviceName: wrong"))
    found = played.explain("web-0.wrong.default.svc.cluster.local")
    assert found.facts[0] == "web-0 is a pod, behind headless Service default/web"
    assert found.steps[1] == (
        "there is no Service wrong: a StatefulSet's serviceName (a pod's spec.subdomain) has to be web for web-0.web"
    )
    assert played.explain(found.suggestions[0]).resolves


def test_what_is_written_nowhere(tmp_path: Path) -> None:
    played = Played(tmp_path, a=SERVICE)
    assert played.source.origins.written("Service", "default", "kubernetes") == ""
    assert played.source.origins.written("Service", "default", "web") == "a.yaml:1"


def test_no_step_names_kubectl(tmp_path: Path) -> None:
    played = Played(tmp_path, a=SERVICE, b=workload('minidns.dev/ready: "false"'), c=SERVICE.replace("web", "other"))
    for name in (NAME, f"web-0.{NAME}", "other.default.svc.cluster.local", "web-0.default.svc.cluster.local"):
        assert not any("kubectl" in step for step in played.explain(name).steps)
