"""Plugins of a word or two: any, bufsize, chaos, nsid, whoami."""

from __future__ import annotations

import socket

from minidns.config.corefile.options import MANY, Context, arguments, no_block
from minidns.config.corefile.tree import Line
from minidns.config.plugins.chaos import Chaos
from minidns.config.values import number


def switch(line: Line, _context: Context) -> bool:
    """A plugin that is there or not."""
    no_block(line)
    arguments(line, line.name, 0, 0)
    return True


def bufsize(line: Line, _context: Context) -> int:
    """`bufsize [SIZE]`."""
    no_block(line)
    args = arguments(line, "bufsize [SIZE]", 0, 1)
    return number(args[0], "bufsize", 512, 4096) if args else 1232


def chaos(line: Line, _context: Context) -> Chaos:
    """`chaos [VERSION] [AUTHORS...]`."""
    no_block(line)
    args = arguments(line, "chaos [VERSION] [AUTHORS...]", 0, MANY)
    fields: dict[str, object] = {"version": args[0]} if args else {}
    return Chaos(**fields, **({"authors": tuple(args[1:])} if args[1:] else {}))  # type: ignore[arg-type]


def nsid(line: Line, _context: Context) -> str:
    """`nsid [DATA...]`: the machine's name without data."""
    no_block(line)
    return " ".join(line.values) or socket.gethostname()
