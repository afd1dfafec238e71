"""Which pod has an address, from what the zone index holds anyway: EndpointSlices, and pods with `pods verified`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic

from minidns.core.cluster import Cluster
from minidns.core.model import EndpointSlice, Key, Pod

#: A table is kept for this many times the time that it took to make: 1% of a core at most, whatever changes.
KEPT = 100


class PodNames:
    """Pods by packed address. The table is made when somebody asks, and again when the cluster has changed since.

    clock: seconds that do not go backwards.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._table: dict[bytes, Key | None] = {}
        self._made_from: tuple[Cluster, int] | None = None
        self._until = clock()

    def find(self, cluster: Cluster, address: bytes) -> Key | None:
        """Namespace and name of the pod; None for an address that no pod has, or that several have: a node's."""
        if self._made_from != (cluster, cluster.version) and self._clock() >= self._until:
            self._make(cluster)
        return self._table.get(address)

    def _make(self, cluster: Cluster) -> None:
        started = self._clock()
        table: dict[bytes, Key | None] = {}
        for address, key in _addresses(cluster):
            if table.setdefault(address, key) != key:
                table[address] = None
        self._table, self._made_from = table, (cluster, cluster.version)
        ended = self._clock()
        self._until = ended + (ended - started) * KEPT


def _addresses(cluster: Cluster) -> Iterator[tuple[bytes, Key]]:
    for pod in cluster.all(Pod).values():
        if isinstance(pod, Pod):
            for address in pod.addresses:
                yield address, pod.key
    for slice_ in cluster.all(EndpointSlice).values():
        if isinstance(slice_, EndpointSlice):
            for endpoint in slice_.endpoints:
                if endpoint.pod:
                    for address in endpoint.addresses:
                        yield address, (slice_.namespace, endpoint.pod)
