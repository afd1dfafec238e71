"""What the EndpointSlice controllers do: the pods that a Service selects, in slices of at most 100.

After Kubernetes' endpointslice reconciler: one set of slices per address family and set of resolved ports; an endpoint
stays in its slice, a new one fills a slice that changes anyway, then the fullest with room, then a new slice.
"""

from __future__ import annotations

from collections.abc import Iterable

from minidns.core import model
from minidns.source.manifests.controllers.addresses import suffix
from minidns.source.manifests.controllers.groups import POD_LABELS, Group
from minidns.source.manifests.objects import Service
from minidns.source.manifests.pods import ContainerPort
from minidns.source.manifests.slices import Endpoints

MAX_ENDPOINTS = 100

#: Bytes of an address, and the resolved ports: what the endpoints of one slice have in common.
Share = tuple[int, tuple[model.Port, ...]]
#: The slices of one Service.
Placement = dict[Share, tuple[model.EndpointSlice, ...]]
Desired = dict[Share, dict[str, model.Endpoint]]


class Selection:
    """Finds the groups of a namespace whose labels match a selector, by its rarest label."""

    def __init__(self, groups: Iterable[Group]) -> None:
        self._numbered: list[Group] = []
        self._by_label: dict[tuple[str, str], list[Group]] = {}
        for group in groups:
            if group.numbered:
                self._numbered.append(group)
            for pair in group.labels.items():
                self._by_label.setdefault(pair, []).append(group)

    def select(self, selector: dict[str, str]) -> tuple[Group, ...]:
        """Groups with a pod that may match; `Group.members` gives the pods that do."""
        shared = [pair for pair in selector.items() if pair[0] not in POD_LABELS]
        if shared:
            found = min((self._by_label.get(pair, []) for pair in shared), key=len)
        else:
            found = [*self._numbered, *self._by_label.get(next(iter(selector.items())), [])]
        return tuple(group for group in found if _may_match(group, selector))


def _may_match(group: Group, selector: dict[str, str]) -> bool:
    if group.labels.items() >= selector.items():
        return True
    return group.numbered and all(
        key in POD_LABELS or group.labels.get(key) == value for key, value in selector.items()
    )


def desired(service: Service, sizes: Iterable[int], groups: Iterable[Group]) -> Desired:
    """The endpoints that the Service should have. `sizes` are its families, as bytes of an address."""
    spec, sizes = service.spec, tuple(sizes)
    shares: Desired = {}
    for group in groups:
        ports = _resolve(service, group.ports)
        named = group.subdomain == service.name
        for pod in group.members(spec.selector):
            serving, terminating = group.states.get(pod.name, group.state)
            ready = spec.publish_not_ready_addresses or (serving and not terminating)
            hostname = group.hostname_of(pod.name) if named else None
            for size in sizes:
                addresses = tuple(address for address in pod.addresses if len(address) == size)
                if addresses:
                    shares.setdefault((size, ports), {})[pod.name] = model.Endpoint(
                        addresses, hostname, pod.name, ready, serving, terminating
                    )
    return shares


def _resolve(service: Service, container_ports: tuple[ContainerPort, ...]) -> tuple[model.Port, ...]:
    """A targetPort by name that a pod does not have is left out for that pod, as Kubernetes does."""
    ports = []
    for port in service.spec.ports:
        target: int | str | None = port.target_port or port.port
        if isinstance(target, str):
            found = (p for p in container_ports if p.name == target and p.protocol == port.protocol)
            target = next((p.container_port for p in found), None)
        if target is not None:
            ports.append(model.Port(port.name, port.protocol, target))
    return tuple(ports)


def place(owner: model.Key, old: Placement, shares: Desired, sizes: Iterable[int], taken: set[str]) -> Placement:
    """The slices that hold these endpoints, with as few changes from `old` as possible. Uses `shares` up.

    `owner` is the Service, `taken` the names that other slices have. A family without any endpoint has one empty slice
    without ports, as in a cluster.
    """
    names = taken | {each.name for slices in old.values() for each in slices}
    new: Placement = {}
    for size in sizes:
        own = [share for share in shares if share[0] == size]
        for share in own:
            new[share] = _fill(owner, share, old.get(share, ()), shares[share], names)
        if not own:
            empty = tuple(each for each in old.get((size, ()), ()) if not each.endpoints)
            new[size, ()] = empty or (_slice(owner, (size, ()), (), names),)
    return new


def _fill(
    owner: model.Key,
    share: Share,
    old: tuple[model.EndpointSlice, ...],
    wanted: dict[str, model.Endpoint],
    names: set[str],
) -> tuple[model.EndpointSlice, ...]:
    rows = [(each, [wanted.pop(e.pod) for e in each.endpoints if e.pod in wanted]) for each in old]
    added = list(wanted.values())

    def preference(row: tuple[model.EndpointSlice, list[model.Endpoint]]) -> tuple[bool, int]:
        return tuple(row[1]) == row[0].endpoints, -len(row[1])

    for _, endpoints in sorted(rows, key=preference) if added else ():
        room = MAX_ENDPOINTS - len(endpoints) if endpoints else 0
        endpoints += added[:room]
        added = added[room:]
    slices = []
    for each, endpoints in rows:
        now = tuple(endpoints)
        if now and now == each.endpoints:
            slices.append(each)
        elif now:
            slices.append(model.EndpointSlice(each.namespace, each.name, each.service, each.ports, now))
    parts = (tuple(added[at : at + MAX_ENDPOINTS]) for at in range(0, len(added), MAX_ENDPOINTS))
    return (*slices, *(_slice(owner, share, part, names) for part in parts))


def _slice(
    owner: model.Key, share: Share, endpoints: tuple[model.Endpoint, ...], names: set[str]
) -> model.EndpointSlice:
    namespace, service = owner
    number = len(names)
    while (name := f"{service}-{suffix(f'{namespace}/{service}/{number}')}") in names:
        number += 1
    names.add(name)
    return model.EndpointSlice(namespace, name, service, share[1], endpoints)


def mirror(endpoints: Endpoints, taken: set[str]) -> tuple[model.EndpointSlice, ...]:
    """The slices of hand-written Endpoints, as the mirroring controller makes them."""
    shares: Desired = {}
    for subset in endpoints.subsets:
        ports = tuple(model.Port(port.name, port.protocol, port.port) for port in subset.ports)
        for ready, addresses in ((True, subset.addresses), (False, subset.not_ready_addresses)):
            for address in addresses:
                endpoint = address.model(ready)
                bucket = shares.setdefault((len(endpoint.addresses[0]), ports), {})
                bucket.setdefault(f"{address.ip}/{address.hostname}", endpoint)
    owner = endpoints.namespace, endpoints.name
    placed = place(owner, {}, shares, sorted({size for size, _ in shares}), taken)
    return tuple(each for slices in placed.values() for each in slices)
