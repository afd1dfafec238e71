"""`hosts`."""

from __future__ import annotations

from minidns.config.corefile.options import MANY, Context, Fields, Option, Options, flag, zones, zones_or_all
from minidns.config.corefile.tree import Line
from minidns.config.plugins.hosts import Hosts
from minidns.config.values import duration, hosts_line, number

HOSTS = Options(
    "hosts",
    {
        "ttl": Option("SECONDS", lambda args: {"ttl": number(args[0], "ttl", 1, 65535)}, 1, 1),
        "reload": Option("DURATION", lambda args: {"reload": duration(args[0])}, 1, 1),
        "no_reverse": flag("reverse", False),
        "fallthrough": Option("[ZONES...]", lambda args: {"fallthrough": zones_or_all(args)}, 0, MANY),
    },
)


def _inline(line: Line) -> Fields | None:
    entry = hosts_line(" ".join([line.name, *line.values]))
    return None if entry is None else {"inline": (entry,)}


def hosts(line: Line, context: Context) -> Hosts:
    """`hosts [FILE [ZONES...]]`; lines that begin with an address are entries."""
    args = line.values
    path = context.expander.path(args[0] if args else "/etc/hosts")
    return Hosts(path=path, zones=zones(args[1:]) or context.zones, **HOSTS.read(line, _inline))
