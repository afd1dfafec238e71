"""The only wiring: a configuration becomes a source, a site, sockets and tasks, and all of it ends by cancellation.

Follow a change from `Generation.publish`, and a packet from `minidns.server.udp`.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from minidns import __version__, explain, metrics, names, watch, zonefile
from minidns.config import Config
from minidns.metrics import Report
from minidns.model import Change, Replaced
from minidns.server import admin
from minidns.server.serving import Serving
from minidns.server.workers import Workers
from minidns.site import Site
from minidns.source.choice import Source, open_source
from minidns.values import ConfigError, Listen, is_address

log = logging.getLogger(__name__)

Reread = Callable[[], Config]
#: What answers on the sockets: this process, or its workers.
Answering = Serving | Workers


class Generation:
    """A site with the source that feeds it. A reload that changes what is listed makes the next one."""

    def __init__(self, config: Config, site: Site, source: Source | None) -> None:
        self.config = config
        self.site = site
        self.source = source
        self.changes = 0
        self.answering: Answering | None = None
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, config: Config) -> Generation:
        """Raises ManifestError or ConnectError."""
        hosts = {listen.host for block in config.servers for listen in block.listen}
        addresses = tuple(names.packed_address(host) for host in sorted(hosts) if is_address(host) and host != "")
        site = Site(config, serial=int(time.time()), ns_addresses=addresses)
        if not config.source or not site.kinds:
            site.mark_synced()
            return cls(config, site, None)
        source = await open_source(config.source, site.kinds, config.state)
        site.publish(source.initial)
        if source.stale:
            site.mark_stale("from the state of an earlier run, until the API server answers")
        if source.stale or source.synced.is_set():
            site.mark_synced()
        return cls(config, site, source)

    def publish(self, changes: Sequence[Change]) -> None:
        """Bring changes into the site."""
        self.changes += len(changes)
        self.site.publish(changes)
        if self.answering:
            self.answering.publish(changes)

    def start(self) -> None:
        """Follow the source from now on."""
        if self.source is not None:
            self._task = asyncio.create_task(self._run(self.source), name="source")

    async def close(self) -> None:
        """Stop following, and let go of connections."""
        for front in self.site.fronts:
            front.close()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self.source is not None:
            await self.source.close()

    async def _run(self, source: Source) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._on_sync(source))
            tasks.create_task(source.run(self.publish))

    async def _on_sync(self, source: Source) -> None:
        if source.synced.is_set():
            return
        started = time.monotonic()
        await source.synced.wait()
        self.site.mark_synced()
        if self.answering:
            self.answering.mark_synced()
        if source.stale:
            source.stale = False
            self.site.mark_stale("")
            if self.answering:
                self.answering.mark_stale("")
        log.info("%s: synced in %.2f s, %s", source.origin, time.monotonic() - started, self.site.summary())
        settle()


def settle() -> None:
    """Take what a large first list made out of the garbage collector's sight: its pauses grow with what it watches."""
    gc.collect()
    gc.freeze()


class App:
    """One running minidns. What `minidns.server.admin` tells comes from here."""

    def __init__(self, config: Config, reread: Reread | None = None) -> None:
        self.config = config
        self._reread = reread
        self._generation: Generation
        self._workers = config.workers or os.cpu_count() or 1
        self._serving: Answering
        self._stopping = False
        #: Stopped by itself, because going on would do harm.
        self.failed = False
        self._started = time.time()
        self.admin_ports: dict[Listen, int] = {}

    @property
    def addresses(self) -> list[Listen]:
        """Where DNS is answered."""
        return self._serving.addresses

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everything is open and answers inside. Raises ManifestError, ConnectError or OSError."""
        async with AsyncExitStack() as stack:
            self._generation = await Generation.open(self.config)
            stack.push_async_callback(lambda: self._generation.close())
            site = self._generation.site
            self._serving = Serving(site) if self._workers == 1 else Workers(site, self._workers)
            await self._serving.start()
            self._generation.answering = self._serving
            stack.push_async_callback(self._serving.stop)
            self.admin_ports = await stack.enter_async_context(admin.serve(self._http(), self))
            self._generation.start()
            tasks = [asyncio.create_task(self._probe_loops(), name="loop probe")]
            if self._reread is not None and self.config.reload is not None:
                tasks.append(asyncio.create_task(self._reload_forever(), name="reload"))
            stack.callback(lambda: [task.cancel() for task in tasks])
            self._tell_start()
            settle()
            yield

    async def lameduck(self) -> None:
        """Answer on, unhealthy, for the time that load balancers are given to notice."""
        self._stopping = True
        if self.config.health and self.config.health.lameduck:
            await asyncio.sleep(self.config.health.lameduck)

    async def reload(self) -> None:
        """Read the configuration again and answer by it. One that is wrong changes nothing and is logged."""
        assert self._reread is not None
        try:
            config = self._reread()
        except ConfigError as error:
            log.error("the configuration stays as it was: %s", error)
            return
        if config == self.config:
            return
        try:
            await self._change_to(config)
        except Exception as error:
            log.error("the configuration stays as it was: %s", error)
            return
        self.config = config
        log.info("answering by the new configuration")

    async def _change_to(self, config: Config) -> None:
        old = self._generation
        site = Site(config, serial=int(time.time()))
        same = config.source == old.config.source and site.kinds == old.site.kinds and config.state == old.config.state
        if same:
            for kind, objects in old.site.objects().items():
                site.publish([Replaced(kind, objects)])
            if all(zone.synced for zone in old.site.zones):
                site.mark_synced()
            site.watchers = old.site.watchers
            await self._serving.replace(site)
            for front in old.site.fronts:
                front.close()
            old.config, old.site = config, site
            return
        new = await Generation.open(config)
        try:
            new.start()
            if new.source is not None:
                await new.source.synced.wait()
            new.site.watchers = old.site.watchers
            await self._serving.replace(new.site)
            new.answering, old.answering = self._serving, None
        except BaseException:
            await new.close()
            raise
        self._generation = new
        await old.close()

    async def _reload_forever(self) -> None:
        assert self.config.reload is not None
        while True:
            options = self.config.reload
            await asyncio.sleep(options.interval + random.uniform(0, options.jitter))
            await self.reload()

    async def _probe_loops(self) -> None:
        for front in self._generation.site.fronts:
            found = front.probe and front.resolver and await front.probe.run(front.resolver.forwarders)
            if found:
                log.error("%s", found)
                self.failed = True
                signal.raise_signal(signal.SIGTERM)

    def _http(self) -> dict[Listen, tuple[str, ...]]:
        wanted: dict[Listen, tuple[str, ...]] = {}
        config = self.config
        for listen, paths in (
            (config.admin, admin.PATHS),
            (config.health.listen if config.health else None, ("/health",)),
            (config.ready, ("/ready",)),
            (config.metrics, ("/metrics",)),
        ):
            if listen is not None:
                wanted[listen] = (*wanted.get(listen, ()), *paths)
        return {listen: tuple(dict.fromkeys(paths)) for listen, paths in wanted.items()}

    def _tell_start(self) -> None:
        source = self._generation.source
        log.info(
            "minidns %s answers on %s, HTTP on %s, from %s: %s",
            __version__,
            ", ".join(map(str, self.addresses)),
            ", ".join(f"{listen.host}:{port}" for listen, port in self.admin_ports.items()) or "no port",
            source.origin if source else "no source",
            self._generation.site.summary(),
        )

    # What the admin endpoints tell (minidns.server.admin.Answers).

    def health(self) -> bool:
        return not self._stopping

    def ready(self) -> tuple[bool, str]:
        source, site = self._generation.source, self._generation.site
        if not all(zone.synced for zone in site.zones):
            problem = source.problem()[0] if source else ""
            return False, f"not ready: {problem or 'waiting for the first full list'}"
        if source is not None and source.stale:
            return True, f"ready, from the state of an earlier run: {source.problem()[0] or 'no full list yet'}"
        reason, seconds = source.problem() if source else ("", 0.0)
        return True, f"ready; for {seconds:.0f} s without the API server: {reason}" if reason else "ready"

    def status(self) -> str:
        source = self._generation.source
        lines = [
            f"minidns {__version__}, up {time.time() - self._started:.0f} s",
            self.ready()[1],
            f"source: {source.origin if source else 'none'}",
            f"zone: {self._generation.site.summary()}",
            f"listening: {', '.join(map(str, self.addresses))}",
        ]
        return "\n".join(lines) + "\n"

    async def metrics(self) -> bytes:
        return await asyncio.to_thread(metrics.render, await self.report())

    async def report(self) -> Report:
        """What was counted, and the state of zone and source."""
        report = await self._serving.report()
        source, site = self._generation.source, self._generation.site
        for zone in site.zones:
            labels = (("zone", names.to_text(zone.settings.origin)),)
            report.gauges["minidns_zone_names", labels] = len(zone.nodes)
            report.gauges["minidns_zone_serial", labels] = zone.serial
        if source is not None:
            report.programming = source.timing
        report.counters["minidns_zone_changes", ()] += self._generation.changes
        report.gauges["minidns_source_synced", ()] = float(source is None or source.synced.is_set())
        report.gauges["minidns_source_stale", ()] = float(source is not None and source.stale)
        report.gauges["minidns_source_lost_seconds", ()] = source.problem()[1] if source else 0.0
        return report

    def zone(self, origin: str) -> str:
        name = names.from_text(origin) if origin else None
        for zone in self._generation.site.zones:
            if name is None or name in zone.origins:
                return "\n".join(zonefile.lines(zone, name or zone.settings.origin)) + "\n"
        raise ValueError(f"no zone {origin} here")

    def explain(self, query: Mapping[str, str]) -> bytes:
        return explain.to_json(self._generation.site.explain(query))

    def subscribe(self, queue: asyncio.Queue[bytes]) -> Callable[[], None]:
        def tell(event: watch.Event) -> None:
            # A full queue has lost its reader, or soon will: what it misses it can list.
            with suppress(asyncio.QueueFull):
                queue.put_nowait(watch.to_json(event))

        watchers = self._generation.site.watchers
        watchers.append(tell)
        return lambda: watchers.remove(tell)


async def serve(config: Config, reread: Reread | None = None) -> bool:
    """Serve until SIGTERM or SIGINT; SIGHUP reads the configuration again. False when it stopped by itself.

    Raises ConfigError, ManifestError, ConnectError or OSError, whose text says what is wrong.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    app = App(config, reread)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        task = asyncio.create_task(app.reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    if reread is not None:
        loop.add_signal_handler(signal.SIGHUP, reload)
    async with app.running():
        await stop.wait()
        log.info("stopping")
        await app.lameduck()
    return not app.failed
