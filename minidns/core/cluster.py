"""The cluster's objects as they are now, by key, and the few ways in which DNS asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Set
from types import MappingProxyType
from typing import TypeGuard

from minidns.core.model import (
    EndpointSlice,
    ImportedSlice,
    Key,
    Kind,
    Namespace,
    Object,
    Pod,
    Service,
    ServiceImport,
)

_NO_SERVICES: dict[str, None] = {}
_NO_SLICES: Mapping[str, EndpointSlice] = MappingProxyType({})


class Cluster:
    """Objects by kind and key, with the slices of each Service and the namespaces that hold a Service of some name.

    Slices may be here before their Service, and may outlive it. version: counts the objects that came and went.

    imports: it is the cluster set that is asked for: what is called a Service here is a ServiceImport, and a slice an
    ImportedSlice. service_kind, slice_kind: those.
    """

    def __init__(self, *, imports: bool = False) -> None:
        self.service_kind: type[Service] = ServiceImport if imports else Service
        self.slice_kind: type[EndpointSlice] = ImportedSlice if imports else EndpointSlice
        self._objects: dict[Kind, dict[Key, Object]] = {
            Namespace: {},
            Service: {},
            EndpointSlice: {},
            Pod: {},
            ServiceImport: {},
            ImportedSlice: {},
        }
        self._slices: dict[Key, dict[str, EndpointSlice]] = {}
        self._services_in: dict[str, dict[str, None]] = {}
        self._waiting: dict[bytes, dict[Key, None]] = {}
        self._namespaces_with: dict[str, tuple[str, ...]] = {}
        self.version = 0

    def all(self, kind: Kind) -> Mapping[Key, Object]:
        """Every object of a kind. Not a copy."""
        return self._objects[kind]

    def put(self, obj: Object) -> None:
        """Add an object, or replace the one with its key."""
        self.version += 1
        self._objects[type(obj)][obj.key] = obj
        if self._is_slice(obj):
            self._slices.setdefault((obj.namespace, obj.service), {})[obj.name] = obj
            for endpoint in obj.endpoints:
                if not endpoint.ready:
                    for address in endpoint.addresses:
                        self._waiting.setdefault(address, {})[obj.key] = None
        elif self._is_service(obj) and obj.name not in self._services_in.setdefault(obj.namespace, {}):
            self._services_in[obj.namespace][obj.name] = None
            self._namespaces_with[obj.name] = tuple(sorted((*self.namespaces_with(obj.name), obj.namespace)))

    def drop(self, obj: Object) -> None:
        """Remove an object that is here."""
        self.version += 1
        del self._objects[type(obj)][obj.key]
        if self._is_slice(obj):
            of_service = self._slices[obj.namespace, obj.service]
            del of_service[obj.name]
            if not of_service:
                del self._slices[obj.namespace, obj.service]
            for address in {address for one in obj.endpoints if not one.ready for address in one.addresses}:
                del self._waiting[address][obj.key]
                if not self._waiting[address]:
                    del self._waiting[address]
        elif self._is_service(obj):
            del self._services_in[obj.namespace][obj.name]
            if not self._services_in[obj.namespace]:
                del self._services_in[obj.namespace]
            rest = tuple(name for name in self._namespaces_with.pop(obj.name) if name != obj.namespace)
            if rest:
                self._namespaces_with[obj.name] = rest

    def service(self, key: Key) -> Service | None:
        found = self._objects[self.service_kind].get(key)
        return found if isinstance(found, Service) else None

    def own_service(self, key: Key) -> Service | None:
        """A Service of this cluster itself, also where imports are asked for."""
        found = self._objects[Service].get(key)
        return found if isinstance(found, Service) else None

    def slices(self, service: Key) -> Mapping[str, EndpointSlice]:
        """The slices labelled with a Service, by their names, whether or not that Service is here."""
        return self._slices.get(service, _NO_SLICES)

    def has_namespace(self, name: str) -> bool:
        """Whether a Namespace object of that name is here."""
        return ("", name) in self._objects[Namespace]

    def services_in(self, namespace: str) -> Set[str]:
        """The names of the Services of a namespace, in the order in which they came. Not a copy."""
        return self._services_in.get(namespace, _NO_SERVICES).keys()

    def without_name(self, address: bytes) -> list[Key]:
        """The Services of the slices that have an endpoint of this address, but no reverse name for it: it is not
        ready, or its Service is not here. Sorted."""
        slices = [self._objects[self.slice_kind][key] for key in self._waiting.get(address, ())]
        found = [(one.namespace, one.service) for one in slices if isinstance(one, EndpointSlice)]
        services = self._objects[self.service_kind]
        for key in self._slices.keys() - services.keys():
            endpoints = (endpoint for slice_ in self._slices[key].values() for endpoint in slice_.endpoints)
            found += [key for endpoint in endpoints if address in endpoint.addresses]
        return sorted(set(found))

    def namespaces_with(self, service: str) -> tuple[str, ...]:
        """The namespaces that hold a Service of that name, sorted."""
        return self._namespaces_with.get(service, ())

    def _is_service(self, obj: Object) -> TypeGuard[Service]:
        return type(obj) is self.service_kind

    def _is_slice(self, obj: Object) -> TypeGuard[EndpointSlice]:
        return type(obj) is self.slice_kind
