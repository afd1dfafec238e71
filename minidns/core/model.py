"""The cluster as DNS sees it: small frozen types, converted once at the edge by `minidns.source`.

Every type holds only what an answer or an explanation needs. Addresses are packed network-order bytes
(4 for IPv4, 16 for IPv6). What is absent is None or empty, never a sentinel number.

The types are `msgspec.Struct`s without garbage-collector tracking: they hold strings, bytes and tuples of
each other, never a cycle, and a cluster of 100,000 endpoints holds some 300,000 of them.
"""

from __future__ import annotations

import msgspec


class Namespace(msgspec.Struct, frozen=True, gc=False):
    """A namespace exists; nothing else about it matters to DNS."""

    name: str

    @property
    def key(self) -> Key:
        return "", self.name


class Port(msgspec.Struct, frozen=True, gc=False):
    """A port of a Service or of an EndpointSlice.

    `name` is "" for an unnamed port. `number` is None where a slice leaves it open ("all ports"); it is what the object
    says, and the API holds no slice to 16 bits: `minidns.core.schema.port_number` does.
    """

    name: str
    protocol: str
    number: int | None


class Service(msgspec.Struct, frozen=True, gc=False):
    """A Service. Exactly one of three shapes, told apart by what is filled:

    `external_name` is not None: an ExternalName Service;
    `headless`: `spec.clusterIP` is "None", names lead to endpoints;
    otherwise: a virtual IP, all of them in `cluster_ips` (none yet while the API server assigns one).

    `selector` and `publish_not_ready` change no answer; explanations name them.
    """

    namespace: str
    name: str
    cluster_ips: tuple[bytes, ...] = ()
    headless: bool = False
    external_name: str | None = None
    ports: tuple[Port, ...] = ()
    selector: tuple[tuple[str, str], ...] = ()
    publish_not_ready: bool = False

    @property
    def key(self) -> Key:
        return self.namespace, self.name


class Endpoint(msgspec.Struct, frozen=True, gc=False):
    """One endpoint of a slice.

    `ready` is True when `conditions.ready` is true or absent (EndpointSlice API). `pod` is the name in `targetRef` when
    that is a Pod.
    """

    addresses: tuple[bytes, ...]
    hostname: str | None = None
    pod: str | None = None
    ready: bool = True
    serving: bool = True
    terminating: bool = False


class EndpointSlice(msgspec.Struct, frozen=True, gc=False):
    """Endpoints of one address family that share a set of ports.

    `service` is the label `kubernetes.io/service-name`, "" when it is missing (such a slice names nothing).
    """

    namespace: str
    name: str
    service: str
    ports: tuple[Port, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()

    @property
    def key(self) -> Key:
        return self.namespace, self.name

    @property
    def cluster(self) -> str:
        """The cluster of the set that the endpoints are in; "" where they are in this one."""
        return ""


class ServiceImport(Service, frozen=True, gc=False):
    """A Service that other clusters export (Multi-Cluster Services API, KEP-1645): a Service of the cluster set.

    `cluster_ips` are its ClusterSetIPs. It never has an external name or a selector.
    """


class ImportedSlice(EndpointSlice, frozen=True, gc=False):
    """A slice with endpoints of another cluster, or of this one, behind a ServiceImport.

    `service` is the label `multicluster.kubernetes.io/service-name`, and `cluster` the label
    `multicluster.kubernetes.io/source-cluster`. Such an object is an EndpointSlice of this cluster too, of another
    Service: a kind of its own costs a cluster without imports nothing.
    """

    cluster: str = ""


class Pod(msgspec.Struct, frozen=True, gc=False):
    """A pod with its addresses: all of `status.podIPs`. Needed for `pods verified` alone."""

    namespace: str
    name: str
    addresses: tuple[bytes, ...] = ()

    @property
    def key(self) -> Key:
        return self.namespace, self.name


Object = Namespace | Service | EndpointSlice | Pod | ServiceImport | ImportedSlice
Kind = type[Namespace] | type[Service] | type[EndpointSlice] | type[Pod] | type[ServiceImport] | type[ImportedSlice]
#: Services before their slices: brought in behind them they would bring all their endpoints in at once.
KINDS: tuple[Kind, ...] = (Namespace, Service, EndpointSlice, Pod, ServiceImport, ImportedSlice)
#: (namespace, name); the namespace is "" for a Namespace itself.
Key = tuple[str, str]


class Upserted(msgspec.Struct, frozen=True, gc=False):
    """The object was added, or replaces the one of the same kind and key."""

    object: Object


class Deleted(msgspec.Struct, frozen=True, gc=False):
    """The object of that kind and key is gone."""

    kind: Kind
    key: Key


class Replaced(msgspec.Struct, frozen=True, gc=False):
    """A list: these are all objects of that kind; what is not among them is gone."""

    kind: Kind
    objects: tuple[Object, ...]


Change = Upserted | Deleted | Replaced
