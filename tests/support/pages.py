"""The console blocks of a page in docs/: run in order on a copy of the demo, and held against what the page shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.support.places import ROOT
from tests.support.running import eventually, minidns


def commands(page: str) -> list[tuple[str, list[str]]]:
    """(command, the lines that it prints) of every console block."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"^```console\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(words(line))
    return found


def words(line: str) -> str:
    """A line with one blank where dig has tabs, or minidns columns."""
    return " ".join(line.split())


class Ports(NamedTuple):
    """Where a page's commands find a server: DNS, the admin endpoints, and a second server."""

    dns: int
    admin: int
    cache: int = 0


def run(command: str, folder: Path, ports: Ports) -> list[str]:
    command = command.replace("-p 1053", f"-p {ports.dns}").replace("-p 1054", f"-p {ports.cache}")
    command = re.sub(r"\bminidns (pod|ask)", rf"minidns \1 --server 127.0.0.1:{ports.dns}", command)
    command = re.sub(r"\bminidns (?!pod|ask|lint)(\w+)", rf"minidns \1 --admin 127.0.0.1:{ports.admin}", command)
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


def play(page: str, folder: Path) -> int:
    """Run the page's commands in a copy of the demo, beside a server on it. Raises AssertionError with what differs.

    Returns how many commands there were.
    """
    shutil.copytree(ROOT / "config" / "demo", folder / "config" / "demo")
    with minidns("--manifests", str(folder / "config" / "demo"), "--ttl", "30") as running:
        return follow(page, folder, Ports(running.port, running.admin))


def follow(page: str, folder: Path, ports: Ports) -> int:
    """Run the page's commands in a folder, beside a server. Returns how many there were."""
    steps = commands(page)
    for command, expected in steps:
        printed: list[str] = []

        def agrees(command: str = command, expected: list[str] = expected, printed: list[str] = printed) -> bool:
            printed[:] = run(command, folder, ports)
            return shows(printed, expected)

        try:
            # An edit shows in a moment; what does not change the demo can be asked again until then.
            eventually(agrees) if expected else run(command, folder, ports)
        except AssertionError:
            raise AssertionError(f"$ {command}\n" + "\n".join(printed)) from None
    return len(steps)
