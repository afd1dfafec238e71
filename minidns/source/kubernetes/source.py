"""The cluster as a source: follows its API server and publishes every change.

One reflector (`minidns.source.kubernetes.listwatch`) per resource decides; this module only moves bytes and time.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import groupby
from time import perf_counter

import aiohttp
import msgspec

from minidns.core.batches import batches, differences
from minidns.core.model import Change, Key, Kind, Object, Replaced
from minidns.metrics import Timing
from minidns.source.kubernetes.connect import Connection
from minidns.source.kubernetes.kubeconfig import ConnectError
from minidns.source.kubernetes.link import ResourceStatus
from minidns.source.kubernetes.listwatch import Reflector
from minidns.source.kubernetes.requests import Request, Resource

logger = logging.getLogger(__name__)

#: Takes changes in, all at once and without awaiting.
Publish = Callable[[Sequence[Change]], None]


class SourceStatus(msgspec.Struct, frozen=True):
    """All resources. `reason` is the first one's that is not followed, in one line; "" while all are."""

    resources: tuple[ResourceStatus, ...]

    @property
    def synced(self) -> bool:
        return all(resource.synced or not resource.awaited for resource in self.resources)

    @property
    def lost_since(self) -> float | None:
        return min((r.lost_since for r in self.resources if r.lost_since is not None), default=None)

    @property
    def reason(self) -> str:
        return next((resource.reason for resource in self.resources if resource.reason), "")


class KubernetesSource:
    """Lists and watches `resources` (`minidns.source.kubernetes.requests.resources`).

    `initial`: what was published before, from a state file. `clock` (Unix time), `sleep` and `rand` are for tests.
    `synced` is set once every resource has had its first full list, but for what the API server does not give (see
    `Resource.optional`); `complete` once really every one has. `revision` grows with every change. `timing`: from
    the bytes of an event being here until it is published.
    """

    def __init__(
        self,
        connection: Connection,
        resources: Iterable[Resource],
        *,
        initial: Iterable[Replaced] = (),
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        rand: Callable[[], float] = random.random,
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._sleep = sleep
        known = {change.kind: change.objects for change in initial}
        self._reflectors = [Reflector(r, rand, known.get(r.kind, ())) for r in resources]
        self.synced = asyncio.Event()
        self.complete = asyncio.Event()
        self._had = frozenset(known)
        self.revision = 0
        self._publishing = 0
        #: What was given out may not have been brought in: lists are published whole from now on.
        self._doubted = False
        self.timing = Timing()

    @property
    def status(self) -> SourceStatus:
        return SourceStatus(tuple(reflector.link.status for reflector in self._reflectors))

    @property
    def missing(self) -> frozenset[Kind]:
        """The kinds that nothing is known of, because the API server does not give them."""
        unlisted = (one for one in self._reflectors if one.resource.optional and not one.link.synced)
        return frozenset(one.resource.kind for one in unlisted) - self._had

    def objects(self) -> dict[Kind, list[Object]]:
        """All objects as they were published last: new lists of the very objects."""
        return {r.resource.kind: list(r.store.objects.values()) for r in self._reflectors}

    async def run(self, publish: Publish) -> None:
        """Follow the cluster until cancelled."""
        async with asyncio.TaskGroup() as group:
            for reflector in self._reflectors:
                group.create_task(self._follow(reflector, publish), name=f"follow {reflector.resource.name}")

    async def _follow(self, reflector: Reflector, publish: Publish) -> None:
        used = self._connection.credentials
        while True:
            action = reflector.next(self._clock())
            try:
                if isinstance(action, Request):
                    used = self._connection.credentials
                    await self._exchange(reflector, action, publish)
                    continue
                await self._sleep(action.seconds)
                if action.unauthorized:
                    await self._connection.reread(used)
            except (aiohttp.ClientError, OSError, ConnectError) as error:
                untrusted = isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError)
                why = _words(error, self._connection.server)
                reflector.failed(why, self._clock(), unauthorized=untrusted)
            except Exception:
                logger.exception("%s: a change could not be brought in, listing again", reflector.resource.name)
                reflector.relist()
                self._doubted = True
                reflector.failed("an error of minidns itself, see the log", self._clock())

    async def _exchange(self, reflector: Reflector, request: Request, publish: Publish) -> None:
        async with self._connection.get(request) as response:
            reflector.head(response.status, response.headers.get("Retry-After"), self._clock())
            while chunk := await response.content.readany():
                read, known = perf_counter(), reflector.store.objects
                changes = reflector.data(chunk, self._clock())
                await self._publish(changes, known, publish)
                if changes:
                    self.timing.batch(len(changes), perf_counter() - read)
                if reflector.done:
                    return
                await asyncio.sleep(0)  # readany() does not wait while there is more: let answers go out
            known = reflector.store.objects
            for changes in reflector.end(self._clock()):
                await self._publish(changes, known, publish)
                await asyncio.sleep(0)
            self._tell_synced()

    async def _publish(self, changes: list[Change], known: Mapping[Key, Object], publish: Publish) -> None:
        """known: all objects of the kind before a list among the changes; what a list has anew comes in batches."""
        if not changes:
            return
        self._publishing += 1
        try:
            await self._in_batches(changes, known, publish)
        finally:
            self._publishing -= 1
        self.revision += 1
        self._tell_synced()

    def _tell_synced(self) -> None:
        # A list that has been read is not brought in yet: others are done while its batches go on.
        if self.complete.is_set() or self._publishing or not (status := self.status).synced:
            return
        self.synced.set()
        if all(resource.synced for resource in status.resources):
            self.complete.set()

    async def _in_batches(self, changes: list[Change], known: Mapping[Key, Object], publish: Publish) -> None:
        for listed, some in groupby(changes, lambda change: isinstance(change, Replaced)):
            if not listed or self._doubted:
                publish(list(some))
                continue
            for change in some:
                assert isinstance(change, Replaced)
                for batch in batches(differences(change, known)):
                    publish(batch)
                    await asyncio.sleep(0)  # let answers go out


def _words(error: Exception, server: str) -> str:
    """Why a connection did not work, for the one line of a status."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return f"no connection to {server} within the time limit"
    if isinstance(error, TimeoutError):
        return f"{server} fell silent"
    if isinstance(error, (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, ConnectionError)):
        return f"the connection to {server} broke"
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
        plain = isinstance(cause, ConnectionError) and cause.errno  # asyncio's own text repeats the address
        return f"no connection to {server}: {os.strerror(plain) if plain else cause.strerror or cause}"
    return " ".join(str(error).split()) or type(error).__name__
