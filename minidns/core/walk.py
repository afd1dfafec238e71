"""All names of a zone index in small steps, with changes to it in between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from minidns.core.names import Name
from minidns.core.zone import NOTHING, Zone

#: Names of one step: some 0.3 ms. Names that are passed over in one step: 0.6 ms.
STEP, SKIP = 1000, 50_000


def walk(zone: Zone, step: int = STEP, skip: int = SKIP) -> Iterator[tuple[Sequence[Name], int]]:
    """Every name that was there when this began and still is, and some that are new.

    Gives some names, none at times, and among how many of the last ones before they may have been already. Between two
    of these the zone may change.
    """
    at, looked, moves = 0, 0, zone.moves
    # New names come behind the others: to look at those too would not end while every step brings some.
    end = len(zone.nodes)
    left = iter(zone.nodes)
    while at < end:
        before, seen = at, 0
        while zone.moves != moves:
            # Names that are left have moved up by one for each that went at most: look at some again.
            at, moves = max(0, at - (zone.moves - moves)), zone.moves
            seen = looked - at
            left = iter(zone.nodes)
            for passed in range(0, at, skip):
                if passed:
                    yield (), 0
                if zone.moves != moves:
                    skip *= 2  # where a change comes with each step, it would get no further
                    break
                next(islice(left, min(skip, at - passed) - 1, None))
        some = tuple(islice(left, step + before - at))
        if not some:
            break
        at += len(some)
        looked += len(some)
        yield some, seen


def drop_ready(zone: Zone, step: int = STEP) -> Iterator[None]:
    """Drop what is ready to send at every node, in steps."""
    for some, _ in walk(zone, step):
        for name in some:
            node = zone.nodes[name]
            # Looked at first: memory that is not written to stays shared with a fork.
            if node.ready is not NOTHING:
                node.ready = NOTHING
        yield
