"""`minidns lesson` and its arguments: on a running server, with lines from a file, and when it is ended."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import pytest

from minidns.lessons import find, read
from tests.support.learner import learner
from tests.support.running import eventually, minidns


def lesson(*arguments: str, typed: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "minidns", "lesson", *arguments]
    lines = "".join(f"{line}\n" for line in typed)
    return subprocess.run(command, capture_output=True, text=True, timeout=60, input=lines, check=False)


def test_a_lesson_on_a_running_server(tmp_path: Path) -> None:
    manifests = lesson("readiness", "--manifests").stdout
    assert manifests == read(find("readiness")).manifests
    (tmp_path / "mine.yaml").write_text(manifests)
    with minidns("--manifests", str(tmp_path)) as server:
        admin = f"http://127.0.0.1:{server.admin}"
        done = lesson("readiness", "--admin", admin, typed=["minidns unready pod/web-1", "", "NXDOMAIN"])
        assert (done.returncode, done.stderr) == (1, "")
        assert str(tmp_path) in done.stdout
        assert f"minidns unready pod/NAME --admin 127.0.0.1:{server.admin}" in done.stdout
        assert "Step 3 of 4" in done.stdout
        assert server.addresses("web.default.svc.cluster.local") != []
        refused = lesson("ports", "--admin", admin)
        assert refused.returncode == 2
        assert "does not have this lesson's cluster" in refused.stderr
        refused = lesson("caching", "--admin", admin)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "play it without --admin" in refused.stderr


def test_lines_of_a_file_are_a_learner_too() -> None:
    typed = [
        "help",
        "task",
        "hint",
        "hint",
        "$ exit 3",
        "dig +short api.shop.svc.cluster.local",
        "solution",
        "api.shop",
    ]
    done = lesson("search", typed=typed)
    assert (done.returncode, done.stderr) == (1, "")
    assert "There is no other hint" in done.stdout
    assert re.search(r"^(> )*10\.96\.\d+\.\d+$", done.stdout, re.MULTILINE)
    assert "Step 2 of 5" in done.stdout
    assert done.stdout.endswith("Left before the end.\n")
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["readyness"], "no lesson 'readyness', did you mean readiness?"),
        (["--rehearse"], "which lesson?"),
        (["./none.yaml"], "none.yaml: No such file"),
        (["readiness", "--admin", "127.0.0.1:1"], "no minidns at http://127.0.0.1:1"),
    ],
)
def test_what_cannot_be_played(arguments: list[str], told: str) -> None:
    done = lesson(*arguments)
    assert done.returncode == 2
    assert told in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_its_cluster_ends_with_it(number: signal.Signals) -> None:
    with learner("readiness") as one:
        words = one.until("#lessons").split()
        admin = words[-1].removesuffix("#lessons")
        folder = Path(next(word for word in words if word.endswith("cluster.yaml")))
        one.until("> ")
        assert urllib.request.urlopen(f"{admin}ready", timeout=5).read().startswith(b"ready")
        one.process.send_signal(number)
        assert one.end() in (1, 128 + number)

        def gone() -> bool:
            try:
                urllib.request.urlopen(f"{admin}ready", timeout=5).close()
            except urllib.error.URLError:
                return True
            return False

        eventually(gone)
        assert not folder.exists()
