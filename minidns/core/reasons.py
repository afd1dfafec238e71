"""The reason of an answer, found from the zone index alone: which object, or which absence, it came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from minidns.core import records, schema
from minidns.core.model import EndpointSlice, Port, Service
from minidns.core.names import Name
from minidns.core.schema import Alias, Apex, Exists, Hosts, Part, PodMode, Pointer, Text
from minidns.core.why import Reason, Why, sentence
from minidns.core.zone import Zone

__all__ = [
    "Reason", "Why", "clusters_of", "count", "labels_below", "nowhere_ports", "of_nodata", "of_nxdomain",
    "ports", "selector_text", "sentence",
    "service_at", "types_at", "types_of",
]  # fmt: skip


#: The label of the tree that Services are in, in wire form.
_TREE = b"\3svc"


def of_nodata(zone: Zone, name: Name, type_: int) -> Reason:
    """Why a name that exists has no records of the type."""
    return _in_zone(zone, _of_nodata(zone, name, type_))


def _in_zone(zone: Zone, reason: Reason) -> Reason:
    return replace(reason, imported=True) if zone.settings.multicluster else reason


def _of_nodata(zone: Zone, name: Name, type_: int) -> Reason:
    node = zone.nodes[name]
    service = service_at(zone, name)
    key = service.key if service else None
    if any(isinstance(part, Exists) for part in node.parts) and len(path := labels_below(zone, name)) == 2:
        return Reason(Why.NAMESPACE, place=path[0])
    own = service is not None and name == _owner(zone, service)
    if service and own and not service.headless and not service.cluster_ips:
        return Reason(Why.NO_ADDRESS, key)
    present = tuple(records.type_text(other) for other in types_at(zone, name))
    if not present:
        return Reason(Why.EMPTY if node.children else Why.NOTHING, key)
    if type_ in (records.A, records.AAAA) and {"A", "AAAA"} & set(present):
        return Reason(Why.OTHER_FAMILY, key if own else None, elsewhere=("IPv6" if type_ == records.A else "IPv4",))
    return Reason(Why.NO_TYPE, key if own else None, elsewhere=present)


def types_at(zone: Zone, name: Name) -> list[int]:
    """The types that a name has records of."""
    node = zone.nodes.get(name)
    return types_of(node.parts if node else ())


def types_of(parts: Iterable[Part]) -> list[int]:
    """The types of the records that parts of a name give."""
    found: dict[int, None] = {}
    for part in parts:
        match part:
            case Hosts():
                found.update({records.A if len(address) == 4 else records.AAAA: None for address in part.addresses})
                found.update({records.SRV: None} if part.ports else {})
            case Pointer():
                found[records.PTR] = None
            case Alias():
                found[records.CNAME] = None
            case Text():
                found[records.TXT] = None
            case Apex():
                found.update({records.SOA: None, records.NS: None})
    return sorted(found)


def of_nxdomain(zone: Zone, name: Name, encloser: Name) -> Reason:
    """Why a name does not exist, where `encloser` is the closest name above it that does."""
    return _in_zone(zone, _of_nxdomain(zone, name, encloser))


def _of_nxdomain(zone: Zone, name: Name, encloser: Name) -> Reason:
    path = labels_below(zone, name)[::-1]
    if not path:
        return Reason(Why.NO_POINTER, general=True)
    if path[0] == "pod" and len(path) >= 2:
        return _of_missing_pod(zone, path[1], len(path))
    if path[0] != "svc":
        return Reason(Why.NO_NAME, general=True)
    if len(path) == 2 or len(encloser) <= len(_TREE) + len(zone.settings.origin):
        return Reason(Why.NO_NAMESPACE, general=True)
    return _of_missing_service(zone, name, path)


def _of_missing_pod(zone: Zone, namespace: str, depth: int) -> Reason:
    if depth == 2 or not zone.cluster.has_namespace(namespace):
        return Reason(Why.NO_NAMESPACE, general=True)
    why = {
        PodMode.DISABLED: Why.PODS_DISABLED,
        PodMode.INSECURE: Why.NOT_AN_ADDRESS,
        PodMode.VERIFIED: Why.NO_POD,
    }[zone.settings.pods]
    return Reason(why, place=namespace, general=zone.settings.pods is not PodMode.INSECURE)


def _of_missing_service(zone: Zone, name: Name, path: list[str]) -> Reason:
    namespace, label = path[1], path[2]
    service = zone.cluster.service((namespace, label))
    if service is None:
        others = zone.namespaces_with(label)
        if others:
            return Reason(Why.ELSEWHERE, (namespace, label), elsewhere=others)
        return Reason(Why.NO_SERVICE, place=namespace, general=True)
    if len(path) == 3 or _owner(zone, service) not in zone.nodes:
        nothing = _of_nothing_at_all(zone, service)
        if len(path) == 3 or nothing.why is not Why.NONE_READY or path[3].startswith("_"):
            return nothing
    if service.external_name is not None:
        return Reason(Why.BELOW_ALIAS, service.key)
    if bare := _without_underscore(zone, service, path):
        return Reason(Why.NO_UNDERSCORE, service.key, place=f"_{bare.name}._{bare.protocol.lower()}")
    if path[3].startswith("_"):
        return _of_missing_port(zone, service, path)
    clusters = clusters_of(zone, service) if zone.settings.multicluster else []
    if clusters and name not in zone.not_ready:
        return _of_missing_cluster(zone, name, service, path, clusters)
    if len(path) > 5 or (len(path) == 5 and not clusters):
        return Reason(Why.TOO_DEEP, service.key)
    return _of_missing_host(zone, name, service, path[-1])


def clusters_of(zone: Zone, service: Service) -> list[str]:
    """The clusters that the endpoints of a ServiceImport are in, sorted."""
    return sorted({slice_.cluster for slice_ in zone.cluster.slices(service.key).values() if slice_.cluster})


def _of_missing_cluster(zone: Zone, name: Name, service: Service, path: list[str], clusters: list[str]) -> Reason:
    """A name below a ServiceImport whose endpoints are named below their clusters."""
    cluster = next((cluster for cluster in clusters if cluster.lower() == path[3]), None)
    if cluster is None:
        return Reason(Why.NO_CLUSTER, service.key, elsewhere=tuple(clusters))
    if len(path) > 5:
        return Reason(Why.TOO_DEEP, service.key)
    if len(path) == 4:
        return Reason(Why.CLUSTER_NOT_READY, service.key, place=cluster)
    return _of_missing_host(zone, name, service, path[4])


def _owner(zone: Zone, service: Service) -> Name | None:
    return schema.service_name(zone.settings, service.namespace, service.name)


def _of_nothing_at_all(zone: Zone, service: Service) -> Reason:
    count = _count(zone, service)
    if service.external_name is not None:
        return Reason(Why.NO_RECORDS, service.key)
    if not service.headless:
        return Reason(Why.IGNORED, service.key, endpoints=count)
    if not zone.cluster.slices(service.key):
        return Reason(Why.NO_SLICES, service.key)
    if not count:
        return Reason(Why.NO_ENDPOINTS, service.key, place=selector_text(service))
    return Reason(Why.NONE_READY, service.key, endpoints=count)


def selector_text(service: Service) -> str:
    """The selector as `kubectl get -l` takes it: `app=web,tier=front`; "" for none."""
    return ",".join(f"{key}={value}" for key, value in service.selector)


def _of_missing_host(zone: Zone, name: Name, service: Service, label: str) -> Reason:
    if name in zone.not_ready:
        return Reason(Why.HOST_NOT_READY, service.key, place=label)
    return Reason(Why.NO_HOST, service.key, endpoints=_count(zone, service))


def _count(zone: Zone, service: Service) -> int:
    return count((slice_, len(slice_.endpoints)) for slice_ in zone.cluster.slices(service.key).values())


def count(endpoints: Iterable[tuple[EndpointSlice, int]]) -> int:
    """How many endpoints a Service has, from the numbers in its slices: a pod with addresses of both families is in a
    slice of each, and is one."""
    families: Counter[int] = Counter()
    for slice_, number in endpoints:
        if number:
            families[len(b"".join(slice_.endpoints[0].addresses[:1]))] += number
    return max(families.values(), default=0)


def _without_underscore(zone: Zone, service: Service, path: list[str]) -> Port | None:
    """The port that such a name would be of if both labels began with an underscore (RFC 2782)."""
    if len(path) != 5 or (path[3].startswith("_") and path[4].startswith("_")):
        return None
    wanted = [label.removeprefix("_") for label in path[:2:-1]]
    named = (port for port in ports(zone, service) if port.name)
    return next((port for port in named if [port.name.lower(), port.protocol.lower()] == wanted), None)


def _of_missing_port(zone: Zone, service: Service, path: list[str]) -> Reason:
    nowhere = {(port.name.lower(), port.protocol.lower()) for port in nowhere_ports(zone, service)}
    if len(path) == 5 and (path[4][1:], path[3][1:]) in nowhere:
        return Reason(Why.PORT_NOWHERE, service.key, place=path[4][1:])
    known = ports(zone, service)
    named = [port for port in known if port.name]
    if known and not named:
        return Reason(Why.PORT_UNNAMED, service.key)
    if len(path) > 5:
        return Reason(Why.TOO_DEEP, service.key)
    wanted = path[4].removeprefix("_") if len(path) == 5 else ""
    meant = [port for port in named if port.name.lower() == wanted]
    protocols = tuple(dict.fromkeys(port.protocol for port in meant))
    if path[3][1:] in (protocol.lower() for protocol in protocols):
        numbers = [port.number for port in meant if port.protocol.lower() == path[3][1:]]
        if all(number is not None and not 0 <= number <= schema.LARGEST_PORT for number in numbers):
            return Reason(Why.PORT_NUMBER, service.key, place=wanted, elsewhere=tuple(map(str, numbers)))
        return Reason(Why.PORT_NOT_READY, service.key, place=wanted)
    if protocols:
        return Reason(Why.OTHER_PROTOCOL, service.key, place=wanted, elsewhere=protocols)
    have = tuple(dict.fromkeys(f"{port.name}/{port.protocol}" for port in named))
    return Reason(Why.NO_PORT, service.key, elsewhere=have)


def ports(zone: Zone, service: Service) -> tuple[Port, ...]:
    """The ports of a Service: a headless one's are those of its slices, as long as they have any."""
    slices = sorted(zone.cluster.slices(service.key).items())
    own = dict.fromkeys(port for _, slice_ in slices for port in slice_.ports)
    return tuple(own) if service.headless and own else service.ports


def nowhere_ports(zone: Zone, service: Service) -> list[Port]:
    """The named ports of a Service that no slice has, although there are endpoints. The cluster's controller leaves a
    port out where no container has a port of its targetPort's name."""
    slices = [slice_ for slice_ in zone.cluster.slices(service.key).values() if slice_.endpoints]
    listed = {(port.name, port.protocol) for slice_ in slices for port in slice_.ports}
    named = [port for port in service.ports if port.name] if slices else []
    return [port for port in named if (port.name, port.protocol) not in listed]


def service_at(zone: Zone, name: Name) -> Service | None:
    """The Service that a name of the cluster zone is, or is below."""
    path = labels_below(zone, name)[::-1]
    return zone.cluster.service((path[1], path[2])) if len(path) > 2 and path[0] == "svc" else None


def labels_below(zone: Zone, name: Name) -> list[str]:
    """The labels of a name in front of the zone's origin; none for a name of another zone."""
    origin = zone.settings.origin
    end, position = len(name) - len(origin), 0
    found: list[str] = []
    while position < end and name.endswith(origin):
        following = position + 1 + name[position]
        found.append(name[position + 1 : following].decode("utf-8", "replace"))
        position = following
    return found if position == end else []
