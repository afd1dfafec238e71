"""Verbs over the admin port and by the command line, as a person and a web page use them, and DNS afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.manifested import headless, workload
from tests.support.running import PATIENCE, Running, eventually, minidns

WEB = "web.default.svc.cluster.local"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    (tmp_path / "web.yaml").write_text(headless() + workload())
    with minidns("--manifests", str(tmp_path)) as running:
        yield running


def post(running: Running, body: object, *, query: str = "", **headers: str) -> tuple[int, str]:
    """Status and body of a POST; headers with "_" for "-"."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{running.admin}/verbs{query}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}},
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def do(running: Running, body: object, query: str = "?pace=0") -> dict[str, Any]:
    status, text = post(running, body, query=query)
    assert status == 200, text
    answer: dict[str, Any] = json.loads(text)
    return answer


def journal(running: Running, since: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(running.get(f"/verbs?since={since}"))
    return found


def command(running: Running, *words: str) -> tuple[int, str, str]:
    """Exit code, output and errors of a minidns command."""
    line = [sys.executable, "-m", "minidns", *words, "--admin", f"127.0.0.1:{running.admin}"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def test_one_pod_is_not_ready_and_the_answer_says_what_dns_answers_now(running: Running) -> None:
    before = running.addresses(WEB)
    answer = do(running, {"verb": "unready", "target": "pod/web-1"})
    after = running.addresses(WEB)
    assert len(before) == 2
    assert len(after) == 1
    assert (answer["command"], answer["said"]) == ("minidns unready pod/web-1", "pod/web-1 unready")
    (gone,) = set(before) - set(after)
    (event,) = answer["told"]["events"]
    assert {"name": f"web-1.{WEB}", "type": "A", "data": gone} in event["removed"]
    assert f"-web-1.{WEB} A {gone}" in answer["told"]["text"]
    assert [one["target"] for one in journal(running)["in_force"]] == ["pod/web-1"]
    assert "played: pod/web-1 not ready\n" in running.get("/status")
    do(running, {"verb": "reset"})
    assert running.addresses(WEB) == before
    assert journal(running)["in_force"] == []
    assert "played" not in running.get("/status")


def test_the_steps_are_in_the_journal_one_by_one(running: Running) -> None:
    answer = do(running, {"verb": "scale", "target": "statefulset/web", "replicas": 3})
    number = answer["told"]["number"]
    assert (answer["told"]["left"], answer["under_way"]) == (1, 1)
    eventually(lambda: not journal(running)["under_way"])
    (told,) = journal(running, number)["told"]
    assert (told["left"], told["commands"]) == (0, ["minidns scale statefulset/web --replicas=3"])
    assert f"+web-2.{WEB} A" in told["text"]
    assert len(running.addresses(WEB)) == 3


def test_a_watcher_sees_verbs_as_it_sees_edits(running: Running) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{running.admin}/watch", timeout=PATIENCE) as stream:
        assert stream.readline().startswith(b":")
        do(running, {"verb": "unready", "target": "pod/web-0"})
        while not (line := stream.readline()).startswith(b"data: "):
            pass
    assert json.loads(line.removeprefix(b"data: "))["endpoints"][0]["now"] == "not ready"


def test_workers_answer_the_same(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(headless() + workload())
    with minidns("--manifests", str(tmp_path), "--workers", "2") as running:
        do(running, {"verb": "unready", "target": "pod/web-1"})
        for _ in range(8):
            eventually(lambda: len(running.addresses(WEB)) == 1)


@pytest.mark.parametrize(
    ("body", "query", "status", "text"),
    [
        ({"verb": "drain"}, "", 400, "not a verb: verb: invalid value 'drain'"),
        (
            {"verb": "delete", "target": "pod/nobody"},
            "",
            400,
            "no pod/nobody in namespace default: there are pod/web-0",
        ),
        ({"verb": "reset"}, "?pace=soon", 400, "pace is from 0 to 60 seconds, not 'soon'"),
        ({"verb": "reset"}, "?pace=61", 400, "pace is from 0 to 60 seconds, not '61'"),
        ({"verb": "reset"}, "?place=1", 400, "unknown parameter 'place'"),
    ],
)
def test_what_makes_no_sense_is_said(running: Running, body: object, query: str, status: int, text: str) -> None:
    found = post(running, body, query=query)
    assert found[0] == status
    assert text in found[1]


def test_a_foreign_page_a_foreign_name_and_a_form_are_refused(running: Running) -> None:
    reset = {"verb": "reset"}
    here = f"http://127.0.0.1:{running.admin}"
    assert post(running, reset, Origin="http://pages.example")[0] == 403
    assert post(running, reset, Host="pages.example")[0] == 403
    assert post(running, reset, Content_Type="text/plain")[0] == 415
    assert post(running, reset, Origin=here)[0] == 200
    assert running.status("/verbs?since=x") == (400, "since is the number of a step, not 'x'\n")


def test_beside_a_real_cluster_kubectl_is_named(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n"
        "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:9'}}]\nusers: [{name: u, user: {}}]\n"
    )
    with minidns("--kubeconfig", str(kubeconfig)) as running:
        status, text = post(running, {"verb": "scale", "target": "sts/web", "replicas": 3})
        assert status == 409
        assert text.startswith("objects come from API server http://127.0.0.1:9, where this is done by:")
        assert text.endswith(": kubectl scale sts/web --replicas=3\n")
        assert journal(running) == {"in_force": [], "under_way": 0, "told": []}
        assert command(running, "unready", "pod/web-1")[0] == 2


def test_commands_print_every_step_and_what_it_changed(running: Running) -> None:
    code, printed, _ = command(running, "scale", "statefulset/web", "--replicas=3", "--pace", "0")
    lines = printed.splitlines()
    assert (code, lines[:2]) == (0, ["statefulset.apps/web scaled", "web-2 not ready yet"])
    assert "web-2 ready" in lines
    assert len(running.addresses(WEB)) == 3
    before = running.addresses(f"web-0.{WEB}")
    assert command(running, "delete", "pod", "web-0", "--pace", "0")[0] == 0
    assert len(running.addresses(f"web-0.{WEB}")) == 1
    assert running.addresses(f"web-0.{WEB}") != before
    code, printed, _ = command(running, "rollout", "restart", "sts/web", "--pace", "0", "--json")
    told = [json.loads(line) for line in printed.splitlines()]
    assert (code, [one["left"] for one in told]) == (0, [8, 7, 6, 5, 4, 3, 2, 1, 0])
    assert command(running, "unready", "pod/web-1")[0] == 0
    assert len(running.addresses(WEB)) == 2
    assert command(running, "ready", "pod/web-1")[0] == 0
    assert command(running, "reset")[1].startswith("every verb taken back\nas the manifests have it\n")
    assert len(running.addresses(WEB)) == 2


def test_without_waiting_the_first_step_is_all_that_is_printed(running: Running) -> None:
    code, printed, _ = command(running, "delete", "pod/web-0", "--no-wait", "--pace", "0")
    assert (code, printed.splitlines()[-1]) == (0, "2 more to come, one every 0 s")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ["scale", "pod/web-0", "--replicas=1"],
            "scale is for a statefulset or deployment or replicaset, not for a pod",
        ),
        (["scale", "sts/web", "--replicas=-1"], "not a verb: replicas: expected `int` >= 0"),
        (["delete", "pod/a", "pod/b"], "one object at a time: KIND/NAME"),
        (["rollout", "status", "sts/web"], "rollout knows restart, not status"),
        (["unready", "pod/web-7"], "no pod/web-7 in namespace default, did you mean pod/web-"),
        (["ready", "pod/web-0", "-n", "shop"], "no pod/web-0 in namespace shop: there is no pod at all"),
    ],
)
def test_wrong_commands_say_what_is_wrong(running: Running, words: list[str], text: str) -> None:
    code, printed, errors = command(running, *words)
    assert (code, printed) == (2, "")
    assert text in errors
