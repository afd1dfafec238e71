"""A site without a server: the objects as they are now, for the commands that answer once and end."""

from __future__ import annotations

import asyncio

from minidns import names, zonefile
from minidns.config import Cluster, Config, Kubernetes, Manifests, ServerBlock
from minidns.site import Site
from minidns.source.choice import open_source

#: Seconds that an API server gets for a first full list.
PATIENCE = 30.0


class OfflineError(Exception):
    """There is nothing to answer from; the text says why."""


async def load(source: Manifests | Cluster, kubernetes: Kubernetes) -> Site:
    """A synced site. Raises ManifestError, ConnectError, or OfflineError when an API server does not answer."""
    site = Site(Config(servers=(ServerBlock(kubernetes=kubernetes),), source=source))
    opened = await open_source(source, site.kinds)
    try:
        site.publish(opened.initial)
        following = asyncio.create_task(opened.run(site.publish))
        try:
            await asyncio.wait_for(opened.synced.wait(), PATIENCE)
        except TimeoutError:
            raise OfflineError(f"{opened.origin}: {opened.problem()[0] or 'no full list yet'}") from None
        finally:
            following.cancel()
    finally:
        await opened.close()
    site.mark_synced()
    return site


async def zone_text(source: Manifests | Cluster, kubernetes: Kubernetes, origin: str | None) -> list[str]:
    """The lines of the zone file of one origin, the cluster zone by default."""
    site = await load(source, kubernetes)
    name = names.from_text(origin) if origin else site.zones[0].settings.origin
    for zone in site.zones:
        if name in zone.origins:
            return list(zonefile.lines(zone, name))
    raise OfflineError(f"no zone {origin} among {', '.join(kubernetes.zones)}")
