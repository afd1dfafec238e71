"""Figures as a table: for a terminal, and as Markdown for the README."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from benchmarks.measuring import Figures
from benchmarks.works import WORKS

COLUMNS = (
    "work", "server", "queries/s", "CPU us/query", "user + system", "to Knot", "target", "mean ms", "p99 ms", "lost",
)  # fmt: skip
#: Works, then servers.
Results = Mapping[str, Mapping[str, Figures]]


def table(results: Results) -> Table:
    """For a terminal."""
    made = Table(title="One core for the server. Latency and lost queries at 80% of its rate.")
    for number, column in enumerate(COLUMNS):
        made.add_column(column, justify="left" if number < 2 else "right")
    for work, by_server in results.items():
        for server, figures in by_server.items():
            made.add_row(*row(work, server, figures, by_server.get("knot")))
        made.add_section()
    return made


def markdown(results: Results) -> str:
    """For the README."""
    lines = [COLUMNS, ["---" if number < 2 else "---:" for number in range(len(COLUMNS))]]
    for work, by_server in results.items():
        lines += [row(work, server, figures, by_server.get("knot")) for server, figures in by_server.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def row(work: str, server: str, figures: Figures, knot: Figures | None) -> list[str]:
    """The texts of COLUMNS."""
    full = figures.round
    target = WORKS[work].target if server == "minidns" else None
    return [
        work,
        server,
        f"{figures.rate:,.0f}",
        f"{full.cpu:.2f}",
        f"{full.user:.1f} + {full.system:.1f}",
        f"{full.cpu / knot.round.cpu:.2f}" if knot else "",
        f"{target:g}" if target and knot else "",
        f"{figures.mean * 1e3:.2f}",
        f"{figures.p99 * 1e3:.2f}",
        f"{figures.lost} of {figures.sent:,}",
    ]
