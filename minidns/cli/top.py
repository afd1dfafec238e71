"""`minidns top`: who asks how much of what, in a table that goes on."""

from __future__ import annotations

import argparse
import os
import select
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue

import msgspec
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from minidns.cli.running import PATIENCE, asked
from minidns.cli.stream import follow
from minidns.views.shares import ROWS, Client, Shares

#: Columns from which on there is room for reasons.
WIDE = 90
#: Lines that are not rows: the head, and titles and headings of three tables.
_FRAME = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, help="look for so long, print once, and end")
    parser.add_argument("--json", action="store_true", help="for programs; goes with --seconds")


def top_command(arguments: argparse.Namespace) -> int:
    """Show who asks what until `q` is pressed; without a terminal, or with --seconds, once."""
    console = Console(highlight=False)
    seconds = arguments.seconds or (5.0 if arguments.json or not console.is_terminal else None)
    if seconds is None:
        return _live(arguments.admin, console)
    with asked(arguments.admin, "/top", {"seconds": f"{seconds:g}"}, patience=PATIENCE + seconds) as response:
        body = response.read()
    if arguments.json:
        print(body.decode())
    else:
        console.print(table(msgspec.json.decode(body, type=Shares), console.width, ROWS))
    return 0


def _live(admin: str, console: Console) -> int:
    came: SimpleQueue[Shares | str | Exception] = SimpleQueue()

    def read() -> None:
        try:
            follow(admin, "/top", {}, lambda name, data: came.put(_decoded(name, data)), came.put)
        except Exception as error:  # told where it can be shown
            came.put(error)

    threading.Thread(target=read, daemon=True).start()
    said, shares = "", Shares(0.0, 0, 0, {}, {}, 0, (), (), ())
    with Live(console=console, screen=True, auto_refresh=False) as live, _keys() as keys:
        while True:
            if select.select(keys, (), (), 0.1)[0] and os.read(keys[0], 1) in (b"q", b"Q", b""):
                return 0
            try:
                news = came.get_nowait()
            except Empty:
                continue
            if isinstance(news, Exception):
                raise news
            said, shares = (news, shares) if isinstance(news, str) else ("", news)
            rows = max(1, (console.height - _FRAME) // 3)
            live.update(table(shares, console.width, rows, said), refresh=True)


def _decoded(_: str, data: bytes) -> Shares:
    return msgspec.json.decode(data, type=Shares)


@contextmanager
def _keys() -> Iterator[list[int]]:
    """What to wait for keys on, which come without Enter; nothing when there is no keyboard."""
    if not sys.stdin.isatty():
        yield []
        return
    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    tty.setcbreak(number)
    try:
        yield [number]
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)


def table(shares: Shares, width: int, rows: int, said: str = "") -> RenderableType:
    """A snapshot for people. said: what happened to the server, if anything did."""
    reasons = ("reason",) if width >= WIDE else ()
    missing = [(one.name, str(one.queries), *((one.reason,) if reasons else ())) for one in shares.missing]
    return Group(
        _head(shares),
        Text(said or "q ends", style="yellow" if said else "dim"),
        "",
        _rows(
            "who asks",
            ("pod or address", "queries", "NXDOMAIN", "wasted"),
            [(_who(one), str(one.queries), str(one.nxdomain), str(one.wasted)) for one in shares.clients[:rows]],
        ),
        "",
        _rows("names that do not exist", ("name", "queries", *reasons), missing[:rows]),
        "",
        _rows(
            "names that waste queries in the search list",
            ("name", "wasted", "found as"),
            [(one.search, str(one.wasted), one.name) for one in shares.searches[:rows]],
        ),
    )


def _head(shares: Shares) -> Text:
    outcomes = shares.outcomes
    parts = [f"{shares.rate:,.0f} queries/s in {shares.seconds:.0f} s"]
    parts += [f"{by} {shares.share(count):.0%}" for by, count in shares.by.items()]
    parts += [f"NXDOMAIN {shares.share(outcomes.get('NXDOMAIN', 0)):.0%}", f"wasted {shares.share(shares.wasted):.0%}"]
    if shares.shown < shares.queries:
        parts.append(f"1 of {shares.queries / max(shares.shown, 1):.0f} looked at")
    return Text(", ".join(parts), style="bold")


def _who(client: Client) -> str:
    return f"{client.namespace}/{client.pod}" if client.pod else client.client


def _rows(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    made = Table(title=title, title_justify="left", title_style="bold", box=None, expand=True, padding=(0, 1, 0, 0))
    for number, column in enumerate(columns):
        numeric = column in ("queries", "NXDOMAIN", "wasted")
        made.add_column(
            column,
            justify="right" if numeric else "left",
            no_wrap=True,
            overflow="ellipsis",
            ratio=None if numeric else 3 - min(number, 1),
            header_style="dim",
        )
    for row in rows:
        made.add_row(*row)
    return made
