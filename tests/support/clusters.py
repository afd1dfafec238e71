"""Zones for tests: from recorded lists, and from a few words."""

from __future__ import annotations

import json
from ipaddress import ip_address
from pathlib import Path

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
    Replaced,
    Service,
    ServiceImport,
    Upserted,
)
from minidns.core.schema import ZoneSettings
from minidns.core.zone import Zone
from minidns.source.kubernetes.decode import DECODE
from tests.support.places import RECORDINGS

LISTS: dict[str, Kind] = {
    "namespaces": Namespace,
    "services": Service,
    "endpointslices": EndpointSlice,
    "pods": Pod,
}


def recorded_objects(folder: Path, name: str) -> tuple[Object, ...]:
    """The objects of a recorded list, `NAME.list.json`."""
    items = json.loads((folder / f"{name}.list.json").read_bytes())["items"]
    return tuple(DECODE[LISTS[name]](msgspec.json.encode(item)) for item in items)


def recorded_zone(settings: ZoneSettings, folder: Path = RECORDINGS / "after") -> Zone:
    """A synced zone that holds the recorded lists of a folder."""
    zone = Zone(settings)
    for name, kind in LISTS.items():
        zone.apply(Replaced(kind, recorded_objects(folder, name)))
    zone.synced = True
    return zone


def address(text: str) -> bytes:
    """The packed form of an address."""
    return ip_address(text).packed


def port(text: str) -> Port:
    """A port written as in a manifest's table: "http:80", "dns:53/UDP", ":9000" (no name), "any:" (no number)."""
    name, _, rest = text.partition(":")
    number, _, protocol = rest.partition("/")
    return Port(name, protocol or "TCP", int(number) if number else None)


def service(path: str, *ips: str, ports: str = "") -> Service:
    """A ClusterIP Service `NAMESPACE/NAME`; ports as in `port`, with blanks between them."""
    namespace, name = path.split("/")
    return Service(namespace, name, tuple(map(address, ips)), ports=tuple(map(port, ports.split())))


def headless(path: str, *, ports: str = "", selector: str = "") -> Service:
    namespace, name = path.split("/")
    pairs = (("app", selector),) if selector else ()
    return Service(namespace, name, headless=True, ports=tuple(map(port, ports.split())), selector=pairs)


def external(path: str, target: str) -> Service:
    namespace, name = path.split("/")
    return Service(namespace, name, external_name=target)


def endpoint(text: str) -> Endpoint:
    """Addresses with "+" between them, then what else there is: "10.0.0.1+10.0.0.2 host=web-0 pod=web-0 unready"."""
    addresses, *more = text.split()
    said = dict(word.split("=") for word in more if "=" in word)
    packed = tuple(map(address, addresses.split("+")))
    return Endpoint(packed, said.get("host"), said.get("pod"), ready="unready" not in more)


def endpoints(path: str, *members: str, ports: str = "", of: str | None = None) -> EndpointSlice:
    """A slice `NAMESPACE/NAME` of the Service `of`: by default the one that the slice's name begins with, up to "-"."""
    namespace, name = path.split("/")
    owner = name.partition("-")[0] if of is None else of
    return EndpointSlice(namespace, name, owner, tuple(map(port, ports.split())), tuple(map(endpoint, members)))


def imported(of: Service) -> ServiceImport:
    """The same Service as other clusters export it."""
    return ServiceImport(of.namespace, of.name, of.cluster_ips, of.headless, ports=of.ports)


def imported_slice(of: EndpointSlice, cluster: str) -> ImportedSlice:
    """The same slice, of a ServiceImport, with its endpoints in `cluster`."""
    return ImportedSlice(of.namespace, of.name, of.service, of.ports, of.endpoints, cluster)


def pod(path: str, *ips: str) -> Pod:
    namespace, name = path.split("/")
    return Pod(namespace, name, tuple(map(address, ips)))


def zone_of(*objects: Object, settings: ZoneSettings | None = None, synced: bool = True) -> Zone:
    """A zone that was told of each object in turn."""
    zone = Zone(settings or ZoneSettings())
    for obj in objects:
        zone.apply(Upserted(obj))
    zone.synced = synced
    return zone
