"""`template`."""

from __future__ import annotations

from minidns.config.corefile.options import (
    MANY,
    Context,
    Fields,
    Option,
    Options,
    class_number,
    rcode_number,
    type_number,
    zones,
    zones_or_all,
)
from minidns.config.corefile.tree import Line
from minidns.config.plugins.template import Template
from minidns.config.values import ConfigError, number


def _texts(name: str) -> Option:
    return Option("TEXT...", lambda args: {name: tuple(args)}, 1, MANY)


def _ederror(args: list[str]) -> Fields:
    return {"ede_code": number(args[0], "an Extended DNS Error", 0, 65535), "ede_text": " ".join(args[1:])}


TEMPLATE = Options(
    "template",
    {
        "match": Option("REGEX...", lambda args: {"patterns": tuple(args)}, 1, MANY),
        "answer": _texts("answer"),
        "additional": _texts("additional"),
        "authority": _texts("authority"),
        "rcode": Option("RCODE", lambda args: {"rcode": rcode_number(args[0])}, 1, 1),
        "ederror": Option("CODE [REASON]", _ederror, 1, 2),
        "fallthrough": Option("[ZONES...]", lambda args: {"fallthrough": zones_or_all(args)}, 0, MANY),
        # What it once switched on is always on.
        "upstream": Option("", lambda _: {}, 0, MANY),
    },
)


def template(line: Line, context: Context) -> Template:
    """`template CLASS TYPE [ZONES...]`."""
    if len(line.args) < 2:
        raise ConfigError("write: template CLASS TYPE [ZONES...], as in `template IN A example.org`")
    class_, type_, *names = line.values
    return Template(
        class_=class_number(class_),
        type=type_number(type_),
        zones=zones(names) or context.zones,
        **TEMPLATE.read(line),
    )
