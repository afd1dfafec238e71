"""Verbs in time: the first step of each at once, the others one after the other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial

from minidns.core import model
from minidns.source.manifests.controllers.play import InForce, Moved, Play
from minidns.source.manifests.controllers.verbs import Verb
from minidns.source.manifests.log import changes, log_some

log = logging.getLogger("minidns.manifests")

#: Seconds between two steps: enough to ask in between.
PACE = 1.0

Publish = Callable[[Sequence[model.Change]], None]
#: Is given the steps that are taken, and what publishes their changes, which it calls once, at once. Without steps a
#: verb was refused, and one before it brought to its end.
Show = Callable[[Sequence[Moved], Callable[[], None]], None]


class Stage:
    """Where the verbs on one cluster are played. `run` has to be running for more than their first steps.

    changing: hold it to change the cluster. show: sees every step. sleep: lets so many seconds pass.
    """

    def __init__(self, play: Play, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        self.changing = asyncio.Lock()
        self.show: Show = lambda _, publish: publish()
        self._play = play
        self._sleep = sleep
        self._pace = PACE
        self._begun = asyncio.Event()

    @property
    def under_way(self) -> int:
        """Steps that are still to come, one after the other."""
        return self._play.under_way

    def in_force(self) -> Iterator[InForce]:
        """Everything that is not as the manifests have it."""
        return self._play.in_force()

    async def do(self, verb: Verb, publish: Publish, pace: float = PACE) -> None:
        """Begin a verb; from now on `pace` seconds are between two steps. Raises VerbError."""
        async with self.changing:
            moved: list[Moved] = []
            try:
                # In a thread: the loop answers queries meanwhile.
                moved.append(await asyncio.to_thread(self._play.do, verb))
            finally:
                self._tell(moved, publish)
        self._pace = pace
        self._begun.set()

    async def run(self, publish: Publish) -> None:
        """Take the steps of every verb as their time comes, until cancelled."""
        while True:
            await self._begun.wait()
            self._begun.clear()
            while self._play.under_way:
                await self._sleep(self._pace)
                async with self.changing:
                    moved = await asyncio.to_thread(self._play.advance)
                    self._tell(moved, publish)

    def _tell(self, moved: Sequence[Moved], publish: Publish) -> None:
        edits = self._play.take_edits()
        if not moved and not edits:
            return
        what = "; ".join(f"{one.command}: {one.text}" for one in moved)
        log_some(logging.INFO, (f"{what}: {line}" for line in changes(edits)))
        self.show(moved, partial(publish, [edit.change for edit in edits]))
