"""The source that a configuration names, behind one interface: manifests or an API server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

from minidns.config.settings import Cluster, Manifests
from minidns.core.model import Change, Kind, Pod, ServiceImport
from minidns.explain import Ground
from minidns.metrics import Timing
from minidns.source import state
from minidns.source.kubernetes.connect import connect
from minidns.source.kubernetes.requests import resources
from minidns.source.kubernetes.source import KubernetesSource
from minidns.source.manifests.source import ManifestSource
from minidns.source.manifests.stage import Stage

Publish = Callable[[Sequence[Change]], None]


class Source(Protocol):
    """Where objects come from.

    initial: what there is at the start. stale: that is from an earlier run, until `synced` is set.
    complete: set when `synced` is of every kind; missing: until then, the kinds that nothing is known of.
    origin: a few words that name the source. stage: where verbs are played, None beside a real cluster. ground: where
    objects are written, None when nobody here knows.
    timing: from the bytes of a change being here until it is published.
    """

    initial: Sequence[Change]
    stale: bool
    synced: asyncio.Event
    complete: asyncio.Event
    origin: str
    stage: Stage | None
    ground: Ground | None
    timing: Timing

    @property
    def missing(self) -> frozenset[Kind]: ...

    async def run(self, publish: Publish) -> None:
        """Publish every change from now on, until cancelled."""

    def problem(self) -> tuple[str, float]:
        """Why the source is not followed, in one line, and for how many seconds; ("", 0.0) while it is."""

    async def close(self) -> None:
        """Let go of connections."""


class _Folder:
    def __init__(self, options: Manifests) -> None:
        self._source = ManifestSource(options.path, options.service_cidrs, options.pod_cidrs, options.namespace)
        self.initial: Sequence[Change] = self._source.load()
        self.stale = False
        self.synced = asyncio.Event()
        self.synced.set()
        self.complete = self.synced
        self.missing: frozenset[Kind] = frozenset()
        self.origin = "manifests from standard input" if str(options.path) == "-" else f"manifests in {options.path}"
        self.stage: Stage | None = self._source.stage
        self.ground: Ground | None = self._source.origins
        self.timing = Timing()

    async def run(self, publish: Publish) -> None:
        await self._source.run(publish)

    def problem(self) -> tuple[str, float]:
        return "", 0.0

    async def close(self) -> None:
        pass


class _ApiServer:
    def __init__(self, options: Cluster, kinds: frozenset[Kind], file: Path | None) -> None:
        self._options = options
        self._kinds = kinds
        self._file = file
        self._resources = AsyncExitStack()
        self.stage: Stage | None = None
        self.ground: Ground | None = None

    async def open(self) -> None:
        connection = await self._resources.enter_async_context(await connect(self._options))
        self.origin = f"API server {connection.server}"
        known = state.load(self._file) if self._file else None
        self.initial: Sequence[Change] = known or ()
        self.stale = known is not None
        pods, imports = Pod in self._kinds, ServiceImport in self._kinds
        every = resources(self._options, pods=pods, imports=imports)
        followed = [one for one in every if one.kind in self._kinds]
        self._source = KubernetesSource(connection, followed, initial=known or ())
        self.synced, self.complete = self._source.synced, self._source.complete
        self.timing = self._source.timing

    @property
    def missing(self) -> frozenset[Kind]:
        return self._source.missing

    async def run(self, publish: Publish) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._source.run(publish), name="follow the API server")
            if self._file:
                tasks.create_task(state.keep(self._file, self._source), name="keep the state file")

    def problem(self) -> tuple[str, float]:
        status = self._source.status
        return status.reason, time.time() - status.lost_since if status.lost_since is not None else 0.0

    async def close(self) -> None:
        await self._resources.aclose()


async def open_source(options: Manifests | Cluster, kinds: frozenset[Kind], state_file: Path | None = None) -> Source:
    """Raises ManifestError or ConnectError, whose text says what to do."""
    if isinstance(options, Manifests):
        return await asyncio.to_thread(_Folder, options)
    source = _ApiServer(options, kinds, state_file)
    await source.open()
    return source
