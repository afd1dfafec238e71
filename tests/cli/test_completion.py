"""Shell completion, asked of the shells themselves."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from minidns.cli.completion import SHELLS


def script(shell: str, folder: Path) -> Path:
    done = subprocess.run(
        [sys.executable, "-m", "minidns", "completion", shell], capture_output=True, text=True, timeout=60, check=True
    )
    path = folder / f"minidns.{shell}"
    path.write_text(done.stdout)
    return path


def said(*command: str) -> list[str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert not done.stderr, done.stderr
    return done.stdout.split()


def bash(file: Path, *typed: str) -> list[str]:
    words = " ".join(f'"{word}"' for word in ("minidns", *typed))
    text = f"source {file}; COMP_WORDS=({words}); COMP_CWORD={len(typed)}; _shtab_minidns; echo ${{COMPREPLY[@]}}"
    return said("bash", "--norc", "-c", text)


def test_bash(tmp_path: Path) -> None:
    file = script("bash", tmp_path)
    assert bash(file, "expl") == ["explain"]
    assert bash(file, "scale", "--rep") == ["--replicas"]
    assert set(bash(file, "explain", "--")) >= {"--from", "--libc", "--admin", "--manifests"}
    assert bash(file, "completion", "z") == ["zsh"]


def test_fish(tmp_path: Path) -> None:
    file = script("fish", tmp_path)
    assert "explain" in said("fish", "--no-config", "-c", f"source {file}; complete -C 'minidns expl'")
    assert "--libc" in said("fish", "--no-config", "-c", f"source {file}; complete -C 'minidns explain --li'")


def test_zsh(tmp_path: Path) -> None:
    file = script("zsh", tmp_path)
    loaded = f'autoload -Uz compinit; compinit -u -D; eval "$(<{file})"'
    text = f"{loaded}; print $_comps[minidns]; print $functions[_shtab_minidns]"
    printed = said("zsh", "-f", "-c", text)
    assert printed[0] == "_shtab_minidns"
    assert "_shtab_minidns_commands" in " ".join(printed)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_is_there(shell: str) -> None:
    assert shutil.which(shell)
