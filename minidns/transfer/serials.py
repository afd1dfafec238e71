"""SOA serial numbers that never go back (RFC 1982), whatever becomes of the process and its clock.

A serial follows the time: it begins at `PER_SECOND` per second of the wall clock and from there keeps pace with a
clock that nobody sets. A change takes the next serial or that of its moment, whichever is ahead. So a process that
starts begins ahead of every serial of an earlier one, as long as that one saw fewer than `PER_SECOND` changes a second
over its life, and the wall clock was not set back by more than the time that this left over.

With a file, nothing is left to the clock: it says up to where serials may have been used, and is written ahead of use.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from functools import reduce
from pathlib import Path

log = logging.getLogger(__name__)

#: Serials per second: a million changes an hour are 278 a second. Half of all serials, which is how far RFC 1982 can
#: tell ahead from behind, last 24 days.
PER_SECOND = 1024
#: How far ahead the file reserves serials, and seconds between two looks at it.
RESERVED = 300 * PER_SECOND
INTERVAL = 60.0
_ALL, _HALF = 1 << 32, 1 << 31


def is_ahead(one: int, other: int) -> bool:
    """Whether a serial is after another one (RFC 1982, 3.2)."""
    return 0 < (one - other) % _ALL < _HALF


def latest(*serials: int) -> int:
    """The serial that none of the others is ahead of."""
    return reduce(lambda one, other: other if is_ahead(other, one) else one, serials)


def following(serial: int, moment: int) -> int:
    """What comes after a serial at a moment, which is a serial too (`Serials.now`)."""
    return latest((serial + 1) % _ALL, moment)


def apart(serial: int, moment: int, seconds: float) -> int:
    """Where zones go on that take over from others, which have some seconds left: ahead of all that these may take.

    serial, moment: the latest of the others, and now. One that is ahead of the time takes one serial per change, and a
    hundred changes a second are many.
    """
    left = int(seconds * PER_SECOND)
    return latest((serial + 1 + left // 10) % _ALL, (moment + left) % _ALL)


class Serials:
    """Where serials begin, and how they keep pace with the time.

    path: the file that keeps them. wall, steady: clocks, in seconds; only `steady` is read after the start.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._steady = steady
        self._began = steady()
        self._first = int(wall() * PER_SECOND) % _ALL
        if path is not None and (kept := _read(path)) is not None:
            self._first = kept

    def now(self) -> int:
        """The serial of this moment."""
        return (self._first + int((self._steady() - self._began) * PER_SECOND)) % _ALL

    async def keep(self, used: Callable[[], int]) -> None:
        """Write down that serials up to `RESERVED` ahead are taken, again and again; when cancelled, those that were.

        used: gives the latest serial.
        """
        told = ""
        try:
            while self._path is not None:
                reserved = (latest(used(), self.now()) + RESERVED) % _ALL
                told = await asyncio.to_thread(_keep, self._path, reserved, told)
                await asyncio.sleep(INTERVAL)
        finally:
            if self._path is not None:
                _keep(self._path, (latest(used(), self.now()) + 1) % _ALL, told)


def _read(path: Path) -> int | None:
    try:
        return int(path.read_text("ascii")) % _ALL
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.warning("the serial number in %s is ignored: %s", path, error)
        return None


def _keep(path: Path, serial: int, told: str) -> str:
    """Write the file. Returns what is wrong with it, and says so in the log unless that is `told` already."""
    try:
        _write(path, serial)
    except OSError as error:
        if told != str(error):
            log.warning("cannot keep serial numbers in %s: %s", path, error)
        return str(error)
    return ""


def _write(path: Path, serial: int) -> None:
    beside = path.with_name(f"{path.name}.new")
    with beside.open("w", encoding="ascii") as file:
        file.write(f"{serial}\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
