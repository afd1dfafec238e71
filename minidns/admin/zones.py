"""The zones as zone files."""

from __future__ import annotations

from minidns.admin.running import Running
from minidns.core import names
from minidns.server.http.endpoint import Asked, Endpoint, RefusedError, Reply
from minidns.views import zonefile


def endpoints(running: Running) -> tuple[Endpoint, ...]:
    async def on_zone(asked: Asked) -> Reply:
        origin = asked.query.get("origin", "")
        name = names.from_text(origin) if origin else None
        for zone in running.generation.site.zones:
            if name is None or name in zone.origins:
                return Reply("\n".join(zonefile.lines(zone, name or zone.settings.origin)) + "\n")
        raise RefusedError(404, f"no zone {origin} here")

    parameters = {"origin": "of the zone, such as in-addr.arpa; the cluster zone by default"}
    return (Endpoint(path="/zone", doc="a zone as a zone file", parameters=parameters, handler=on_zone),)
