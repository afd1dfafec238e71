"""`transfer` and `tsig`."""

from __future__ import annotations

from dataclasses import replace

from minidns.config.corefile.options import MANY, Context, Fields, Option, Options, choice, zones
from minidns.config.corefile.tree import Line
from minidns.config.plugins.transfer import Secondary, Transfer
from minidns.config.plugins.tsig import Tsig, TsigKey, read_keys
from minidns.config.values import ConfigError, zone_name
from minidns.core import records

TRANSFER = Options(
    "transfer",
    {
        "to": Option("ADDRESS...", lambda args: {"to": tuple(map(Secondary.parse, args))}, 1, MANY),
        "key": Option("NAME", lambda args: {"key": zone_name(args[0])}, 1, 1),
    },
)


def transfer(line: Line, context: Context) -> Transfer:
    """`transfer [ZONES...]`: `to` may stand several times, an address may have a port. `key NAME`, which CoreDNS does
    not have, says what all of them sign with; within quotes an address can name its own: `"192.0.2.1#key"`."""
    fields = TRANSFER.read(line)
    key = fields.get("key")
    to = tuple(replace(one, key=one.key or key) for one in fields.get("to", ()))
    return Transfer(zones=zones(line.values) or context.zones, to=to)


def _types(args: list[str]) -> Fields:
    """`require none` takes back what stood before it, as in CoreDNS the last one counts."""
    if args == ["all"]:
        return {"require": None}
    if args == ["none"]:
        return {"require": frozenset()}
    found = [int(arg[4:]) if arg.upper().startswith("TYPE") and arg[4:].isdigit() else _type(arg) for arg in args]
    return {"require": frozenset(found)}


def _type(text: str) -> int:
    return records.TYPE_NUMBERS[choice(text.upper(), records.TYPE_NUMBERS, "type of questions")]


def tsig(line: Line, context: Context) -> Tsig:
    """`tsig [ZONES...]`: `secret NAME KEY` and `secrets FILE` may stand several times."""
    options = Options(
        "tsig",
        {
            "secret": Option("NAME KEY", lambda args: {"keys": (TsigKey.parse(*args),)}, 2, 2),
            "secrets": Option(
                "FILE", lambda args: {"keys": read_keys(context.expander.path(args[0], line.head.file))}, 1, 1
            ),
            "require": Option("TYPE...|all|none", _types, 1, MANY),
        },
    )
    fields = options.read(line)
    if not fields.get("keys"):
        raise ConfigError("tsig needs a key: secret NAME KEY, or secrets FILE")
    return Tsig(zones=zones(line.values) or context.zones, **fields)
