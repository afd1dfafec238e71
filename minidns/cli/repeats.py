"""A log that packets and peers cannot fill: of what repeats, the first few lines and then a count."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TextIO

#: Records of one kind that are let through in so many seconds.
BURST, SECONDS = 10, 10.0
#: The loggers whose messages others can provoke: clients, upstreams, whoever connects. What files and the API server
#: have in them is told once anyway, and a log of queries is meant to be one.
PROVOKED = (
    "minidns.server", "minidns.core", "minidns.front", "minidns.plugins", "minidns.transfer", "asyncio", "aiohttp",
)  # fmt: skip
_Key = tuple[str, object]


@dataclass(slots=True)
class _Kind:
    """Records of a kind since `started`. held_back: the first that was, without what its values hold in memory."""

    started: float
    passed: int = 0
    held_back: logging.LogRecord | None = None
    count: int = 0
    over: asyncio.TimerHandle | None = None


class Repeats(logging.StreamHandler[TextIO]):
    """Writes BURST records of a kind in SECONDS, then the first of the others and how many there were.

    A kind is a logger and a text before its values are filled in. The count is told when the SECONDS are over: at once
    where an event loop runs, otherwise with the next record of the kind; and when the log ends.
    """

    def __init__(self, stream: TextIO | None = None, seconds: float = SECONDS) -> None:
        super().__init__(stream)
        self._seconds = seconds
        self._kinds: dict[_Key, _Kind] = {}
        self._process = os.getpid()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, or count it."""
        if not record.name.startswith(PROVOKED):
            super().emit(record)
            return
        self._forget_after_fork()
        # asyncio's messages name the objects in question, from the second line on.
        key = record.name, record.msg.partition("\n")[0] if isinstance(record.msg, str) else type(record.msg)
        kind = self._kinds.get(key)
        if kind is not None and not 0 <= record.created - kind.started < self._seconds:
            self._tell(key)
            kind = None
        if kind is None:
            kind = self._kinds[key] = _Kind(record.created)
        if kind.passed < BURST:
            kind.passed += 1
            super().emit(record)
            return
        kind.count += 1
        if kind.held_back is None:
            said = {"name": record.name, "levelno": record.levelno, "levelname": record.levelname}
            kind.held_back = logging.makeLogRecord({**said, "msg": record.getMessage()})
            with suppress(RuntimeError):  # no loop runs here
                kind.over = asyncio.get_running_loop().call_later(self._seconds, self._when_over, key)

    def close(self) -> None:
        """Tell of what was held back so far; the log ends."""
        self._forget_after_fork()
        for key in list(self._kinds):
            self._tell(key)
        super().close()

    def _forget_after_fork(self) -> None:
        """What was held back in another process is for that one to tell."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._kinds.clear()

    def _when_over(self, key: _Key) -> None:
        self.acquire()
        try:
            self._tell(key)
        finally:
            self.release()

    def _tell(self, key: _Key) -> None:
        kind = self._kinds.pop(key)
        if kind.over is not None:
            kind.over.cancel()
        if kind.held_back is not None:
            if kind.count > 1:
                kind.held_back.msg += f" (and {kind.count - 1:,} more like this)"
            super().emit(kind.held_back)
