"""docs/lessons/writing.md is true: its lesson is one, and what is wrong with a lesson is found."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.places import ROOT

PAGE = (ROOT / "docs" / "lessons" / "writing.md").read_text()
LESSON = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[0]


def lesson(folder: Path, text: str, *more: str) -> subprocess.CompletedProcess[str]:
    (folder / "mine.yaml").write_text(text)
    command = [sys.executable, "-m", "minidns", "lesson", "./mine.yaml", *more]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, input="", check=False)


def test_the_lesson_of_the_page_is_rehearsed(tmp_path: Path) -> None:
    done = lesson(tmp_path, LESSON, "--rehearse")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "step 2: minidns scale statefulset/web --replicas=0: as it should be" in done.stdout
    assert done.stdout.endswith("no problems\n")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("count: 3, say", "count: 2, say", "step 2: no change: is enough: `goal` holds before anything is done"),
        ("--replicas=0", "--replicas=1", "is told 'There are not three yet.', and not change.mistakes[0]"),
        ('["1"]', '["2"]', "step 1: answer '2': is told 'Two pods, two addresses.', and not answer.wrong[0]"),
        ("=3{admin}", "=4", "step 2: minidns scale statefulset/web --replicas=4: is told 'There are not three yet.'"),
    ],
)
def test_a_rehearsal_finds_what_is_wrong(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in LESSON
    done = lesson(tmp_path, LESSON.replace(old, new), "--rehearse")
    assert told in done.stdout
    assert done.returncode == 1


def test_the_error_of_the_page(tmp_path: Path) -> None:
    found = re.search(r"^minidns: (mine\.yaml:(\d+): .*)$", PAGE, re.MULTILINE)
    assert found
    done = lesson(tmp_path, LESSON.replace("otherwise:", "otherwhise:"))
    assert done.returncode == 2
    assert done.stderr == f"minidns: {found[1]}\n"


def test_a_cluster_that_is_not_the_lessons(tmp_path: Path) -> None:
    done = lesson(tmp_path, LESSON.replace("{ask: web.default.svc.cluster.local, count: 2}", "{ask: x, count: 2}"))
    assert done.returncode == 2
    assert "does not have this lesson's cluster as it is at the start" in done.stderr


def test_a_cluster_that_does_not_start(tmp_path: Path) -> None:
    done = lesson(tmp_path, LESSON.replace("ttl: 30", "").replace("minutes: 3", "minutes: 3\nttl: -1"))
    assert done.returncode == 2
    assert "the lesson's cluster does not start" in done.stderr
