"""Figures of a work: short rounds of one server after the other, and the median, for machines that others use too."""

from __future__ import annotations

import subprocess
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median, quantiles
from time import monotonic

from benchmarks.processes import cpu_time
from benchmarks.servers import Server
from benchmarks.works import Work
from minidns.cli import bench

ROUNDS = 5
#: Latency is measured at this share of the reached rate. So many questions may wait for an answer then: dnsperf sends
#: all of them at once at the start, and a socket's receive buffer holds 277 by default.
LOAD, OUTSTANDING = 0.8, 250


@dataclass(frozen=True, slots=True)
class Round:
    """A run at full load: queries/s, the server's CPU microseconds per query, shares of the answers by rcode.

    changes: of the cluster per second, as minidns counted them; None without churn.
    """

    rate: float
    user: float
    system: float
    rcodes: dict[str, float]
    changes: float | None

    @property
    def cpu(self) -> float:
        return self.user + self.system


@dataclass(frozen=True, slots=True)
class Latency:
    """A run at a given rate: seconds, and queries."""

    rate: float
    mean: float
    p99: float
    sent: int
    lost: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What one server reached in one work, round by round."""

    rounds: list[Round]
    latencies: list[Latency]

    @property
    def round(self) -> Round:
        """The one with the median of CPU time per query."""
        return sorted(self.rounds, key=lambda one: one.cpu)[len(self.rounds) // 2]

    @property
    def rate(self) -> float:
        return median(one.rate for one in self.rounds)

    @property
    def mean(self) -> float:
        return median(one.mean for one in self.latencies)

    @property
    def p99(self) -> float:
        return median(one.p99 for one in self.latencies)

    @property
    def lost(self) -> int:
        return sum(one.lost for one in self.latencies)

    @property
    def sent(self) -> int:
        return sum(one.sent for one in self.latencies)


class Churn:
    """Changes of the cluster, sent by the API server of `benchmarks.apiserver`."""

    def __init__(self, apiserver: subprocess.Popen[str]) -> None:
        self._apiserver = apiserver

    @contextmanager
    def running(self) -> Iterator[None]:
        """Changes are sent inside."""
        self._say("churn")
        try:
            yield
        finally:
            self._say("rest")

    def _say(self, line: str) -> None:
        assert self._apiserver.stdin
        self._apiserver.stdin.write(line + "\n")
        self._apiserver.stdin.flush()


def measure(work: Work, questions: Path, servers: Sequence[Server], seconds: float, churn: Churn) -> dict[str, Figures]:
    """Figures by server. seconds: of full load, for each server; half as many follow at LOAD of the rate."""
    figures = {server.name: Figures([], []) for server in servers}
    for _ in range(ROUNDS):
        for server in servers:
            with _changing(work, server, churn):
                full = _full(work, questions, server, seconds / ROUNDS)
                latency = paced(work, questions, server, full.rate * LOAD, seconds / ROUNDS / 2)
            figures[server.name].rounds.append(full)
            figures[server.name].latencies.append(latency)
    return figures


def latencies(lines: Iterable[str]) -> list[float]:
    """Seconds that each answer took, from what dnsperf -v says: `> RCODE NAME TYPE SECONDS`."""
    said = (line.split() for line in lines if line.startswith("> "))
    return [float(words[-1]) for words in said if len(words) == 5 and words[1] not in ("T", "I")]


def _changing(work: Work, server: Server, churn: Churn) -> AbstractContextManager[None]:
    """Only minidns watches the cluster; what it is compared with is a server whose zone stays."""
    return churn.running() if work.churn and server.admin is not None else nullcontext()


def _full(work: Work, questions: Path, server: Server, seconds: float) -> Round:
    changes = _changes(server) if work.churn and server.admin is not None else None
    started, before = monotonic(), cpu_time(server.pid)
    result = bench.measure(bench.command(f"127.0.0.1:{server.port}", questions, seconds, *work.options))
    after, ended = cpu_time(server.pid), monotonic()
    if not result.completed:
        raise bench.BenchError(f"{server.name} answers nothing in {work.name}")
    return Round(
        rate=result.rate,
        user=(after.user - before.user) / result.completed * 1e6,
        system=(after.system - before.system) / result.completed * 1e6,
        rcodes={rcode: count / result.completed for rcode, count in result.rcodes.items()},
        changes=None if changes is None else (_changes(server) - changes) / (ended - started),
    )


def paced(
    work: Work, questions: Path, server: Server, rate: float, seconds: float, outstanding: int = OUTSTANDING
) -> Latency:
    """How a server answers that many questions per second, while at most `outstanding` wait."""
    options = (*work.options, "-Q", str(int(rate)), "-q", str(outstanding), "-v")
    command = bench.command(f"127.0.0.1:{server.port}", questions, seconds, *options)
    said = questions.with_suffix(".said")
    with said.open("w") as out:
        subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, check=False)
    with said.open() as lines:
        taken = latencies(lines)
    with said.open() as lines:
        result = bench.parse("".join(line for line in lines if not line.startswith("> ")))
    if len(taken) < 2:
        raise bench.BenchError(f"{server.name} answers nothing at {rate:.0f} queries/s in {work.name}")
    return Latency(result.rate, fmean(taken), quantiles(taken, n=100)[-1], result.sent, result.lost)


def _changes(server: Server) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.admin}/metrics", timeout=10) as response:
        for line in response.read().decode().splitlines():
            if line.startswith("minidns_zone_changes_total "):
                return float(line.split()[1])
    raise bench.BenchError("minidns counts no changes")
