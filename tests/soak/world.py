"""What all parts of a soak share: the server, the seed, what was done to it, and what was found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic

from tests.support.apiserver import ApiServer
from tests.support.running import Running

#: Seconds within which every question has to be answered, on a busy machine too.
PATIENCE = 20.0
#: Seconds that a question for the cluster's zone, and one for an upstream (five, and what a busy machine adds), can be
#: in the hands of a process.
ZONE_HELD, UPSTREAM_HELD = 2.0, 8.0
#: Seconds until what was done to a process shows.
_SLACK = 0.2


@dataclass
class World:
    """One server in a soak.

    storming: whether the parts go on. killed, reloaded: when a worker was killed or stopped, and when a reload
    began. counts: what was done, for the report. findings: what must not be.
    sizes: of the server, before and after.
    """

    seed: str
    workers: int
    folder: Path
    running: Running
    api: ApiServer
    upstream: int
    storming: bool = True
    killed: list[float] = field(default_factory=list)
    reloaded: list[float] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    sizes: str = ""

    @property
    def is_calm(self) -> bool:
        return not self.storming

    def random(self, part: str) -> Random:
        """The choices of one part, the same for the same seed."""
        return random_of(self.seed, self.workers, part)

    def found(self, finding: str) -> None:
        """Note what must not be; the first hundred say enough."""
        if len(self.findings) < 100:
            self.findings.append(finding)

    def missing(self, question: str, since: float, held: float) -> None:
        """A question of that moment has no answer: that is well only if it was in the hands of a killed process."""
        if any(since - _SLACK <= moment <= since + held for moment in self.killed):
            self.counts["lost with a killed worker"] += 1
        else:
            self.found(f"no answer to {question} within {monotonic() - since:.1f} s")

    def broken(self, question: str, since: float, held: float) -> None:
        """A TCP connection ended before the answer: a worker that goes closes its own (RFC 7766, 6.2.4), and the
        client asks again."""
        if any(since - held <= moment for moment in (*self.killed, *self.reloaded)):
            self.counts["asked again over TCP"] += 1
        else:
            self.found(f"the connection was closed before the answer to {question}")


def random_of(seed: str, workers: int, part: str) -> Random:
    return Random(f"{seed}/{workers}/{part}")
