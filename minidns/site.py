"""What one process answers: a zone index and a responder for every zone of every server block.

Changes come in by `publish`, packets by the `respond` of a block's front. Nothing here does I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from minidns import names
from minidns.config import Cluster as ClusterSource
from minidns.config import Config, Kubernetes, ServerBlock
from minidns.model import Change, EndpointSlice, Kind, Namespace, Pod, Service, Upserted
from minidns.responder import Channel, Forward, Responder
from minidns.schema import PodMode, ZoneSettings
from minidns.zone import Touch, Zone

Respond = Callable[[bytes, Channel], bytes | Forward | None]
Watcher = Callable[[Change, list[Touch]], None]


@dataclass(frozen=True, slots=True)
class _Fed:
    """A zone, and the kinds of objects that it is told of."""

    zone: Zone
    kinds: frozenset[Kind]


class Front:
    """How one server block answers: its zones one after the other, then whatever it has for the rest."""

    def __init__(self, block: ServerBlock, zones: Sequence[Zone]) -> None:
        self.block = block
        self.zones = tuple(zones)
        self.responders = tuple(self._responders())

    def _responders(self) -> Iterator[Responder]:
        forwards = bool(self.block.forwards)
        kubernetes = self.block.kubernetes
        last = len(self.zones) - 1
        for index, zone in enumerate(self.zones):
            yield Responder(
                zone,
                forwards=forwards or index < last,
                recursion=forwards,
                fallthrough=tuple(map(names.from_text, kubernetes.fallthrough)) if kubernetes and forwards else (),
                explain=kubernetes is None or kubernetes.ede,
            )

    def channel(self, transport: str, family: str) -> Channel:
        """A channel that all responders of the block know."""
        channel = self.responders[0].channel(transport, family)
        for responder in self.responders[1:]:
            responder.adopt(channel)
        return channel

    @property
    def respond(self) -> Respond:
        """The block's `respond`. With one zone it is that responder's own: nothing stands in between."""
        return self.responders[0].respond if len(self.responders) == 1 else self._respond

    def _respond(self, packet: bytes, channel: Channel) -> bytes | Forward | None:
        reply: bytes | Forward | None = None
        for responder in self.responders:
            reply = responder.respond(packet, channel)
            if not isinstance(reply, Forward) or reply.alias:
                return reply
        return reply


class Site:
    """All zones and fronts of a configuration.

    watch: called after every change with that change and what it touched in the first zone.
    """

    def __init__(self, config: Config, *, serial: int = 1, ns_addresses: tuple[bytes, ...] = ()) -> None:
        self._fed: dict[tuple[ZoneSettings, bool], _Fed] = {}
        self._serial = serial
        self._ns_addresses = ns_addresses
        source = config.source
        self._exposed_only = isinstance(source, ClusterSource) and bool(source.namespace_labels)
        self.fronts = tuple(Front(block, self._zones_of(block)) for block in config.servers)
        self.watchers: list[Watcher] = []

    @property
    def zones(self) -> tuple[Zone, ...]:
        """Each zone index once, also when several blocks answer from it."""
        return tuple(fed.zone for fed in self._fed.values())

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds of objects that some zone wants to be told of."""
        return frozenset().union(*(fed.kinds for fed in self._fed.values()))

    def publish(self, changes: Sequence[Change]) -> None:
        """Bring changes into every zone, all of them before the next packet is answered."""
        for index, fed in enumerate(self._fed.values()):
            for change in changes:
                kind = type(change.object) if isinstance(change, Upserted) else change.kind
                if kind not in fed.kinds:
                    continue
                if index or not self.watchers:
                    fed.zone.apply(change)
                else:
                    self._tell(fed.zone, change)

    def mark_synced(self) -> None:
        """The first full list of everything is in: answer from it."""
        for zone in self.zones:
            zone.synced = True

    def mark_stale(self, text: str) -> None:
        """Say with every answer that the zones are yesterday's; "" ends it."""
        for front in self.fronts:
            for responder in front.responders:
                responder.mark_stale(text)

    def _tell(self, zone: Zone, change: Change) -> None:
        feed: list[Touch] = []
        zone.apply(change, feed)
        for watcher in self.watchers:
            watcher(change, feed)

    def _zones_of(self, block: ServerBlock) -> list[Zone]:
        if block.kubernetes is None:
            return [Zone(ZoneSettings(served=False))]
        return [self._zone(settings, block.kubernetes.noendpoints) for settings in self._settings(block.kubernetes)]

    def _zone(self, settings: ZoneSettings, noendpoints: bool) -> Zone:
        kinds: set[Kind] = {Namespace, Service}
        kinds |= set() if noendpoints else {EndpointSlice}
        kinds |= {Pod} if settings.pods is PodMode.VERIFIED else set()
        fed = self._fed.setdefault((settings, noendpoints), _Fed(Zone(settings, self._serial), frozenset(kinds)))
        return fed.zone

    def _settings(self, kubernetes: Kubernetes) -> list[ZoneSettings]:
        """One for each zone that holds Services. The reverse zones belong to the first: PTR records point into it."""
        forward = kubernetes.forward_zones
        reverse = tuple(names.from_text(zone) for zone in kubernetes.zones if zone not in forward)
        return [
            ZoneSettings(
                origin=names.from_text(zone),
                reverse=reverse if zone == forward[0] else (),
                ttl=kubernetes.ttl,
                pods=kubernetes.pods,
                endpoint_pod_names=kubernetes.endpoint_pod_names,
                ignore_empty_service=kubernetes.ignore_empty_service,
                exposed_namespaces_only=self._exposed_only,
                ns_addresses=self._ns_addresses,
            )
            for zone in forward
        ]
