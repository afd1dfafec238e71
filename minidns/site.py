"""What one process answers: the zone indexes of a configuration, and a front for each address.

Changes come in by `publish`, packets by the fronts. No socket is opened here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from itertools import chain

from minidns import explain
from minidns.config.settings import Config, ServerBlock
from minidns.config.values import Listen
from minidns.core import answers, names, reasons, walk
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
from minidns.core.schema import ZoneSettings
from minidns.core.zone import Touch, Zone
from minidns.explain import Explanation, Ground, SearchExplanation
from minidns.explain.behind import number as counted
from minidns.front import BlockFront, Front, Router
from minidns.indexes import Fed, Told, feds, told_of
from minidns.transfer import serials
from minidns.transfer.follower import Target
from minidns.transfer.journal import Journal, by_origin
from minidns.views.changes import Event, Version, event_of, versions
from minidns.views.differences import exact

Watcher = Callable[[Event], None]
#: Is told which objects a change made different, and how.
Follower = Callable[[Sequence[Version]], None]


class Site:
    """All zones and fronts of a configuration.

    like: a site that is told of the same objects, whose zones this one shares where they have the same nodes. Where
    they are told something else of these, that is so from `take_over` on.
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
        self._serial = serial
        told = [told_of(config, block, ns_addresses) for block in config.servers]
        wanted = dict.fromkeys(chain.from_iterable(told))
        self._fed: dict[Told, Fed] = feds(wanted, like._fed if like else {}, serial)
        self.fronts = tuple(map(self._front, config.servers, told))
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

    def publish(self, changes: Sequence[Change], moment: int | None = None, but: Collection[Zone] = ()) -> None:
        """Bring changes into every zone, all of them before the next packet is answered.

        moment: the serial of this moment (`minidns.transfer.serials`), the same in all processes that answer. but:
        zones that have these changes already: another site has them, too.
        """
        told: frozenset[Kind] = frozenset()
        for fed in self._fed.values():
            if fed.zone in but:
                continue
            for change in changes:
                kind = type(change.object) if isinstance(change, Upserted) else change.kind
                if kind in fed.kinds:
                    self._apply(fed, change, moment, first=kind not in told)
            told |= fed.kinds

    def take_over(self, old: Site) -> None:
        """Answer by this configuration from now on, and no more by the old one. A zone that both share stays as it is:
        to build another of 750,000 names takes seconds, with steps of up to 30 ms where its dictionary grows."""
        for front in old.fronts:
            front.retire()
        wanted = [journal for front in self.fronts for journal in front.journals]
        for told, fed in self._fed.items():
            if fed.journal not in wanted:
                fed.journal = None  # nobody may transfer it any more
            if fed.told != told:
                serial, fed.told = fed.zone.serial, told
                fed.zone.answer_by(told.settings)
                if fed.zone.serial != serial:
                    fed.zone.serial = serials.latest(fed.zone.serial, self._serial)
                    if fed.journal is not None:
                        fed.journal.begin(fed.zone.serial)  # every record is another one

    async def sweep(self) -> None:
        """Drop what is ready to send and outdated, in steps: until this ends, some answers are as they were before."""
        for zone in self.zones:
            if zone.outdated:
                zone.outdated = False
                for _ in walk.drop_ready(zone):
                    await asyncio.sleep(0)

    def advance(self, serial: int, but: Collection[Zone] = ()) -> None:
        """Move the serials of all zones to one that is ahead of them: what is between is not known here.

        but: zones that stay where they are.
        """
        self._serial = serials.latest(self._serial, serial)
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
        """An explanation, as `explaining` gives it."""
        return explain.at_once(self.explaining)(query, ground)

    def explaining(
        self, query: Mapping[str, str], ground: Ground | None = None
    ) -> Generator[None, None, Explanation | SearchExplanation]:
        """An explanation, in steps. query: `name`, and if wanted `type` (A), `from` (a pod's namespace), `ndots` and
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
        return (
            yield from explain.search_steps(
                *asked, ndots=ndots, libc=libc, forwards=forwards, fallthrough=fallthrough, ground=ground
            )
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

    def _apply(self, fed: Fed, change: Change, moment: int | None, *, first: bool) -> None:
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

    def _front(self, block: ServerBlock, told: Sequence[Told]) -> BlockFront:
        some = [self._fed[one] for one in told]
        journals = []
        for fed in some if block.transfers else ():
            fed.journal = fed.journal or Journal(fed.zone.serial)
            journals.append(fed.journal)
        zones = [fed.zone for fed in some] if block.kubernetes else [Zone(ZoneSettings(served=False))]
        return BlockFront(block, zones, journals)
