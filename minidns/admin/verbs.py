"""Verbs on the cluster that manifests make: the only requests that change anything.

A POST begins one and tells what DNS answers differently after its first step. The steps that follow are in the journal
that GET gives, and in `/watch` as every other change.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import count

import msgspec

from minidns.admin.running import Running
from minidns.server.http.endpoint import JSON, Asked, Endpoint, RefusedError, Reply
from minidns.source.manifests.controllers import verbs
from minidns.source.manifests.controllers.play import InForce, Moved
from minidns.source.manifests.stage import PACE, Stage
from minidns.views import changes

#: Steps that the journal holds.
_KEPT = 200
_LONGEST_PACE = 60.0


class Told(msgspec.Struct, frozen=True):
    """A step of a verb, or of several at once, and what DNS answers differently since.

    number: counts steps from 1. text: all of it for people. left: steps of that verb still to come.
    """

    number: int
    commands: tuple[str, ...]
    text: str
    left: int
    events: tuple[changes.Event, ...]


class Done(msgspec.Struct, frozen=True):
    """The answer to a POST. said: as kubectl says it. told: its first step. under_way: steps still to come of all."""

    command: str
    said: str
    told: Told
    under_way: int


class Journal(msgspec.Struct, frozen=True):
    """The answer to a GET: what is not as the manifests have it, and the latest steps."""

    in_force: tuple[InForce, ...]
    under_way: int
    told: tuple[Told, ...]


def endpoints(running: Running) -> tuple[Endpoint, ...]:
    desk = _Desk(running)
    return (
        Endpoint(
            path="/verbs",
            doc="what verbs made different from the manifests, and their latest steps",
            parameters={"since": "only steps after that number"},
            handler=desk.on_list,
        ),
        Endpoint(
            path="/verbs",
            method="POST",
            doc='play the cluster: {"verb": "scale", "target": "statefulset/web", "replicas": 3}',
            parameters={"pace": f"seconds between its steps ({PACE:g})"},
            handler=desk.on_do,
        ),
    )


class _Desk:
    def __init__(self, running: Running) -> None:
        self._running = running
        self._told: deque[Told] = deque(maxlen=_KEPT)
        self._numbers = count(1)

    async def on_list(self, asked: Asked) -> Reply:
        since = _since(asked.query.get("since", "0"))
        source = self._running.generation.source
        stage = source.stage if source else None
        in_force = tuple(stage.in_force()) if stage else ()
        told = tuple(told for told in self._told if told.number > since)
        return _json(Journal(in_force, stage.under_way if stage else 0, told))

    async def on_do(self, asked: Asked) -> Reply:
        verb = verbs.decode(asked.body)
        pace = _pace(asked.query.get("pace"))
        stage = self._stage(verb)
        stage.show = self._show
        # What is published goes to whoever answers by then: a reload may come in between.
        await stage.do(verb, lambda some: self._running.generation.publish(some), pace)
        # Its first step: nothing else had a turn since it was told.
        return _json(Done(verbs.command(verb), verbs.said(verb), self._told[-1], stage.under_way))

    def _stage(self, verb: verbs.Verb) -> Stage:
        source = self._running.generation.source
        if source is None:
            raise RefusedError(409, "no objects here: every name is forwarded")
        if source.stage is None:
            raise RefusedError(409, f"objects come from {source.origin}, where this is done by: {verbs.kubectl(verb)}")
        return source.stage

    def _show(self, moved: Sequence[Moved], publish: Callable[[], None]) -> None:
        """Publish, and keep what that made different."""
        watchers = self._running.generation.site.watchers
        events: list[changes.Event] = []
        watchers.append(events.append)
        try:
            publish()
        finally:
            watchers.remove(events.append)
        if not moved:
            return
        commands = tuple(one.command for one in moved)
        text = "\n".join([", ".join(one.text for one in moved), *map(changes.text, events)])
        self._told.append(Told(next(self._numbers), commands, text, max(one.left for one in moved), tuple(events)))


def _since(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"since is the number of a step, not {text!r}")
    return int(text)


def _pace(text: str | None) -> float:
    try:
        pace = PACE if text is None else float(text)
    except ValueError:
        pace = -1.0
    if not 0 <= pace <= _LONGEST_PACE:
        raise ValueError(f"pace is from 0 to {_LONGEST_PACE:g} seconds, not {text!r}")
    return pace


def _json(answer: Done | Journal) -> Reply:
    return Reply(msgspec.json.encode(answer), JSON)
