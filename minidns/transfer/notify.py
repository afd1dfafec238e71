"""Word of new serials to secondaries (RFC 1996), and which serial each of them has.

One clock tells all of them at the same moment, so that they ask for the same. A change after a quiet time is told at
once; while changes keep coming, no oftener than `INTERVAL`; what is not acknowledged is told again after a wait that
doubles, which further changes do not shorten: a secondary that is away costs a packet a minute. Of the zones that share
a serial those are told of whose records changed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from minidns.config.plugins.transfer import Secondary
from minidns.core.names import Name
from minidns.transfer.answering import Asked
from minidns.transfer.follower import Behind, Follower, Standing, Target, running

#: Seconds between two notifications of one secondary about one zone, at least; and notifications a second to all.
INTERVAL, RATE = 0.05, 1000
#: Secondaries that are told in one go: half a millisecond. And seconds until the next ones are.
AT_ONCE, PAUSE = 10, 0.001
#: Seconds after a change that a burst is waited for, and that every process which answers gets to bring it in.
SETTLE = 0.005


class Notifier:
    """Tells every secondary of a configuration, from `start` to `close`.

    ahead: called with a serial to go on from when a secondary has one that is ahead of ours.
    """

    def __init__(self, targets: Sequence[Target], ahead: Callable[[int], None]) -> None:
        self._interval = max(INTERVAL, sum(len(target.zones) for target in targets) / RATE)
        self._wake = asyncio.Event()
        self._targets = [Follower(target, self._interval, ahead, self.moved) for target in targets]
        self._transfers = [target.transfers for target in targets]
        self._journals = {id(journal): journal for target in targets for _, journal in target.zones.values()}
        # Two secondaries at one address cannot be told apart when they ask.
        keys = Counter((origin, one.host) for one in self._targets for origin in one.zones)
        self._at = {
            (origin, one.host): one for one in self._targets for origin in one.zones if keys[origin, one.host] == 1
        }
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def counts(self) -> tuple[int, int]:
        """Notifications sent, and those of them that were acknowledged."""
        return sum(one.sent for one in self._targets), sum(one.acknowledged for one in self._targets)

    def start(self) -> None:
        """Tell from now on, first of the serials as they are."""
        for transfers in self._transfers:
            transfers.given = self._given
        for loop in (self._tell(), *(target.check() for target in self._targets)) if self._targets else ():
            self._tasks.append(running(loop, "notify"))

    def moved(self) -> None:
        """Serials may have moved."""
        self._wake.set()

    def close(self) -> None:
        """Tell no more."""
        for task in self._tasks:
            task.cancel()
        for target in self._targets:
            target.close()

    async def _tell(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            began = loop.time()
            for journal in self._journals.values():
                journal.tell()
            for number, target in enumerate(self._targets, 1):
                target.tell()
                if number % AT_ONCE == 0:
                    await asyncio.sleep(PAUSE)
            await asyncio.sleep(began + self._interval - loop.time())
            if not self._wake.is_set():
                await self._wake.wait()
                await asyncio.sleep(SETTLE)

    def _given(self, secondary: Secondary, origin: Name, serial: int) -> None:
        if follower := self._at.get((origin, secondary.host)):
            follower.given(origin, serial)

    async def standings(self, asked: Asked, *, fresh: bool = False) -> list[Standing]:
        """Every secondary with every zone of it. fresh: ask all of them now, which takes a second if one is away."""
        if fresh:
            await asyncio.gather(*(target.refresh() for target in self._targets))
        behind: dict[tuple[Name, int | None], Behind] = {}  # many secondaries, few serials
        return [target.standing(origin, asked, behind) for target in self._targets for origin in target.zones]
