"""Pages of the map: what is on them is cut, how many there are is not. Texts are escaped (`minidns.core.why.shown`)."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from minidns.core import names, reasons, schema
from minidns.core.model import Endpoint, EndpointSlice, Key, Service
from minidns.core.names import Name
from minidns.core.schema import PodMode
from minidns.core.why import shown
from minidns.core.zone import Zone
from minidns.explain.behind import port_text, state
from minidns.views.map.index import Index, Shape

#: Namespaces, Services or endpoints on one page; names of one thing.
PAGE = 100
NAMES = 20


class NamespaceLine(msgspec.Struct, frozen=True):
    """`exists`: there is a Namespace object; else only Services say so. Counts are of Services by shape. `names`: its
    own, and that of its pods' names."""

    namespace: str
    exists: bool
    headless: int
    virtual: int
    external: int
    missing: int
    endpoints: int
    ready: int
    names: tuple[str, ...]


class ServiceLine(msgspec.Struct, frozen=True):
    """A Service in one line. `addresses`: its virtual IPs."""

    namespace: str
    name: str
    shape: Shape
    addresses: tuple[str, ...]
    external_name: str | None
    ports: tuple[str, ...]
    endpoints: int
    ready: int


class EndpointLine(msgspec.Struct, frozen=True):
    """`state` is its conditions in words; `names` are those it gives, or would give if it were ready, its reverse names
    last."""

    slice: str
    addresses: tuple[str, ...]
    pod: str | None
    state: str
    ready: bool
    serving: bool
    terminating: bool
    names: tuple[str, ...]


class SliceLine(msgspec.Struct, frozen=True):
    name: str
    ports: tuple[str, ...]
    endpoints: int
    ready: int


class Namespaces(msgspec.Struct, frozen=True):
    """`next`: what to ask for as `after` for the rest; null at the end."""

    namespaces: tuple[NamespaceLine, ...]
    total: int
    next: str | None
    services: int
    endpoints: int
    ready: int


class Services(msgspec.Struct, frozen=True):
    """`total`: all in the namespace. Of a search: what was found, and `total` null when that is not all."""

    services: tuple[ServiceLine, ...]
    total: int | None
    next: str | None
    matched: tuple[str, ...] = ()


class Behind(msgspec.Struct, frozen=True):
    """A Service, the names it gives as a whole, its slices (cut), and a page of endpoints, in the slices' order."""

    service: ServiceLine
    selector: str
    publish_not_ready: bool
    names: tuple[str, ...]
    slices: tuple[SliceLine, ...]
    slice_count: int
    endpoints: tuple[EndpointLine, ...]
    endpoint_total: int
    next: str | None


def namespaces(index: Index, after: str = "") -> Namespaces:
    start = bisect_right(index.namespaces, after)
    page = index.namespaces[start : start + PAGE]
    every = index.counts.values()
    return Namespaces(
        tuple(_namespace(index, name) for name in page),
        len(index.namespaces),
        page[-1] if start + PAGE < len(index.namespaces) else None,
        len(index.lines),
        sum(counts["endpoints"] for counts in every),
        sum(counts["ready"] for counts in every),
    )


def services(index: Index, namespace: str, after: str = "") -> Services:
    """Raises KeyError for a namespace that is not on the map."""
    if namespace not in index.services and not index.zone.cluster.has_namespace(namespace):
        raise KeyError(namespace)
    every = index.services.get(namespace, [])
    start = bisect_right(every, after)
    page = every[start : start + PAGE]
    lines = tuple(service_line(index, (namespace, name)) for name in page)
    return Services(lines, len(every), page[-1] if start + PAGE < len(every) else None)


def behind(index: Index, key: Key, after: int = 0) -> Behind:
    """`after`: how many endpoints to pass over. Raises KeyError for a Service that is not on the map."""
    line = service_line(index, key)
    zone = index.zone
    service = zone.cluster.service(key)
    slices = list(zone.cluster.slices(key).values())
    total = sum(len(slice_.endpoints) for slice_ in slices)
    owner = schema.service_name(zone.settings, *key)
    page = _page(slices, after)
    return Behind(
        line,
        shown(reasons.selector_text(service)) if service else "",
        bool(service and service.publish_not_ready),
        tuple(map(names.to_text, _names_of(zone, service, owner))) if service and owner else (),
        tuple(
            SliceLine(
                shown(slice_.name),
                tuple(map(port_text, slice_.ports)),
                len(slice_.endpoints),
                sum(endpoint.ready for endpoint in slice_.endpoints),
            )
            for slice_ in slices[:PAGE]
        ),
        len(slices),
        tuple(_endpoint(zone, owner, slice_, endpoint) for slice_, endpoint in page),
        total,
        str(after + PAGE) if after + PAGE < total else None,
    )


def service_line(index: Index, key: Key) -> ServiceLine:
    """Raises KeyError."""
    shape, endpoints, ready = index.lines[key]
    service = index.zone.cluster.service(key) or Service(*key)
    return ServiceLine(
        shown(service.namespace),
        shown(service.name),
        shape,
        tuple(map(names.address_text, service.cluster_ips)),
        None if service.external_name is None else shown(service.external_name),
        tuple(map(port_text, service.ports)),
        endpoints,
        ready,
    )


def _namespace(index: Index, name: str) -> NamespaceLine:
    counts = index.counts.get(name, Counter())
    zone = index.zone
    found = (schema.namespace_name(zone.settings, name, tree) for tree in ("svc", "pod"))
    own = tuple(names.to_text(one) for one in found if one)
    return NamespaceLine(
        shown(name),
        zone.cluster.has_namespace(name),
        counts["headless"],
        counts["virtual IP"],
        counts["ExternalName"],
        counts["missing"],
        counts["endpoints"],
        counts["ready"],
        own,
    )


def _page(slices: Iterable[EndpointSlice], after: int) -> list[tuple[EndpointSlice, Endpoint]]:
    found: list[tuple[EndpointSlice, Endpoint]] = []
    for slice_ in slices:
        size = len(slice_.endpoints)
        found += [(slice_, endpoint) for endpoint in slice_.endpoints[after : after + PAGE - len(found)]]
        after = max(0, after - size)
        if len(found) == PAGE:
            break
    return found


def _endpoint(zone: Zone, owner: Name | None, slice_: EndpointSlice, endpoint: Endpoint) -> EndpointLine:
    found: list[Name | None] = []
    if zone.settings.pods is not PodMode.DISABLED and endpoint.pod:
        pods = schema.namespace_name(zone.settings, slice_.namespace, "pod")
        found += [names.child(names.address_label(address), pods) for address in endpoint.addresses if pods]
    service = zone.cluster.service((slice_.namespace, slice_.service))
    if owner is not None and service is not None and service.external_name is None:
        found[:0] = [names.child(label, owner) for label in schema.endpoint_labels(zone.settings, endpoint)]
        found += [schema.reverse_name(zone.settings, address) for address in endpoint.addresses]
    return EndpointLine(
        shown(slice_.name),
        tuple(map(names.address_text, endpoint.addresses)),
        None if endpoint.pod is None else shown(endpoint.pod),
        state(endpoint),
        endpoint.ready,
        endpoint.serving,
        endpoint.terminating,
        tuple(names.to_text(name) for name in found[:NAMES] if name),
    )


def _names_of(zone: Zone, service: Service, owner: Name) -> Iterator[Name]:
    """The names of a Service as a whole."""
    yield owner
    if service.external_name is not None:
        return
    ports = reasons.ports(zone, service)
    found = [schema.port_name(port, owner) for port in ports[:NAMES] if port.number is not None]
    yield from dict.fromkeys(name for name in found if name)
    yield from filter(None, (schema.reverse_name(zone.settings, address) for address in service.cluster_ips))
