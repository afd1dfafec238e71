"""Work that may take long, in pieces between which packets are answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")

#: Seconds of a piece.
PIECE = 0.001


async def in_pieces(steps: Generator[object, None, T], piece: float = PIECE) -> T:
    """Go through short steps, and let others in after each piece of so many seconds; what the generator returned."""
    until = time.perf_counter() + piece
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        if time.perf_counter() >= until:
            await asyncio.sleep(0)
            until = time.perf_counter() + piece
