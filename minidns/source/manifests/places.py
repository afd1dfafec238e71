"""Where manifests come from, beside a folder of files: a kustomization, which a tool builds, and standard input."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

from minidns.source.manifests.folder import Folder, Signature, signature

#: What kustomize calls its files.
KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
#: `--manifests -`
STANDARD_INPUT = Path("-")
#: Seconds that a build may take.
_PATIENCE = 60.0


def open_folder(path: Path) -> Folder:
    """The folder (or file) of that path, a kustomization that can be built, or standard input for "-"."""
    if path == STANDARD_INPUT:
        return StandardInput()
    name = next((name for name in KUSTOMIZATIONS if (path / name).is_file()), None)
    tool = _tool()
    return Kustomization(path, name, tool) if name and tool else Folder(path)


def is_kustomization(name: str) -> bool:
    """Whether a file of that name, below a folder, is kustomize's and no manifest."""
    return Path(name).name in KUSTOMIZATIONS


def not_built(name: str) -> str:
    """Why a kustomization is not built, in one line."""
    if Path(name).name != name:
        return "a kustomization is built when --manifests names its folder: its files are read as they are"
    return "a kustomization needs kustomize or kubectl on the PATH to be built: its files are read as they are"


class Kustomization(Folder):
    """What `kustomize build` makes of a folder, as one file. It is built again when any manifest below changes."""

    def __init__(self, path: Path, name: str, tool: tuple[str, ...]) -> None:
        super().__init__(path)
        self._name = name
        self._tool = tool

    def scan(self) -> dict[str, Signature]:
        # kustomize's own file may have a name without a suffix.
        every = {**super().scan(), self._name: signature(os.stat(self.path / self._name))}
        times, sizes, inodes, _ = map(sum, zip(*every.values(), strict=True))
        return {self._name: (times, sizes, inodes, len(every))}

    def read(self, name: str) -> bytes:
        command = [*self._tool, str(self.path)]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            raise OSError(errno.ETIMEDOUT, f"{' '.join(command)} took more than {_PATIENCE:g} s", name) from None
        if done.returncode:
            said = done.stderr.decode(errors="replace").split("\n\n")[0]
            raise OSError(errno.EINVAL, f"{' '.join(self._tool)}: {' '.join(said.split()) or done.returncode}", name)
        return done.stdout


class StandardInput(Folder):
    """What comes in until the end of input, read once."""

    _NAME = "standard input"

    def __init__(self) -> None:
        super().__init__(STANDARD_INPUT)
        self._text: bytes | None = None

    def scan(self) -> dict[str, Signature]:
        return {self._NAME: (0, 0, 0, 0)}

    def read(self, name: str) -> bytes:  # noqa: ARG002 (there is one)
        if self._text is None:
            self._text = sys.stdin.buffer.read()
        return self._text

    async def news(self) -> AsyncGenerator[set[str], None]:
        yield set()
        await asyncio.Event().wait()


def _tool() -> tuple[str, ...] | None:
    for tool, arguments in (("kustomize", "build"), ("kubectl", "kustomize")):
        if found := shutil.which(tool):
            return found, arguments
    return None
