"""The secondaries: what they have, and how far they are behind."""

from __future__ import annotations

import msgspec

from minidns.admin.running import Running
from minidns.server.http.endpoint import JSON, Asked, Endpoint, Reply


def endpoints(running: Running) -> tuple[Endpoint, ...]:
    async def on_secondaries(_: Asked) -> Reply:
        report = await running.answering.report()
        standings = await running.generation.notifier.standings(report.asked, fresh=True)
        return Reply(msgspec.json.encode(standings), JSON)

    return (Endpoint(path="/secondaries", doc="what each secondary has of the zones", handler=on_secondaries),)
