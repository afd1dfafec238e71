"""minidns with DNS in a worker of its own, beside the process that watches and serves HTTP, by the same command line.

What `--workers 1` would be if it were not one process; `benchmarks.hostile --only minidns,apart` compares the two.
"""

from __future__ import annotations

import sys

from minidns import app
from minidns.cli.arguments import main
from minidns.server.workers import Workers
from minidns.site import Site


def _apart(site: Site) -> Workers:
    return Workers(site, 1)


if __name__ == "__main__":
    app.Serving = _apart  # type: ignore[attr-defined, assignment]
    sys.exit(main())
