"""What changes in the cluster and in the zone, as it happens."""

from __future__ import annotations

from collections.abc import Callable

from minidns.admin.running import Running
from minidns.server.http.broadcast import Broadcast, Tell
from minidns.server.http.endpoint import EVENTS, Asked, Endpoint, Reply
from minidns.views import changes


def endpoints(running: Running) -> tuple[Endpoint, ...]:
    def follow(tell: Tell) -> Callable[[], None]:
        def watcher(event: changes.Event) -> None:
            tell(changes.to_json(event))

        # One list for as long as the process lives: a reload hands it on.
        watchers = running.generation.site.watchers
        watchers.append(watcher)
        return lambda: watchers.remove(watcher)

    events = Broadcast(follow)

    async def on_watch(_: Asked) -> Reply:
        return Reply(events.read(), EVENTS)

    doc = "server-sent events, one per change, its data JSON"
    return (Endpoint(path="/watch", doc=doc, handler=on_watch, follows=True),)
