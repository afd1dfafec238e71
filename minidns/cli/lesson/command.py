"""The arguments of `minidns lesson`, and the list of lessons."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table
from rich.text import Text

from minidns import lessons
from minidns.cli.lesson import player, rehearsal
from minidns.cli.lesson.classroom import cluster, visit
from minidns.config.values import UsageError

#: Adds a subcommand: its name, what runs, and a line about it.
Add = Callable[[str, object, str], argparse.ArgumentParser]
#: Longer lines are hard to read.
_WIDEST = 92


def add_command(add: Add) -> None:
    """Put `lesson` into a parser."""
    parser = add("lesson", run, "learn cluster DNS: list the lessons, or play one")
    parser.add_argument("name", nargs="?", help="of a lesson, or a path to a lesson's file")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--admin", metavar="HOST:PORT", help="play it on a running server, this one (or its URL)")
    how.add_argument("--manifests", action="store_true", help="print the manifests of its cluster")
    how.add_argument("--rehearse", action="store_true", help="play every right and wrong way by itself, for authors")


def run(arguments: argparse.Namespace) -> int:
    """Exit codes: 0 played to the end, 1 left before, or the rehearsal found something."""
    console = Console(highlight=False)
    console.width = min(console.width, _WIDEST)
    try:
        if arguments.name is None:
            if arguments.admin or arguments.manifests or arguments.rehearse:
                raise UsageError("which lesson? `minidns lesson` lists them")
            _list(console)
            return 0
        path = lessons.find(arguments.name)
        lesson = lessons.read(path)
    except lessons.LessonError as error:
        raise UsageError(str(error)) from None
    if arguments.manifests:
        print(lesson.manifests, end="")
        return 0
    with _ending_tidily(), visit(lesson, arguments.admin) if arguments.admin else cluster(lesson) as room:
        if arguments.rehearse:
            return rehearsal.run(room, console)
        return player.play(room, console, sys.stdin.fileno())


def _list(console: Console) -> None:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    minutes = 0
    for path in lessons.known():
        lesson = lessons.read(path)
        minutes += lesson.minutes
        table.add_row(path.stem, f"{lesson.minutes} min", Text.assemble((lesson.title, "bold"), "\n", lesson.about))
    console.print(table)
    console.print(f"\n{minutes} minutes in all. Play one: minidns lesson NAME", soft_wrap=True)


@contextmanager
def _ending_tidily() -> Iterator[None]:
    """A terminal that is closed, or a kill, ends the cluster too."""

    def leave(number: int, _: object) -> None:
        sys.exit(128 + number)

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, leave) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
