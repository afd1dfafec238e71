"""What the map has counted: Services in order, and how many endpoints each has and how many of them are ready."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Generator, Sequence
from typing import Literal, NamedTuple

from minidns.core.model import EndpointSlice, Key, Kind, Namespace, Service
from minidns.core.zone import Zone

Shape = Literal["headless", "virtual IP", "ExternalName", "missing"]


class Line(NamedTuple):
    """A Service in numbers. `missing`: there are slices labelled with it, and no such Service. A pod with addresses of
    both families is one endpoint."""

    shape: Shape
    endpoints: int
    ready: int


class _Tally:
    """Endpoints of one Service by the length of their addresses, and the ready ones among them."""

    __slots__ = ("endpoints", "ready", "slices")

    def __init__(self) -> None:
        self.slices = 0
        self.endpoints: Counter[int] = Counter()
        self.ready: Counter[int] = Counter()

    def add(self, slice_: EndpointSlice, sign: int) -> None:
        self.slices += sign
        if slice_.endpoints:
            family = len(b"".join(slice_.endpoints[0].addresses[:1]))
            self.endpoints[family] += sign * len(slice_.endpoints)
            self.ready[family] += sign * sum(endpoint.ready for endpoint in slice_.endpoints)


class Index:
    """Namespaces and Services in order, each with its numbers.

    `changed` is cheap and may be called for every change; the work is done by `catch_up`, in steps. Until it was run to
    its end once, the index does not hold everything.
    """

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.services: dict[str, list[str]] = {}
        self.namespaces: list[str] = []
        self.lines: dict[Key, Line] = {}
        self.counts: dict[str, Counter[str]] = {}
        self._slices: dict[Key, EndpointSlice] = {}
        self._tallies: dict[Key, _Tally] = {}
        self._waiting: dict[tuple[Kind, Key], None] = {}
        self._whole = False

    @property
    def slices(self) -> Sequence[EndpointSlice]:
        """Every slice, as a list of its own."""
        return list(self._slices.values())

    def changed(self, kind: Kind, key: Key) -> None:
        """The object is new, different or gone."""
        self._waiting[kind, key] = None

    def catch_up(self) -> Generator[None, None, None]:
        """Take in what is new since the last time, an object a step."""
        if not self._whole:
            self._whole = True
            kinds: tuple[Kind, ...] = (Namespace, Service, EndpointSlice)
            for kind in kinds:
                for key in list(self.zone.cluster.all(kind)):
                    self._take(kind, key)
                    yield
        while self._waiting:
            kind, key = next(iter(self._waiting))
            del self._waiting[kind, key]
            self._take(kind, key)
            yield

    def _take(self, kind: Kind, key: Key) -> None:
        """Count the object as it is now instead of as it was counted."""
        if kind is Namespace:
            self._place(key[1])
        elif kind is Service:
            self._refresh(key)
        elif kind is EndpointSlice:
            old, new = self._slices.pop(key, None), self.zone.cluster.all(kind).get(key)
            if isinstance(new, EndpointSlice):
                self._slices[key] = new
            else:
                new = None
            for slice_, sign in (old, -1), (new, 1):
                if slice_ is not None and slice_.service:
                    service = slice_.namespace, slice_.service
                    self._tallies.setdefault(service, _Tally()).add(slice_, sign)
            for service in {(some.namespace, some.service) for some in (old, new) if some and some.service}:
                if not self._tallies[service].slices:
                    del self._tallies[service]
                self._refresh(service)

    def _refresh(self, key: Key) -> None:
        old, new = self.lines.get(key), self._line(key)
        if old == new:
            return
        namespace, name = key
        counts = self.counts.setdefault(namespace, Counter())
        for line, sign in (old, -1), (new, 1):
            if line is not None:
                counts[line.shape] += sign
                counts["endpoints"] += sign * line.endpoints
                counts["ready"] += sign * line.ready
        names = self.services.setdefault(namespace, [])
        if new is None:
            del self.lines[key]
            del names[bisect_left(names, name)]
        else:
            self.lines[key] = new
            if old is None:
                insort(names, name)
        self._place(namespace)

    def _line(self, key: Key) -> Line | None:
        service, tally = self.zone.cluster.service(key), self._tallies.get(key)
        if service is None and tally is None:
            return None
        endpoints = max(tally.endpoints.values(), default=0) if tally else 0
        ready = max(tally.ready.values(), default=0) if tally else 0
        shape: Shape = "virtual IP"
        if service is None:
            shape = "missing"
        elif service.external_name is not None:
            shape = "ExternalName"
        elif service.headless:
            shape = "headless"
        return Line(shape, endpoints, ready)

    def _place(self, namespace: str) -> None:
        """A namespace is on the map while there is an object of it, or a Service in it."""
        at = bisect_left(self.namespaces, namespace)
        known = at < len(self.namespaces) and self.namespaces[at] == namespace
        wanted = bool(self.services.get(namespace)) or self.zone.cluster.has_namespace(namespace)
        if wanted and not known:
            self.namespaces.insert(at, namespace)
        elif known and not wanted:
            del self.namespaces[at]
            self.services.pop(namespace, None)
            self.counts.pop(namespace, None)
