"""`minidns bench`: how fast does a server answer the questions of a live zone? dnsperf asks them.

benchmarks/ in the repository compares servers, with CPU time; this is for one server that runs already.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from minidns.cli.offline import OfflineError, zone_text
from minidns.cli.running import add_admin, asked
from minidns.config.settings import Kubernetes, Manifests
from minidns.config.values import UsageError, split_port
from minidns.source.manifests.source import ManifestError

SERVER = "127.0.0.1:1053"
#: Sockets that questions leave from: the kernel spreads workers that share a port by the sender's port.
CLIENTS = 16
#: Seconds after which dnsperf gives an answer up.
TIMEOUT = 2.0
INSTALL = """\
minidns bench needs dnsperf, which sends the queries:
  Debian, Ubuntu: apt install dnsperf
  macOS:          brew install dnsperf
  others:         https://www.dns-oarc.net/tools/dnsperf"""

_SENT = re.compile(r"Queries sent: +(\d+)")
_COMPLETED = re.compile(r"Queries completed: +(\d+)")
_LOST = re.compile(r"Queries lost: +(\d+)")
_SECONDS = re.compile(r"Run time \(s\): +(\S+)")
_LATENCY = re.compile(r"Average Latency \(s\): +(\S+) \(min (\S+), max (\S+)\)")
_RCODE = re.compile(r"([A-Z]+\w*) (\d+) \(")
_INTERVAL = re.compile(r"(\d+\.\d+): (\d+\.\d+)")


class BenchError(Exception):
    """There is nothing to measure; the text says why."""


@dataclass(frozen=True, slots=True)
class Result:
    """What dnsperf counted. Times are seconds; NaN where nothing was answered. rcodes: answers by rcode."""

    sent: int
    completed: int
    lost: int
    seconds: float
    mean: float
    worst: float
    rcodes: dict[str, int]

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.completed / self.seconds if self.seconds else 0.0


def parse(text: str) -> Result:
    """dnsperf's report. Raises BenchError with what it said instead, when there is none."""
    sent, completed, lost = (pattern.search(text) for pattern in (_SENT, _COMPLETED, _LOST))
    seconds, latency = _SECONDS.search(text), _LATENCY.search(text)
    if not (sent and completed and lost and seconds and latency):
        said = [line for line in text.splitlines() if line and not line.startswith(("DNS Perf", "Version", "[Status]"))]
        raise BenchError(f"dnsperf did not finish: {said[-1] if said else 'no report'}")
    _, _, codes = text.partition("Response codes:")
    return Result(
        sent=int(sent[1]),
        completed=int(completed[1]),
        lost=int(lost[1]),
        seconds=float(seconds[1]),
        mean=float(latency[1]) if int(completed[1]) else math.nan,
        worst=float(latency[3]) if int(completed[1]) else math.nan,
        rcodes={rcode: int(count) for rcode, count in _RCODE.findall(codes.partition("\n")[0])},
    )


def command(server: str, questions: Path, seconds: float, *more: str) -> list[str]:
    """The dnsperf command line. server: "host:port" or "[v6]:port"; without a port it is 53."""
    host, port = split_port(server)
    where = ["-s", host, "-p", port or "53", "-d", str(questions)]
    return ["dnsperf", *where, "-l", f"{seconds:g}", "-t", f"{TIMEOUT:g}", "-c", str(CLIENTS), "-W", *more]


def measure(arguments: Sequence[str], each_second: Callable[[float], None] = lambda _: None) -> Result:
    """Run a dnsperf command line. each_second: told of the answers per second while it runs. Raises BenchError."""
    lines = []
    with subprocess.Popen([*arguments, "-S", "1"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
        assert run.stdout
        try:
            for line in run.stdout:
                if interval := _INTERVAL.match(line):
                    each_second(float(interval[2]))
                else:
                    lines.append(line)
        finally:
            run.terminate()
    return parse("".join(lines))


def questions(zone: Iterable[str]) -> list[str]:
    """Lines for dnsperf: every name of a zone file with each of its types, once, in the zone's order."""
    found: dict[str, None] = {}
    for line in zone:
        match line.split(maxsplit=4):
            case [owner, _ttl, _class, type_, _rdata]:
                found[f"{owner} {type_}"] = None
    return list(found)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--server", default=SERVER, metavar="HOST:PORT", help=f"whom to ask ({SERVER})")
    add_admin(parser)
    parser.add_argument("--manifests", type=Path, metavar="PATH", help="take the zone from this folder of YAML instead")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to ask (10)")


def run(arguments: argparse.Namespace) -> int:
    """Exit codes: 0 measured, 1 nothing to measure, 2 dnsperf is not installed."""
    if shutil.which("dnsperf") is None:
        print(INSTALL, file=sys.stderr)
        return 2
    try:
        lines = questions(_zone(arguments))
        if not lines:
            raise BenchError("the zone is empty")
        random.shuffle(lines)
        result = _with_progress(arguments.server, lines, arguments.seconds)
        if not result.completed:
            raise BenchError(f"no answer from {arguments.server}")
    except (BenchError, ManifestError, OfflineError) as error:
        print(f"minidns bench: {error}", file=sys.stderr)
        return 1
    Console().print(_table(arguments.server, len(lines), result))
    return 0


def _zone(arguments: argparse.Namespace) -> list[str]:
    if arguments.manifests is not None:
        return "".join(asyncio.run(zone_text(Manifests(path=arguments.manifests), Kubernetes(), None))).splitlines()
    try:
        with asked(arguments.admin, "/zone") as response:
            return str(response.read(), "utf-8").splitlines()
    except (OSError, UsageError) as error:
        raise BenchError(f"no zone: {error}") from None


def _with_progress(server: str, lines: list[str], seconds: float) -> Result:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with tempfile.TemporaryDirectory() as folder, Progress(*columns, console=Console(stderr=True)) as progress:
        file = Path(folder, "questions")
        file.write_text("\n".join(lines) + "\n")
        task = progress.add_task(f"asking {server}", total=seconds)
        return measure(
            command(server, file, seconds),
            lambda rate: progress.update(task, advance=1, description=f"{rate:,.0f} queries/s"),
        )


def _table(server: str, count: int, result: Result) -> Table:
    table = Table(title=f"{server}, {count} questions", show_header=False)
    table.add_row("queries/s", f"{result.rate:,.0f}")
    table.add_row("answered", f"{result.completed:,}")
    table.add_row("lost", f"{result.lost:,}")
    table.add_row("mean latency", f"{result.mean * 1e3:.2f} ms")
    table.add_row("worst latency", f"{result.worst * 1e3:.2f} ms")
    for rcode, answers in result.rcodes.items():
        table.add_row(rcode, f"{answers:,}")
    return table
