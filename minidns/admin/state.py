"""Whether the server lives, is ready, what it does, and what it has counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from minidns import __version__, metrics
from minidns.admin.running import Running
from minidns.core import names
from minidns.metrics import Report
from minidns.server.http.endpoint import Asked, Endpoint, Reply

_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


def endpoints(running: Running, asked: Mapping[str, int]) -> tuple[Endpoint, ...]:
    """asked: answers over HTTP by rcode."""
    state = State(running, asked)
    return (
        Endpoint(path="/health", doc="OK while the process works", handler=state.on_health, public=True),
        Endpoint(path="/ready", doc="whether there is something to answer from", handler=state.on_ready, public=True),
        Endpoint(path="/status", doc="source, zone and sockets, for people", handler=state.on_status),
        Endpoint(path="/metrics", doc="for Prometheus", handler=state.on_metrics, public=True),
    )


def readiness(running: Running) -> tuple[bool, str]:
    """Whether there is something to answer from, and one line that says so or why not."""
    source = running.generation.source
    if running.stopping:
        return False, "stopping"
    if not running.generation.answers:
        problem = source.problem()[0] if source else ""
        return False, f"not ready: {problem or 'waiting for the first full list'}"
    if source is not None and source.stale:
        return True, f"ready, from the state of an earlier run: {source.problem()[0] or 'no full list yet'}"
    reason, seconds = source.problem() if source else ("", 0.0)
    return True, f"ready; for {seconds:.0f} s without the API server: {reason}" if reason else "ready"


class State:
    """The state of a running server."""

    def __init__(self, running: Running, asked: Mapping[str, int]) -> None:
        self._running = running
        self._asked = asked
        self._rendering: asyncio.Task[bytes] | None = None

    async def report(self) -> Report:
        """What was counted, and the state of zone and source."""
        generation = self._running.generation
        report = await self._running.answering.report()
        source, site = generation.source, generation.site
        for zone in site.zones:
            labels = (("zone", names.to_text(zone.settings.origin)),)
            report.gauges["minidns_zone_names", labels] = len(zone.nodes)
            report.gauges["minidns_zone_serial", labels] = zone.serial
        if source is not None:
            report.programming = source.timing
        await self._count_secondaries(report)
        report.counters["minidns_zone_changes", ()] += generation.changes
        for rcode, count in self._asked.items():
            report.counters["minidns_admin_answers", (("rcode", rcode),)] = count
        report.gauges["minidns_source_synced", ()] = float(source is None or source.synced.is_set())
        report.gauges["minidns_source_stale", ()] = float(source is not None and source.stale)
        report.gauges["minidns_source_lost_seconds", ()] = source.problem()[1] if source else 0.0
        return report

    async def _count_secondaries(self, report: Report) -> None:
        notifier = self._running.generation.notifier
        standings = await notifier.standings(report.asked)
        if standings:
            sent, acknowledged = notifier.counts
            report.counters["minidns_notifications", ()] += sent
            report.counters["minidns_notifications_acknowledged", ()] += acknowledged
        for one in standings:
            labels = (("secondary", one.secondary), ("zone", one.zone))
            for name, value in (
                ("minidns_secondary_behind_changes", one.changes),
                ("minidns_secondary_behind_seconds", one.seconds),
                ("minidns_secondary_asked_timestamp_seconds", one.asked),
            ):
                if value is not None:
                    report.gauges[name, labels] = value

    async def on_health(self, _: Asked) -> Reply:
        stopping = self._running.stopping
        return Reply("stopping" if stopping else "OK", status=503 if stopping else 200)

    async def on_ready(self, _: Asked) -> Reply:
        ready, text = readiness(self._running)
        return Reply(text + "\n", status=200 if ready else 503)

    async def on_status(self, _: Asked) -> Reply:
        source = self._running.generation.source
        lines = [
            f"minidns {__version__}, up {time.time() - self._running.started:.0f} s",
            readiness(self._running)[1],
            f"source: {source.origin if source else 'none'}",
            f"zone: {self._running.generation.site.summary()}",
            f"listening: {', '.join(map(str, self._running.addresses))}",
        ]
        if source is not None and source.stage is not None:
            lines += (f"played: {each}" for each in source.stage.in_force())
        return Reply("\n".join(lines) + "\n")

    async def on_metrics(self, _: Asked) -> Reply:
        # However many ask at once, it is put together once.
        if self._rendering is None or self._rendering.done():
            self._rendering = asyncio.create_task(self._render(), name="metrics")
        return Reply(await asyncio.shield(self._rendering), _PROMETHEUS)

    async def _render(self) -> bytes:
        return await asyncio.to_thread(metrics.render, await self.report())
