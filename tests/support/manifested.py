"""A cluster made of manifests, for tests: written as YAML, followed edit by edit."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import TypeVar

from minidns.config.values import Network
from minidns.core import model
from minidns.core.model import EndpointSlice, Kind, Pod, Service
from minidns.source.manifests.controllers.manager import Controllers
from minidns.source.manifests.controllers.space import Edit
from minidns.source.manifests.files import parse
from minidns.source.manifests.shelf import Shelf

V4, V6 = ("10.96.0.0/16", "10.244.0.0/16"), ("fd00:10:96::/112", "fd00:10:244::/64")
Obj = TypeVar("Obj", bound=model.Object)


def service_cidrs(*pairs: tuple[str, str]) -> tuple[Network, ...]:
    return tuple(ip_network(service) for service, _ in pairs)


def pod_cidrs(*pairs: tuple[str, str]) -> tuple[Network, ...]:
    return tuple(ip_network(pod) for _, pod in pairs)


class World:
    """Files by name, and the cluster that follows them. `state` is kept from the edits alone."""

    def __init__(self, *cidrs: tuple[str, str]) -> None:
        cidrs = cidrs or (V4,)
        self.cluster = Controllers(service_cidrs(*cidrs), pod_cidrs(*cidrs))
        self.shelf = Shelf()
        self.state: dict[tuple[Kind, model.Key], model.Object] = {}
        self._apply(self.cluster.update({}))

    def write(self, text: str, file: str = "a.yaml") -> list[Edit]:
        """This is what the file holds now."""
        content = parse(text.encode())
        assert not content.problems
        touched = self.shelf.put(file, content.objects)
        return self._apply(self.cluster.update({space: self.shelf.written(space) for space in touched}))

    def _apply(self, edits: list[Edit]) -> list[Edit]:
        for old, new in edits:
            some = new or old
            assert some is not None
            assert self.state.get((type(some), some.key)) == old
            assert old != new
            if new is None:
                del self.state[type(some), some.key]
            else:
                self.state[type(some), some.key] = new
        return edits

    def all(self, kind: type[Obj]) -> list[Obj]:
        return [obj for obj in self.state.values() if isinstance(obj, kind)]

    def service(self, name: str, namespace: str = "default") -> Service:
        found = self.state[Service, (namespace, name)]
        assert isinstance(found, Service)
        return found

    def slices(self, service: str, namespace: str = "default") -> list[EndpointSlice]:
        return [each for each in self.all(EndpointSlice) if (each.namespace, each.service) == (namespace, service)]

    def endpoints(self, service: str, namespace: str = "default") -> list[model.Endpoint]:
        return [endpoint for each in self.slices(service, namespace) for endpoint in each.endpoints]

    def pods(self, namespace: str = "default") -> dict[str, list[str]]:
        return {pod.name: texts(pod.addresses) for pod in self.all(Pod) if pod.namespace == namespace}

    def ips(self, name: str, namespace: str = "default") -> list[str]:
        return texts(self.service(name, namespace).cluster_ips)


def texts(addresses: Iterable[bytes]) -> list[str]:
    return [str(ip_address(address)) for address in addresses]


def service(
    name: str = "web", spec: str = "selector: {app: web}, ports: [{port: 80}]", namespace: str = "default"
) -> str:
    return f"---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {{{spec}}}\n"


def headless(name: str = "web", spec: str = "selector: {app: web}, ports: [{port: 80}]") -> str:
    return service(name, f"clusterIP: None, {spec}")


def workload(
    kind: str = "StatefulSet",
    name: str = "web",
    replicas: int | None = 2,
    *,
    spec: str = "serviceName: web",
    labels: str = "app: web",
    annotations: str = "",
    pod: str = "",
    namespace: str = "default",
) -> str:
    count = "" if replicas is None else f"replicas: {replicas}, "
    return (
        f"---\napiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}}}\n"
        f"spec: {{{count}selector: {{matchLabels: {{{labels}}}}}, "
        f"template: {{metadata: {{labels: {{{labels}}}, annotations: {{{annotations}}}}}, spec: {{{pod}}}}}, {spec}}}\n"
    )


def pod(name: str = "p", *, spec: str = "", status: str = "", meta: str = "labels: {app: web}") -> str:
    return (
        f"---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, {meta}}}\nspec: {{{spec}}}\nstatus: {{{status}}}\n"
    )
