"""EndpointSlices and the older Endpoints, as they are written."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from minidns.core import model
from minidns.source.manifests.objects import Object, Part, Port, Protocol, check_label, packed

SERVICE_NAME = "kubernetes.io/service-name"
#: The labels of a slice behind a ServiceImport.
IMPORT_NAME = "multicluster.kubernetes.io/service-name"
IMPORT_CLUSTER = "multicluster.kubernetes.io/source-cluster"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"


class Conditions(Part, frozen=True):
    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Reference(Part, frozen=True):
    kind: str = ""
    name: str = ""


class SliceEndpoint(Part, frozen=True):
    addresses: Annotated[tuple[str, ...], Meta(min_length=1)]
    hostname: str = ""
    conditions: Conditions = Conditions()
    target_ref: Reference = Reference()

    def __post_init__(self) -> None:
        if self.hostname:
            check_label("hostname", self.hostname)

    def model(self) -> model.Endpoint:
        ready = self.conditions.ready is not False
        return model.Endpoint(
            addresses=tuple(packed(address) for address in self.addresses),
            hostname=self.hostname or None,
            pod=self.target_ref.name if self.target_ref.kind == "Pod" else None,
            ready=ready,
            serving=ready if self.conditions.serving is None else self.conditions.serving,
            terminating=self.conditions.terminating is True,
        )


class SlicePort(Part, frozen=True):
    name: str = ""
    protocol: Protocol = "TCP"
    port: Port | None = None

    def __post_init__(self) -> None:
        if self.name:
            check_label("name", self.name)


class WrittenSlice(Object, frozen=True):
    address_type: Literal["IPv4", "IPv6", "FQDN"]
    endpoints: tuple[SliceEndpoint, ...] = ()
    ports: tuple[SlicePort, ...] = ()

    def __post_init__(self) -> None:
        for number, endpoint in enumerate(self.endpoints):
            for address in () if self.address_type == "FQDN" else endpoint.addresses:
                if len(packed(address)) != (4 if self.address_type == "IPv4" else 16):
                    raise ValueError(f"endpoints[{number}]: {address} is not an {self.address_type} address")


class Labels(NamedTuple):
    """What the labels of a slice say, but for its Service: who made it, the ServiceImport it is behind, in which
    cluster. "" each where there is none."""

    managed_by: str
    imported: str
    cluster: str


@lru_cache(maxsize=4096)
def _labels(managed_by: str, imported: str, cluster: str) -> Labels:
    """One for all slices that have the same."""
    return Labels(managed_by, imported, cluster)


class EndpointSlice(msgspec.Struct, frozen=True, gc=False):
    """A slice that is written down, kept as the model has it: there may be 100,000 endpoints of them."""

    slice: model.EndpointSlice
    labels: Labels

    @property
    def name(self) -> str:
        return self.slice.name

    @property
    def namespace(self) -> str:
        return self.slice.namespace

    @property
    def imported(self) -> model.ImportedSlice | None:
        """The slice as it is behind a ServiceImport; None when it is behind none."""
        slice_, labels = self.slice, self.labels
        if not labels.imported:
            return None
        return model.ImportedSlice(
            slice_.namespace, slice_.name, labels.imported, slice_.ports, slice_.endpoints, labels.cluster
        )

    @classmethod
    def of(cls, written: WrittenSlice) -> EndpointSlice:
        """An FQDN slice has no addresses that an A or AAAA record could hold: it keeps none of its endpoints."""
        endpoints = () if written.address_type == "FQDN" else written.endpoints
        labels = written.metadata.labels
        return cls(
            model.EndpointSlice(
                written.namespace,
                written.name,
                labels.get(SERVICE_NAME, ""),
                tuple(model.Port(port.name, port.protocol, port.port) for port in written.ports),
                tuple(endpoint.model() for endpoint in endpoints),
            ),
            _labels(*(labels.get(key, "") for key in (MANAGED_BY, IMPORT_NAME, IMPORT_CLUSTER))),
        )


class EndpointAddress(Part, frozen=True):
    ip: str
    hostname: str = ""
    target_ref: Reference = Reference()

    def __post_init__(self) -> None:
        packed(self.ip)
        if self.hostname:
            check_label("hostname", self.hostname)

    def model(self, ready: bool) -> model.Endpoint:
        pod = self.target_ref.name if self.target_ref.kind == "Pod" else None
        return model.Endpoint((packed(self.ip),), self.hostname or None, pod, ready, ready)


class EndpointPort(Part, frozen=True):
    port: Port
    name: str = ""
    protocol: Protocol = "TCP"


class Subset(Part, frozen=True):
    addresses: tuple[EndpointAddress, ...] = ()
    not_ready_addresses: tuple[EndpointAddress, ...] = ()
    ports: tuple[EndpointPort, ...] = ()


class Endpoints(Object, frozen=True):
    """The API that EndpointSlices replaced; mirrored into them as Kubernetes does."""

    subsets: tuple[Subset, ...] = ()
