"""Why a name answers as it does."""

from __future__ import annotations

from minidns import explain
from minidns.admin.pieces import in_pieces
from minidns.admin.running import Running
from minidns.server.http.endpoint import JSON, Asked, Endpoint, Reply

_PARAMETERS = {
    "name": "as a pod would write it with from, else whole",
    "type": "A by default; with from, A and AAAA",
    "from": "the namespace of a pod, whose search list is walked",
    "ndots": "of that pod's resolver",
    "libc": "whose resolver that is: glibc by default, or musl",
}


def endpoints(running: Running) -> tuple[Endpoint, ...]:
    async def on_explain(asked: Asked) -> Reply:
        site, source = running.generation.site, running.generation.source
        explained = await in_pieces(site.explaining(asked.query, source.ground if source else None))
        return Reply(explain.to_json(explained), JSON)

    return (Endpoint(path="/explain", doc="why a name answers as it does", parameters=_PARAMETERS, handler=on_explain),)
