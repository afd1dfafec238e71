"""The zone indexes that a configuration takes, and what each is told: some of them may be there already."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from minidns.config.settings import Cache, Cluster, Config, Kubernetes, ServerBlock
from minidns.core import names, schema
from minidns.core.model import EndpointSlice, ImportedSlice, Kind, Namespace, Pod, Service, ServiceImport
from minidns.core.schema import PodMode, ZoneSettings
from minidns.core.zone import Zone
from minidns.transfer.journal import Journal


class Told(NamedTuple):
    """All that makes a zone answer as it does, but for the objects.

    What is ready to send at a node has RA or not (`recursion`), and reasons or not (`ede`): blocks that differ there do
    not share it.
    """

    settings: ZoneSettings
    noendpoints: bool
    recursion: bool
    ede: bool

    @property
    def shape(self) -> tuple[ZoneSettings, bool]:
        """What decides which nodes it has: zones with the same can take the place of each other."""
        return self.settings.shape, self.noendpoints

    @property
    def kinds(self) -> frozenset[Kind]:
        """The objects that it is made of."""
        kinds: set[Kind] = {Namespace, Service}
        if self.settings.multicluster:
            # Its own Services give ns.dns the addresses; noendpoints is about them alone, as in CoreDNS.
            kinds |= {ServiceImport, ImportedSlice}
        elif not self.noendpoints:
            kinds.add(EndpointSlice)
        kinds |= {Pod} if self.settings.pods is PodMode.VERIFIED else set()
        return frozenset(kinds)


@dataclass(slots=True, eq=False)
class Fed:
    """A zone, what it is told, the kinds of objects that it hears of, and its journal when somebody may transfer it."""

    zone: Zone
    told: Told
    kinds: frozenset[Kind]
    journal: Journal | None = None


def feds(wanted: Collection[Told], known: Mapping[Told, Fed], serial: int) -> dict[Told, Fed]:
    """A zone for each: one that is known and is told the same, else one with the same nodes that nobody wants as it is,
    else a new one."""
    spare = [fed for told, fed in known.items() if told not in wanted]
    found: dict[Told, Fed] = {}
    for told in wanted:
        fed = known.get(told) or next((fed for fed in spare if fed.told.shape == told.shape), None)
        if fed in spare:
            spare.remove(fed)
        found[told] = fed or Fed(Zone(told.settings, serial), told, told.kinds)
    return found


def told_of(config: Config, block: ServerBlock, ns_addresses: tuple[bytes, ...]) -> list[Told]:
    """What the zones of a block are told. ns_addresses: of the name server, where the cluster names none."""
    kubernetes, source = block.kubernetes, config.source
    if kubernetes is None:
        return []
    exposed_only = isinstance(source, Cluster) and bool(source.namespace_labels)
    every = _settings(kubernetes, block.cache, exposed_namespaces_only=exposed_only, ns_addresses=ns_addresses)
    return [Told(settings, kubernetes.noendpoints, bool(block.forwards), kubernetes.ede) for settings in every]


def _settings(kubernetes: Kubernetes, cache: Cache | None, **others: Any) -> list[ZoneSettings]:
    """One for each zone that holds Services, cluster sets last. The reverse zones belong to the first: PTR records
    point into it.

    cache: what bounds their TTLs. They are made so, no answer has to be changed. others: settings of all alike.
    """
    sets = tuple(f".{zone}" for zone in kubernetes.multicluster)
    forward = sorted(kubernetes.forward_zones, key=lambda zone: f".{zone}".endswith(sets))
    reverse = tuple(names.from_text(zone) for zone in kubernetes.zones if zone not in forward)
    return [
        ZoneSettings(
            origin=names.from_text(zone),
            reverse=reverse if zone == forward[0] else (),
            **_times(kubernetes.ttl, cache if cache and cache.holds(zone) else None),
            pods=kubernetes.pods,
            endpoint_pod_names=kubernetes.endpoint_pod_names,
            ignore_empty_service=kubernetes.ignore_empty_service,
            multicluster=f".{zone}".endswith(sets),
            **others,
        )
        for zone in forward
    ]


def _times(ttl: int, cache: Cache | None) -> dict[str, Any]:
    """The TTLs of a zone as a cache in front of it shows them."""
    if cache is None:
        return {"ttl": ttl}
    minimum = min(ttl, 5)
    negative = cache.denial.within(minimum), minimum
    return {
        "ttl": cache.success.within(ttl),
        "version_ttl": cache.success.within(schema.VERSION_TTL),
        "negative": negative if negative != (minimum, minimum) or cache.success.within(ttl) != ttl else None,
    }
