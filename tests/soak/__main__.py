"""`python -m tests.soak`: soak a server with one worker, then one with two, and say what was found."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path

from tests.soak.run import soak


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak", description="A server among everything that can go wrong."
    )
    parser.add_argument("--minutes", type=float, default=4.0, metavar="N", help="in all (4)")
    parser.add_argument("--seed", default="", help="that an earlier run printed (default: another one each time)")
    parser.add_argument("--workers", default="1,2", metavar="N,...", help="of the servers, one after the other (1,2)")
    arguments = parser.parse_args()
    seed = arguments.seed or str(random.randrange(10**9))
    counts = [int(number) for number in arguments.workers.split(",")]
    print(f"seed {seed}", flush=True)
    findings = 0
    for workers in counts:
        with tempfile.TemporaryDirectory() as folder:
            world = asyncio.run(soak(Path(folder), seed, workers, arguments.minutes * 60 / len(counts)))
        print(f"{workers} worker{'s' * (workers > 1)}: {world.sizes}")
        for what, count in sorted(world.counts.items()):
            print(f"  {count:>10,} {what}")
        for finding in world.findings:
            print(f"FOUND {finding}")
        findings += len(world.findings)
    print(f"{findings} findings, seed {seed}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
