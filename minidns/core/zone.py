"""The zone index: the only mutable state of the core.

`apply(change)` brings a change of the cluster in; `nodes` is what a look-up reads. Neither awaits, so no query sees
half a change. The index is by name: no node is NXDOMAIN, a node without the type asked for is NODATA, and a name with
something below it is a node (an empty non-terminal).

The cost of a change is the size of the change: an object's parts (`minidns.core.schema`) are worked out from its old
and its new version, and only the names where these differ are touched. What a touched node had ready to send is
dropped, and put together again when it is next asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from minidns.core import names, schema
from minidns.core.cluster import Cluster
from minidns.core.model import (
    Change,
    Deleted,
    Endpoint,
    EndpointSlice,
    Key,
    Namespace,
    Object,
    Pod,
    Port,
    Service,
    Upserted,
)
from minidns.core.names import Name
from minidns.core.ready import Ready
from minidns.core.schema import NotReady, Part, Placed, ZoneSettings

#: What a node has ready to send before it was ever asked for. Shared by all nodes and never written to.
NOTHING: dict[bytes, Ready] = {}


class Node(msgspec.Struct, gc=False):
    """One name of the zone.

    parts: what the cluster's objects give to it; the same part twice when two objects give the same.
    children: how many nodes are directly below it.
    ready: by type (two bytes, as in a question), the answers put together since the last change here.
    """

    parts: tuple[Part, ...] = ()
    children: int = 0
    ready: dict[bytes, Ready] = NOTHING


class Touch(NamedTuple):
    """What one change took from a name and gave to it."""

    name: Name
    taken: tuple[Part, ...]
    given: tuple[Part, ...]


class Zone:
    """The index of a cluster zone and its reverse zones.

    `serial` is the SOA serial number (RFC 1982 arithmetic): it moves only when a record changed. `synced` is False
    until the caller says that the first full list of everything is in. `outdated` says that what is ready at nodes is
    not as it would be made now, until somebody drops it (`minidns.core.walk.drop_ready`). `cluster` holds the objects,
    and `not_ready` the names that endpoints would have if they were ready: both for explanations.
    """

    def __init__(self, settings: ZoneSettings, serial: int = 1) -> None:
        self.settings = settings
        self.serial = serial
        self.synced = False
        self.outdated = False
        self.origins = (settings.origin, *settings.reverse) if settings.served else ()
        self.nodes: dict[Name, Node] = {}
        self.not_ready: Counter[Name] = Counter()
        self.cluster = Cluster(imports=settings.multicluster)
        #: How many nodes were added and removed: with each moves the place of others among the nodes.
        self.moves = 0
        #: Of each open snapshot (`minidns.core.snapshot`), what the names had that were touched since.
        self.overlays: list[dict[Name, tuple[Part, ...]]] = []
        if settings.served:
            self._swap([], schema.of_zone(settings, settings.ns_addresses), {}, None)

    def apply(self, change: Change, feed: list[Touch] | None = None) -> list[Name]:
        """Bring a change in. Returns the names that it touched, and appends what it did there to `feed`.

        `Replaced` touches only what differs: an object that is the same as before costs one comparison.
        """
        touched: dict[Name, None] = {}
        for old, new in self._versions(change):
            self._change(old, new, touched, feed)
        if touched:
            self.serial = (self.serial + 1) & 0xFFFFFFFF
        return list(touched)

    def answer_by(self, settings: ZoneSettings) -> None:
        """Other settings of the same shape from now on. What is ready at nodes is outdated."""
        before, ns = self.settings, self._ns()
        assert settings.shape == before.shape
        self.settings, self.outdated = settings, True
        self._swap_ns(ns, {}, None)
        if settings.times != before.times or ns != self._ns():
            self.serial = (self.serial + 1) & 0xFFFFFFFF

    def shrink(self, count: int) -> bool:
        """Let go of up to `count` names of a zone that nobody asks any more. False when there is nothing to let go of,
        or somebody still reads a snapshot of it."""
        if self.overlays:
            return False
        for _ in range(min(count, len(self.nodes))):
            self.nodes.popitem()
        return bool(self.nodes)

    def encloser(self, name: Name) -> Name | None:
        """The closest name at or above `name` that exists; None outside every zone (RFC 4592, 3.3.1)."""
        while name not in self.nodes:
            if name == names.ROOT:
                return None
            name = names.parent(name)
        return name

    def origin(self, name: Name) -> Name | None:
        """The origin of the zone that holds `name`: the longest, where one is below another."""
        return max((origin for origin in self.origins if names.is_below(name, origin)), key=len, default=None)

    def namespaces_with(self, service: str) -> tuple[str, ...]:
        """The namespaces that hold a Service of that name, sorted; those that are served here."""
        return tuple(filter(self._exposed, self.cluster.namespaces_with(service)))

    def _versions(self, change: Change) -> Iterator[tuple[Object | None, Object | None]]:
        """(before, after) of each object that the change makes different."""
        if isinstance(change, Upserted):
            old = self.cluster.all(type(change.object)).get(change.object.key)
            if old != change.object:
                yield old, change.object
            return
        known = self.cluster.all(change.kind)
        if isinstance(change, Deleted):
            if old := known.get(change.key):
                yield old, None
            return
        for key in known.keys() - {obj.key for obj in change.objects}:
            yield known[key], None
        for obj in change.objects:
            old = known.get(obj.key)
            if old is not obj and old != obj:
                yield old, obj

    def _change(
        self, old: Object | None, new: Object | None, touched: dict[Name, None], feed: list[Touch] | None
    ) -> None:
        ns = self._ns()
        before = list(self._parts(old, new))
        if new is None or isinstance(old, EndpointSlice):
            assert old is not None
            self.cluster.drop(old)
        if new is not None:
            self.cluster.put(new)
        after = self._parts(new, old)
        self._swap(before, after, touched, feed)
        for version in (old, new):
            if isinstance(version, EndpointSlice):
                self._forget_other_ports(version)
        self._swap_ns(ns, touched, feed)

    def _parts(self, this: Object | None, other: Object | None) -> Iterator[Placed]:
        """What there is now because of `this` version of an object, as far as `other` may have it different."""
        match this:
            case Namespace():
                yield from schema.of_namespace(self.settings, this.name)
            case Pod():
                if self._exposed(this.namespace):
                    yield from schema.of_pod(self.settings, this)
            case Service() if type(this) is self.cluster.service_kind:
                same_shape = isinstance(other, Service) and _shape(this) == _shape(other)
                yield from self._of_service(this.key) if same_shape else self._of_whole_service(this.key)
            case EndpointSlice() if type(this) is self.cluster.slice_kind:
                endpoints = set(this.endpoints)
                if isinstance(other, EndpointSlice) and _place(this) == _place(other):
                    endpoints.difference_update(other.endpoints)
                yield from self._of_slice(this, endpoints)
        if self.settings.ignore_empty_service:
            slices = [version for version in (this, other) if isinstance(version, EndpointSlice)]
            for key in {(slice_.namespace, slice_.service) for slice_ in slices}:
                yield from self._of_service(key)
        namespace = this or other
        if self.settings.exposed_namespaces_only and isinstance(namespace, Namespace):
            yield from self._of_everything_in(namespace.name)

    def _of_everything_in(self, namespace: str) -> Iterator[Placed]:
        for service in self.cluster.services_in(namespace):
            yield from self._of_whole_service((namespace, service))
        for pod in self.cluster.all(Pod).values():
            if isinstance(pod, Pod) and pod.namespace == namespace and self._exposed(namespace):
                yield from schema.of_pod(self.settings, pod)

    def _of_whole_service(self, key: Key) -> Iterator[Placed]:
        yield from self._of_service(key)
        for slice_ in self.cluster.slices(key).values():
            yield from self._of_slice(slice_, set(slice_.endpoints))

    def _of_service(self, key: Key) -> Iterator[Placed]:
        service = self._visible(key)
        if service is None or (self.settings.ignore_empty_service and self._is_empty(service)):
            return
        yield from schema.of_service(self.settings, service)

    def _of_slice(self, slice_: EndpointSlice, endpoints: Iterable[Endpoint]) -> Iterator[Placed]:
        service = self._visible((slice_.namespace, slice_.service))
        if service is None or service.external_name is not None:
            return
        owner = schema.service_name(self.settings, service.namespace, service.name)
        if owner is None:
            return
        yield from schema.of_slice(self.settings, service, slice_)
        below, ports = schema.hosts_name(owner, slice_), schema.port_numbers(slice_)
        if below is None:
            return
        for endpoint in endpoints:
            yield from schema.of_endpoint(self.settings, below, ports, endpoint)

    def _exposed(self, namespace: str) -> bool:
        return not self.settings.exposed_namespaces_only or self.cluster.has_namespace(namespace)

    def _visible(self, key: Key) -> Service | None:
        return self.cluster.service(key) if self._exposed(key[0]) else None

    def _is_empty(self, service: Service) -> bool:
        if service.headless or service.external_name is not None:
            return False
        slices = self.cluster.slices(service.key).values()
        return not any(endpoint.ready for slice_ in slices for endpoint in slice_.endpoints)

    def _ns(self) -> tuple[bytes, ...]:
        """The addresses of the name server."""
        key = self.settings.ns_service
        service = self.cluster.own_service(key) if self._exposed(key[0]) else None
        return (service and service.cluster_ips) or self.settings.ns_addresses

    def _swap_ns(self, before: tuple[bytes, ...], touched: dict[Name, None], feed: list[Touch] | None) -> None:
        if before != (after := self._ns()):
            self._swap(schema.of_zone(self.settings, before), schema.of_zone(self.settings, after), touched, feed)

    def _swap(
        self,
        before: Iterable[Placed],
        after: Iterable[Placed],
        touched: dict[Name, None],
        feed: list[Touch] | None,
    ) -> None:
        """Take `before` out and put `after` in, where they differ."""
        before, after = list(before), list(after)
        if before:
            balance = Counter(after)
            balance.subtract(before)
            given = [placed for placed, count in balance.items() for _ in range(count)]
            taken = [placed for placed, count in balance.items() for _ in range(-count)]
        else:
            given, taken = after, []
        given, taken = self._hide(given, 1), self._hide(taken, -1)
        for overlay in self.overlays:
            self._remember(given, overlay)
            self._remember(taken, overlay)
        # First give, then take: a name that stays keeps its node, and its ancestors theirs.
        for name, part in given:
            self._give(name, part)
        for name, part in taken:
            self._take(name, part)
        touched.update(dict.fromkeys([name for name, _ in given]))
        touched.update(dict.fromkeys([name for name, _ in taken]))
        if given or taken:
            self._forget(before, after)
        if feed is not None:
            feed.extend(_touches(given, taken))

    def _remember(self, placed: Iterable[Placed], overlay: dict[Name, tuple[Part, ...]]) -> None:
        """Keep what the names have that are about to change, as it is the first time they do."""
        for name, _ in placed:
            if name not in overlay:
                node = self.nodes.get(name)
                overlay[name] = node.parts if node else ()

    def _hide(self, placed: list[Placed], count: int) -> list[Placed]:
        """Count the names of endpoints that are not ready, and pass on what is a record."""
        hidden = [name for name, part in placed if isinstance(part, NotReady)]
        if not hidden:
            return placed
        for name in hidden:
            self.not_ready[name] += count
            if not self.not_ready[name]:
                del self.not_ready[name]
        return [(name, part) for name, part in placed if not isinstance(part, NotReady)]

    def _forget(self, before: list[Placed], after: list[Placed]) -> None:
        """Drop what is ready to send at every name of the change, also where the records stay: an SRV answer holds the
        addresses of its targets."""
        for name, _ in (*before, *after):
            node = self.nodes.get(name)
            if node is not None:
                node.ready = NOTHING

    def _forget_other_ports(self, slice_: EndpointSlice) -> None:
        """Drop the SRV answers at the names of ports that only other slices have: a hostname may be in several slices,
        and these answers hold all its addresses."""
        owner = schema.service_name(self.settings, slice_.namespace, slice_.service)
        for other in self.cluster.slices((slice_.namespace, slice_.service)).values():
            if owner is not None and other.ports != slice_.ports:
                for port in other.ports:
                    node = self.nodes.get(schema.port_name(port, owner) or names.ROOT)
                    if node is not None:
                        node.ready = NOTHING

    def _give(self, name: Name, part: Part) -> None:
        node = self.nodes.get(name)
        if node is None:
            self._add(name, Node((part,)))
        else:
            node.parts = (*node.parts, part)

    def _add(self, name: Name, node: Node) -> None:
        """Put a node in, and the empty non-terminals above it."""
        self.nodes[name] = node
        self.moves += 1
        while name not in self.origins:
            name = names.parent(name)
            above = self.nodes.get(name)
            if above is not None:
                if not above.children:
                    above.ready = NOTHING  # its NODATA said that nothing is below it
                above.children += 1
                return
            self.nodes[name] = Node(children=1)
            self.moves += 1

    def _take(self, name: Name, part: Part) -> None:
        node = self.nodes[name]
        at = node.parts.index(part)
        node.parts = node.parts[:at] + node.parts[at + 1 :]
        while not node.parts and not node.children:
            del self.nodes[name]
            self.moves += 1
            name = names.parent(name)
            node = self.nodes[name]
            node.children -= 1
            if not node.children:
                node.ready = NOTHING


def _shape(service: Service) -> tuple[bool, bool]:
    """What decides which names the endpoints of a Service get."""
    return service.headless, service.external_name is not None


def _place(slice_: EndpointSlice) -> tuple[str, str, tuple[Port, ...]]:
    """What decides where the endpoints of a slice have their names, and with which ports."""
    return slice_.service, slice_.cluster, slice_.ports


def _touches(given: Iterable[Placed], taken: Iterable[Placed]) -> Iterator[Touch]:
    at: dict[Name, tuple[list[Part], list[Part]]] = {}
    for index, placed in ((0, taken), (1, given)):
        for name, part in placed:
            at.setdefault(name, ([], []))[index].append(part)
    for name, (lost, won) in at.items():
        yield Touch(name, tuple(lost), tuple(won))
