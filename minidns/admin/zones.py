"""The zones as zone files, and the objects that they come from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import closing

from minidns.admin.running import Running
from minidns.core import names
from minidns.core.model import Kind, Object
from minidns.core.names import Name
from minidns.core.zone import Zone
from minidns.server.http.endpoint import Asked, Endpoint, RefusedError, Reply
from minidns.source import state
from minidns.views import zonefile

BYTES = "application/octet-stream"


def endpoints(running: Running) -> tuple[Endpoint, ...]:
    async def on_zone(asked: Asked) -> Reply:
        origin = asked.query.get("origin", "")
        name = names.from_text(origin) if origin else None
        for zone in running.generation.site.zones:
            if name is None or name in zone.origins:
                return Reply(_pieces(zone, name or zone.settings.origin))
        raise RefusedError(404, f"no zone {origin} here")

    parameters = {"origin": "of the zone, such as in-addr.arpa; the cluster zone by default"}

    async def on_objects(_: Asked) -> Reply:
        known = running.generation.site.known()
        return Reply(_objects({kind: list(objects.values()) for kind, objects in known.items()}), BYTES)

    return (
        Endpoint(path="/zone", doc="a zone as a zone file", parameters=parameters, handler=on_zone),
        Endpoint(path="/objects", doc="the cluster's objects, as --state keeps them", handler=on_objects),
    )


async def _objects(known: Mapping[Kind, Sequence[Object]]) -> AsyncGenerator[bytes, None]:
    """A state file, with packets answered and changes taken in between its pieces."""
    for piece in state.pieces(known):
        await asyncio.sleep(0)
        yield piece


async def _pieces(zone: Zone, origin: Name) -> AsyncGenerator[bytes, None]:
    """A zone file, with packets answered and changes taken in between its pieces."""
    with closing(zonefile.pieces(zone, origin)) as pieces:
        for piece in pieces:
            await asyncio.sleep(0)
            if piece:
                yield piece.encode()
