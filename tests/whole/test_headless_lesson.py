"""docs/headless.md is true: its commands are run in order, and print what it shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.places import ROOT
from tests.support.running import Running, eventually, minidns

LESSON = (ROOT / "docs" / "headless.md").read_text()


def commands() -> list[tuple[str, list[str]]]:
    """(command, the lines that it prints) of every console block."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"^```console\n(.*?)^```$", LESSON, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(words(line))
    return found


def words(line: str) -> str:
    """A line with one blank where dig has tabs, or minidns columns."""
    return " ".join(line.split())


def run(command: str, folder: Path, running: Running) -> list[str]:
    command = command.replace("-p 1053", f"-p {running.port}")
    command = command.replace("minidns explain", f"minidns explain --admin 127.0.0.1:{running.admin}")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=30,
    )
    return [words(line) for line in done.stdout.splitlines()]


def shows(printed: list[str], expected: list[str]) -> bool:
    """Whether the lines are the expected ones, in any order; behind a "..." may be more than those."""
    if "..." in expected:
        return set(expected) - {"..."} <= set(printed)
    return sorted(printed) == sorted(expected)


def test_the_lesson(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "config" / "demo", tmp_path / "config" / "demo")
    steps = commands()
    assert len(steps) > 20
    with minidns("--manifests", str(tmp_path / "config" / "demo"), "--ttl", "30") as running:
        for command, expected in steps:
            printed: list[str] = []

            def agrees(command: str = command, expected: list[str] = expected, printed: list[str] = printed) -> bool:
                printed[:] = run(command, tmp_path, running)
                return shows(printed, expected)

            try:
                # An edit shows in a moment; what does not change the demo can be asked again until then.
                eventually(agrees) if expected else run(command, tmp_path, running)
            except AssertionError:
                raise AssertionError(f"$ {command}\n" + "\n".join(printed)) from None
