"""A site and the source that feeds it, as long as one configuration holds."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Iterable, Sequence

from minidns.config.settings import Config
from minidns.config.values import is_address
from minidns.core import names
from minidns.core.batches import batches, copies, differences
from minidns.core.model import Change, Replaced
from minidns.core.zone import Zone
from minidns.server.serving import Serving
from minidns.server.workers import Workers
from minidns.site import Site
from minidns.source.choice import Source, open_source
from minidns.transfer.kept import Kept
from minidns.transfer.notify import Notifier
from minidns.transfer.serials import Serials, apart, latest

log = logging.getLogger(__name__)

#: Names that an old zone loses at a time: some 0.3 ms.
_SHRINK = 1000
#: What answers on the sockets: this process, or its workers.
Answering = Serving | Workers


class Generation:
    """A site with the source that feeds it. A reload that changes what is listed makes the next one.

    successor: the site that is about to take over; changes go to both. listed: set once the site answers from the first
    full lists of everything: what a state file had is less.
    """

    def __init__(self, config: Config, site: Site, source: Source | None, serials: Serials) -> None:
        self.config = config
        self.site = site
        self.successor: Site | None = None
        self.source = source
        self.changes = 0
        self._serials = serials
        self.answering: Answering | None = None
        self.listed = asyncio.Event()
        if source is None or source.synced.is_set():
            self.listed.set()
        self._renewing = False
        self._task: asyncio.Task[None] | None = None
        self.notifier = Notifier((), self.advance)
        self._notifying = False
        self._kept = kept_of(config)
        self._keeping: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, config: Config, serials: Serials, serial: int) -> Generation:
        """serial: where the zones begin. Raises ManifestError or ConnectError."""
        site = site_of(config, serial)
        if not config.source or not site.kinds:
            site.mark_synced()
            return cls(config, site, None, serials)
        source = await open_source(config.source, site.kinds, config.state)
        for change in source.initial:
            changes = differences(change, {}) if isinstance(change, Replaced) else (change,)
            await _in_batches(site, changes)
        if source.stale:
            site.mark_stale("from the state of an earlier run, until the API server answers")
        generation = cls(config, site, source, serials)
        if source.stale or source.synced.is_set():
            site.mark_synced(source.missing)
            await generation._restore(site)
        return generation

    @property
    def answers(self) -> bool:
        """Whether there is something to answer from, in every process."""
        return self.site.synced and not self._renewing

    async def prepare(self, site: Site) -> None:
        """Make a site the successor, that answers from the same objects by another configuration. Zones with the same
        nodes are shared, others are filled while this one answers."""
        self.successor = site
        if not set(site.zones) <= set(self.site.zones):
            for known in self.site.known().values():
                await _in_batches(site, copies(known))
        if self.site.synced:
            site.mark_synced(self.site.unsynced)
        site.mark_stale(self.site.stale)
        self.go_ahead_of(self.site, site)

    def go_ahead_of(self, old: Site, site: Site) -> None:
        """Let the zones of a site that is about to take over from an old one have serials that are theirs alone.

        Both followed the same moments: a secondary that has a serial of one would be told of the other's changes.
        """
        overlap = self.answering.overlap if self.answering else 0.0
        ahead = apart(latest(old.serial, site.serial), self._serials.now(), overlap)
        site.advance(ahead, but=old.zones)

    async def succeed(self, config: Config, site: Site) -> None:
        """The successor has taken over. Ends when every answer is by its configuration."""
        old = self.site
        site.watchers = old.watchers
        for front in old.fronts:
            front.close()
        self.config, self.site, self.successor = config, site, None
        if self.answering:
            await self.answering.sweep(site)
        await _empty(set(old.zones) - set(site.zones))

    def publish(self, changes: Sequence[Change]) -> None:
        """Bring changes into the site."""
        if not changes:
            return
        self.changes += len(changes)
        moment = self._serials.now()
        told: tuple[Zone, ...] = ()
        for site in self._sites():
            site.publish(changes, moment, but=told)
            told += site.zones
            if self.answering:
                self.answering.publish(site, changes, moment)
        self.notifier.moved()

    def advance(self, serial: int) -> None:
        """Move on to a serial: somebody has one that is ahead of ours."""
        for site in self._sites():
            site.advance(serial)
            if self.answering:
                self.answering.advance(site, serial)
        self.notifier.moved()

    def notify(self) -> None:
        """Tell secondaries of changes, by the configuration as it is: from now on, or once every process has something
        to answer from."""
        self._notifying = True
        self.notifier.close()
        self.notifier = Notifier(self.site.targets(), self.advance)
        if self.site.synced:
            self.notifier.start()

    def start(self) -> None:
        """Follow the source from now on."""
        if self.source is not None:
            self._task = asyncio.create_task(self._run(self.source), name="source")
            if self._kept is not None:
                self._keeping = asyncio.create_task(self._kept.keep(lambda: self.site.journals), name="keep zones")
            self._task.add_done_callback(_tell_end)

    async def close(self) -> None:
        """Stop following, and let go of connections."""
        self.notifier.close()
        if self._keeping is not None and self._kept is not None:
            self._keeping.cancel()
            await asyncio.wait((self._keeping,))
            await self._kept.save(self.site.journals)
        for front in self.site.fronts:
            front.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        if self.source is not None:
            await self.source.close()

    async def empty(self) -> None:
        """Let go of the zones, in steps, once nobody asks them any more."""
        await _empty(self.site.zones)

    async def _run(self, source: Source) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._on_sync(source))
            tasks.create_task(source.run(self.publish))

    async def _on_sync(self, source: Source) -> None:
        if not source.synced.is_set():
            await self._on_first_sync(source)
        await source.complete.wait()
        if any(site.unsynced for site in self._sites()):
            await self._mark_synced(source)
            log.info("%s: everything is followed, %s", source.origin, self.site.summary())

    async def _on_first_sync(self, source: Source) -> None:
        started = time.monotonic()
        await source.synced.wait()
        source.stale = False
        await self._mark_synced(source)
        self.listed.set()
        log.info("%s: synced in %.2f s, %s", source.origin, time.monotonic() - started, self.site.summary())
        if self._notifying:
            settle()  # one that is about to take over is settled when the other has gone

    async def _mark_synced(self, source: Source) -> None:
        """Answer from the lists that are in."""
        self._renewing = not self.site.synced
        try:
            for site in self._sites():
                is_first = not site.synced
                site.mark_synced(source.missing)
                site.mark_stale("")
                if is_first:
                    await self._restore(site)
                if self.answering:
                    await self.answering.mark_synced(site)
                    await self.answering.sweep(site)
        finally:
            self._renewing = False
        if self._notifying:
            self.notify()

    async def _restore(self, site: Site) -> None:
        """Go on from the zones that an earlier run left to its secondaries."""
        if self._kept is not None:
            await self._kept.restore(site.journals)

    def _sites(self) -> list[Site]:
        return [self.site] if self.successor is None else [self.site, self.successor]


async def _in_batches(site: Site, changes: Iterable[Change | None]) -> None:
    for batch in batches(changes):
        site.publish(batch)
        await asyncio.sleep(0)


async def _empty(zones: Iterable[Zone]) -> None:
    """Let go of zones that nobody asks any more: at once, a million names would take a third of a second."""
    for zone in zones:
        while zone.shrink(_SHRINK):  # noqa: ASYNC110 - nothing is waited for
            await asyncio.sleep(0)


def kept_of(config: Config) -> Kept | None:
    """Where the zones of a configuration are kept for secondaries, if it has or gets any: beside its state file."""
    return Kept(config.state.with_name(f"{config.state.name}.zones")) if config.state else None


def site_of(config: Config, serial: int, like: Site | None = None) -> Site:
    """The site of a configuration, whose name server has the addresses that are listened on.

    like: a site whose zones it shares where they are told the same.
    """
    hosts = {listen.host for block in config.servers for listen in block.listen if is_address(listen.host)}
    addresses = (names.packed_address(host) for host in sorted(hosts))
    return Site(config, serial=serial, ns_addresses=tuple(one for one in addresses if any(one)), like=like)


def _tell_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.critical("what has changed since is not followed: restart minidns", exc_info=error)


def settle() -> None:
    """Take what a large first list made out of the garbage collector's sight: its pauses grow with what it watches.

    What was out of its sight before comes back first: else a generation that has gone would stay in memory for good.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
