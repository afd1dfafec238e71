"""What is well written and hardly meant; and `minidns lint`, which prints all that there is to say."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from minidns.core.model import Change, Upserted
from minidns.source.manifests.source import ManifestError, ManifestSource
from tests.support.manifested import V4, headless, pod, pod_cidrs, service, service_cidrs, workload
from tests.support.places import ROOT


def complaints(folder: Path) -> list[str]:
    source = ManifestSource(folder, service_cidrs(V4), pod_cidrs(V4))
    source.load()
    return source.complaints()


def lint(*arguments: str, text: str | None = None, path: str | None = None) -> tuple[int, list[str], str]:
    """Exit code, lines, errors."""
    done = subprocess.run(
        [sys.executable, "-m", "minidns", "lint", *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PATH": path} if path else None,
    )
    return done.returncode, done.stdout.splitlines(), done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (service() + workload(), []),
        (
            headless("web", "selector: {app: nobody}"),
            ["2: Service default/web: its selector app=nobody matches no pod"],
        ),
        (service("a", "ports: [{port: 80}]"), []),
        (service("a", "type: ExternalName, externalName: a.example, selector: {app: x}"), []),
        (service() + workload("Deployment", replicas=0, spec="paused: false"), []),
        (
            workload(),
            ["2: StatefulSet default/web: serviceName web: there is no such Service, so its pods have no names of"],
        ),
        (
            workload(spec="minReadySeconds: 0"),
            ["2: StatefulSet default/web: no serviceName: its pods have no names of"],
        ),
        (
            service("web", "selector: {app: x}") + pod("x", meta="labels: {app: x}") + workload(),
            ["13: StatefulSet default/web: serviceName web: that Service does not select its pods, so they have no"],
        ),
        (service("web", "ports: [{port: 80}]") + workload(), []),
        (
            service("web", "selector: {app: web}, ports: [{port: 80, targetPort: htp}]")
            + workload(pod="containers: [{name: a, image: x, ports: [{name: http, containerPort: 80}]}]"),
            ["2: Service default/web: targetPort htp (TCP): no container of its pods has a port of that name"],
        ),
        (
            service("web", "selector: {app: web}, ports: [{port: 80, targetPort: http}]")
            + workload(pod="containers: [{name: a, image: x, ports: [{name: http, containerPort: 80}]}]"),
            [],
        ),
        (
            service() + workload(annotations='minidns.dev/not-ready: "web-0 web-7, 9"'),
            ["7: StatefulSet default/web: annotation minidns.dev/not-ready: no pod web-7 or 9 among its pods"],
        ),
    ],
)
def test_a_finding_names_file_line_and_object(tmp_path: Path, text: str, said: list[str]) -> None:
    (tmp_path / "a.yaml").write_text(text)
    found = complaints(tmp_path)
    assert len(found) == len(said), found
    for line, start in zip(found, said, strict=True):
        assert line.startswith(f"a.yaml:{start}")


def test_they_are_warnings_at_the_start_and_a_new_one_after_an_edit(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.yaml").write_text(service())
    ManifestSource(tmp_path, service_cidrs(V4), pod_cidrs(V4)).load()
    (record,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert record.getMessage() == "a.yaml:2: Service default/web: its selector app=web matches no pod"


def test_lint_prints_everything_and_the_exit_code_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(service() + "---\nkind: Pod\n")
    (tmp_path / "b.yaml").write_text(service("b", "clusterIp: None, selector: {app: web}"))
    code, lines, _ = lint(str(tmp_path))
    assert code == 1
    assert lines == [
        "a.yaml:7: document 2: apiVersion and kind must both be given",
        "b.yaml:5: document 1 (Service default/b): unknown field spec.clusterIp, did you mean clusterIP?",
        "a.yaml:2: Service default/web: its selector app=web matches no pod",
        "b.yaml:2: Service default/b: its selector app=web matches no pod",
    ]
    (tmp_path / "a.yaml").write_text(service() + workload())
    (tmp_path / "b.yaml").unlink()
    assert lint(str(tmp_path)) == (0, [], "")
    assert lint(str(tmp_path / "nothing"))[0] == 2


def test_lint_of_standard_input_with_a_namespace() -> None:
    code, lines, _ = lint(
        "-",
        "--namespace",
        "shop",
        text="apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {selector: {a: b}}\n",
    )
    assert (code, lines) == (1, ["standard input:1: Service shop/a: its selector a=b matches no pod"])


def test_the_demo_has_the_one_finding_that_the_lesson_is_about() -> None:
    (line,) = complaints(ROOT / "config" / "demo")
    assert (
        line == "my-headless-service.yaml:2: Service default/my-headless-service: its selector app=myapp matches no pod"
    )


# A kustomization


def kustomized(folder: Path) -> Path:
    """A folder with one, which puts a Service into another namespace."""
    (folder / "web.yaml").write_text("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selectr: {a: b}}\n")
    (folder / "kustomization.yaml").write_text("namespace: shop\nnamePrefix: my-\nresources: [web.yaml]\n")
    return folder


def test_a_kustomization_is_built(tmp_path: Path) -> None:
    assert shutil.which("kubectl") or shutil.which("kustomize"), "tests/tools installs kubectl"
    (line,) = complaints(kustomized(tmp_path))
    assert line.startswith("kustomization.yaml:")
    assert line.endswith("(Service shop/my-web): unknown field spec.selectr, did you mean selector?")


async def test_it_is_built_again_when_a_file_of_it_changes(tmp_path: Path) -> None:
    source = ManifestSource(kustomized(tmp_path), service_cidrs(V4), pod_cidrs(V4))
    source.load()
    published: asyncio.Queue[Sequence[Change]] = asyncio.Queue()
    running = asyncio.create_task(source.run(published.put_nowait))
    try:
        text = (tmp_path / "web.yaml").read_text().replace("selectr: {a: b}", "clusterIP: None")
        (tmp_path / "web.yaml").write_text(text)
        (change,) = await asyncio.wait_for(published.get(), 20)
        assert isinstance(change, Upserted)
        assert change.object.key == ("shop", "my-web")
        assert source.complaints() == []
    finally:
        running.cancel()
        await asyncio.wait((running,))


def test_one_that_cannot_be_built_says_what_the_tool_said(tmp_path: Path) -> None:
    (kustomized(tmp_path) / "web.yaml").unlink()
    with pytest.raises(
        ManifestError, match=r"no file in it can be read: kustomization.yaml: cannot be read: .*web\.yaml"
    ):
        complaints(tmp_path)


def test_without_the_tool_it_is_named_and_its_files_are_read(tmp_path: Path) -> None:
    code, lines, _ = lint(str(kustomized(tmp_path)), path="/nowhere")
    assert code == 1
    assert lines[0].startswith("kustomization.yaml: a kustomization needs kustomize or kubectl on the PATH to be built")
    assert lines[1:] == [
        "web.yaml:4: document 1 (Service default/web): unknown field spec.selectr, did you mean selector?"
    ]


def test_below_the_folder_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    kustomized(tmp_path / "base")
    line = complaints(tmp_path)[0]
    assert line.startswith("base/kustomization.yaml: a kustomization is built when --manifests names its folder")
