"""The API server's JSON to model objects: only the fields that DNS needs, straight from bytes.

Field names and defaults are those of the Kubernetes API (core/v1 and discovery.k8s.io/v1) and of the Multi-Cluster
Services API (multicluster.x-k8s.io/v1alpha1). Unknown fields are skipped while they are parsed; missing ones and nulls
become None or empty. What cannot be an address is left out of its object: one bad entry must not hide the others.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import lru_cache
from sys import intern
from typing import Generic, TypeVar

import msgspec

from minidns.core.model import (
    Endpoint,
    EndpointSlice,
    ImportedSlice,
    Kind,
    Namespace,
    Object,
    Pod,
    Port,
    Service,
    ServiceImport,
)

SERVICE_NAME = "kubernetes.io/service-name"
#: The labels of a slice behind a ServiceImport.
IMPORT_NAME = "multicluster.kubernetes.io/service-name"
IMPORT_CLUSTER = "multicluster.kubernetes.io/source-cluster"
INITIAL_EVENTS_END = "k8s.io/initial-events-end"


class Wire(msgspec.Struct, rename="camel", gc=False):
    """The base of everything read from the API server: its fields are camelCase there."""


class Meta(Wire):
    """ObjectMeta of an object; ListMeta of a list (`continue_`)."""

    name: str = ""
    namespace: str = ""
    resource_version: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    continue_: str = msgspec.field(default="", name="continue")


class Identity(Wire):
    """What every object has: enough to name it in a log line and to delete it."""

    metadata: Meta


class Event(Wire):
    """A line of a watch. `type` is ADDED, MODIFIED, DELETED, BOOKMARK or ERROR (then the object is a Status)."""

    type: str
    object: msgspec.Raw


class Listed(Wire):
    """A list, or a page of one: the items stay bytes until each is decoded by itself."""

    metadata: Meta
    items: list[msgspec.Raw] | None = None


class Status(Wire):
    """A refusal, as the body of an HTTP error or in an ERROR event."""

    message: str = ""
    reason: str = ""
    code: int = 0


class _Name(Wire):
    name: str


class _NamespaceWire(Wire):
    metadata: _Name


class _PortWire(msgspec.Struct, frozen=True, gc=False):
    name: str | None = None
    protocol: str | None = None
    port: int | None = None


class _ServiceSpec(Wire):
    type: str = ""
    cluster_ip: str = msgspec.field(default="", name="clusterIP")
    cluster_ips: tuple[str, ...] | None = msgspec.field(default=None, name="clusterIPs")
    external_name: str = ""
    ports: tuple[_PortWire, ...] | None = None
    selector: dict[str, str] | None = None
    publish_not_ready_addresses: bool = False


class _ServiceMeta(Wire):
    name: str
    namespace: str


class _ServiceWire(Wire):
    metadata: _ServiceMeta
    spec: _ServiceSpec


class _ImportSpec(Wire):
    type: str = ""
    ips: tuple[str, ...] | None = None
    ports: tuple[_PortWire, ...] | None = None


class _ImportWire(Wire):
    metadata: _ServiceMeta
    spec: _ImportSpec


class _SliceLabels(Wire):
    service: str = msgspec.field(default="", name=SERVICE_NAME)


class _SliceMeta(Wire):
    name: str
    namespace: str
    labels: _SliceLabels | None = None


class _Conditions(Wire):
    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class _TargetRef(Wire):
    kind: str = ""
    name: str = ""


class _EndpointWire(Wire):
    addresses: list[str] | None = None
    conditions: _Conditions | None = None
    hostname: str | None = None
    target_ref: _TargetRef | None = None


class _SliceWire(Wire):
    metadata: _SliceMeta
    address_type: str = ""
    endpoints: list[_EndpointWire] | None = None
    ports: tuple[_PortWire, ...] | None = None


class _ImportLabels(Wire):
    service: str = msgspec.field(default="", name=IMPORT_NAME)
    cluster: str = msgspec.field(default="", name=IMPORT_CLUSTER)


class _ImportMeta(Wire):
    name: str
    namespace: str
    labels: _ImportLabels | None = None


class _ImportedSliceWire(Wire):
    metadata: _ImportMeta
    address_type: str = ""
    endpoints: list[_EndpointWire] | None = None
    ports: tuple[_PortWire, ...] | None = None


class _PodIP(Wire):
    ip: str = ""


class _PodStatus(Wire):
    pod_ip: str = msgspec.field(default="", name="podIP")
    pod_ips: tuple[_PodIP, ...] | None = msgspec.field(default=None, name="podIPs")


class _PodWire(Wire):
    metadata: _ServiceMeta
    status: _PodStatus | None = None


def _packed(text: str) -> bytes | None:
    """Network-order bytes of an address, None for anything else. Leading zeros ("010.0.0.1") are not an address."""
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except (OSError, ValueError):
        return None


def _addresses(texts: list[str] | tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple([packed for text in texts if (packed := _packed(text)) is not None])


# Thousands of slices share a handful of port lists: one tuple for all of them.
@lru_cache(maxsize=4096)
def _ports(wire: tuple[_PortWire, ...] | None) -> tuple[Port, ...]:
    return tuple(Port(intern(p.name or ""), intern(p.protocol or "TCP"), p.port) for p in wire or ())


def _namespace(wire: _NamespaceWire) -> Namespace:
    return Namespace(intern(wire.metadata.name))


def _service(wire: _ServiceWire) -> Service:
    spec = wire.spec
    ips = spec.cluster_ips or ((spec.cluster_ip,) if spec.cluster_ip else ())
    external = spec.type == "ExternalName"
    return Service(
        namespace=intern(wire.metadata.namespace),
        name=intern(wire.metadata.name),
        cluster_ips=() if external else _addresses(ips),
        headless=not external and "None" in ips,
        external_name=spec.external_name if external else None,
        ports=_ports(spec.ports),
        selector=tuple(sorted(spec.selector.items())) if spec.selector else (),
        publish_not_ready=spec.publish_not_ready_addresses,
    )


def _endpoint(wire: _EndpointWire) -> Endpoint | None:
    addresses = _addresses(wire.addresses or ())
    if not addresses:
        return None
    hostname, target, conditions = wire.hostname or None, wire.target_ref, wire.conditions
    pod = target.name if target is not None and target.kind == "Pod" else None
    if pod == hostname:  # a StatefulSet's pods: keep one string of the two
        pod = hostname
    if conditions is None:
        return Endpoint(addresses, hostname, pod)
    ready = conditions.ready is not False
    serving = ready if conditions.serving is None else conditions.serving
    return Endpoint(addresses, hostname, pod, ready, serving, conditions.terminating is True)


def _import(wire: _ImportWire) -> ServiceImport:
    spec = wire.spec
    return ServiceImport(
        namespace=intern(wire.metadata.namespace),
        name=intern(wire.metadata.name),
        cluster_ips=_addresses(spec.ips or ()),
        headless=spec.type == "Headless",
        ports=_ports(spec.ports),
    )


def _endpoints(wire: _SliceWire | _ImportedSliceWire) -> tuple[Endpoint, ...]:
    # addressType FQDN has been deprecated since it was made; its "addresses" are names and answer nothing.
    found = () if wire.address_type == "FQDN" else map(_endpoint, wire.endpoints or ())
    return tuple([endpoint for endpoint in found if endpoint is not None])


def _slice(wire: _SliceWire) -> EndpointSlice:
    labels = wire.metadata.labels
    return EndpointSlice(
        namespace=intern(wire.metadata.namespace),
        name=wire.metadata.name,
        service=intern(labels.service) if labels is not None else "",
        ports=_ports(wire.ports),
        endpoints=_endpoints(wire),
    )


def _imported_slice(wire: _ImportedSliceWire) -> ImportedSlice:
    labels = wire.metadata.labels or _ImportLabels()
    return ImportedSlice(
        namespace=intern(wire.metadata.namespace),
        name=wire.metadata.name,
        service=intern(labels.service),
        ports=_ports(wire.ports),
        endpoints=_endpoints(wire),
        cluster=intern(labels.cluster),
    )


def _pod(wire: _PodWire) -> Pod:
    status = wire.status or _PodStatus()
    texts = [ip.ip for ip in status.pod_ips or ()] or [status.pod_ip]
    return Pod(intern(wire.metadata.namespace), wire.metadata.name, _addresses(texts))


W = TypeVar("W")


class _Codec(Generic[W]):
    def __init__(self, wire: type[W], convert: Callable[[W], Object]) -> None:
        self._decoder = msgspec.json.Decoder(wire)
        self._convert = convert

    def __call__(self, data: bytes | msgspec.Raw) -> Object:
        return self._convert(self._decoder.decode(data))


#: How an object of each kind is read from its JSON bytes. Raises msgspec.MsgspecError (with the path of the field).
DECODE: dict[Kind, Callable[[bytes | msgspec.Raw], Object]] = {
    Namespace: _Codec(_NamespaceWire, _namespace),
    Service: _Codec(_ServiceWire, _service),
    EndpointSlice: _Codec(_SliceWire, _slice),
    Pod: _Codec(_PodWire, _pod),
    ServiceImport: _Codec(_ImportWire, _import),
    ImportedSlice: _Codec(_ImportedSliceWire, _imported_slice),
}

decode_event = msgspec.json.Decoder(Event).decode
decode_list = msgspec.json.Decoder(Listed).decode
decode_identity = msgspec.json.Decoder(Identity).decode
decode_status = msgspec.json.Decoder(Status).decode
