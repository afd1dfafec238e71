"""What is behind a Service: its slices and endpoints, counted whole and listed in part."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from itertools import accumulate, chain, islice
from typing import NamedTuple

from minidns.core import model, names, reasons, schema
from minidns.core.model import EndpointSlice, Key
from minidns.core.schema import ZoneSettings
from minidns.core.why import shown
from minidns.core.zone import Zone
from minidns.explain import types

#: Endpoints and slices that are listed one by one.
LISTED = 20


class Row(NamedTuple):
    """An endpoint in its slice."""

    slice: EndpointSlice
    endpoint: model.Endpoint
    settings: ZoneSettings

    @property
    def labels(self) -> tuple[str, ...]:
        """What it has below its Service, or its cluster, when it is ready."""
        return schema.endpoint_labels(self.settings, self.endpoint)

    @property
    def names(self) -> tuple[str, ...]:
        """What it is named below its Service: its labels; of a cluster set with the cluster behind them."""
        cluster = self.slice.cluster
        return tuple(f"{label}.{cluster}" for label in self.labels) if cluster else self.labels

    @property
    def who(self) -> str:
        """The endpoint for people."""
        return f"pod {shown(self.endpoint.pod)}" if self.endpoint.pod else title(self.endpoint)

    @property
    def state(self) -> str:
        return state(self.endpoint)


def title(endpoint: model.Endpoint) -> str:
    """What people call an endpoint: its pod, its hostname, or its addresses."""
    name = endpoint.pod or endpoint.hostname
    return shown(name) if name else ", ".join(map(names.address_text, endpoint.addresses))


def state(endpoint: model.Endpoint) -> str:
    """The conditions of an endpoint in words."""
    if endpoint.terminating and not endpoint.ready:
        return "terminating, still serving" if endpoint.serving else "terminating"
    return ("ready" if endpoint.ready else "not ready") + (", terminating" if endpoint.terminating else "")


class Behind:
    """The slices and endpoints of one Service, whether or not the Service itself is there."""

    def __init__(self, zone: Zone, key: Key) -> None:
        self.key = key
        self.service = zone.cluster.service(key)
        self.slices: Mapping[str, EndpointSlice] = dict(sorted(zone.cluster.slices(key).items()))
        self._slices = list(self.slices.values())
        self._settings: ZoneSettings = zone.settings
        self._kind = zone.cluster.service_kind.__name__

    def rows(self, which: Callable[[model.Endpoint], bool]) -> list[Row]:
        """The endpoints of which that holds, in their slices."""
        # There may be 10,000, for which rows would take 3 ms.
        return [self._row(at) for at, one in enumerate(self._endpoints) if which(one)]

    def of_pod(self, pod: str) -> Row | None:
        """The first endpoint of a pod."""
        pods = [one.pod for one in self._endpoints]
        return self._row(pods.index(pod)) if pod in pods else None

    @cached_property
    def waiting(self) -> list[Row]:
        """The endpoints that are not ready."""
        settings = self._settings
        return [Row(slice_, one, settings) for slice_ in self._slices for one in slice_.endpoints if not one.ready]

    @cached_property
    def _endpoints(self) -> list[model.Endpoint]:
        return list(chain.from_iterable([slice_.endpoints for slice_ in self.slices.values()]))

    @cached_property
    def _ends(self) -> list[int]:
        """Where each slice ends among the endpoints."""
        return list(accumulate(len(slice_.endpoints) for slice_ in self.slices.values()))

    def _row(self, at: int) -> Row:
        return Row(self._slices[bisect_right(self._ends, at)], self._endpoints[at], self._settings)

    def ready(self, label: str | None, address: bytes | None) -> Row | None:
        """The first ready endpoint of this name below the Service (lower case) and this address; None is any."""
        for at, one in enumerate(self._endpoints):
            if one.ready and (address is None or address in one.addresses):
                row = self._row(at)
                if label is None or label in map(str.lower, row.names):
                    return row
        return None

    @cached_property
    def total(self) -> int:
        """How many endpoints there are; a pod with addresses of both families is one."""
        return self._count(len(slice_.endpoints) for slice_ in self.slices.values())

    @cached_property
    def ready_total(self) -> int:
        """How many of them are ready."""
        return self._count(sum([one.ready for one in slice_.endpoints]) for slice_ in self.slices.values())

    def _count(self, numbers: Iterable[int]) -> int:
        return reasons.count(zip(self.slices.values(), numbers, strict=True))

    def labels(self, *, ready: bool) -> list[str]:
        """The names of the endpoints that are ready, or of those that are not, below the Service, once each."""
        found: dict[str, None] = {}
        for slice_ in self.slices.values():
            some = [one for one in slice_.endpoints if one.ready is ready]
            # Hostnames first: nearly all have one, and it is all that they are named.
            own = [one.hostname for one in some if one.hostname]
            own += [label for one in some if not one.hostname for label in schema.endpoint_labels(self._settings, one)]
            found.update(dict.fromkeys([f"{label}.{slice_.cluster}" for label in own] if slice_.cluster else own))
        return list(found)

    def left_out(self) -> list[str]:
        """What the Service and its slices say and no record can hold."""
        objects = (*((self.service,) if self.service else ()), *self.slices.values())
        return [
            f"{shown(text)}: {type(obj).__name__} {shown('/'.join(obj.key))}"
            for obj in objects
            for text in schema.left_out(obj)
        ]

    @property
    def title(self) -> str:
        service = self.service
        kind = self._kind
        if service and (service.headless or service.external_name is not None):
            kind = f"headless {kind}" if service.headless else "ExternalName Service"
        return f"{kind} {shown('/'.join(self.key))}"

    @property
    def selector(self) -> str:
        """The Service's selector as `kubectl get -l` takes it, escaped; "" for none."""
        return shown(reasons.selector_text(self.service)) if self.service else ""

    def facts(self, focus: str | None) -> types.Service | None:
        """The Service as an explanation has it; `focus` is the label that the question is about."""
        service = self.service
        if service is None and not self.slices:
            return None
        service = service or model.Service(*self.key)
        return types.Service(
            shown(service.namespace),
            shown(service.name),
            self._type(),
            tuple(map(names.address_text, service.cluster_ips)),
            None if service.external_name is None else shown(service.external_name),
            self.selector,
            _ports(service.ports),
            service.publish_not_ready,
            tuple(_slice(slice_) for slice_ in list(self.slices.values())[:LISTED]),
            len(self.slices),
            tuple(map(_endpoint, self._listed(focus))),
            self.total,
            self.ready_total,
            self._count(sum([one.terminating for one in slice_.endpoints]) for slice_ in self.slices.values()),
        )

    def _type(self) -> types.ServiceType:
        imported = self._settings.multicluster
        if self.service is None:
            return "missing import" if imported else "missing"
        if imported:
            return "headless import" if self.service.headless else "ClusterSetIP"
        if self.service.external_name is not None:
            return "ExternalName"
        return "headless" if self.service.headless else "ClusterIP"

    def _listed(self, focus: str | None) -> list[Row]:
        """The endpoints to list: the one asked for, those that are not ready, then the others; in their own order."""
        every = self._endpoints
        # Hostnames first: nearly all have one, and what is named after it is that, or that and a cluster.
        known = {None, "", focus, focus.partition(".")[0]} if focus else set[str | None]()
        meant = [at for at, one in enumerate(every) if one.hostname in known] if focus else []
        asked = [at for at in meant if focus in self._row(at).names]
        waiting = islice((at for at, one in enumerate(every) if not one.ready), LISTED)
        ranked = chain(sorted(asked, key=lambda at: every[at].ready), waiting, range(min(LISTED, len(every))))
        return [self._row(at) for at in sorted(islice(dict.fromkeys(ranked), LISTED))]


def number(count: int, what: str) -> str:
    """A number of things: "no Services", "1 Service", "2 queries"."""
    many = what[:-1] + "ies" if what.endswith("y") else f"{what}s"
    return f"{count or 'no'} {what if count == 1 else many}"


def port_text(port: model.Port | types.Port) -> str:
    """A port for people: `web 80/TCP`."""
    number = "any" if port.number is None else port.number
    return f"{shown(port.name)} {number}/{shown(port.protocol)}".strip()


def _ports(ports: tuple[model.Port, ...]) -> tuple[types.Port, ...]:
    return tuple(types.Port(shown(port.name), shown(port.protocol), port.number) for port in ports)


def _slice(slice_: EndpointSlice) -> types.Slice:
    ready = sum(endpoint.ready for endpoint in slice_.endpoints)
    return types.Slice(shown(slice_.name), len(slice_.endpoints), ready, _ports(slice_.ports))


def _endpoint(row: Row) -> types.Endpoint:
    endpoint = row.endpoint
    by_address = row.labels == tuple(map(names.address_label, endpoint.addresses))
    return types.Endpoint(
        shown(row.slice.name),
        tuple(map(names.address_text, endpoint.addresses)),
        None if endpoint.pod is None else shown(endpoint.pod),
        None if endpoint.hostname is None else shown(endpoint.hostname),
        endpoint.ready,
        endpoint.serving,
        endpoint.terminating,
        state(endpoint),
        tuple(map(shown, row.names)),
        "hostname" if endpoint.hostname else "address" if by_address else "pod",
    )
