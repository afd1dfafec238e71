"""UDP beside clients that mean harm: `python -m benchmarks.hostile`, minidns, Knot and Unbound in the same run.

Core 0 is the server's. On core 1 dnsperf asks over UDP, a steady 5,000 questions a second, while an attacker, a process
of lower priority (dnsperf is to be held up by nobody), does what `benchmarks.attacks` says: it keeps connections full,
each from a loopback address of its own, or asks questions that are costly. Bounded: ROUNDS of SECONDS for each attack
and server, the medians count.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from subprocess import Popen

from rich.console import Console
from rich.table import Table

from benchmarks import servers
from benchmarks.attacks import ATTACKS, WAITING, Attack
from benchmarks.measuring import Churn, paced
from benchmarks.processes import on_core, started
from benchmarks.servers import Minidns, Server, StartError
from benchmarks.works import WORKS
from minidns.cli import bench

CORE, ROUNDS, SECONDS = 1, 3, 2.0
#: Questions per second over UDP; so many may wait before dnsperf sends fewer (it begins with all of them at once). Lost
#: is what was not answered of the RATE * SECONDS that should have been sent.
RATE, OUTSTANDING = 5000, 100
LOST, P99 = 0.01, 0.020
COLUMNS = ("beside", "server", "lost", "mean ms", "p99 ms", "its answers", "target")
#: Lost, mean and p99 in seconds, the attack's answers.
Figures = tuple[float, float, float, float]


def main() -> int:
    arguments = _arguments()
    if not on_core(CORE, "dnsperf", "taskset"):
        return 2
    target = f"lost < {LOST:.0%}, p99 < {P99 * 1e3:g} ms"
    table = Table(title=f"{RATE:,} queries/s over UDP, {ROUNDS} times {SECONDS:g} s each. Target: {target}")
    for number, column in enumerate(COLUMNS):
        table.add_column(column, justify="left" if number < 2 else "right")
    try:
        with tempfile.TemporaryDirectory() as folder:
            for row in _rows(Path(folder), arguments):
                table.add_row(*row)
    except (StartError, bench.BenchError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    finally:
        Console(width=120).print(table)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hostile",
        description="UDP beside clients that mean harm: minidns, Knot, and Unbound where it is about an upstream.",
        epilog="attacks:\n" + "\n".join(f"  {name:10} {attack.text}" for name, attack in ATTACKS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("attacks", nargs="*", metavar="ATTACK", help="which, all by default")
    everyone = f"minidns,{servers.REWRITING},knot,unbound"
    said = f"which servers ({everyone}); {servers.APART}: minidns with DNS in a process of its own"
    parser.add_argument("--only", default=everyone, metavar="SERVERS", help=said)
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="of minidns, all on the one core (1)")
    parser.add_argument("--python", default=sys.executable, metavar="PATH", help="what runs minidns")
    arguments = parser.parse_args()
    arguments.only = arguments.only.split(",")
    arguments.attacks = arguments.attacks or list(ATTACKS)
    if unknown := [name for name in arguments.attacks if name not in ATTACKS]:
        parser.error(f"no attack {unknown[0]} among {', '.join(ATTACKS)}")
    return arguments


def _rows(folder: Path, arguments: argparse.Namespace) -> Iterator[Sequence[str]]:
    questions = WORKS["hot"].file(folder)
    with started([sys.executable, "-m", "benchmarks.upstream"], log=folder / "upstream.log") as upstream:
        os.setpriority(os.PRIO_PROCESS, upstream.pid, 19)
        assert upstream.stdout
        port = int(upstream.stdout.readline())
        minidns = Minidns(arguments.python, arguments.workers, port)
        with servers.running(folder, arguments.only, minidns, "huge") as (running, apiserver):
            for name in arguments.attacks:
                attack = ATTACKS[name]
                lines = attack.questions() if attack.questions else ()
                (folder / name).write_text("".join(f"{line}\n" for line in lines))
                yield from _measured(name, folder, questions, running, Churn(apiserver))


def _measured(
    name: str, folder: Path, questions: Path, running: Sequence[Server], churn: Churn
) -> Iterator[Sequence[str]]:
    attack = ATTACKS[name]
    asked = [server for server in running if server.name in attack.servers]
    with churn.running() if attack.churn else nullcontext():
        rounds = [[_under(name, folder / name, server, questions) for server in asked] for _ in range(ROUNDS)]
    for server, measured in zip(asked, zip(*rounds, strict=True), strict=True):
        lost, mean, p99, answers = (median(values) for values in zip(*measured, strict=True))
        told = f"{answers:,.0f}/s" if attack.questions else f"{answers / 1e6:.1f} MB/s"
        met = "met" if lost < LOST and p99 < P99 else "missed"
        yield attack.text, server.name, f"{lost:.2%}", f"{mean * 1e3:.2f}", f"{p99 * 1e3:.2f}", told, met


def _under(name: str, costly: Path, server: Server, questions: Path) -> Figures:
    """UDP under an attack."""
    attack = ATTACKS[name]
    with started(_command(name, costly, server)) as attacker:
        found = paced(WORKS["hot"], questions, server, RATE, SECONDS, OUTSTANDING)
        answers = _answers(attack, attacker)
    return max(0.0, 1 - (found.sent - found.lost) / (RATE * SECONDS)), found.mean, found.p99, answers


def _command(name: str, costly: Path, server: Server) -> list[str]:
    if ATTACKS[name].questions:
        asking = bench.command(f"127.0.0.1:{server.port}", costly, SECONDS + 1, "-q", str(WAITING))
        return ["nice", "-n", "19", *asking]
    port = server.admin if ATTACKS[name].admin else server.port
    return [sys.executable, "-m", "benchmarks.attacks", name, str(port), str(SECONDS + 1)]


def _answers(attack: Attack, attacker: Popen[str]) -> float:
    """What an attack got per second: answers to its questions, or bytes."""
    assert attacker.stdout
    said = attacker.stdout.read()
    return bench.parse(said).rate if attack.questions else int(said or 0) / (SECONDS + 1)


if __name__ == "__main__":
    sys.exit(main())
