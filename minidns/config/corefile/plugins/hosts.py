"""`hosts`."""

from __future__ import annotations

from itertools import takewhile

from minidns.config.corefile.options import MANY, Context, Fields, Option, Options, flag, zones, zones_or_all
from minidns.config.corefile.tree import Line
from minidns.config.plugins.hosts import Hosts
from minidns.config.values import ConfigError, duration, hosts_line, is_address, no_names, number

HOSTS = Options(
    "hosts",
    {
        "ttl": Option("SECONDS", lambda args: {"ttl": number(args[0], "ttl", 1, 65535)}, 1, 1),
        "reload": Option("DURATION", lambda args: {"reload": duration(args[0])}, 1, 1),
        "no_reverse": flag("reverse", False),
        "fallthrough": Option("[ZONES...]", lambda args: {"fallthrough": zones_or_all(args)}, 0, MANY),
    },
)


def hosts(line: Line, context: Context) -> Hosts:
    """`hosts [FILE [ZONES...]]`; lines that begin with an address are entries."""
    args = line.values
    path = context.expander.path(args[0] if args else "/etc/hosts")

    def inline(item: Line) -> Fields | None:
        text = " ".join([item.name, *item.values])
        if not is_address(item.name):
            return None
        if any(before.name == "fallthrough" for before in takewhile(lambda one: one is not item, line.block or ())):
            raise ConfigError("an entry stands in front of fallthrough")
        for bad in no_names(item.values):
            context.warn(item, f"{bad!r} is no domain name: left out")
        return {"inline": (entry,)} if item.values != no_names(item.values) and (entry := hosts_line(text)) else {}

    return Hosts(path=path, zones=zones(args[1:]) or context.zones, **HOSTS.read(line, inline))
