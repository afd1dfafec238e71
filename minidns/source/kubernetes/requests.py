"""What is asked of the API server: which resources, and the GET for a page, a streaming list and a watch."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from minidns.config.settings import Cluster
from minidns.core.model import EndpointSlice, ImportedSlice, Kind, Namespace, Object, Pod, Service, ServiceImport
from minidns.source.kubernetes.decode import IMPORT_NAME

#: Seconds without a byte after which a response is given up. A watch has a bookmark about every minute (up to 75 s).
LIST_DEADLINE, WATCH_DEADLINE = 30.0, 100.0
_IMPORTS = "/apis/multicluster.x-k8s.io/v1alpha1/serviceimports"


class Resource(msgspec.Struct, frozen=True):
    """What to follow: `path` below the server's URL, selectors as query parameters, and what of it to keep.

    optional: the API server may not have it, or not let it be listed; then nothing else waits for it.
    """

    kind: Kind
    name: str
    path: str
    selectors: tuple[tuple[str, str], ...] = ()
    selects: Callable[[Object], bool] = lambda _: True
    optional: bool = False


class Request(msgspec.Struct, frozen=True):
    """Send this GET, and give it up after `deadline` seconds without a byte."""

    path: str
    query: tuple[tuple[str, str], ...]
    deadline: float


class Pause(msgspec.Struct, frozen=True):
    """Wait so many seconds; the credentials were refused if `unauthorized`, and are to be read again."""

    seconds: float
    unauthorized: bool = False


def resources(cluster: Cluster, *, pods: bool, imports: bool = False) -> tuple[Resource, ...]:
    """What a cluster's DNS follows. Selections are CoreDNS's: `labels` for all but namespaces and ServiceImports,
    `namespaces` by name.

    Pods that have ended are left out by the server: their addresses may be another pod's by now. imports: a cluster
    set's Services too.
    """
    wanted = frozenset(cluster.namespaces)

    def selects(obj: Object) -> bool:
        return not wanted or (obj.name if isinstance(obj, Namespace) else obj.namespace) in wanted

    labels = (("labelSelector", cluster.labels),) if cluster.labels else ()
    namespace_labels = (("labelSelector", cluster.namespace_labels),) if cluster.namespace_labels else ()
    alive = ("fieldSelector", "status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown")
    slices = "/apis/discovery.k8s.io/v1/endpointslices"
    found: tuple[Resource, ...] = (
        Resource(Namespace, "namespaces", "/api/v1/namespaces", namespace_labels, selects),
        Resource(Service, "services", "/api/v1/services", labels, selects),
        Resource(EndpointSlice, "endpointslices", slices, labels, selects),
    )
    if pods:
        found += (Resource(Pod, "pods", "/api/v1/pods", (alive, *labels), selects),)
    if imports:
        labelled = ("labelSelector", ",".join(filter(None, (cluster.labels, IMPORT_NAME))))
        found += (
            Resource(ServiceImport, "serviceimports", _IMPORTS, (), selects, optional=True),
            Resource(ImportedSlice, "endpointslices of serviceimports", slices, (labelled,), selects),
        )
    return found


def watch(resource: Resource, seconds: int, version: str) -> Request:
    """Events after `version`, for so many seconds."""
    return Request(resource.path, (*_watching(resource, seconds), ("resourceVersion", version)), WATCH_DEADLINE)


def streaming_list(resource: Resource, seconds: int) -> Request:
    """A list as the first events of a watch."""
    initial = ("sendInitialEvents", "true"), ("resourceVersionMatch", "NotOlderThan")
    return Request(resource.path, (*_watching(resource, seconds), *initial), LIST_DEADLINE)


def page(resource: Resource, limit: int, token: str) -> Request:
    """A list of at most `limit` objects (0: all), from the continue token on."""
    query = [("limit", str(limit))] if limit else []
    query += [("continue", token)] if token else []
    return Request(resource.path, (*query, *resource.selectors), LIST_DEADLINE)


def _watching(resource: Resource, seconds: int) -> tuple[tuple[str, str], ...]:
    options = ("watch", "true"), ("allowWatchBookmarks", "true"), ("timeoutSeconds", str(seconds))
    return (*options, *resource.selectors)
