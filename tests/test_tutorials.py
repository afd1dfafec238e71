"""The five tutorials, asked with the very programs that they use, with a pod's search list (`config/demo`)."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import Running, eventually, minidns

DEMO = Path(__file__).parent.parent / "config" / "demo"


@pytest.fixture(scope="module")
def demo() -> Iterator[Running]:
    with minidns("--manifests", str(DEMO), "--ttl", "30") as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the demo, to be edited."""
    return Path(shutil.copytree(DEMO, tmp_path / "demo"))


def candidates(name: str, namespace: str) -> list[str]:
    """What a pod's resolver asks for, in turn (ndots:5)."""
    search = [f"{namespace}.svc.cluster.local", "svc.cluster.local", "cluster.local"]
    return [f"{name}.{suffix}" for suffix in search]


def host(running: Running, name: str, namespace: str = "default") -> str:
    """`host` with a pod's search list: it reads it from no file that a test may write, so each candidate is asked."""
    for candidate in candidates(name, namespace):
        command = ["host", "-p", str(running.port), candidate + ".", "127.0.0.1"]
        printed = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).stdout
        if "not found" not in printed:
            return printed
    return printed


def nslookup(running: Running, name: str, *options: str, namespace: str = "default") -> str:
    """busybox's `nslookup`, the one in the tutorials' busybox pods."""
    for candidate in candidates(name, namespace):
        command = ["busybox", "nslookup", *options, candidate, f"127.0.0.1:{running.port}"]
        printed = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).stdout
        if "NXDOMAIN" not in printed:
            return printed
    return printed


def found(printed: str) -> list[str]:
    """The IPv4 addresses that nslookup found, without its server's."""
    return sorted(set(re.findall(r"^Address(?: \d+)?: ([\d.]+)$", printed, re.MULTILINE)))
