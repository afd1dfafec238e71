"""The map of the cluster: namespaces, Services, endpoints, and the records at each name."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Iterable
from dataclasses import replace

import msgspec

from minidns.admin.pieces import in_pieces
from minidns.admin.running import Running
from minidns.config.settings import ADMIN
from minidns.core.names import Name
from minidns.core.zone import Zone
from minidns.explain import parse_name
from minidns.server.http.endpoint import JSON, Asked, Endpoint, RefusedError, Reply
from minidns.site import Site
from minidns.views import map as map_
from minidns.views.changes import Version
from minidns.views.map.records import AtName

#: Seconds after the last look at the map until it is given up.
KEPT = 60.0
#: Names of one request.
MOST_NAMES = 24

_MAP = {
    "namespace": "its Services instead of the namespaces",
    "service": "of that namespace: its slices and endpoints",
    "search": "Services by a part of their names, of pods behind them, or by an address",
    "after": "where a page before ended: its `next`",
}
_RECORDS = {"name": "whole names, with blanks between them"}


class Shown(msgspec.Struct, frozen=True):
    """A name with its records, and the commands that show the same in a terminal."""

    at: AtName
    dig: str
    explain: str


class Atlas:
    """The index behind the map: made when somebody looks, follows changes, and is given up when nobody looked for a
    while. A reload makes another site: then it is made again."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._index: map_.Index | None = None
        self._site: Site | None = None
        self._stop: Callable[[], None] = lambda: None
        self._timer: asyncio.TimerHandle | None = None
        self._turn = asyncio.Lock()

    async def index(self) -> map_.Index:
        """The index, with all that is known by now."""
        async with self._turn:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(KEPT, self.forget)
            if self._index is None or self._site is not self._running.generation.site:
                self.forget()
                self._site = self._running.generation.site
                self._index = map_.Index(zone_of(self._running))
                self._stop = self._follow(self._site, self._index)
            await in_pieces(self._index.catch_up())
            return self._index

    def forget(self) -> None:
        """Give the index up, and follow nothing."""
        self._stop()
        self._index, self._site, self._stop = None, None, lambda: None

    @staticmethod
    def _follow(site: Site, index: map_.Index) -> Callable[[], None]:
        def follower(changed: Iterable[Version]) -> None:
            for version in changed:
                some = version.new or version.old
                assert some is not None
                index.changed(type(some), some.key)

        site.followers.append(follower)
        return lambda: site.followers.remove(follower)


def zone_of(running: Running) -> Zone:
    """The zone whose objects the map shows. Raises RefusedError when there is none."""
    site = running.generation.site
    if not site.kinds:
        raise RefusedError(404, "no zone is served here: every name is forwarded")
    return site.zones[0]


def endpoints(running: Running) -> tuple[Endpoint, ...]:
    atlas = Atlas(running)

    async def on_map(asked: Asked) -> Reply:
        namespace, service, after = (asked.query.get(key, "") for key in ("namespace", "service", "after"))
        index = await atlas.index()
        page: object
        try:
            if text := asked.query.get("search"):
                page = await in_pieces(map_.search(index, text))
            elif service:
                page = map_.behind(index, (namespace, service), _number(after))
            elif namespace:
                page = map_.services(index, namespace, after)
            else:
                page = map_.namespaces(index, after)
        except KeyError:
            raise RefusedError(404, f"{'/'.join(filter(None, (namespace, service)))} is not there") from None
        return Reply(msgspec.json.encode(page), JSON)

    async def on_records(asked: Asked) -> Reply:
        names = asked.query.get("name", "").split()
        if not 0 < len(names) <= MOST_NAMES:
            raise ValueError(f"1 to {MOST_NAMES} names, with blanks between them: ?name=")
        found = []
        for name in map(parse_name, names):
            found.append(_shown(running, name))
            await asyncio.sleep(0)
        return Reply(msgspec.json.encode(found), JSON)

    return (
        Endpoint(path="/map", doc="the cluster as DNS sees it, a page at a time", parameters=_MAP, handler=on_map),
        Endpoint(path="/records", doc="what is at names, or why nothing", parameters=_RECORDS, handler=on_records),
    )


def _number(text: str) -> int:
    if text and not (text.isascii() and text.isdigit()):
        raise ValueError(f"after={text!r} is not a number")
    return int(text or 0)


def _shown(running: Running, name: Name) -> Shown:
    zones = [zone for zone in running.generation.site.zones if zone.origin(name)]
    at = map_.at_name(zones[0] if zones else zone_of(running), name)
    asked = shlex.quote(at.name)
    digs, admin = terminal(running)
    return Shown(at, f"{digs[0]} {asked} {at.type}", f"minidns explain {asked} {at.type}{admin}")


def terminal(running: Running) -> tuple[list[str], str]:
    """How the server is asked in a terminal: `dig` for each of its addresses, and the option that names its admin port
    to `minidns`, or nothing for the usual one."""
    digs = []
    for server in running.addresses:
        host = server.host if server.host not in ("", "0.0.0.0", "::", "localhost") else "127.0.0.1"
        digs.append(f"dig @{host} -p {server.port}")
    admin = running.config.admin and replace(running.config.admin, port=running.admin_ports[running.config.admin])
    return digs, f" --admin {admin}" if admin not in (None, ADMIN) else ""
