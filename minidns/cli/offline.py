"""A site without a server: the objects as they are now, for the commands that answer once and end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import NoReturn

import msgspec

from minidns.cli.running import asked, url_of
from minidns.config.settings import Cluster, Config, Kubernetes, Manifests, ServerBlock
from minidns.config.values import zone_name
from minidns.core import names
from minidns.core.model import Replaced
from minidns.explain import Explanation, Ground, SearchExplanation
from minidns.site import Site
from minidns.source import state
from minidns.source.choice import Source, open_source
from minidns.views import zonefile
from minidns.views.changes import Event

#: Seconds that an API server gets for a first full list.
PATIENCE = 30.0


class OfflineError(Exception):
    """There is nothing to answer from; the text says why."""


async def load(source: Manifests | Cluster, kubernetes: Kubernetes) -> tuple[Site, Ground | None]:
    """A synced site, and where its objects are written. Raises ManifestError, ConnectError, or OfflineError when an API
    server does not answer."""
    site = Site(Config(servers=(ServerBlock(kubernetes=kubernetes),), source=source))
    opened = await open_source(source, site.kinds)
    try:
        site.publish(opened.initial)
        if not opened.synced.is_set():
            async with _following(opened, site):
                pass
    finally:
        await opened.close()
    site.mark_synced(opened.missing)
    return site, opened.ground


@asynccontextmanager
async def followed(source: Manifests | Cluster, kubernetes: Kubernetes) -> AsyncIterator[tuple[Site, str]]:
    """A synced site that changes as its source does, and what that is called. Raises as `load`."""
    site = Site(Config(servers=(ServerBlock(kubernetes=kubernetes),), source=source))
    opened = await open_source(source, site.kinds)
    try:
        site.publish(opened.initial)
        async with _following(opened, site):
            site.mark_synced(opened.missing)
            yield site, opened.origin
    finally:
        await opened.close()


@asynccontextmanager
async def _following(opened: Source, site: Site) -> AsyncIterator[None]:
    """Publish every change from the first full list on."""
    following = asyncio.create_task(opened.run(site.publish))
    try:
        try:
            await asyncio.wait_for(opened.synced.wait(), PATIENCE)
        except TimeoutError:
            raise OfflineError(f"{opened.origin}: {opened.problem()[0] or 'no full list yet'}") from None
        yield
    finally:
        following.cancel()
        await asyncio.wait((following,))


@asynccontextmanager
async def mirrored(admin: str) -> AsyncIterator[tuple[Site, str, Callable[[], Awaitable[None]]]]:
    """A synced site with the objects of a running server, what that is called, and what brings it up to date.

    Raises UsageError when there is no such server, OfflineError when it has no zone of its own.
    """
    with asked(admin, "/state") as response:
        said = msgspec.json.decode(response.read(), type=_Settings)
    if said.kubernetes is None or not said.synced:
        raise OfflineError(f"{url_of(admin)} has no zone of its own, or not yet")
    site = Site(Config(servers=(ServerBlock(kubernetes=said.kubernetes),), source=Cluster()))

    def fetch() -> list[Replaced]:
        with asked(admin, "/objects") as response:
            try:
                return state.parse(response.read())
            except ValueError as error:
                raise OfflineError(f"{url_of(admin)}/objects: {error}") from None

    async def refresh() -> None:
        site.publish(await asyncio.to_thread(fetch))

    await refresh()
    site.mark_synced()
    yield site, f"the objects of {url_of(admin)}", refresh


class _Settings(msgspec.Struct):
    """What of `/state` says how objects become answers."""

    kubernetes: Kubernetes | None
    synced: bool


async def explained(
    source: Manifests | Cluster, kubernetes: Kubernetes, query: Mapping[str, str]
) -> Explanation | SearchExplanation:
    """As a server's `/explain`. Raises ValueError for a query that makes no sense."""
    site, ground = await load(source, kubernetes)
    return site.explain(query, ground)


async def watched(source: Manifests | Cluster, kubernetes: Kubernetes, tell: Callable[[Event], None]) -> NoReturn:
    """Tell every change from now on, until cancelled."""
    site = Site(Config(servers=(ServerBlock(kubernetes=kubernetes),), source=source))
    opened = await open_source(source, site.kinds)
    site.publish(opened.initial)
    site.watchers.append(tell)
    try:
        await opened.run(site.publish)
    finally:
        await opened.close()
    raise OfflineError(f"{opened.origin} tells no more")


async def zone_text(source: Manifests | Cluster, kubernetes: Kubernetes, origin: str | None) -> Iterator[str]:
    """The zone file of one origin, the cluster zone by default, in pieces."""
    name = names.from_text(zone_name(origin)) if origin else b""
    site, _ = await load(source, kubernetes)
    name = name or site.zones[0].settings.origin
    for zone in site.zones:
        if name in zone.origins:
            return zonefile.pieces(zone, name)
    raise OfflineError(f"no zone {origin} among {', '.join(kubernetes.zones)}")
