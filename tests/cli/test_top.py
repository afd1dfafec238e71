"""`minidns top`: its table at the widths that terminals have, `q`, and one answer for scripts."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from minidns.cli.top import table
from minidns.views.shares import Client, Missing, Search, Shares
from tests.support.running import PATIENCE, minidns

SHARES = Shares(
    seconds=10.0,
    queries=8000,
    shown=1000,
    by={"zone": 6000, "cache": 2000},
    outcomes={"NXDOMAIN": 4000, "NOERROR": 4000},
    wasted=2000,
    clients=(Client("10.0.0.1", "team-a", "worker-0", 5000, 3000, 2000), Client("10.0.0.2", None, None, 3000, 1000, 0)),
    missing=(Missing("api.example.com.team-a.svc.cluster.local", 3000, "no Service of that name"),),
    searches=(Search("api.example.com", "api.example.com", 2000),),
)


def shown(width: int, said: str = "") -> list[str]:
    console = Console(file=StringIO(), width=width)
    console.print(table(SHARES, width, 5, said))
    assert isinstance(console.file, StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize("width", [60, 100])
def test_the_table_fits(width: int) -> None:
    lines = shown(width)
    assert max(map(len, lines)) <= width
    assert lines[0].startswith("800 queries/s in 10 s, zone 75%, cache 25%, NXDOMAIN 50%,")
    assert any(line.split() == ["team-a/worker-0", "5000", "3000", "2000"] for line in lines)
    assert any(line.startswith("10.0.0.2 ") for line in lines)
    assert any("no Service of that name" in line for line in lines) is (width == 100)
    assert "1 of 8 looked at" in " ".join(lines)


def test_what_happened_to_the_server_is_in_it() -> None:
    assert "127.0.0.1:8053 ended: trying again" in shown(60, "127.0.0.1:8053 ended: trying again")


def test_q_ends_it(tmp_path: Path) -> None:
    (tmp_path / "none.yaml").write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: prod}\n")
    with minidns("--manifests", str(tmp_path)) as running:
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "minidns", "top", "--admin", f"127.0.0.1:{running.admin}"]
        environ = {**os.environ, "TERM": "xterm", "COLUMNS": "60", "LINES": "24"}
        with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ) as process:
            os.close(theirs)
            said = b""
            while b"who asks" not in said:
                said += os.read(ours, 4096)
            os.write(ours, b"q")
            assert process.wait(PATIENCE) == 0
        os.close(ours)


def test_once_for_scripts(tmp_path: Path) -> None:
    (tmp_path / "none.yaml").write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: prod}\n")
    with minidns("--manifests", str(tmp_path)) as running:
        command = [sys.executable, "-m", "minidns", "top", "--admin", f"127.0.0.1:{running.admin}", "--seconds", "0.2"]
        done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=PATIENCE, check=True)
        assert json.loads(done.stdout)["queries"] == 0
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
        assert done.stdout.startswith("0 queries/s in 0 s")
