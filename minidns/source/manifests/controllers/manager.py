"""What a cluster makes of manifests: namespaces, ClusterIPs, pods and EndpointSlices. No I/O, clock or chance.

State is kept for two reasons: what has been given stays (addresses, places in slices), and an edit costs what it
touches: a namespace is worked through again, in it the workloads and Services that changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from minidns.config.values import Network
from minidns.core import model
from minidns.source.manifests.controllers.addresses import Addresses
from minidns.source.manifests.controllers.groups import Group
from minidns.source.manifests.controllers.overlay import NOTHING, GroupKey, Overlay
from minidns.source.manifests.controllers.services import ClusterIPs
from minidns.source.manifests.controllers.space import NAMESPACES, ORDER, Edit, Space, Written


class Controllers:
    """A cluster that follows its manifests, `update` by `update`."""

    def __init__(self, service_cidrs: tuple[Network, ...], pod_cidrs: tuple[Network, ...]) -> None:
        self._cluster_ips = ClusterIPs(service_cidrs)
        # The first address of a pod range is the node's end of the wire.
        self._pod_ips = tuple(Addresses(net, 2) for net in pod_cidrs)
        self._spaces: dict[str, Space] = {}
        self._again = set(NAMESPACES)

    def update(
        self, written: Mapping[str, Sequence[Written]], overlays: Mapping[str, Overlay] | None = None
    ) -> list[Edit]:
        """Take all manifests of the namespaces that changed; an empty sequence when none are left there.

        There must be one manifest at most of a kind and name. overlays: what verbs have laid over namespaces, for
        those where that is different now. Returns what became different: Namespaces first, then Services,
        EndpointSlices and Pods.
        """
        overlays = overlays or {}
        todo = self._again | written.keys() | overlays.keys()
        for name in sorted(self._again):
            self._space(name).stale = True
        for name, objects in written.items():
            self._space(name).written = objects
        for name, overlay in overlays.items():
            self._space(name).overlay = overlay
        for name in sorted(todo):
            for other, _ in self._space(name).settle():
                todo.add(other)
                self._space(other).stale = True
        edits = [edit for name in sorted(todo) for edit in self._space(name).run()]
        # What could not be had may be free the next time.
        self._again = {name for name in todo if self._spaces[name].problems}
        for name in todo:
            if not self._spaces[name].published[model.Namespace] and self._spaces[name].overlay is NOTHING:
                del self._spaces[name]
        return sorted(edits, key=_rank)

    def objects(self, kind: model.Kind) -> Iterable[model.Object]:
        """Everything there is of a kind."""
        return (obj for space in self._spaces.values() for obj in space.published[kind].values())

    def find(self, kind: model.Kind, namespace: str, name: str) -> model.Object | None:
        """One object of the cluster."""
        space = self._spaces.get(namespace)
        return space.published[kind].get(name) if space else None

    def pods(self, source: Written) -> tuple[model.Pod, ...]:
        """The pods that a manifest of a Pod or a workload stands for."""
        space = self._spaces.get(source.namespace)
        found = space.groups.get((type(source).__name__, source.name)) if space else None
        return found.pods if found else ()

    def groups(self, namespace: str) -> Mapping[GroupKey, Group]:
        """The pods of a namespace, by what they come from."""
        space = self._spaces.get(namespace)
        return space.groups if space else {}

    def slices(self, namespace: str, service: str) -> list[model.EndpointSlice]:
        """All slices of a Service."""
        space = self._spaces.get(namespace)
        every = space.published[model.EndpointSlice].values() if space else ()
        return [each for each in every if isinstance(each, model.EndpointSlice) and each.service == service]

    def problems(self) -> list[str]:
        """What could not be done as it is written, a line each that starts with kind and name."""
        return [problem for _, space in sorted(self._spaces.items()) for problem in space.problems]

    def _space(self, name: str) -> Space:
        if name not in self._spaces:
            self._spaces[name] = Space(name, self._cluster_ips, self._pod_ips)
        return self._spaces[name]


def _rank(edit: Edit) -> int:
    obj = edit.new if edit.old is None else edit.old
    return ORDER.index(type(obj)) if obj is not None else 0
