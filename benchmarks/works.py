"""What the servers are asked: each work is a file of questions for dnsperf, with its options."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import cluster
from benchmarks.cluster import HEADLESS, NAMESPACES, SERVICES, ZONE

#: Questions in a file: more than a server answers in a round, so that `unknown` never repeats a name within one.
QUESTIONS = 600_000
#: Questions in a file whose names repeat anyway.
FEW = 100_000


@dataclass(frozen=True, slots=True)
class Work:
    """lines: the questions. options: for dnsperf. churn: the cluster changes meanwhile.

    target: the CPU time per query that minidns is meant to reach, as a ratio to Knot's.
    """

    name: str
    text: str
    lines: Callable[[random.Random], Iterator[str]]
    options: tuple[str, ...] = ()
    churn: bool = False
    target: float | None = None

    def file(self, folder: Path) -> Path:
        """The file of its questions, in no order, the same each time."""
        rng = random.Random(self.name)
        lines = list(self.lines(rng))
        rng.shuffle(lines)
        file = folder / f"{self.name}.questions"
        file.write_text("\n".join(lines) + "\n")
        return file


def _hot(_: random.Random) -> Iterator[str]:
    for number in range(SERVICES):
        yield f"{cluster.service_name(number)} A"


def _case(rng: random.Random) -> Iterator[str]:
    for number in range(FEW):
        name = cluster.service_name(number % SERVICES)
        bits = rng.getrandbits(len(name))
        yield "".join(c.upper() if bits >> at & 1 else c for at, c in enumerate(name)) + " A"


def _unknown(rng: random.Random) -> Iterator[str]:
    start = rng.getrandbits(32)
    for number in range(QUESTIONS):
        # An odd factor makes each number another one, in no order (it is a bijection modulo 2**32).
        label = (start + number * 2654435761) & 0xFFFFFFFF
        yield f"x{label:08x}.{cluster.namespace(number)}.svc.{ZONE} A"


def _mix(rng: random.Random) -> Iterator[str]:
    kinds = (_service, _missed, _pod, _srv, _external)
    for kind in rng.choices(kinds, (35, 40, 15, 5, 5), k=FEW):
        yield kind(rng)


def _service(rng: random.Random) -> str:
    return f"{cluster.service_name(rng.randrange(SERVICES))} {rng.choice(('A', 'AAAA'))}"


def _missed(rng: random.Random) -> str:
    """What a pod's resolver tries first for `www.example.com`: its search list."""
    host = f"{rng.choice(('www', 'api', 'cdn', 'mail'))}.example-{rng.randrange(50)}.com"
    return f"{host}.{_search(rng)} {rng.choice(('A', 'AAAA'))}"


def _pod(rng: random.Random) -> str:
    count, size = HEADLESS["db"]
    return f"{cluster.endpoint_name('db', rng.randrange(count), rng.randrange(size))} A"


def _srv(rng: random.Random) -> str:
    if rng.random() < 0.5:
        return f"_http._tcp.{cluster.service_name(rng.randrange(SERVICES))} SRV"
    return f"_sql._tcp.{cluster.headless_name('db', rng.randrange(HEADLESS['db'][0]))} SRV"


def _external(rng: random.Random) -> str:
    """As `_missed`, for names that nobody asked for before: tracing, buckets, mail blocklists."""
    return f"{rng.getrandbits(48):012x}.storage.example.net.{_search(rng)} A"


def _search(rng: random.Random) -> str:
    return rng.choice((f"team-{rng.randrange(NAMESPACES)}.svc.{ZONE}", f"svc.{ZONE}", ZONE))


def _headless(type_: str, kind: str = "wide") -> Callable[[random.Random], Iterator[str]]:
    prefix = "_sql._tcp." if type_ == "SRV" else ""
    return lambda _: (f"{prefix}{cluster.headless_name(kind, number)} {type_}" for number in range(HEADLESS[kind][0]))


EDNS = ("-e",)
WORKS = {
    work.name: work
    for work in (
        Work("hot", "A of 10,000 ClusterIP Services", _hot, target=1.15),
        Work(
            "mix",
            "35% ClusterIP A and AAAA, 40% search-list misses, 15% pod names, 5% SRV, 5% new names in the search list",
            _mix,
            target=1.25,
        ),
        Work("unknown", "never the same name twice: NXDOMAIN", _unknown, target=1.4),
        Work("unknown-edns", "the same with EDNS: minidns says why (RFC 8914)", _unknown, EDNS),
        Work("case", "hot in random letter case", _case, target=1.3),
        Work("headless100", "A of headless Services of 100 endpoints, EDNS, truncated", _headless("A"), EDNS, target=2),
        Work("srv100", "SRV of the same, EDNS, truncated", _headless("SRV"), EDNS, target=2),
        Work("churn", "hot, while minidns is sent 500 changed slices per second", _hot, churn=True, target=1.3),
        Work("tcp", "hot over TCP connections that stay open", _hot, ("-m", "tcp")),
    )
}
