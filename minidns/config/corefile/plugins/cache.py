"""`cache`."""

from __future__ import annotations

import re

from minidns.config.corefile.options import MANY, Context, Fields, Option, Options, choice, flag, zones, zones_or_all
from minidns.config.corefile.tree import Line
from minidns.config.plugins.cache import Cache, CacheClass
from minidns.config.values import ConfigError, duration, number

_LONGEST = 2**31 - 1


def _ttl(text: str) -> int:
    return number(text.removeprefix("+"), "a cache TTL", 1, _LONGEST)


def _cache_class(name: str) -> Option:
    def read(args: list[str]) -> Fields:
        # The least that CoreDNS keeps, which 0 means to it.
        fields: Fields = {"capacity": number(args[0], "a capacity", 0, 10_000_000) or 1024}
        if len(args) > 1:
            fields["ttl"] = _ttl(args[1])
        if len(args) > 2:
            fields["min_ttl"] = number(args[2], "a lowest TTL", 0, _LONGEST)
        return {name: fields}

    return Option("CAPACITY [TTL] [MINTTL]", read, 1, 3)


def _prefetch(args: list[str]) -> Fields:
    fields: Fields = {"prefetch": number(args[0], "prefetch", 0, 1_000_000)}
    if len(args) > 1:
        fields["prefetch_gap"] = duration(args[1])
    if len(args) > 2:
        if not args[2].endswith("%"):
            raise ConfigError(f"a percentage ends with %, as in 10%, unlike {args[2]!r}")
        fields["prefetch_percent"] = number(args[2][:-1], "the prefetch percentage", 10, 90)
    return fields


def _serve_stale(args: list[str]) -> Fields:
    modes = {"immediate": False, "verify": True}
    fields: Fields = {"serve_stale": duration(args[0]) if args else 3600.0}
    if len(args) > 1:
        fields["verify_stale"] = modes[choice(args[1].lower(), modes, "refresh mode")]
    if len(args) > 2:
        fields["verify_patience"] = duration(args[2])
    return fields


def _disable(args: list[str]) -> Fields:
    kind = choice(args[0], ("success", "denial"), "class to disable")
    return {f"disable_{kind}": zones_or_all(args[1:])}


CACHE = Options(
    "cache",
    {
        "success": _cache_class("success"),
        "denial": _cache_class("denial"),
        "prefetch": Option("AMOUNT [DURATION] [PERCENTAGE%]", _prefetch, 1, 3),
        "serve_stale": Option("[DURATION] [immediate|verify] [PATIENCE]", _serve_stale, 0, 3),
        "servfail": Option("DURATION", lambda args: {"servfail": duration(args[0])}, 1, 1),
        "disable": Option("success|denial [ZONES...]", _disable, 1, MANY),
        "keepttl": flag("keep_ttl"),
    },
)


def cache(line: Line, context: Context) -> Cache:
    """`cache [TTL] [ZONES...]`: the TTL, when there is one, bounds both classes."""
    args, ttl = line.values, {}
    if args and re.fullmatch(r"[+-]?[0-9]+", args[0]):
        ttl = {"ttl": _ttl(args.pop(0))}
    for arg in args:
        if re.match(r"[0-9.]+([smh]|ms)$", arg):
            context.warn(line, f"cache {arg} is a zone called {arg}, as to CoreDNS: a TTL is a number of seconds")
    fields = CACHE.read(line)
    success = CacheClass(**{"ttl": 3600, **ttl, **fields.pop("success", {})})
    denial = CacheClass(**{"ttl": 1800, **ttl, **fields.pop("denial", {})})
    return Cache(zones=zones(args) or context.zones, success=success, denial=denial, **fields)
