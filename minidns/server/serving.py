"""The DNS side of one process: the fronts of a site on their sockets, and what they count."""

from __future__ import annotations

import logging

from minidns.metrics import Report, Timing
from minidns.responder import Channel
from minidns.server.listening import Listening, MakeChannel
from minidns.site import Site
from minidns.values import Listen

log = logging.getLogger(__name__)


class Serving:
    """The sockets of a site, from `start` to `stop`.

    shared: other processes listen on the same ports (SO_REUSEPORT).
    """

    def __init__(self, site: Site, *, shared: bool = False) -> None:
        self.site = site
        self._shared = shared
        self._listening: dict[Listen, Listening] = {}
        self._channels: list[tuple[str, Channel]] = []

    async def start(self) -> None:
        """Open every socket and answer. Raises OSError, naming the address, with every socket closed again."""
        try:
            for listen, front in self.site.by_address().items():
                listening = Listening(listen, shared=self._shared)
                server = f"dns://{listen}"
                await listening.start(front.respond, front.resolve, self._counted(server, front.channel))
                self._listening[listen] = listening
        except OSError:
            await self.stop()
            raise

    async def replace(self, site: Site) -> None:
        """Answer from another site from the next packet on. Addresses that both have keep their sockets.

        Raises OSError when an address that is new cannot be bound; then everything is as it was.
        """
        fronts = site.by_address()
        added: dict[Listen, Listening] = {}
        try:
            for listen in fronts.keys() - self._listening.keys():
                added[listen] = Listening(listen, shared=self._shared)
                front = fronts[listen]
                counted = self._counted(f"dns://{listen}", front.channel)
                await added[listen].start(front.respond, front.resolve, counted)
        except OSError:
            for listening in added.values():
                await listening.stop()
            raise
        for listen in fronts.keys() & self._listening.keys():
            front = fronts[listen]
            self._listening[listen].serve(front.respond, front.resolve, self._counted(f"dns://{listen}", front.channel))
        for listen in self._listening.keys() - fronts.keys():
            await self._listening.pop(listen).stop()
        self._listening |= added
        self.site = site

    async def stop(self) -> None:
        """Answer what has arrived, then close every socket."""
        for listening in self._listening.values():
            await listening.stop()
        self._listening.clear()

    @property
    def addresses(self) -> list[Listen]:
        """Where answers are to be had, with the ports that the system chose."""
        return [Listen(listen.host, listening.port) for listen, listening in self._listening.items()]

    def report(self) -> Report:
        """What was counted so far."""
        report = Report()
        for server, channel in self._channels:
            for (type_, rcode), count in channel.answered().items():
                report.answered[server, channel.transport, channel.family, type_, rcode] += count
        for listen, listening in self._listening.items():
            for transport, timing in listening.timings.items():
                report.timings.setdefault((f"dns://{listen}", transport), Timing()).add(timing)
        for front in self.site.fronts:
            if (resolver := front.resolver) is not None:
                labels = (("server", f"dns://{front.block.listen[0]}"),)
                report.counters["coredns_cache_hits", labels] += resolver.hits
                report.counters["coredns_cache_misses", labels] += resolver.misses
                report.counters["coredns_cache_prefetch", labels] += resolver.refreshed
                report.counters["coredns_cache_served_stale", labels] += resolver.served_stale
                rejects = sum(forwarder.rejected for forwarder in resolver.forwarders)
                report.counters["coredns_forward_max_concurrent_rejects", labels] += rejects
                for kind, count in (resolver.cache.entries if resolver.cache else {}).items():
                    report.gauges["coredns_cache_entries", (*labels, ("type", kind))] = count
        return report

    def _counted(self, server: str, channel: MakeChannel) -> MakeChannel:
        def make(transport: str, family: str) -> Channel:
            made = channel(transport, family)
            self._channels.append((server, made))
            return made

        return make
