"""What one process shows of the queries that it answers, while somebody looks: a part of them, a bounded number.

Time is cut into slices, at the same places in every process. What is answered at the start of a slice is shown, until
that are as many as may be; of what follows in it only the number is known. So neighbours stay together (A and AAAA, the
steps of a search list), and a query that is not shown costs nothing, however many there are. One that is shown costs
some 30 us, as much as five that are not: hence all are shown where few are answered, and a share of many.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import time

from minidns.core.responder import Exchange, Observe
from minidns.front import Front
from minidns.views.queries import Query, Slice, query_of

log = logging.getLogger(__name__)

#: Seconds of a slice. Queries per second that all processes together show in any case (0.3% of a core), and at most.
SLICE, FREE, MOST = 0.25, 100, 1000
#: Beyond FREE, one of so many is shown: what that costs is at most a tenth of what answering them does.
ONE_OF = 64

Deliver = Callable[[Slice], None]


class Tap:
    """Shows queries from `start` to `stop`.

    deliver: is given each slice in which something was answered, at its end. share: how many processes have the
    limits together.
    """

    def __init__(self, deliver: Deliver, share: int = 1) -> None:
        self._deliver = deliver
        self._free, self._most = (max(1, int(limit * SLICE / share)) for limit in (FREE, MOST))
        self._room = self._free
        self._seen = 0
        self._queries: list[Query] = []
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(SLICE - time() % SLICE, self._tick)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def observing(self, front: Front) -> Observe:
        """What is to be told of the answers of a front."""

        def observe(count: int, exchange: Callable[[int], Exchange]) -> None:
            self._seen += count
            room = self._room - len(self._queries)
            if room > 0:
                try:
                    self._show(front, list(map(exchange, range(min(count, room)))))
                except Exception:  # what is shown of an answer must not keep the next one from being given
                    log.exception("cannot show what was answered")

        return observe

    def _show(self, front: Front, exchanges: list[Exchange]) -> None:
        now = time()
        self._queries += (query_of(one, *front.behind(one), now) for one in exchanges)

    def end_slice(self) -> None:
        """Deliver what was shown since the last time, and begin anew."""
        # As much as went by is likely to come: what may be shown of it is known at the start of its slice.
        self._room = min(self._most, self._free + self._seen // ONE_OF)
        if self._seen:
            self._deliver(Slice(self._seen, tuple(self._queries)))
            self._seen, self._queries = 0, []

    def _tick(self) -> None:
        self.end_slice()
        self.start()


def both(first: Observe | None, second: Observe | None) -> Observe | None:
    """What tells two, either of which may be nobody."""
    if first is None or second is None:
        return first or second

    def observe(count: int, exchange: Callable[[int], Exchange]) -> None:
        first(count, exchange)
        second(count, exchange)

    return observe
