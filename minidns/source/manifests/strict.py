"""Fields that the Kubernetes API does not know, as kubectl's strict validation finds them: "selectr", "clusterIp".

The fields of every type are in `fields.json`, which `tests/support/fields.py` makes from the API's own models.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import msgspec

#: Steps from the top of an object to a field: names, and numbers in lists.
Path = tuple[str | int, ...]


class Unknown(NamedTuple):
    """A field that is not known. nearest: what may have been meant, "" when nothing is near."""

    path: Path
    nearest: str

    def __str__(self) -> str:
        where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path).removeprefix(".")
        return f"unknown field {where}" + (f", did you mean {self.nearest}?" if self.nearest else "")


def unknown_fields(value: dict[str, Any], kind: str) -> Iterator[Unknown]:
    """What an object of that kind has and the API does not know."""
    return _unknown(value, f"V1{kind}", ())


@cache
def _table() -> dict[str, dict[str, str]]:
    text = resources.files(__package__).joinpath("fields.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, dict[str, str]])


def _unknown(value: Any, type_: str, path: Path) -> Iterator[Unknown]:
    if isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _unknown(inner, type_, (*path, number))
    elif isinstance(value, dict):
        fields = _table()[type_]
        for name, inner in value.items():
            known = fields.get(name)
            if known:
                yield from _unknown(inner, known, (*path, name))
            elif known is None:
                yield Unknown((*path, str(name)), _nearest(str(name), fields))


def _nearest(name: str, fields: dict[str, str]) -> str:
    by_lower = {field.lower(): field for field in fields}
    close = difflib.get_close_matches(name.lower(), by_lower, 1, 0.75)
    return by_lower[close[0]] if close else ""
