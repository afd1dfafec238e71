"""The query feed of a running server: questions from real sockets, asked of one process or of several."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.running import PATIENCE, Running, eventually, minidns

NS = "default.svc.cluster.local"
#: A pod with the address that questions come from here, and a Service.
MANIFEST = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {clusterIP: 10.96.7.1}
---
apiVersion: v1
kind: Service
metadata: {name: shell}
spec: {clusterIP: None}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: shell-1, labels: {kubernetes.io/service-name: shell}}
addressType: IPv4
endpoints:
- {addresses: [127.0.0.1], targetRef: {kind: Pod, name: shell-0, namespace: default}}
ports: [{port: 80}]
"""


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Running]:
    (folder / "web.yaml").write_text(MANIFEST)
    with minidns("--manifests", str(folder), *options) as running:
        yield running


@contextmanager
def reading(running: Running, path: str, **parameters: str) -> Iterator[HTTPResponse]:
    """A stream of events, from the moment on that they are told."""
    url = f"http://127.0.0.1:{running.admin}{path}?{urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=PATIENCE) as response:
        assert response.readline() == b": watching\n"
        yield response


def events(response: HTTPResponse) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name ("" for most) and data of each event."""
    name, deadline = "", monotonic() + PATIENCE
    for line in response:
        assert monotonic() < deadline, "it was not told"
        if line.startswith(b"event: "):
            name = line[7:].decode().strip()
        elif line.startswith(b"data: "):
            yield name, json.loads(line[6:])
            name = ""


def queries(response: HTTPResponse, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name, data in events(response):
        found += [] if name or data["name"].startswith("probe.") else [data]
        if len(found) == count:
            break
    return found


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_walk_from_a_pod(tmp_path: Path, workers: str) -> None:
    """Each query is told with who asked, what came back and why; and the steps of the walk as one."""
    with serving(tmp_path, "--workers", workers) as running, reading(running, "/queries") as response:
        if workers == "2":
            # A worker shows what it answers once it has been told to: until then nothing is to be expected.
            eventually(lambda: _is_shown(running))
        names = [f"web.prod.{NS}", "web.prod.svc.cluster.local", "web.prod.cluster.local"]
        for name in names:
            for type_ in ("A", "AAAA"):
                running.dig("+noedns", name, type_)
        running.dig("+noedns", "+tcp", f"web.{NS}")
        asked = queries(response, 7)
    assert [one["name"] for one in asked] == [name for name in names for _ in "aa"] + [f"web.{NS}"]
    assert [one["step"] for one in asked] == [1, 1, 2, 2, 3, 3, 1]
    assert len({one["walk"] for one in asked}) == 2
    assert {(one["namespace"], one["pod"], one["client"]) for one in asked} == {("default", "shell-0", "127.0.0.1")}
    assert [one["type"] for one in asked[:2]] == ["A", "AAAA"]
    assert asked[2]["reason"] == "no such namespace"
    assert asked[2]["rcode"] == "NXDOMAIN"
    last = asked[-1]
    assert (last["rcode"], last["records"], last["transport"], last["by"]) == ("NOERROR", 1, "tcp", "zone")


def _is_shown(running: Running) -> bool:
    """Whether every worker shows what it answers by now."""
    with reading(running, "/queries", name="probe") as response:
        for _ in range(12):
            running.ask(f"probe.{NS}")
        return sum(1 for _ in _until_sample(response)) == 12


def _until_sample(response: HTTPResponse) -> Iterator[dict[str, Any]]:
    for name, data in events(response):
        if name == "sample":
            return
        yield data


def test_filters_are_of_each_reader(tmp_path: Path) -> None:
    with (
        serving(tmp_path) as running,
        reading(running, "/queries", name="web", rcode="nxdomain") as missing,
        reading(running, "/queries", pod="shell", namespace="default") as shell,
        reading(running, "/queries", namespace="kube-system") as others,
    ):
        running.ask(f"web.{NS}")
        running.ask(f"web.x.{NS}")
        assert [one["name"] for one in queries(missing, 1)] == [f"web.x.{NS}"]
        assert len(queries(shell, 2)) == 2
        name, data = next(events(others))
        assert (name, data["shown"]) == ("sample", data["seen"]), "nothing passes, and how much there was is told"


def test_top_tells_who_wastes_what(tmp_path: Path) -> None:
    with serving(tmp_path) as running, reading(running, "/top") as response:
        for name in (f"web.default.{NS}", f"web.{NS}", f"none.{NS}"):
            running.ask(name)
        shares = next(data for _, data in events(response) if data["queries"] == 3)
    assert shares["outcomes"] == {"NXDOMAIN": 2, "NOERROR": 1}
    (client,) = shares["clients"]
    assert (client["pod"], client["queries"], client["nxdomain"], client["wasted"]) == ("shell-0", 3, 2, 1)
    assert shares["searches"] == [{"search": "web.default", "name": f"web.{NS}", "wasted": 1}]
    assert {one["name"] for one in shares["missing"]} == {f"web.default.{NS}", f"none.{NS}"}


def test_top_for_some_seconds_is_one_answer(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        shares = json.loads(running.get("/top?seconds=0.1"))
        assert (shares["queries"], shares["seconds"]) == (0, 0.1)
        for wrong in ("0", "61", "x"):
            with pytest.raises(urllib.error.HTTPError, match="400"):
                running.get(f"/top?seconds={wrong}")


def test_what_was_answered_before_is_not_told(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        running.ask(f"before.{NS}")
        with reading(running, "/queries") as response:
            running.ask(f"first.{NS}")
            assert [one["name"] for one in queries(response, 1)] == [f"first.{NS}"]
