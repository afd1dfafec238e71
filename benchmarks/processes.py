"""Processes of a benchmark: started on a core of their own, timed by the kernel, ended whatever happens."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
_TICK = os.sysconf("SC_CLK_TCK")
#: Seconds that a process gets to end after SIGTERM.
PATIENCE = 10.0


def on_core(core: int, *programs: str) -> bool:
    """Move this process to that core, and let SIGTERM end it orderly. False, and said, where programs or a second core
    are missing."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing or len(os.sched_getaffinity(0)) < 2:
        print(f"missing: {', '.join(missing) or 'a second core'} (apt install dnsperf util-linux)", file=sys.stderr)
        return False
    os.sched_setaffinity(0, {core})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    return True


class Cpu(NamedTuple):
    """Seconds of CPU time."""

    user: float
    system: float


class Stat(NamedTuple):
    """What a line of /proc/PID/stat says (proc(5)): the parent's process ID, and the process's own CPU time."""

    parent: int
    cpu: Cpu


def parse_stat(line: str) -> Stat:
    """The command, in parentheses, may hold anything, parentheses too; what follows the last one has a fixed order."""
    fields = line[line.rindex(")") + 2 :].split()
    return Stat(int(fields[1]), Cpu(int(fields[11]) / _TICK, int(fields[12]) / _TICK))


def cpu_time(pid: int, proc: Path = PROC) -> Cpu:
    """CPU time of a process and of all its descendants that live."""
    stats = {}
    for folder in proc.iterdir():
        if folder.name.isdecimal():
            try:
                stats[int(folder.name)] = parse_stat((folder / "stat").read_text())
            except OSError:
                continue  # It ended while we looked.
    family, more = {pid}, True
    while more:
        children = {child for child, stat in stats.items() if stat.parent in family} - family
        family |= children
        more = bool(children)
    times = [stats[member].cpu for member in family if member in stats]
    return Cpu(sum(time.user for time in times), sum(time.system for time in times))


@contextmanager
def started(
    command: Sequence[str], core: int | None = None, log: Path | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A running process, with pipes to and from it; its errors go to `log`."""
    pinned = [*(("taskset", "-c", str(core)) if core is not None else ()), *command]
    with open(log or os.devnull, "w") as errors:
        process = subprocess.Popen(
            pinned, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdin
        assert process.stdout
        process.stdin.close()
        process.stdout.close()
