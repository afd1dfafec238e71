"""The state of the server as values, for the page and for programs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from minidns import __version__
from minidns.admin.running import Running
from minidns.admin.state import readiness
from minidns.config.settings import Kubernetes
from minidns.core import names
from minidns.server.http.endpoint import JSON, Asked, Endpoint, Reply
from minidns.server.workers import Workers

_PAGE = os.sysconf("SC_PAGE_SIZE")


class Process(msgspec.Struct, frozen=True):
    """`resident`: bytes of memory; null when the process has just ended."""

    pid: int
    role: str
    resident: int | None


class Upstream(msgspec.Struct, frozen=True):
    """`healthy` is null with worker processes: each has a view of its own."""

    address: str
    healthy: bool | None


class ZoneFigures(msgspec.Struct, frozen=True):
    origins: tuple[str, ...]
    names: int
    serial: int


class Figures(msgspec.Struct, frozen=True):
    """`ready` and `says` as `/ready`. `lost`: seconds for which the API server has been away, null when it is there;
    `problem` says why. `stale`: the objects are those of an earlier run. `started`: seconds since 1970. `played`: what
    the cluster does can be said over `/verbs`. `kubernetes`: how objects become answers, null when they do not."""

    version: str
    started: float
    ready: bool
    says: str
    source: str | None
    played: bool
    synced: bool
    stale: bool
    lost: float | None
    problem: str
    listening: tuple[str, ...]
    zones: tuple[ZoneFigures, ...]
    objects: dict[str, int]
    changes: int
    processes: tuple[Process, ...]
    upstreams: tuple[Upstream, ...]
    asked: dict[str, int]
    kubernetes: Kubernetes | None


def figures(running: Running, asked: dict[str, int]) -> Figures:
    """asked: answers over HTTP by rcode."""
    source, site = running.generation.source, running.generation.site
    ready, says = readiness(running)
    problem, seconds = source.problem() if source else ("", 0.0)
    objects: dict[str, int] = {}
    for kind, known in site.known().items():
        objects[f"{kind.__name__}s"] = len(known)
    return Figures(
        __version__,
        running.started,
        ready,
        says,
        source.origin if source else None,
        source is not None and source.stage is not None,
        site.synced,
        source is not None and source.stale,
        seconds if problem else None,
        problem,
        tuple(map(str, running.addresses)),
        tuple(
            ZoneFigures(tuple(map(names.to_text, zone.origins)), len(zone.nodes), zone.serial)
            for zone in site.zones
            if zone.origins
        ),
        objects,
        running.generation.changes,
        tuple(_processes(running)),
        tuple(_upstreams(running)),
        asked,
        next((front.block.kubernetes for front in site.fronts if front.block.kubernetes), None),
    )


def _processes(running: Running) -> Iterator[Process]:
    workers = running.answering.pids if isinstance(running.answering, Workers) else []
    yield _process(os.getpid(), "watches" if workers else "watches and answers")
    for pid in workers:
        yield _process(pid, "answers")


def _process(pid: int, role: str) -> Process:
    try:
        resident = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    except OSError:
        return Process(pid, role, None)
    return Process(pid, role, resident)


def _upstreams(running: Running) -> Iterator[Upstream]:
    elsewhere = isinstance(running.answering, Workers)
    for front in running.generation.site.fronts:
        for forwarder in front.resolver.forwarders if front.resolver else ():
            for server in forwarder.servers:
                yield Upstream(str(server), None if elsewhere else forwarder.healthy(server))


def endpoints(running: Running, asked: dict[str, int]) -> tuple[Endpoint, ...]:
    async def on_state(_: Asked) -> Reply:
        return Reply(msgspec.json.encode(figures(running, asked)), JSON)

    return (Endpoint(path="/state", doc="the state of the server as JSON", handler=on_state),)
