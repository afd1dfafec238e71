"""A log that packets and peers cannot fill: of what repeats, the first few lines and then a count."""

from __future__ import annotations

import logging
from dataclasses import dataclass

#: Records of one kind that are let through in so many seconds.
BURST, SECONDS = 10, 10.0
#: The loggers whose messages others can provoke: clients, upstreams, whoever connects. What files and the API server
#: have in them is told once anyway, and a log of queries is meant to be one.
PROVOKED = (
    "minidns.server", "minidns.core", "minidns.front", "minidns.plugins", "minidns.transfer", "asyncio", "aiohttp",
)  # fmt: skip


@dataclass(slots=True)
class _Kind:
    started: float
    passed: int = 0
    held_back: int = 0


class Repeats(logging.Filter):
    """For a handler: lets BURST records of a kind through in SECONDS, and counts the others.

    A kind is a logger and a text before its values are filled in. The first record after a flood says how many were
    held back. Time is what records carry.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kinds: dict[tuple[str, object], _Kind] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is to be written."""
        if not record.name.startswith(PROVOKED):
            return True
        # asyncio's messages name the objects in question, from the second line on.
        key = record.name, record.msg.partition("\n")[0] if isinstance(record.msg, str) else type(record.msg)
        kind = self._kinds.get(key)
        if kind is None:
            kind = self._kinds[key] = _Kind(record.created)
        seconds = record.created - kind.started
        if not 0 <= seconds < SECONDS:
            if kind.held_back:
                record.msg = f"{record.getMessage()} (and {kind.held_back:,} more like this)"
                record.args = None
            kind.started, kind.passed, kind.held_back = record.created, 0, 0
        if kind.passed >= BURST:
            kind.held_back += 1
            return False
        kind.passed += 1
        return True
