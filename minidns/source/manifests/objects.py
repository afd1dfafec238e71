"""Manifests as they are written: the fields that name something, typed and checked as the API server checks them.

Made with `msgspec.convert`, which puts the path of the field in front of every complaint that is raised here.
Fields that DNS has no use for are not looked at. The spelling is that of the Kubernetes API.
"""

from __future__ import annotations

import re
import socket
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, field

from minidns.core import model

Port = Annotated[int, Meta(ge=1, le=65535)]
Protocol = Literal["TCP", "UDP", "SCTP"]
Family = Literal["IPv4", "IPv6"]

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")


def check_label(what: str, text: str) -> None:
    """Raise ValueError unless `text` is a DNS label as Kubernetes takes it (RFC 1123, lowercase)."""
    if len(text) > 63 or not _LABEL.fullmatch(text):
        raise ValueError(f"{what} {text!r} is not a DNS label: a-z, 0-9 and - inside, at most 63 characters")


def check_subdomain(what: str, text: str) -> None:
    """Raise ValueError unless `text` is DNS labels joined by dots, lowercase."""
    if len(text) > 253 or not _SUBDOMAIN.fullmatch(text):
        raise ValueError(f"{what} {text!r} is not a DNS name: labels of a-z, 0-9 and -, joined by dots")


def packed(text: str) -> bytes:
    """An address as 4 or 16 bytes; ValueError when it is none."""
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except (OSError, ValueError):
        raise ValueError(f"{text!r} is not an IP address") from None


class Part(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A piece of a manifest. Absent is the API server's default."""


class Owner(Part, frozen=True):
    kind: str
    name: str


class Metadata(Part, frozen=True):
    name: str
    namespace: str = "default"
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    owner_references: tuple[Owner, ...] = ()
    deletion_timestamp: Any = None

    def __post_init__(self) -> None:
        check_subdomain("name", self.name)
        if self.namespace:
            check_label("namespace", self.namespace)


class Object(Part, frozen=True):
    """Any object: `namespace` and `name` are its place."""

    metadata: Metadata

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def namespace(self) -> str:
        return self.metadata.namespace or "default"


class Namespace(Object, frozen=True):
    def __post_init__(self) -> None:
        check_label("metadata.name", self.name)

    @property
    def namespace(self) -> str:
        return self.metadata.name


class ServicePort(Part, frozen=True):
    port: Port
    name: str = ""
    protocol: Protocol = "TCP"
    target_port: int | str | None = None

    def __post_init__(self) -> None:
        if self.name:
            check_label("name", self.name)
        if isinstance(self.target_port, int) and not 1 <= self.target_port <= 65535:
            raise ValueError(f"targetPort {self.target_port} is not within 1 and 65535")


class ServiceSpec(Part, frozen=True):
    type: Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"] = "ClusterIP"
    cluster_ip: str = field(name="clusterIP", default="")
    cluster_ips: tuple[str, ...] = field(name="clusterIPs", default=())
    ip_families: tuple[Family, ...] = ()
    ip_family_policy: Literal["SingleStack", "PreferDualStack", "RequireDualStack"] | None = None
    external_name: str = ""
    ports: tuple[ServicePort, ...] = ()
    selector: dict[str, str] = field(default_factory=dict)
    publish_not_ready_addresses: bool = False

    def __post_init__(self) -> None:
        if self.type == "ExternalName":
            name = self.external_name.removesuffix(".")
            check_subdomain("externalName", name)
            if max(map(len, name.split("."))) > 63:
                raise ValueError(f"externalName {name!r} has a label of more than 63 characters")
            return
        if self.cluster_ip and self.cluster_ips and self.cluster_ips[0] != self.cluster_ip:
            raise ValueError(f"clusterIPs starts with {self.cluster_ips[0]}, clusterIP is {self.cluster_ip}")
        if not self.headless:
            sizes = [len(packed(address)) for address in self.given_ips]
            families = [4 if family == "IPv4" else 16 for family in self.ip_families]
            if len(set(sizes)) < len(sizes) or (families and sizes != families[: len(sizes)]):
                raise ValueError("clusterIPs: at most one address per family, in the order of ipFamilies")
        if len(set(self.ip_families)) < len(self.ip_families):
            raise ValueError("ipFamilies names a family twice")
        names = [port.name for port in self.ports]
        if len(names) > 1 and ("" in names or len(set(names)) < len(names)):
            raise ValueError("ports: each of several ports needs a name of its own")

    @property
    def headless(self) -> bool:
        return "None" in (self.cluster_ip, *self.cluster_ips)

    @property
    def given_ips(self) -> tuple[str, ...]:
        """The addresses that are written down, without "None"."""
        if self.headless or self.type == "ExternalName":
            return ()
        return self.cluster_ips or ((self.cluster_ip,) if self.cluster_ip else ())


class ImportPort(Part, frozen=True):
    port: Port
    name: str = ""
    protocol: Protocol = "TCP"

    def __post_init__(self) -> None:
        if self.name:
            check_label("name", self.name)


class ImportSpec(Part, frozen=True):
    type: Literal["ClusterSetIP", "Headless"]
    ports: tuple[ImportPort, ...]
    ips: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for address in self.ips:
            packed(address)


class ServiceImport(Object, frozen=True):
    """A Service that other clusters export (multicluster.x-k8s.io)."""

    spec: ImportSpec

    def __post_init__(self) -> None:
        check_label("metadata.name", self.name)

    def model(self) -> model.ServiceImport:
        """As DNS sees it. Nobody gives it ClusterSetIPs that are not written down."""
        spec = self.spec
        ports = tuple(model.Port(port.name, port.protocol, port.port) for port in spec.ports)
        headless = spec.type == "Headless"
        addresses = () if headless else tuple(map(packed, spec.ips))
        return model.ServiceImport(self.namespace, self.name, addresses, headless, ports=ports)


class Service(Object, frozen=True):
    spec: ServiceSpec = ServiceSpec()

    def __post_init__(self) -> None:
        check_label("metadata.name", self.name)
