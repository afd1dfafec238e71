"""Somebody at a terminal who plays a lesson: the real `minidns lesson` on a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PATIENCE = 30.0
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Learner:
    """Types lines, and reads what comes back."""

    def __init__(self, process: subprocess.Popen[bytes], terminal: int) -> None:
        self.process = process
        self._terminal = terminal
        self.screen = ""

    def type(self, line: str) -> None:
        os.write(self._terminal, line.encode() + b"\n")

    def until(self, *texts: str) -> str:
        """All that came since the last call until one of the texts, however it is wrapped; it with the rest is kept."""
        deadline = time.monotonic() + PATIENCE
        patterns = [re.compile(r"\s+".join(map(re.escape, text.split()))) for text in texts]
        while True:
            plain = _COLOURS.sub("", self.screen)
            found = min((each for p in patterns if (each := p.search(plain))), key=lambda m: m.start(), default=None)
            if found:
                self.screen = plain[found.end() :]
                return plain[: found.end()]
            if not self._read(deadline - time.monotonic()):
                raise AssertionError(f"no {' or '.join(texts)!r} in:\n{plain}")

    def end(self) -> int:
        """Everything that is left to read, and the exit code."""
        while self._read(PATIENCE):
            pass
        self.screen = _COLOURS.sub("", self.screen)
        return self.process.wait(PATIENCE)

    def _read(self, seconds: float) -> bool:
        with suppress(OSError):  # EIO: the other end is closed
            if select.select([self._terminal], [], [], max(0.0, seconds))[0]:
                piece = os.read(self._terminal, 65536)
                self.screen += piece.decode(errors="replace").replace("\r\n", "\n")
                return bool(piece)
        return False


@contextmanager
def learner(*arguments: str) -> Iterator[Learner]:
    """`minidns lesson` with these arguments, until it ends or is killed."""
    mine, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "minidns", "lesson", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"},
    )
    os.close(theirs)
    try:
        yield Learner(process, mine)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)
        os.close(mine)
