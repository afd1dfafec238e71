"""Which queries belong together: A and AAAA of one step, and the steps of one walk down a search list. Pure.

A resolver tells nobody that it walks: `nginx` is asked for as `nginx.NS.svc.Z`, `nginx.svc.Z`, `nginx.Z`, and as it is
(resolv.conf(5); the kubelet's `dnsPolicy: ClusterFirst`), each when the one before had nothing. So a query goes on a
walk when the same client's step before it missed, and both can be read as the same short name, further down the list.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from minidns.views.queries import Query

#: Seconds after which what a client asks is a new walk: resolvers give up on an answer after five.
PATIENCE = 5.0
#: Clients that are remembered, and walks of each that are under way.
CLIENTS, OPEN = 4096, 8
#: Places in the search list: NS.svc.Z, svc.Z, Z (and the search domains of the node behind it), the name as it is.
_OWN, _TREE, _ZONE, _WHOLE = range(4)


class Place(NamedTuple):
    """Where a query stands: its walk, its step in it, the short name once that is known.

    wasted: when this query found its name, how many queries of the walk before had not; else 0.
    """

    walk: int
    step: int
    search: str = ""
    wasted: int = 0


class _Walk:
    def __init__(self, number: int, query: Query, readings: dict[str, int]) -> None:
        self.number = number
        self.step = 1
        self.before = 0
        self.found = False
        self.readings = readings
        self.begin(query)

    def begin(self, query: Query) -> None:
        self.name, self.types, self.last = query.name, {query.type}, query.time
        self.resolved = query.records > 0

    def goes_on(self, readings: dict[str, int]) -> dict[str, int]:
        """How both this walk and its possible next step can be read: short names with the step's place in the list."""
        return {
            short: place
            for short, place in readings.items()
            if (was := self.readings.get(short)) is not None
            and (was < place or (was == _WHOLE and self.step == 1 and place == _OWN))
        }


class Walks:
    """The walks of all clients, as their queries come in, in the order of their times.

    zone: the cluster zone without the final dot.
    """

    def __init__(self, zone: str) -> None:
        self._zone = zone
        self._clients: OrderedDict[str, list[_Walk]] = OrderedDict()
        self._count = 0

    @property
    def size(self) -> int:
        """How many walks are remembered."""
        return sum(map(len, self._clients.values()))

    def add(self, query: Query) -> Place:
        """The place of the next query."""
        walks = self._clients.setdefault(query.client, [])
        self._clients.move_to_end(query.client)
        if len(self._clients) > CLIENTS:
            self._clients.popitem(last=False)
        walks[:] = [walk for walk in walks if query.time - walk.last <= PATIENCE]
        readings = readings_of(query.name, self._zone)
        walk = next((walk for walk in reversed(walks) if _takes(walk, query, readings)), None)
        if walk is None:
            self._count += 1
            walk = _Walk(self._count, query, readings)
            walks.append(walk)
            del walks[:-OPEN]
        wasted = 0 if walk.found or not walk.resolved else walk.before
        walk.found = walk.found or walk.resolved
        return Place(walk.number, walk.step, max(walk.readings, key=len) if walk.step > 1 else "", wasted)


def _takes(walk: _Walk, query: Query, readings: dict[str, int]) -> bool:
    """Whether a walk takes a query as its own: the other type of its step, or its next step."""
    if query.name == walk.name and query.type not in walk.types:
        walk.types.add(query.type)
        walk.last = query.time
        walk.resolved = walk.resolved or query.records > 0
        return True
    if walk.resolved or not query.name:
        return False
    common = walk.goes_on(readings) or ({} if len(readings) > 1 else _of_a_node(walk, query.name))
    if not common:
        return False
    walk.before += len(walk.types)
    walk.step += 1
    walk.readings = common
    walk.begin(query)
    return True


def _of_a_node(walk: _Walk, name: str) -> dict[str, int]:
    """How a step outside the cluster's zone can be read: the node's search domains come after the cluster's."""
    return {short: _ZONE for short, place in walk.readings.items() if place == _ZONE and name.startswith(short + ".")}


def readings_of(name: str, zone: str) -> dict[str, int]:
    """What a pod may have asked for when its resolver asks for `name`: short names, each with its place in the list."""
    found = {name: _WHOLE}
    if name.endswith("." + zone):
        found[above := name[: -len(zone) - 1]] = _ZONE
        if above.endswith(".svc"):
            found[inner := above.removesuffix(".svc")] = _TREE
            short, _, namespace = inner.rpartition(".")
            if short and namespace:
                found[short] = _OWN
    return found
