"""One namespace: its manifests, and what the controllers have made of them so far."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias, TypeGuard

from minidns.core import model
from minidns.source.manifests.controllers.addresses import Addresses
from minidns.source.manifests.controllers.groups import Group, group
from minidns.source.manifests.controllers.overlay import NOTHING, GroupKey, Overlay
from minidns.source.manifests.controllers.pods import Plan, Source, plan
from minidns.source.manifests.controllers.services import ClusterIPs
from minidns.source.manifests.controllers.slices import Placement, Selection, desired, mirror, place
from minidns.source.manifests.objects import Metadata, Object, Service, ServiceImport, ServicePort, ServiceSpec
from minidns.source.manifests.pods import Pod, Workload
from minidns.source.manifests.slices import Endpoints, EndpointSlice

Written: TypeAlias = Object | EndpointSlice

#: What every cluster has from the start.
NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_KUBERNETES = Service(Metadata("kubernetes"), ServiceSpec(ports=(ServicePort(443, "https", target_port=6443),)))
_KUBE_DNS = Service(
    Metadata("kube-dns", "kube-system"),
    ServiceSpec(
        ports=(ServicePort(53, "dns", "UDP"), ServicePort(53, "dns-tcp"), ServicePort(9153, "metrics")),
        selector={"k8s-app": "kube-dns"},
    ),
)
#: The addresses of the one node, kind's: where host network pods and the API server are.
_NODE = {4: bytes((172, 18, 0, 2)), 16: bytes.fromhex("fc00f853 0ccde793 00000000 00000002")}
_SLICE_CONTROLLER = "endpointslice-controller.k8s.io"
_MIRROR_CONTROLLER = "endpointslicemirroring-controller.k8s.io"
_SKIP_MIRROR = "endpointslice.kubernetes.io/skip-mirror"

#: Kinds in the order in which a reader expects them.
ORDER = model.KINDS
OF_A_SET: tuple[model.Kind, ...] = (model.ServiceImport, model.ImportedSlice)
Published = Mapping[model.Kind, Mapping[str, model.Object]]


class Edit(NamedTuple):
    """An object before and after; one of them is None when it was added or deleted."""

    old: model.Object | None
    new: model.Object | None

    @property
    def change(self) -> model.Change:
        if self.new is not None:
            return model.Upserted(self.new)
        assert self.old is not None
        return model.Deleted(type(self.old), self.old.key)


class _Made(NamedTuple):
    """The slices of a Service, and what they were made from."""

    source: Service
    groups: tuple[Group, ...]
    slices: Placement


class Space:
    """A namespace in three steps: set `written` and `overlay`, `settle` who keeps which address, `run` controllers."""

    def __init__(self, name: str, cluster_ips: ClusterIPs, pod_ips: Sequence[Addresses]) -> None:
        self.name = name
        self.written: Sequence[Written] = ()
        self.overlay: Overlay = NOTHING
        self.groups: dict[GroupKey, Group] = {}
        self.published: Published = {kind: {} for kind in ORDER}
        self.problems: list[str] = []
        #: Addresses may differ from those in `groups`: make them again.
        self.stale = False
        self._cluster_ips = cluster_ips
        self._pod_ips = pod_ips
        self._planned: dict[GroupKey, Plan] = {}
        self._made: dict[str, _Made] = {}
        # By pod and bytes of an address, what the pod before it had: the next one is to have another.
        self._had: dict[tuple[str, int], bytes] = {}

    def settle(self) -> set[model.Key]:
        """Plan the pods; take back what nobody holds any more, and keep what is written down.

        Returns the pods and Services, of any namespace, to whose addresses that matters.
        """
        services = self._services()
        lost = self.published[model.Service].keys() - services.keys()
        if self.overlay is NOTHING:
            self._had.clear()
        concerned = self._cluster_ips.settle({(self.name, name) for name in lost}, services.values())
        old = self._planned
        pods = [each for each in self.written if isinstance(each, Pod)]
        self._planned = plan(pods, [each for each in self.written if isinstance(each, Workload)], old, self.overlay)
        gone = _address_owners(old, self._planned) - _address_owners(self._planned, old)
        unwritten = {key[1] for key in old.keys() - self._planned.keys() if key[0] == "Pod"}
        for addresses in self._pod_ips:
            for name in gone:
                had = addresses.release((self.name, name))
                if had and self.overlay is not NOTHING:
                    self._had[name.partition("#")[0], addresses.size] = had
            for name in unwritten:
                concerned |= addresses.pin((self.name, name), ())
            for pod in pods:
                if ("Pod", pod.name) in self._planned:
                    concerned |= addresses.pin((self.name, pod.name), pod.status.addresses)
        return concerned

    def run(self) -> list[Edit]:
        """Make everything again that is made of something else than before."""
        self.problems = []
        groups = self._make_groups()
        services = self._services()
        new: dict[model.Kind, Mapping[str, model.Object]] = {kind: {} for kind in ORDER}
        if self.written or self.name in NAMESPACES:
            new[model.Namespace] = {self.name: model.Namespace(self.name)}
        new[model.Service] = {name: self._service(each) for name, each in services.items()}
        new[model.EndpointSlice] = {each.name: each for each in self._slices(services, groups)}
        new[model.Pod] = {pod.name: pod for each in groups.values() for pod in each.pods}
        new[model.ServiceImport] = {each.name: each.model() for each in self.written if isinstance(each, ServiceImport)}
        written = (each.imported for each in self.written if isinstance(each, EndpointSlice))
        new[model.ImportedSlice] = {each.name: each for each in written if each}
        edits = [edit for kind in ORDER for edit in _differences(self.published[kind], new[kind])]
        self.groups, self.published, self.stale = groups, new, False
        return edits

    def _services(self) -> dict[str, Service]:
        default = [each for each in (_KUBERNETES, _KUBE_DNS) if each.namespace == self.name]
        return {each.name: each for each in (*default, *self.written) if isinstance(each, Service)}

    def _service(self, service: Service) -> model.Service:
        problems: list[str] = []
        made = self._cluster_ips.model(service, problems)
        self.problems += (f"Service {self.name}/{service.name}: {problem}" for problem in problems)
        return made

    def _make_groups(self) -> dict[GroupKey, Group]:
        groups = {}
        for key, planned in self._planned.items():
            old = self.groups.get(key)
            if old and not self.stale and old.plan is planned:
                groups[key] = old
            else:
                groups[key] = made = group(planned, self._addresses)
                self._report_full(planned.source, made)
        return groups

    def _addresses(self, planned: Plan, name: str) -> tuple[bytes, ...]:
        source = planned.source
        if _settled(source):
            return source.status.addresses
        if (source.spec if isinstance(source, Pod) else source.template.spec).host_network:
            return tuple(_NODE[each.size] for each in self._pod_ips)
        owner = self.name, planned.life(name).address_owner(name)
        given = (each.give(owner, self._had.get((name, each.size))) for each in self._pod_ips)
        return tuple(address for address in given if address)

    def _report_full(self, source: Source, made: Group) -> None:
        short = 0 if _settled(source) else sum(len(pod.addresses) < len(self._pod_ips) for pod in made.pods)
        if short:
            what = f"{type(source).__name__} {self.name}/{source.name}: {short} of {len(made.pods)} pods"
            full = " and ".join(str(each.network) for each in self._pod_ips if each.full)
            self.problems.append(f"{what} have no address: pod CIDR {full} is full")

    def _slices(
        self, services: Mapping[str, Service], groups: Mapping[GroupKey, Group]
    ) -> Iterator[model.EndpointSlice]:
        by_hand = list(self._by_hand(services))
        yield from by_hand
        taken = {each.name for each in by_hand}
        selection = Selection(groups.values())
        made = {}
        for name, service in services.items():
            if service.spec.selector and service.spec.type != "ExternalName":
                made[name] = self._select(service, selection, taken)
                yield from (each for slices in made[name].slices.values() for each in slices)
        self._made = made

    def _select(self, service: Service, selection: Selection, taken: set[str]) -> _Made:
        selected = selection.select(service.spec.selector)
        old = self._made.get(service.name)
        if old and old.source is service and _same(old.groups, selected):
            return old
        sizes = self._cluster_ips.sizes(service.spec)
        shares = desired(service, sizes, selected)
        slices = place((self.name, service.name), old.slices if old else {}, shares, sizes, taken)
        return _Made(service, selected, slices)

    def _by_hand(self, services: Mapping[str, Service]) -> Iterator[model.EndpointSlice]:
        """Slices that are written down, and mirrors of Endpoints, without copies of what the controllers make here."""
        endpoints = {each.name: each for each in self.written if isinstance(each, Endpoints)}
        selecting = {name for name, each in services.items() if each.spec.selector}
        names = set()
        for each in self.written:
            if isinstance(each, EndpointSlice):
                copy = (each.labels.managed_by == _SLICE_CONTROLLER and each.slice.service in selecting) or (
                    each.labels.managed_by == _MIRROR_CONTROLLER and each.slice.service in endpoints
                )
                if not copy:
                    names.add(each.slice.service)
                    yield each.slice
        for name, old in endpoints.items():
            skipped = old.metadata.labels.get(_SKIP_MIRROR) == "true"
            if name in services and name not in selecting and not skipped:
                names.add(name)
                yield from mirror(old, set())
        if self.name == "default" and "kubernetes" not in names | selecting:
            port = model.Port("https", "TCP", 6443)
            size = self._cluster_ips.sizes(services["kubernetes"].spec)[0]
            endpoint = model.Endpoint((_NODE[size],))
            yield model.EndpointSlice("default", "kubernetes", "kubernetes", (port,), (endpoint,))


def _address_owners(planned: Mapping[GroupKey, Plan], other: Mapping[GroupKey, Plan]) -> set[str]:
    """The names under which pods keep addresses, in plans that the other mapping does not share."""
    return set().union(*(each.address_owners for key, each in planned.items() if other.get(key) is not each))


def _settled(source: Source) -> TypeGuard[Pod]:
    """The pod's own status says which addresses it has, or that it waits for some."""
    return isinstance(source, Pod) and (bool(source.status.addresses) or source.status.phase == "Pending")


def _same(a: tuple[Group, ...], b: tuple[Group, ...]) -> bool:
    return len(a) == len(b) and all(one is other for one, other in zip(a, b, strict=True))


def _differences(old: Mapping[str, model.Object], new: Mapping[str, model.Object]) -> Iterable[Edit]:
    for name, obj in new.items():
        before = old.get(name)
        if before is not obj and before != obj:
            yield Edit(before, obj)
    for name in old.keys() - new.keys():
        yield Edit(old[name], None)
