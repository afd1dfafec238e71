"""What one process answers: the zone indexes of a configuration, and a front for each address.

Changes come in by `publish`, packets by the fronts. No socket is opened here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minidns import explain
from minidns.config.settings import Cache, Config, Kubernetes, ServerBlock
from minidns.config.settings import Cluster as ClusterSource
from minidns.config.values import Listen
from minidns.core import answers, names, reasons, schema
from minidns.core.model import (
    KINDS,
    Change,
    EndpointSlice,
    ImportedSlice,
    Key,
    Kind,
    Namespace,
    Object,
    Pod,
    Service,
    ServiceImport,
    Upserted,
)
from minidns.core.names import Name
from minidns.core.schema import PodMode, ZoneSettings
from minidns.core.zone import Touch, Zone
from minidns.explain import Explanation, Ground, SearchExplanation
from minidns.explain.behind import number as counted
from minidns.front import BlockFront, Front, Router
from minidns.transfer import serials
from minidns.transfer.follower import Target
from minidns.transfer.journal import Journal, by_origin
from minidns.views.changes import Event, Version, event_of, versions
from minidns.views.differences import exact

Watcher = Callable[[Event], None]
#: Is told which objects a change made different, and how.
Follower = Callable[[Sequence[Version]], None]


@dataclass(slots=True)
class _Fed:
    """A zone, the kinds of objects that it is told of, and its journal when somebody may transfer it."""

    zone: Zone
    kinds: frozenset[Kind]
    journal: Journal | None = None


#: All that makes a zone answer as it does, but for the objects.
_Settings = tuple[ZoneSettings | bool, ...]


class Site:
    """All zones and fronts of a configuration.

    like: a site that is told of the same objects, whose zones this one shares where their settings are the same.
    watchers: called after every change that made something different in the first zone that is told of it. followers:
    too, with less to tell and at less cost. stale: what `mark_stale` said. unsynced: kinds without a list yet.
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
        self.fronts = tuple(self._front(block) for block in config.servers)
        self.watchers: list[Watcher] = []
        self.followers: list[Follower] = []
        self.stale = ""
        self.unsynced: frozenset[Kind] = frozenset()

    @property
    def zones(self) -> tuple[Zone, ...]:
        """Each zone index once, also when several blocks answer from it."""
        return tuple(fed.zone for fed in self._fed.values())

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds of objects that some zone wants to be told of."""
        return frozenset().union(*(fed.kinds for fed in self._fed.values()))

    @property
    def serial(self) -> int:
        """The latest serial of all zones."""
        return serials.latest(self._serial, *(fed.zone.serial for fed in self._fed.values()))

    @property
    def journals(self) -> list[tuple[Zone, Journal]]:
        """Each zone that somebody may transfer, with its journal."""
        return [(fed.zone, fed.journal) for fed in self._fed.values() if fed.journal is not None]

    def targets(self) -> list[Target]:
        """The secondaries that want to be told of changes."""
        return [
            Target(secondary, front.transfers, front.keys, zones)
            for front in self.fronts
            if front.transfers is not None
            for secondary, zones in front.transfers.targets()
        ]

    def publish(self, changes: Sequence[Change], moment: int | None = None) -> None:
        """Bring changes into every zone, all of them before the next packet is answered.

        moment: the serial of this moment (`minidns.transfer.serials`), the same in all processes that answer.
        """
        told: frozenset[Kind] = frozenset()
        for fed in self._fed.values():
            for change in changes:
                kind = type(change.object) if isinstance(change, Upserted) else change.kind
                if kind in fed.kinds:
                    self._apply(fed, change, moment, first=kind not in told)
            told |= fed.kinds

    def advance(self, serial: int, but: Collection[Zone] = ()) -> None:
        """Move the serials of all zones to one that is ahead of them: what is between is not known here.

        but: zones that stay where they are.
        """
        for fed in self._fed.values():
            if fed.zone not in but and serials.is_ahead(serial, fed.zone.serial):
                fed.zone.serial = serial
                if fed.journal is not None and fed.zone.synced:
                    fed.journal.begin(serial)

    def renew_fronts(self) -> None:
        """Begin with fronts that have answered nothing yet: a fork must not use its parent's upstream connections."""
        self.fronts = tuple(BlockFront(front.block, front.zones, front.journals) for front in self.fronts)
        self.mark_stale(self.stale)

    def explain(self, query: Mapping[str, str], ground: Ground | None = None) -> Explanation | SearchExplanation:
        """An explanation. query: `name`, and if wanted `type` (A), `from` (a pod's namespace), `ndots` and
        `libc` (glibc or musl). ground: what the objects come from, where that is known.

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
            return explain.explain(zone, name, type_, forwards=forwards, fallthrough=fallthrough, ground=ground)
        types = [explain.parse_type(query["type"])] if query.get("type") else explain.BOTH
        ndots, libc = explain.parse_ndots(query.get("ndots", "")), explain.parse_libc(query.get("libc", ""))
        asked = zone, query["name"], query["from"], types
        return explain.explain_search(
            *asked, ndots=ndots, libc=libc, forwards=forwards, fallthrough=fallthrough, ground=ground
        )

    def known(self) -> dict[Kind, Mapping[Key, Object]]:
        """Every object that the zones hold, by kind in the order of KINDS: as they are now, and as they change."""
        found = {kind: fed.zone.cluster.all(kind) for fed in self._fed.values() for kind in fed.kinds}
        return {kind: found[kind] for kind in KINDS if kind in found}

    def reason(self, name: Name, type_: int) -> str:
        """Why the zones answer a question as they do, in a sentence; "" where records need none."""
        zone = next((zone for zone in self.zones if zone.origin(name)), self.zones[0])
        return reasons.sentence(answers.answer(zone, name, type_).reason)

    def summary(self) -> str:
        """The zones and how much is in them, in one line."""
        if not self.kinds:
            return "no zone of its own"
        origins = ", ".join(names.to_text(origin) for zone in self.zones for origin in zone.origins)
        known = self.known()
        kinds: list[Kind] = [Service, EndpointSlice, Namespace]
        kinds += [kind for kind in (Pod, ServiceImport, ImportedSlice) if kind in known]
        counts = [counted(len(known.get(kind, ())), kind.__name__) for kind in kinds]
        return f"{origins}: {', '.join(counts)}, {counted(sum(len(zone.nodes) for zone in self.zones), 'name')}"

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
        return any(zone.synced for zone in self.zones) or not self._fed

    def mark_synced(self, but: frozenset[Kind] = frozenset()) -> None:
        """The first full list of everything is in: answer from it. but: kinds that there is no list of yet; zones that
        are made of them say so, and the others answer."""
        self.unsynced = but
        for fed in self._fed.values():
            if fed.kinds & but:
                continue
            if fed.journal is not None and not fed.zone.synced:
                fed.journal.begin(fed.zone.serial)  # what made the zone is no step from one of its states to the next
            fed.zone.synced = True

    def mark_stale(self, text: str) -> None:
        """Say with every answer that the zones are yesterday's; "" ends it."""
        self.stale = text
        for front in self.fronts:
            for responder in front.responders:
                responder.mark_stale(text)

    def _apply(self, fed: _Fed, change: Change, moment: int | None, *, first: bool) -> None:
        zone, journal = fed.zone, fed.journal if fed.zone.synced else None
        watchers, followers = (tuple(self.watchers), tuple(self.followers)) if first else ((), ())
        # Nobody looks at what came and went: then it is not worked out.
        feed: list[Touch] | None = [] if watchers or journal is not None else None
        changed = versions(zone.cluster, change) if watchers or followers else ()
        if zone.apply(change, feed) and moment is not None:
            zone.serial = serials.latest(zone.serial, moment)
        if changed:
            for follower in followers:
                follower(changed)
        if journal is not None and feed:
            journal.append(zone.serial, by_origin(zone, *exact(zone, feed)))
        if watchers and (event := event_of(zone, changed, feed or ())):
            for watcher in watchers:
                watcher(event)

    def _front(self, block: ServerBlock) -> BlockFront:
        feds = self._feds_of(block)
        journals = []
        for fed in feds if block.transfers else ():
            fed.journal = fed.journal or Journal(fed.zone.serial)
            journals.append(fed.journal)
        return BlockFront(block, [fed.zone for fed in feds], journals)

    def _feds_of(self, block: ServerBlock) -> list[_Fed]:
        kubernetes = block.kubernetes
        if kubernetes is None:
            return [_Fed(Zone(ZoneSettings(served=False)), frozenset())]
        # What is ready to send at a node has RA or not, and reasons or not: blocks that differ there do not share it.
        kind = (kubernetes.noendpoints, bool(block.forwards), kubernetes.ede)
        return [self._fed_of(settings, *kind) for settings in self._settings(kubernetes, block.cache)]

    def _fed_of(self, settings: ZoneSettings, noendpoints: bool, *others: bool) -> _Fed:
        kinds: set[Kind] = {Namespace, Service}
        if settings.multicluster:
            # Its own Services give ns.dns the addresses; noendpoints is about them alone, as in CoreDNS.
            kinds |= {ServiceImport, ImportedSlice}
        elif not noendpoints:
            kinds.add(EndpointSlice)
        kinds |= {Pod} if settings.pods is PodMode.VERIFIED else set()
        key: _Settings = (settings, noendpoints, *others)
        if key not in self._fed:
            self._fed[key] = self._known.get(key) or _Fed(Zone(settings, self._serial), frozenset(kinds))
        return self._fed[key]

    def _settings(self, kubernetes: Kubernetes, cache: Cache | None) -> list[ZoneSettings]:
        """One for each zone that holds Services, cluster sets last. The reverse zones belong to the first: PTR records
        point into it.

        cache: what bounds their TTLs. They are made so, no answer has to be changed.
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
                exposed_namespaces_only=self._exposed_only,
                ns_addresses=self._ns_addresses,
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
