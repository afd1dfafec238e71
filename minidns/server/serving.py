"""The DNS side of one process: the fronts of a site on their sockets, and what they count."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

from minidns.config.values import Listen
from minidns.core import records
from minidns.core.model import Change
from minidns.core.responder import Channel, Observe
from minidns.front import Front
from minidns.metrics import Panics, Report, Timing, Traffic
from minidns.plugins.forward.forwarder import Forwarder
from minidns.server import descriptors
from minidns.server.listening import Listening, MakeChannel
from minidns.server.places import Limits
from minidns.server.tap import Deliver, Tap, both
from minidns.server.tcp import TcpServer
from minidns.site import Site

log = logging.getLogger(__name__)


class Serving:
    """The sockets of a site, from `start` to `stop`.

    opened: addresses whose sockets are open already.
    """

    #: Seconds for which two sites may answer while one takes over from the other (`replace`).
    overlap = 0.0

    def __init__(self, site: Site, *, opened: Mapping[Listen, Listening] | None = None) -> None:
        self.site = site
        self._opened = opened or {}
        self._listening: dict[Listen, Listening] = {}
        self._wanted: tuple[Listen, ...] = ()
        self._tcp = TcpServer()
        self._channels: list[tuple[str, Channel]] = []
        self._traffic: list[tuple[str, dict[str, Traffic]]] = []
        self._panics = Panics()
        self._tap: Tap | None = None

    async def start(self) -> None:
        """Open every socket and answer. Raises OSError, naming the address, with every socket closed again."""
        self._share_descriptors(self.site)
        logging.getLogger("minidns").addHandler(self._panics)
        try:
            fronts = self.site.by_address()
            self._wanted = tuple(fronts)
            for listen, front in fronts.items():
                self._listening[listen] = self._listen(listen, front)
        except OSError:
            await self.stop()
            raise

    async def replace(self, site: Site) -> None:
        """Answer from another site from the next packet on. Addresses that both have keep their sockets.

        Raises OSError when an address that is new cannot be bound; then everything is as it was.
        """
        fronts = site.by_address()
        self._wanted = tuple(fronts)
        added: dict[Listen, Listening] = {}
        try:
            for listen in fronts.keys() - self._listening.keys():
                added[listen] = self._listen(listen, fronts[listen])
        except OSError:
            for one in site.fronts:
                one.retire()  # what has arrived already is answered, and is not to stay in zones that are shared
            for listening in added.values():
                await listening.stop()
            raise
        site.take_over(self.site)
        for listen in fronts.keys() & self._listening.keys():
            front = fronts[listen]
            counted = self._counted(f"dns://{listen}", front.channel)
            self._listening[listen].serve(front.respond, front.resolve, counted, self._observe(front))
        for listen in self._listening.keys() - fronts.keys():
            await self._listening.pop(listen).stop()
        self._listening |= added
        self.site = site
        self._share_descriptors(site)

    async def stop(self) -> None:
        """Answer what has arrived, then close every socket."""
        self.tap(None)
        logging.getLogger("minidns").removeHandler(self._panics)
        for listening in self._listening.values():
            await listening.stop()
        self._listening.clear()

    @property
    def addresses(self) -> list[Listen]:
        """Where answers are to be had, with the ports that the system chose."""
        return [Listen(listen.host, port) for listen, port in self.ports.items()]

    @property
    def ports(self) -> dict[Listen, int]:
        """The port of each address, also where the system chose it."""
        return {listen: listening.port for listen, listening in self._listening.items()}

    def tap(self, deliver: Deliver | None, share: int = 1) -> None:
        """Show what is answered from now on; None ends that. share: how many processes do so together."""
        if self._tap is not None:
            self._tap.stop()
        self._tap = Tap(deliver, share) if deliver else None
        if self._tap is not None:
            self._tap.start()
        for listen, front in self.site.by_address().items():
            if listen in self._listening:
                self._listening[listen].observe(self._observe(front))

    def publish(self, site: Site, changes: Sequence[Change], moment: int) -> None:
        """The site has these changes already; there is nobody else to tell."""

    def advance(self, site: Site, serial: int) -> None:
        """The site is there already."""

    async def mark_synced(self, site: Site) -> None:
        """The site knows."""

    async def sweep(self, site: Site) -> None:
        """Answer nothing any more that is ready and outdated."""
        await site.sweep()

    async def report(self) -> Report:
        """What was counted so far."""
        report = Report()
        for server, channel in self._channels:
            for (type_, rcode), count in channel.answered().items():
                report.answered[server, channel.transport, channel.family, type_, rcode] += count
        for server, transports in self._traffic:
            for transport, traffic in transports.items():
                report.traffic.setdefault((server, transport), Traffic()).add_traffic(traffic)
        report.counters["coredns_panics", ()] += self._panics.count
        report.gauges["minidns_tcp_connections", ()] = len(self._tcp.places)
        report.gauges["minidns_tcp_held_bytes", ()] = self._tcp.places.held
        report.counters["minidns_tcp_connections_cut", ()] += self._tcp.places.cut
        for front in self.site.fronts:
            if front.transfers is not None:
                report.asked.update(front.transfers.asked)
                for kind, count in front.transfers.counts.items():
                    report.counters["minidns_transfers", (("kind", kind),)] += count
            if (resolver := front.resolver) is not None:
                labels = (("server", f"dns://{front.block.listen[0]}"),)
                report.counters["coredns_cache_hits", labels] += resolver.hits
                evictions = resolver.cache.evictions if resolver.cache else 0
                report.counters["coredns_cache_evictions", labels] += evictions
                report.counters["coredns_cache_misses", labels] += resolver.misses
                report.counters["coredns_cache_requests", labels] += resolver.hits + resolver.misses
                report.counters["coredns_cache_prefetch", labels] += resolver.refreshed
                report.counters["coredns_cache_served_stale", labels] += resolver.served_stale
                rejects = sum(forwarder.rejected for forwarder in resolver.forwarders)
                report.counters["coredns_forward_max_concurrent_rejects", labels] += rejects
                for forwarder in resolver.forwarders:
                    _count_upstreams(report, forwarder)
                for kind, count in (resolver.cache.entries if resolver.cache else {}).items():
                    report.gauges["coredns_cache_entries", (*labels, ("type", kind))] = count
        return report

    def _share_descriptors(self, site: Site) -> None:
        resolvers = [front.resolver for front in site.fronts if front.resolver is not None]
        self._tcp.places.limits = descriptors.share(Limits(), [one for each in resolvers for one in each.forwarders])

    def _listen(self, listen: Listen, front: Front) -> Listening:
        listening = self._opened.get(listen) or Listening(listen, shared=_overlaps(listen, self._wanted))
        if listen not in self._opened:
            listening.open()
        server = f"dns://{listen}"
        self._traffic.append((server, listening.traffic))
        channel = self._counted(server, front.channel)
        listening.start(front.respond, front.resolve, channel, self._tcp, self._observe(front))
        return listening

    def _observe(self, front: Front) -> Observe | None:
        return both(front.observe, self._tap.observing(front) if self._tap else None)

    def _counted(self, server: str, channel: MakeChannel) -> MakeChannel:
        def make(transport: str, family: str) -> Channel:
            made = channel(transport, family)
            self._channels.append((server, made))
            return made

        return make


def _count_upstreams(report: Report, forwarder: Forwarder) -> None:
    report.counters["coredns_forward_healthcheck_broken", ()] += forwarder.broken
    for server in forwarder.servers:
        to = str(server)
        labels = (("proxy_name", "forward"), ("to", to))
        report.counters["coredns_proxy_healthcheck_failures", labels] += forwarder.checks_failed[server]
        for rcode, timing in forwarder.timings[server].items():
            place = to, records.RCODES.get(rcode, f"RCODE{rcode}")
            report.upstreams.setdefault(place, Timing()).add(timing)


def _overlaps(listen: Listen, wanted: Iterable[Listen]) -> bool:
    """Whether another address to listen on is part of this one, or the other way round.

    The kernel gives a packet to the socket that is bound more closely.
    """
    others = {other.host for other in wanted if other.port == listen.port and other != listen}
    return bool(listen.port) and ("" in others or bool(others and listen.host == ""))
