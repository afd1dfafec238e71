"""`python -m benchmarks`: minidns beside Knot and NSD, on one core, one at a time, from the same zone.

The servers run on core 0, dnsperf and everything else on core 1. In each work they take short turns, and the median
counts. CPU time is the kernel's (/proc/PID/stat) of all processes of a server, divided by the answers that dnsperf got.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from benchmarks import servers, tables
from benchmarks.measuring import Churn, Figures, measure
from benchmarks.others import OTHERS
from benchmarks.processes import on_core
from benchmarks.servers import FEED, Minidns, StartError
from benchmarks.works import WORKS
from minidns.cli import bench

#: The core of all that is not a server.
CORE = 1
#: Columns of the table on a terminal, and where the output goes elsewhere.
WIDTH = 120
#: Shares of rcodes that two servers may differ by: their rounds end at different places of the file of questions.
SAME = 0.02


def main() -> int:
    arguments = _arguments()
    if not on_core(CORE, "dnsperf", "taskset"):
        return 2
    works = [WORKS[name] for name in arguments.works or WORKS]
    results: dict[str, dict[str, Figures]] = {}
    try:
        with tempfile.TemporaryDirectory() as folder, Progress(console=Console(stderr=True)) as progress:
            task = progress.add_task("starting", total=len(works))
            minidns = Minidns(arguments.python, arguments.workers)
            with servers.running(Path(folder), arguments.only, minidns) as (running, apiserver):
                churn = Churn(apiserver)
                for work in works:
                    progress.update(task, description=f"{work.name}: {work.text}")
                    questions = work.file(Path(folder))
                    results[work.name] = measure(work, questions, running, arguments.seconds, churn)
                    progress.advance(task)
    except (StartError, bench.BenchError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if results:
            _tell(results, arguments.markdown)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="minidns beside Knot and NSD, on one core, one at a time, from the same zone.",
        epilog="works:\n" + "\n".join(f"  {work.name:13} {work.text}" for work in WORKS.values()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("works", nargs="*", metavar="WORK", help="which works, all by default")
    parser.add_argument("--seconds", type=float, default=10.0, help="of full load per work and server (10)")
    parser.add_argument(
        "--only",
        default="minidns,knot,nsd",
        metavar="SERVERS",
        help=f"which servers (minidns,knot,nsd); {FEED}: with a reader",
    )
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="of minidns, all on the one core (1)")
    parser.add_argument("--python", default=sys.executable, metavar="PATH", help="what runs minidns")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    arguments = parser.parse_args()
    arguments.only = arguments.only.split(",")
    if unknown := [name for name in arguments.works if name not in WORKS]:
        parser.error(f"no work {unknown[0]} among {', '.join(WORKS)}")
    if unknown := [name for name in arguments.only if name not in ("minidns", FEED, *OTHERS)]:
        parser.error(f"no server {unknown[0]} among minidns, {FEED}, {', '.join(OTHERS)}")
    return arguments


def _tell(results: dict[str, dict[str, Figures]], markdown: bool) -> None:
    print(tables.markdown(results)) if markdown else Console(width=WIDTH).print(tables.table(results))
    for warning in _warnings(results):
        print(warning)


def _warnings(results: dict[str, dict[str, Figures]]) -> Sequence[str]:
    """What the reader of the table must know: servers that did not do the same work."""
    found = []
    for work, by_server in results.items():
        if FEED in by_server and "minidns" in by_server:
            ratio = by_server[FEED].round.cpu / by_server["minidns"].round.cpu
            found.append(f"{work}: a reader of the query feed makes a query cost {ratio:.2f} times as much")
        for server, figures in by_server.items():
            first = next(iter(by_server.values())).round.rcodes
            mine = figures.round.rcodes
            if any(abs(first.get(rcode, 0) - mine.get(rcode, 0)) > SAME for rcode in {*first, *mine}):
                found.append(f"{work}: answers differ: {next(iter(by_server))} {first}, {server} {mine}")
            if figures.round.changes is not None:
                found.append(f"{work}: {server} took in {figures.round.changes:.0f} changes per second")
    return found


if __name__ == "__main__":
    sys.exit(main())
