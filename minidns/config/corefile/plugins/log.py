"""`log`."""

from __future__ import annotations

from minidns.config.corefile.options import Context, Fields, Option, Options, choice, zones
from minidns.config.corefile.tree import Line
from minidns.config.plugins.log import COMBINED_LOG, COMMON_LOG, Log
from minidns.config.values import duration


def _classes(args: list[str]) -> Fields:
    known = ("all", "success", "denial", "error")
    return {"classes": tuple(choice(arg, known, "class of answers") for arg in args)}


LOG = Options(
    "log",
    {
        "class": Option("all|success|denial|error...", _classes, 1, 4),
        "minDuration": Option("DURATION", lambda args: {"min_duration": duration(args[0])}, 1, 1),
    },
)


def log(line: Line, context: Context) -> Log:
    """`log [NAMES...] [FORMAT]`: what has a brace in it is the format."""
    args, form = line.values, COMMON_LOG
    if args and "{" in args[-1]:
        form = {"{common}": COMMON_LOG, "{combined}": COMBINED_LOG}.get(args[-1], args[-1])
        args.pop()
        if not args:
            context.warn(line, "log with a format alone: to CoreDNS that is a zone, write log . FORMAT")
    fields = LOG.read(line)
    classes = frozenset(fields.pop("classes", ("all",)))
    return Log(zones=zones(args) or context.zones, format=form, classes=classes, **fields)
