"""What Go's templates do with values: functions, and how a value is printed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any


def truth(value: Any) -> bool:
    return bool(value)


def shown(value: Any) -> str:
    """A value as Go prints it."""
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{' '.join(map(shown, value))}]"
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{key}:{shown(value[key])}' for key in sorted(value))}]"
    return str(value)


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(key, "")
        elif isinstance(value, str):
            value = value.encode()[_place(key)]
        else:
            value = value[_place(key)]
    return value


def _place(key: Any) -> int:
    if not isinstance(key, int) or isinstance(key, bool) or key < 0:
        raise IndexError(f"index {shown(key)}")
    return key


def _slice(value: Any, *ends: int) -> Any:
    low = _place(ends[0]) if ends else 0
    high = _place(ends[1]) if len(ends) > 1 else len(value)
    if len(ends) > 2 or not low <= high <= len(value):
        raise IndexError("slice out of range")
    return value[low:high]


def _printf(form: str, *values: Any) -> str:
    printed = [value if isinstance(value, int) and not isinstance(value, bool) else shown(value) for value in values]
    python = re.sub(r"%([-+ #0]*\d*(?:\.\d+)?)v", r"%\1s", form).replace("%q", '"%s"')
    sizes = [int(size) for size in re.findall(r"%[-+ #0]*(\d+)", python)]
    if sizes and max(sizes) > 255:
        raise ValueError("printf wider than 255")
    return python % tuple(printed)


def _and(*values: Any) -> Any:
    return next((value for value in values if not truth(value)), values[-1])


def _or(*values: Any) -> Any:
    return next((value for value in values if truth(value)), values[-1])


WORDS = {"true": True, "false": False, "nil": None}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "and": _and,
    "eq": lambda one, *others: any(one == other for other in others),
    "ge": lambda one, other: one >= other,
    "gt": lambda one, other: one > other,
    "index": _index,
    "le": lambda one, other: one <= other,
    "len": len,
    "lt": lambda one, other: one < other,
    "ne": lambda one, other: one != other,
    "not": lambda value: not truth(value),
    "or": _or,
    # CoreDNS's own: a number of up to `bits` bits, written in a base.
    "parseInt": lambda text, base, bits: _parsed(text, base, bits),
    "print": lambda *values: "".join(map(shown, values)),
    "printf": _printf,
    "println": lambda *values: " ".join(map(shown, values)) + "\n",
    "slice": _slice,
}


def _parsed(text: str, base: int, bits: int) -> int:
    number = int(text, base)
    if number < 0 or number >> bits:
        raise ValueError(f"{text} has more than {bits} bits")
    return number
