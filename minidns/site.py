"""What one process answers: the zone indexes of a configuration, and a front for each address.

Changes come in by `publish`, packets by the fronts. No socket is opened here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from minidns import explain
from minidns.config.settings import Cluster as ClusterSource
from minidns.config.settings import Config, Kubernetes, ServerBlock
from minidns.config.values import Listen
from minidns.core import answers, names, reasons
from minidns.core.model import Change, EndpointSlice, Key, Kind, Namespace, Object, Pod, Service, Upserted
from minidns.core.names import Name
from minidns.core.schema import PodMode, ZoneSettings
from minidns.core.zone import Touch, Zone
from minidns.explain import Explanation, SearchExplanation
from minidns.front import BlockFront, Front, Router
from minidns.views.changes import Event, Version, event_of, versions

Watcher = Callable[[Event], None]
#: Is told which objects a change made different, and how.
Follower = Callable[[Sequence[Version]], None]


@dataclass(frozen=True, slots=True)
class _Fed:
    """A zone, and the kinds of objects that it is told of."""

    zone: Zone
    kinds: frozenset[Kind]


#: All that makes a zone answer as it does, but for the objects.
_Settings = tuple[ZoneSettings | bool, ...]


class Site:
    """All zones and fronts of a configuration.

    like: a site that is told of the same objects, whose zones this one shares where their settings are the same.
    watchers: called after every change that made something different in the first zone. followers: too, with less to
    tell and at less cost. stale: what `mark_stale` said.
    """

    def __init__(
        self,
        config: Config,
        *,
        serial: int = 1,
        ns_addresses: tuple[bytes, ...] = (),
        like: Site | None = None,
    ) -> None:
        self._fed: dict[_Settings, _Fed] = {}
        self._known = like._fed if like else {}
        self._serial = serial
        self._ns_addresses = ns_addresses
        source = config.source
        self._exposed_only = isinstance(source, ClusterSource) and bool(source.namespace_labels)
        self.fronts = tuple(BlockFront(block, self._zones_of(block)) for block in config.servers)
        self.watchers: list[Watcher] = []
        self.followers: list[Follower] = []
        self.stale = ""

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
                if index or not (self.watchers or self.followers):
                    fed.zone.apply(change)
                else:
                    self._tell(fed.zone, change)

    def renew_fronts(self) -> None:
        """Begin with fronts that have answered nothing yet: a fork must not use its parent's upstream connections."""
        self.fronts = tuple(BlockFront(front.block, front.zones) for front in self.fronts)
        self.mark_stale(self.stale)

    def explain(self, query: Mapping[str, str]) -> Explanation | SearchExplanation:
        """An explanation. query: `name`, and if wanted `type` (A), `from` (a pod's namespace), `ndots` and
        `libc` (glibc or musl).

        Raises ValueError for a query that makes no sense.
        """
        if not query.get("name"):
            raise ValueError("name what is to be explained: ?name=")
        name = explain.parse_name(query["name"])
        front = next((front for front in self.fronts if front.block.kubernetes), None)
        if front is None:
            raise ValueError("no zone is served here: every name is forwarded")
        zone = next((zone for zone in front.zones if zone.origin(name)), front.zones[0])
        forwards, fallthrough = front.resolver is not None, front.responders[0].fallthrough
        if not query.get("from"):
            type_ = explain.parse_type(query["type"]) if query.get("type") else explain.usual_type(name)
            return explain.explain(zone, name, type_, forwards=forwards, fallthrough=fallthrough)
        types = [explain.parse_type(query["type"])] if query.get("type") else explain.BOTH
        ndots, libc = explain.parse_ndots(query.get("ndots", "")), explain.parse_libc(query.get("libc", ""))
        asked = zone, query["name"], query["from"], types
        return explain.explain_search(*asked, ndots=ndots, libc=libc, forwards=forwards, fallthrough=fallthrough)

    def known(self) -> dict[Kind, Mapping[Key, Object]]:
        """Every object that the zones hold, by kind: as they are now, and as they change."""
        return {kind: fed.zone.cluster.all(kind) for fed in self._fed.values() for kind in fed.kinds}

    def reason(self, name: Name, type_: int) -> str:
        """Why the zones answer a question as they do, in a sentence; "" where records need none."""
        zone = next((zone for zone in self.zones if zone.origin(name)), self.zones[0])
        return reasons.sentence(answers.answer(zone, name, type_).reason)

    def summary(self) -> str:
        """The zones and how much is in them, in one line."""
        if not self.kinds:
            return "no zone of its own"
        origins = ", ".join(names.to_text(origin) for zone in self.zones for origin in zone.origins)
        first = self.zones[0].cluster
        counts = [f"{len(first.all(kind))} {kind.__name__}s" for kind in (Service, EndpointSlice, Namespace, Pod)]
        return f"{origins}: {', '.join(counts[: 3 + (Pod in self.kinds)])}, {len(self.zones[0].nodes)} names"

    def by_address(self) -> dict[Listen, Front]:
        """What answers on each address to listen on."""
        found: dict[Listen, list[BlockFront]] = {}
        for front in self.fronts:
            for listen in front.block.listen:
                found.setdefault(listen, []).append(front)
        return {
            listen: fronts[0] if len(fronts) == 1 and "." in fronts[0].block.zones else Router(fronts)
            for listen, fronts in found.items()
        }

    @property
    def synced(self) -> bool:
        """Whether there is something to answer from."""
        return all(zone.synced for zone in self.zones)

    def mark_synced(self) -> None:
        """The first full list of everything is in: answer from it."""
        for zone in self.zones:
            zone.synced = True

    def mark_stale(self, text: str) -> None:
        """Say with every answer that the zones are yesterday's; "" ends it."""
        self.stale = text
        for front in self.fronts:
            for responder in front.responders:
                responder.mark_stale(text)

    def _tell(self, zone: Zone, change: Change) -> None:
        feed: list[Touch] | None = [] if self.watchers else None
        changed = versions(zone.cluster, change)
        zone.apply(change, feed)
        if changed:
            for follower in tuple(self.followers):
                follower(changed)
        if feed is not None and (event := event_of(zone, changed, feed)):
            for watcher in tuple(self.watchers):
                watcher(event)

    def _zones_of(self, block: ServerBlock) -> list[Zone]:
        kubernetes = block.kubernetes
        if kubernetes is None:
            return [Zone(ZoneSettings(served=False))]
        # What is ready to send at a node has RA or not, and reasons or not: blocks that differ there do not share it.
        kind = (kubernetes.noendpoints, bool(block.forwards), kubernetes.ede)
        return [self._zone(settings, *kind) for settings in self._settings(kubernetes)]

    def _zone(self, settings: ZoneSettings, noendpoints: bool, *others: bool) -> Zone:
        kinds: set[Kind] = {Namespace, Service}
        kinds |= set() if noendpoints else {EndpointSlice}
        kinds |= {Pod} if settings.pods is PodMode.VERIFIED else set()
        key: _Settings = (settings, noendpoints, *others)
        if key not in self._fed:
            self._fed[key] = self._known.get(key) or _Fed(Zone(settings, self._serial), frozenset(kinds))
        return self._fed[key].zone

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
