"""Several processes that answer on the same ports (SO_REUSEPORT), fed by one that watches.

A worker is a fork of the watching process: it begins with the zone as it is then, shares that memory, and from there on
gets every change over a socket pair. One that ends is replaced by another fork, which needs nothing from the others.
The watching process opens the sockets, a set for each worker, and keeps them: what comes in between the end of one
worker and the start of the next waits there. A new configuration loses nothing, a fault only what that worker had read.
One that does not keep up is ended: the watcher never waits. One that hangs, in a loop or stopped, too: each says again
and again that it works. When the watching process ends, its workers see the end of their feed and drain.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from time import monotonic
from typing import Any

from minidns.config.values import Listen
from minidns.core.model import Change
from minidns.metrics import Report
from minidns.server.listening import Listening
from minidns.server.serving import Serving
from minidns.server.tap import Deliver
from minidns.server.worker import ALIVE, BEHIND, become_worker, frame, read
from minidns.site import Site
from minidns.views.queries import Slice

log = logging.getLogger(__name__)

#: Seconds that a worker gets to open its sockets, and to answer what it has read at the end; and to report.
PATIENCE = 5.0
REPORT_PATIENCE = 1.0
#: Seconds from the start of a worker to that of its successor at least, and between two attempts to start one: what
#: cannot start keeps no core busy.
PAUSE = 0.5
#: Seconds between two questions to a worker whether it works, and how many in a row it may leave unanswered. One that
#: hangs is noticed within (UNANSWERED + 1) * PULSE.
PULSE, UNANSWERED = 0.4, 3


class Workers:
    """`count` processes that answer from a site, from `start` to `stop`.

    before: done at the start while only this process answers. restarts: how many workers ended and were replaced.
    overlap: seconds for which two sites may answer while one takes over from the other: until the new workers listen,
        and the old ones have ended.
    """

    overlap = 2 * PATIENCE

    def __init__(self, site: Site, count: int, *, before: Callable[[], Awaitable[None]] | None = None) -> None:
        self._site = site
        self._count = count
        self._before = before
        self._slots: list[dict[Listen, Listening]] = [{} for _ in range(count)]
        self._workers: set[_Worker] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._changing = asyncio.Lock()
        self._past = Report()
        self._deliver: Deliver | None = None
        self.restarts = 0

    async def start(self) -> None:
        """Open the sockets and fork. Raises OSError, which names the address."""
        self._open(self._site)
        if self._before:
            copies = [{listen: one.copy() for listen, one in slot.items()} for slot in self._slots]
            here = [Serving(self._site, opened=opened) for opened in copies]
            try:
                for serving in here:
                    await serving.start()
                await self._before()
            finally:
                for serving in here:
                    await serving.stop()
            for zone in self._site.zones:
                zone.outdated = True  # from here on nothing is ready to send in this process
            await self._site.sweep()
        await self._fork_all()

    async def replace(self, site: Site) -> None:
        """Answer from another site: with new workers, before the old ones end."""
        async with self._changing:
            await self._replace(site)

    async def _replace(self, site: Site) -> None:
        self._open(site)
        if site is not self._site:
            # Only what is forked from now on sees it: workers have copies of their own of zones that both sites share.
            site.take_over(self._site)
            self._site = site
        old = set(self._workers)
        await self._fork_all()
        self._workers -= old
        await asyncio.gather(*(worker.end() for worker in old))
        for slot in self._slots:
            for listen in slot.keys() - site.by_address().keys():
                slot.pop(listen).close()

    def _open(self, site: Site) -> None:
        """Open the sockets that are not open yet, for each worker. Raises OSError; then everything is as it was."""
        added: list[tuple[dict[Listen, Listening], Listen]] = []
        try:
            for slot in self._slots:
                for listen in site.by_address().keys() - slot.keys():
                    first = self._slots[0].get(listen)
                    listening = Listening(Listen(listen.host, first.port) if first else listen, shared=True)
                    listening.open()
                    slot[listen] = listening
                    added.append((slot, listen))
        except OSError:
            for slot, listen in added:
                slot.pop(listen).close()
            raise

    async def stop(self) -> None:
        """Let every worker answer what it has read, and wait for all."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(worker.end() for worker in self._workers))
        self._workers.clear()
        for slot in self._slots:
            for listening in slot.values():
                listening.close()

    @property
    def pids(self) -> list[int]:
        """The processes that answer."""
        return sorted(worker.pid for worker in self._workers)

    @property
    def addresses(self) -> list[Listen]:
        """Where answers are to be had."""
        return [Listen(listen.host, self._slots[0][listen].port) for listen in self._site.by_address()]

    def publish(self, site: Site, changes: Sequence[Change], moment: int) -> None:
        """Tell every worker that answers from a site of changes that are in it already.

        Before the first sync there is nothing to tell: workers say so, and those that follow them have it all.
        """
        self._tell(site, ("publish", list(changes), moment))

    def advance(self, site: Site, serial: int) -> None:
        """Tell every worker that answers from a site of the serial that it has moved on to."""
        self._tell(site, ("advance", serial))

    def _tell(self, site: Site, what: object) -> None:
        if site.synced:
            message = frame(what)
            for worker in self._workers:
                if worker.site is site:
                    worker.send(message)

    def tap(self, deliver: Deliver | None) -> None:
        """Show what all workers answer from now on; None ends that."""
        self._deliver = deliver
        for worker in self._workers:
            worker.send(self._tapping())

    def _tapping(self) -> bytes:
        return frame(("tap", self._count if self._deliver else 0))

    def _show(self, shown: Slice) -> None:
        if self._deliver is not None:
            self._deliver(shown)

    async def mark_synced(self, site: Site) -> None:
        """Answer with workers that share what the first full list has made; they do when this ends."""
        await asyncio.wait((self._later(self._renew(site)),))

    async def sweep(self, site: Site) -> None:
        """Nothing is ready to send here, and workers begin with nothing."""

    async def _renew(self, site: Site) -> None:
        async with self._changing:
            if site is self._site:
                await self._replace(site)

    async def report(self) -> Report:
        """What all workers counted, those that have ended too."""
        total = Report()
        total.add(self._past)
        for report in await asyncio.gather(*(worker.report() for worker in self._workers)):
            total.add(report)
        total.gauges["minidns_workers", ()] = len(self._workers)
        total.counters["minidns_worker_restarts", ()] = self.restarts
        return total

    async def _fork_all(self) -> None:
        # What is frozen is not traversed, hence not written to and not copied, by a collection in a worker.
        # What was frozen for earlier workers and has gone since is let go of; this process answers nobody meanwhile.
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        workers = [await self._fork(slot) for slot in range(self._count)]
        await asyncio.gather(*(worker.listening() for worker in workers))

    async def _fork(self, slot: int) -> _Worker:
        ours, theirs, pid = await _forked()
        if pid == 0:
            opened = self._slots[slot]
            become_worker(self._site, theirs, {listen: opened[listen] for listen in self._site.by_address()})
        theirs.close()
        ours.setblocking(False)
        worker = _Worker(pid, slot, self._site, self._ended, self._show)
        # Known before anything is awaited: it has all that was published until the fork, and is sent all after it.
        self._workers.add(worker)
        if self._deliver is not None:
            worker.send(self._tapping())
        await worker.connect(ours)
        return worker

    def _ended(self, worker: _Worker) -> None:
        self._past.add(replace(worker.last, gauges={}))
        if worker in self._workers and not self._stopping:
            self._workers.discard(worker)
            log.error("worker %d ended, starting another", worker.pid)
            self._later(self._replace_one(worker))

    def _later(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("workers: %s", error, exc_info=error)

    async def _replace_one(self, ended: _Worker) -> None:
        await asyncio.sleep(ended.started + PAUSE - monotonic())
        async with self._changing:
            if all(worker.slot != ended.slot for worker in self._workers):
                self.restarts += 1
                worker = await self._fork(ended.slot)
                await worker.listening()


class _Worker:
    """The watching process's end of one worker. last: what it counted, as far as it has said."""

    def __init__(self, pid: int, slot: int, site: Site, ended: Callable[[_Worker], None], show: Deliver) -> None:
        self.pid = pid
        self.slot = slot
        self.started = monotonic()
        self.site = site
        self.last = Report()
        self._ended = ended
        self._show = show
        self._early: list[bytes] = []
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._unanswered = 0
        self._over = False
        self._reported = asyncio.Event()
        self._listens = asyncio.Event()

    async def connect(self, feed: socket.socket) -> None:
        """Use our end of the socket pair."""
        reader, self._writer = await asyncio.open_connection(sock=feed, limit=BEHIND)
        self._writer.writelines(self._early)
        self._early.clear()
        self._task = asyncio.create_task(self._listen(reader))

    def send(self, message: bytes) -> None:
        """Never waits. A worker that is too far behind is ended; another will have the whole state."""
        if self._writer is None:
            self._early.append(message)
        elif self._writer.transport.get_write_buffer_size() > BEHIND:
            log.error("worker %d does not keep up", self.pid)
            self._kill()
        else:
            self._unanswered -= len(message) >> 20
            self._writer.write(message)

    async def listening(self) -> None:
        """Wait until its sockets are open, or it has ended. One that takes too long is ended, and replaced."""
        try:
            await asyncio.wait_for(self._listens.wait(), PATIENCE)
        except TimeoutError:
            log.error("worker %d does not start", self.pid)
            self._kill()

    async def report(self) -> Report:
        """What it counted; when it does not answer in time, what it said the last time."""
        self._reported.clear()
        self.send(frame(("report",)))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._reported.wait(), REPORT_PATIENCE)
        return self.last

    async def end(self) -> None:
        """End its feed, and wait until it has answered what it had read."""
        assert self._writer is not None
        assert self._task is not None
        self._over = True
        if not self._writer.transport.is_closing():
            self._writer.write_eof()
        try:
            await asyncio.wait_for(asyncio.shield(self._task), PATIENCE)
        except TimeoutError:
            self._kill()
            await self._task

    async def _watch(self) -> None:
        """End it when it hangs. Questions are counted, not seconds: while we are busy ourselves we ask none.

        A megabyte of changes counts for one question less: taking them in is no hanging.
        """
        while True:
            await asyncio.sleep(PULSE)
            if self._over:
                return
            if self._unanswered == UNANSWERED:
                log.error("worker %d hangs", self.pid)
                self._kill()
                return
            self._unanswered += 1
            self.send(frame(ALIVE))

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Take in what the worker says until it has ended."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                said = await read(reader)
                if isinstance(said, Report):
                    self.last = said
                    self._reported.set()
                elif said == ALIVE:
                    self._unanswered = min(self._unanswered, 0)
                elif isinstance(said, Slice):
                    self._show(said)
                else:
                    self._listens.set()
                    self._watching = asyncio.create_task(self._watch())
        self._over = True
        self._listens.set()
        self._reported.set()
        if self._writer is not None:
            self._writer.close()
        await _end_of(self.pid)
        self._ended(self)

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


async def _forked() -> tuple[socket.socket, socket.socket, int]:
    """A socket pair, and what a fork gives. While the system has no process for us it is tried again and again, and the
    workers that there are answer on."""
    told = False
    while True:
        ours, theirs = socket.socketpair()
        try:
            return ours, theirs, os.fork()
        except OSError as error:
            ours.close()
            theirs.close()
            if not told:
                log.error("cannot start a worker, trying again: %s", error.strerror)
            told = True
        await asyncio.sleep(PAUSE)


async def _end_of(pid: int) -> None:
    """Wait for the end of a child, and take note of it."""
    ended = asyncio.Event()
    number = os.pidfd_open(pid)
    asyncio.get_running_loop().add_reader(number, ended.set)
    try:
        await ended.wait()
    finally:
        asyncio.get_running_loop().remove_reader(number)
        os.close(number)
    _reap(pid)


def _reap(pid: int) -> None:
    os.waitpid(pid, 0)
