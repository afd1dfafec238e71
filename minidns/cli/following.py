"""`minidns watch` and `minidns queries`: what a running server tells as it happens, line by line."""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from collections.abc import Callable

import msgspec
from rich.console import Console
from rich.text import Text

from minidns.cli import offline
from minidns.cli.stream import Say, follow
from minidns.config.settings import Cluster, Kubernetes, Manifests
from minidns.views import changes, queries
from minidns.views.queries import FILTERS, Query

#: A record that came or went, in the text of a change.
_RECORD = re.compile(r"(?:^    |, |: )([+-]\S+ [A-Z]+ .*)$")
_COLOURS = {"NOERROR": "green", "NODATA": "yellow", "NXDOMAIN": "red"}


class Sample(msgspec.Struct, frozen=True):
    """How much of what was answered is shown."""

    seen: int
    shown: int


class Lost(msgspec.Struct, frozen=True):
    """How much a slow reader missed."""

    lost: int


def say_to(console: Console) -> Say:
    """What is no event goes beside the events, so that a program reads only those."""
    return lambda text: console.print(Text(text, style="dim"), soft_wrap=True)


def add_watch_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--namespace", default="", help="of the objects that change")
    parser.add_argument("--service", default="", help="the Service, and its EndpointSlices")


def add_queries_arguments(parser: argparse.ArgumentParser) -> None:
    for name, text in FILTERS.items():
        parser.add_argument(f"--{name}", default="", help=text)


def watch_command(arguments: argparse.Namespace, source: Manifests | Cluster | None, kubernetes: Kubernetes) -> int:
    """Print changes as they happen, until interrupted."""
    out, say = Console(highlight=False), say_to(Console(stderr=True, highlight=False))

    def tell(event: changes.Event) -> None:
        if not changes.concerns(event, arguments.namespace, arguments.service):
            return
        if arguments.json:
            print(changes.to_json(event).decode(), flush=True)
        else:
            out.print(change_text(event, time.time()), soft_wrap=True)

    def tell_read(name: str, data: bytes) -> None:
        if name == "lost":
            say(f"{msgspec.json.decode(data, type=Lost).lost} changes are missing here: they came too fast")
        else:
            tell(msgspec.json.decode(data, type=changes.Event))

    if source is not None:
        say(f"following {getattr(source, 'path', 'the API server')}: Ctrl-C ends")
        asyncio.run(offline.watched(source, kubernetes, tell))
    follow(arguments.admin, "/watch", {}, tell_read, say)


def change_text(event: changes.Event, now: float) -> Text:
    """A change in lines, with the time, and in colour what came and what went."""
    text = Text(time.strftime("%H:%M:%S ", time.localtime(now)) + changes.text(event))
    for line in re.finditer(r".+", text.plain):
        if found := _RECORD.search(line[0]):
            style = "green" if found[1].startswith("+") else "red"
            text.stylize(style, line.start() + found.start(1), line.start() + found.end(1))
    return text


def queries_command(arguments: argparse.Namespace) -> int:
    """Print queries as they are answered, until interrupted."""
    out, say = Console(highlight=False), say_to(Console(stderr=True, highlight=False))
    query = {name: value for name in FILTERS if (value := getattr(arguments, name))}
    follow(arguments.admin, "/queries", query, query_teller(out, say, json=arguments.json), say)


def query_teller(out: Console, say: Say, *, json: bool) -> Callable[[str, bytes], None]:
    """What prints the events of /queries."""
    last = 1

    def tell(name: str, data: bytes) -> None:
        nonlocal last
        if name == "lost":
            say(f"{msgspec.json.decode(data, type=Lost).lost} queries are missing here: they came too fast")
        elif name == "sample":
            sample = msgspec.json.decode(data, type=Sample)
            one_of = round(sample.seen / sample.shown) if sample.shown else 1
            if one_of != last:
                say(f"1 of {one_of} shown" if one_of > 1 else "all shown again")
            last = one_of
        elif json:
            print(data.decode().strip(), flush=True)
        else:
            out.print(query_text(msgspec.json.decode(data, type=Query)), soft_wrap=True)

    return tell


def query_text(query: Query) -> Text:
    """A query in a line; the steps of a search list behind the first are set in."""
    plain = queries.text(query)
    at = plain.index(" ", plain.index(" ") + 1) + 1
    step = "> " * min(query.step - 1, 5)
    text = Text.assemble((plain[:at], "dim"), step, plain[at:])
    text.highlight_regex(rf" {query.outcome}(?= by |:|$)", _COLOURS.get(query.outcome, "magenta"))
    return text
