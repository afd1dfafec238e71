"""What changes in the cluster and in the zone, as it happens."""

from __future__ import annotations

from collections.abc import Callable

from minidns.admin.running import Running
from minidns.server.http.broadcast import Broadcast, event
from minidns.server.http.endpoint import EVENTS, Asked, Endpoint, Reply
from minidns.views import changes


def endpoints(running: Running) -> tuple[Endpoint, ...]:
    def follow(tell: Callable[[bytes], None]) -> Callable[[], None]:
        def watcher(change: changes.Event) -> None:
            tell(event(changes.to_json(change)))  # put into bytes once, for all readers

        # One list for as long as the process lives: a reload hands it on.
        watchers = running.generation.site.watchers
        watchers.append(watcher)
        return lambda: watchers.remove(watcher)

    events: Broadcast[bytes] = Broadcast(follow)

    async def on_watch(_: Asked) -> Reply:
        return Reply(events.read(bytes), EVENTS)

    doc = "server-sent events, one per change, its data JSON"
    return (Endpoint(path="/watch", doc=doc, handler=on_watch, follows=True),)
