"""The only wiring: a configuration becomes a source, a site, sockets and tasks, and all of it ends by cancellation.

Follow a change from `minidns.generation.Generation.publish`, and a packet from `minidns.server.udp`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress

from minidns import __version__
from minidns.admin import table
from minidns.config.settings import Cluster, Config
from minidns.config.values import ConfigError, Listen
from minidns.generation import Answering, Generation, settle, site_of
from minidns.server.http.serving import serve as serve_http
from minidns.server.serving import Serving
from minidns.server.workers import Workers
from minidns.source.kubernetes.kubeconfig import ConnectError
from minidns.source.manifests.source import ManifestError
from minidns.transfer.serials import Serials, following

log = logging.getLogger(__name__)

#: Errors whose text is for people.
_OF_PEOPLE = (ConfigError, ConnectError, ManifestError, OSError)

#: Seconds after which nothing that the old generation had under way goes on: questions to upstreams have five.
SETTLING = 6.0

Reread = Callable[[], Config]


class App:
    """One running minidns, and what `minidns.admin` tells of it (`minidns.admin.running.Running`)."""

    def __init__(self, config: Config, reread: Reread | None = None) -> None:
        self.config = config
        self._reread = reread
        self.generation: Generation
        self.answering: Answering
        self._workers = config.workers or os.cpu_count() or 1
        self._serials = Serials(config.state and config.state.with_name(f"{config.state.name}.serial"))
        self._table = table.endpoints(self)
        self.stopping = False
        #: Stopped by itself, because going on would do harm.
        self.failed = False
        self.started = time.time()
        self._reloading = asyncio.Lock()
        self._http = AsyncExitStack()
        self.admin_ports: dict[Listen, int] = {}

    @property
    def addresses(self) -> list[Listen]:
        """Where DNS is answered."""
        return self.answering.addresses

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everything is open and answers inside. Raises ManifestError, ConnectError or OSError."""
        async with AsyncExitStack() as stack:
            self.generation = await Generation.open(self.config, self._serials, self._serials.now())
            stack.push_async_callback(lambda: self.generation.close())
            site = self.generation.site
            before = self._probe_loops if any(front.probe for front in site.fronts) else None
            self.answering = Serving(site) if self._workers == 1 else Workers(site, self._workers, before=before)
            del site  # it would stay in memory, with all its zones, after another has taken over
            await self.answering.start()
            self.generation.answering = self.answering
            stack.push_async_callback(self.answering.stop)
            await stack.enter_async_context(self._http)
            self.admin_ports = await self._http.enter_async_context(self._serve_http(self.config))
            self.generation.start()
            self.generation.notify()
            tasks = [asyncio.create_task(self._serials.keep(lambda: self.generation.site.serial), name="serials")]
            if self._workers == 1:
                tasks.append(asyncio.create_task(self._probe_loops(), name="loop probe"))
            if self._reread is not None:
                tasks.append(asyncio.create_task(self._reload_forever(), name="reload"))
            stack.callback(lambda: [task.cancel() for task in tasks])
            self._tell_start()
            settle()
            yield

    def retire(self) -> float:
        """Be unhealthy from now on; for how many seconds to answer on, so that load balancers notice."""
        self.stopping = True
        return max((health.lameduck for health in self.config.health), default=0.0)

    async def reload(self) -> None:
        """Read the configuration again and answer by it. One that is wrong changes nothing and is logged."""
        assert self._reread is not None
        async with self._reloading:
            try:
                config = self._reread()
                if config == self.config:
                    return
                await self._change_to(config)
            except Exception as error:
                why = (error.strerror if isinstance(error, OSError) else None) or error
                log.error("the configuration stays as it was: %s", why, exc_info=not isinstance(error, _OF_PEOPLE))
                return
            log.info("answering by the new configuration")

    async def _change_to(self, config: Config) -> None:
        await self._change_endpoints(self.config, config)
        try:
            await self._change_answers(config)
        except BaseException:
            await self._change_endpoints(config, self.config)
            raise
        if config.workers != self.config.workers:
            log.warning("another number of workers takes a restart")
        self.config = config

    async def _change_answers(self, config: Config) -> None:
        old = self.generation
        serial = following(old.site.serial, self._serials.now())
        same_source = config.source == old.config.source and config.state == old.config.state
        site = site_of(config, serial, like=old.site if same_source else None)
        if same_source and site.kinds == old.site.kinds:
            try:
                await old.prepare(site)
                await self.answering.replace(site)
            except BaseException:
                old.successor = None
                raise
            await old.succeed(config, site)
            old.notify()
            return
        new = await Generation.open(config, self._serials, serial)
        try:
            new.answering = self.answering
            new.start()
            await _first_list(new)
            new.go_ahead_of(old.site, new.site)
            await self.answering.replace(new.site)
        except BaseException:
            await new.close()
            raise
        new.site.watchers = old.site.watchers
        self.generation = new
        new.notify()
        await old.close()
        await old.empty()
        asyncio.get_running_loop().call_later(SETTLING, settle)

    async def _change_endpoints(self, old: Config, new: Config) -> None:
        if table.by_address(old, self._table) == table.by_address(new, self._table):
            return
        await self._http.aclose()
        try:
            self.admin_ports = await self._http.enter_async_context(self._serve_http(new))
        except OSError:
            self.admin_ports = await self._http.enter_async_context(self._serve_http(old))
            raise

    def _serve_http(self, config: Config) -> AbstractAsyncContextManager[dict[Listen, int]]:
        return serve_http(table.by_address(config, self._table))

    async def _reload_forever(self) -> None:
        while options := self.config.reload:
            await asyncio.sleep(options.interval + random.uniform(0, options.jitter))
            await self.reload()

    async def _probe_loops(self) -> None:
        for front in self.generation.site.fronts:
            found = front.probe and front.resolver and await front.probe.run(front.resolver.forwarders)
            if found:
                log.error("%s", found)
                self.failed = True
                signal.raise_signal(signal.SIGTERM)

    def _tell_start(self) -> None:
        source = self.generation.source
        log.info(
            "minidns %s answers on %s, HTTP on %s, from %s: %s",
            __version__,
            ", ".join(map(str, self.addresses)),
            ", ".join(str(Listen(listen.host, port)) for listen, port in self.admin_ports.items()) or "no port",
            source.origin if source else "no source",
            self.generation.site.summary(),
        )
        if (admin := self.config.admin) is not None:
            host = admin.host if admin.host not in ("", "0.0.0.0", "::") else "127.0.0.1"
            log.info("see the cluster as DNS sees it: http://%s/", Listen(host, self.admin_ports[admin]))


async def _first_list(generation: Generation) -> None:
    """Wait until there is as much to answer from as the cluster has. Raises ConnectError."""
    source, options = generation.source, generation.config.source
    if source is None or not isinstance(options, Cluster):
        return
    try:
        await asyncio.wait_for(generation.listed.wait(), options.startup_timeout)
    except TimeoutError:
        why = source.problem()[0] or "no full list yet"
        raise ConnectError(f"{source.origin}: {why} after {options.startup_timeout:g} s") from None


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
        stop.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), app.retire())  # a second signal is an order
    return not app.failed
