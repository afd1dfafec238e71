"""`minidns secondaries`: what each of them has."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table

from minidns.cli.running import asked
from minidns.transfer.follower import Standing


def run(arguments: argparse.Namespace) -> int:
    """List what each secondary has. 0 when all have everything, 1 when one is behind or does not answer."""
    with asked(arguments.admin, "/secondaries", {}) as response:
        body = response.read()
    standings = msgspec.json.decode(body, type=list[Standing])
    if arguments.json:
        print(body.decode())
    elif standings:
        Console(highlight=False).print(_standings_table(standings))
    else:
        print("no secondary is told of changes: serve with --transfer ADDRESS")
    return int(any(one.changes != 0 for one in standings))


def _standings_table(standings: Sequence[Standing]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("secondary", "zone", "serial", "behind", "asked"):
        table.add_column(title, overflow="fold")
    for one in standings:
        serial = "does not say" if one.serial is None else str(one.serial)
        last = "never" if one.asked is None else f"{max(0.0, time.time() - one.asked):.0f} s ago"
        table.add_row(one.secondary, one.zone, serial, _behind(one), last)
    return table


def _behind(one: Standing) -> str:
    if one.changes is None or one.seconds is None:
        return "unknown" if one.serial is None else "too far to tell"
    if not one.changes:
        return "nothing"
    return f"{one.changes} change{'s' if one.changes > 1 else ''}, {one.seconds * 1e3:.0f} ms"
