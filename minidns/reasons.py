"""Why an answer is what it is: a value that travels with it, and the one sentence that says it.

A reason is found from the zone index alone: which object, or which absence, the answer came from. `sentence` is what an
Extended DNS Error (RFC 8914) carries and what explanations begin with, so that both agree. What the network sent is
never part of a sentence; names of the cluster's objects are.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from minidns import names, records, schema
from minidns.model import Key, Port, Service
from minidns.names import Name
from minidns.schema import Alias, Apex, Exists, Hosts, PodMode, Pointer, Text
from minidns.zone import Zone


class Why(Enum):
    """Every way in which an answer can come about."""

    RECORDS = "records of the type asked for"
    ALIAS = "an ExternalName Service"
    ALIAS_LOOP = "an ExternalName Service that leads back to itself"
    ALIAS_TARGET = "an ExternalName Service whose target has no such record"
    NO_TYPE = "the name exists, without this type"
    OTHER_FAMILY = "the name has addresses of the other family only"
    EMPTY = "the name exists only because there are names below it"
    NAMESPACE = "the name is a namespace's"
    NO_NAME = "no such name in the zone"
    NO_NAMESPACE = "no such namespace"
    NO_SERVICE = "no such Service in the namespace"
    ELSEWHERE = "the Service is in another namespace"
    NO_SLICES = "a headless Service without EndpointSlices"
    NO_ENDPOINTS = "a headless Service without endpoints"
    NONE_READY = "a headless Service of which no endpoint is ready"
    NO_RECORDS = "a Service that gives no name"
    NO_HOST = "no endpoint of that name behind the Service"
    HOST_NOT_READY = "the endpoint is not ready"
    NO_PORT = "the Service has no port of that name"
    PORT_UNNAMED = "the Service's ports have no names"
    OTHER_PROTOCOL = "the port has another protocol"
    TOO_DEEP = "more labels than the name of an endpoint or port has"
    PODS_DISABLED = "names by pod address are switched off"
    NO_POD = "no pod with that address in the namespace"
    NOT_AN_ADDRESS = "the label is not a pod's address"
    NO_POINTER = "no Service or ready endpoint has that address"
    NOT_SYNCED = "the first full list is not in yet"
    OUTSIDE = "the name is outside every zone"
    TRANSFER = "zone transfers are not offered"
    CLASS = "only class IN is served"


#: RFC 8914, 4: Not Ready, Not Authoritative, Not Supported. All else is 0, Other.
_CODES = {Why.NOT_SYNCED: 14, Why.OUTSIDE: 20, Why.TRANSFER: 21, Why.CLASS: 21}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, and about what.

    service: the Service that the name led to, or the nearest to it.
    place: the namespace, or the endpoint's or the port's name, that the sentence is about.
    elsewhere: namespaces, protocols or types that there are instead.
    endpoints: how many endpoints the Service has.
    general: true for every name that is missing at the same place, so that the answer can be kept there.
    """

    why: Why
    service: Key | None = None
    place: str = ""
    elsewhere: tuple[str, ...] = ()
    endpoints: int = 0
    general: bool = False

    @property
    def code(self) -> int:
        """The INFO-CODE of RFC 8914."""
        return _CODES.get(self.why, 0)


def sentence(reason: Reason) -> str:
    """The reason for people, in one short sentence; "" where records need none."""
    service = "Service " + "/".join(reason.service) if reason.service else ""
    others = ", ".join(reason.elsewhere[:3]) + (" and more" if len(reason.elsewhere) > 3 else "")
    many = f"{reason.endpoints} endpoint" + ("" if reason.endpoints == 1 else "s")
    match reason.why:
        case Why.RECORDS | Why.ALIAS:
            return ""
        case Why.ALIAS_LOOP:
            return f"ExternalName {service} leads back to itself"
        case Why.ALIAS_TARGET:
            return f"the target of ExternalName {service} has no such record"
        case Why.NO_TYPE:
            return f"{service or 'the name'} has no such record here, only {others}"
        case Why.OTHER_FAMILY:
            return f"{service or 'the name'} has {others} addresses only"
        case Why.EMPTY:
            return "nothing here, only names below"
        case Why.NAMESPACE:
            return f"{reason.place} is a namespace: ask for a name below it"
        case Why.NO_NAME:
            return "no such name in the zone; Services are below svc"
        case Why.NO_NAMESPACE:
            return "no such namespace"
        case Why.NO_SERVICE:
            return f"no Service of that name in namespace {reason.place}"
        case Why.ELSEWHERE:
            return f"no {service}; there is one in namespace {others}"
        case Why.NO_SLICES:
            return f"headless {service} has no EndpointSlice"
        case Why.NO_ENDPOINTS:
            return f"headless {service} has no endpoints{': its selector matches no pod' if reason.place else ''}"
        case Why.NONE_READY:
            return f"headless {service} has {many}, 0 ready"
        case Why.NO_RECORDS:
            return f"ExternalName {service} does not hold a domain name"
        case Why.NO_HOST:
            return f"{service} has {many}, none of that name"
        case Why.HOST_NOT_READY:
            return f"endpoint {reason.place} of {service} is not ready"
        case Why.NO_PORT:
            return f"{service} has no port of that name, only {others}" if others else f"{service} has no ports"
        case Why.PORT_UNNAMED:
            return f"{service} has unnamed ports only: SRV records are at the Service's own name"
        case Why.OTHER_PROTOCOL:
            return f"port {reason.place} of {service} is {others}"
        case Why.TOO_DEEP:
            return f"no names that deep below {service}"
        case Why.PODS_DISABLED:
            return "names by pod address are switched off (pods disabled)"
        case Why.NO_POD:
            return f"no pod with that address in namespace {reason.place}"
        case Why.NOT_AN_ADDRESS:
            return "a pod's name is its address with dashes, such as 10-244-0-5"
        case Why.NO_POINTER:
            return "no Service or ready endpoint has that address"
        case Why.NOT_SYNCED:
            return "waiting for the first full list of Services and EndpointSlices"
        case Why.OUTSIDE:
            return "outside of every zone served here, and no forwarder is configured"
        case Why.TRANSFER:
            return "zone transfers are not offered"
        case Why.CLASS:
            return "only class IN is served"


def of_nodata(zone: Zone, name: Name, type_: int) -> Reason:
    """Why a name that exists has no records of the type."""
    parts = zone.nodes[name].parts
    service = service_at(zone, name)
    key = service.key if service else None
    if any(isinstance(part, Exists) for part in parts) and len(path := _labels_below(zone, name)) == 2:
        return Reason(Why.NAMESPACE, place=path[0])
    present = tuple(records.type_text(other) for other in types_at(zone, name))
    if not present:
        return Reason(Why.EMPTY, key)
    if type_ in (records.A, records.AAAA) and {"A", "AAAA"} & set(present):
        return Reason(Why.OTHER_FAMILY, key, elsewhere=("IPv6" if type_ == records.A else "IPv4",))
    return Reason(Why.NO_TYPE, key, elsewhere=present)


def types_at(zone: Zone, name: Name) -> list[int]:
    """The types that a name has records of."""
    node = zone.nodes.get(name)
    parts = node.parts if node else ()
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
    settings = zone.settings
    if not names.is_below(name, settings.origin):
        return Reason(Why.NO_POINTER, general=True)
    path = _labels_below(zone, name)[::-1]
    if path[0] == "pod" and len(path) >= 2:
        return _of_missing_pod(zone, path[1], len(path))
    if path[0] != "svc":
        return Reason(Why.NO_NAME, general=True)
    if len(path) == 2 or (len(path) > 2 and len(_labels_below(zone, encloser)) < 2):
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
        others = zone.cluster.namespaces_with(label)
        if others:
            return Reason(Why.ELSEWHERE, (namespace, label), elsewhere=others)
        return Reason(Why.NO_SERVICE, place=namespace, general=True)
    if len(path) == 3 or _owner(zone, service) not in zone.nodes:
        nothing = _of_nothing_at_all(zone, service)
        if len(path) == 3 or nothing.why is not Why.NONE_READY or path[3].startswith("_"):
            return nothing
    if path[3].startswith("_"):
        return _of_missing_port(zone, service, path)
    if len(path) > 4:
        return Reason(Why.TOO_DEEP, service.key)
    return _of_missing_host(zone, name, service, path[3])


def _owner(zone: Zone, service: Service) -> Name | None:
    return schema.service_name(zone.settings, service.namespace, service.name)


def _of_nothing_at_all(zone: Zone, service: Service) -> Reason:
    if not service.headless:
        return Reason(Why.NO_RECORDS if service.external_name is not None else Why.NONE_READY, service.key)
    slices = zone.cluster.slices(service.key)
    if not slices:
        return Reason(Why.NO_SLICES, service.key)
    count = _count(zone, service)
    if not count:
        return Reason(Why.NO_ENDPOINTS, service.key, place="selector" if service.selector else "")
    return Reason(Why.NONE_READY, service.key, endpoints=count)


def _of_missing_host(zone: Zone, name: Name, service: Service, label: str) -> Reason:
    if name in zone.not_ready:
        return Reason(Why.HOST_NOT_READY, service.key, place=label)
    return Reason(Why.NO_HOST, service.key, endpoints=_count(zone, service))


def _count(zone: Zone, service: Service) -> int:
    return sum(len(slice_.endpoints) for slice_ in zone.cluster.slices(service.key).values())


def _of_missing_port(zone: Zone, service: Service, path: list[str]) -> Reason:
    ports = dict.fromkeys(port for slice_ in zone.cluster.slices(service.key).values() for port in slice_.ports)
    known: tuple[Port, ...] = tuple(ports) if service.headless and ports else service.ports
    named = [port for port in known if port.name]
    if known and not named:
        return Reason(Why.PORT_UNNAMED, service.key)
    if len(path) > 5:
        return Reason(Why.TOO_DEEP, service.key)
    wanted = path[4].removeprefix("_") if len(path) == 5 else ""
    protocols = tuple(dict.fromkeys(port.protocol for port in named if port.name == wanted))
    if protocols:
        return Reason(Why.OTHER_PROTOCOL, service.key, place=wanted, elsewhere=protocols)
    have = tuple(dict.fromkeys(f"{port.name}/{port.protocol}" for port in named))
    return Reason(Why.NO_PORT, service.key, elsewhere=have)


def service_at(zone: Zone, name: Name) -> Service | None:
    """The Service that a name of the cluster zone is, or is below."""
    path = _labels_below(zone, name)[::-1]
    return zone.cluster.service((path[1], path[2])) if len(path) > 2 and path[0] == "svc" else None


def _labels_below(zone: Zone, name: Name) -> list[str]:
    """The labels of a name in front of the zone's origin; none for a name of another zone."""
    if not names.is_below(name, zone.settings.origin):
        return []
    below = names.labels(name[: len(name) - len(zone.settings.origin)] + names.ROOT)
    return [label.decode("utf-8", "replace") for label in below]
