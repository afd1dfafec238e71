"""`dns64`."""

from __future__ import annotations

import ipaddress

from minidns.config.corefile.options import Context, Fields, Option, Options, arguments, flag
from minidns.config.corefile.tree import Line
from minidns.config.plugins.dns64 import Dns64
from minidns.config.values import ConfigError


def _prefix(args: list[str]) -> Fields:
    try:
        return {"prefix": ipaddress.IPv6Network(args[0])}
    except ValueError as error:
        raise ConfigError(f"{args[0]!r} is not an IPv6 prefix such as 64:ff9b::/96: {error}") from None


DNS64 = Options(
    "dns64",
    {
        "prefix": Option("PREFIX", _prefix, 1, 1),
        "translate_all": flag("translate_all"),
        "allow_ipv4": flag("allow_ipv4"),
    },
)


def dns64(line: Line, _context: Context) -> Dns64:
    """`dns64 [PREFIX]`."""
    args = arguments(line, "dns64 [PREFIX]", 0, 1)
    return Dns64(**{**(_prefix(args) if args else {}), **DNS64.read(line)})
