"""Verbs in time: when the steps are taken, and what is published with each. The time is the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from minidns.core.model import Change, EndpointSlice, Upserted
from minidns.source.manifests.controllers.manager import Controllers
from minidns.source.manifests.controllers.play import Moved, Play
from minidns.source.manifests.controllers.verbs import Delete, Reset, Restart, Scale, Unready, VerbError
from minidns.source.manifests.source import ManifestSource
from minidns.source.manifests.stage import Stage
from tests.support.manifested import V4, World, headless, pod_cidrs, service_cidrs, workload

WEB = "statefulset/web"


class Clock:
    """Time that goes on when the test says so."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[float] = asyncio.Queue()
        self._turn = asyncio.Semaphore(0)

    async def sleep(self, seconds: float) -> None:
        self.asked.put_nowait(seconds)
        await self._turn.acquire()

    async def asleep(self) -> None:
        """Wait until somebody sleeps."""
        self.asked.put_nowait(await self.asked.get())

    async def go_on(self) -> float:
        """Let the next sleep end; how long it was to be."""
        seconds = await self.asked.get()
        self._turn.release()
        return seconds


class Audience:
    """Sees the steps with what they publish."""

    def __init__(self) -> None:
        self.seen: asyncio.Queue[list[Moved]] = asyncio.Queue()
        self.changes: list[Change] = []

    def publish(self, changes: Sequence[Change]) -> None:
        self.changes += changes

    def show(self, moved: Sequence[Moved], publish: Callable[[], None]) -> None:
        publish()
        self.seen.put_nowait(list(moved))


@asynccontextmanager
async def staged() -> AsyncIterator[tuple[Stage, Clock, Audience]]:
    world = World()
    world.write(headless() + workload())
    clock, audience = Clock(), Audience()
    stage = Stage(Play(world.cluster), clock.sleep)
    stage.show = audience.show
    running = asyncio.create_task(stage.run(audience.publish))
    try:
        yield stage, clock, audience
    finally:
        running.cancel()
        await asyncio.wait((running,))


async def test_the_first_step_is_taken_at_once_and_every_other_after_the_pace() -> None:
    async with staged() as (stage, clock, audience):
        await stage.do(Delete(target="pod/web-0"), audience.publish, 2.5)
        assert [one.left for one in await audience.seen.get()] == [2]
        assert [await clock.go_on(), (await audience.seen.get())[0].left] == [2.5, 1]
        assert [await clock.go_on(), (await audience.seen.get())[0].left] == [2.5, 0]
        assert stage.under_way == 0
        states = [
            [(e.pod, e.ready, e.terminating) for e in change.object.endpoints]
            for change in audience.changes
            if isinstance(change, Upserted) and isinstance(change.object, EndpointSlice)
        ]
        assert states == [
            [("web-0", False, True), ("web-1", True, False)],
            [("web-0", False, False), ("web-1", True, False)],
            [("web-0", True, False), ("web-1", True, False)],
        ]


async def test_verbs_one_after_the_other_need_no_new_start() -> None:
    async with staged() as (stage, clock, audience):
        for target in ("pod/web-0", "pod/web-1"):
            await stage.do(Delete(target=target), audience.publish)
            for left in (2, 1, 0):
                assert (await audience.seen.get())[0].left == left
                if left:
                    await clock.go_on()


async def test_a_reset_ends_what_is_under_way() -> None:
    async with staged() as (stage, clock, audience):
        await stage.do(Restart(target=WEB), audience.publish)
        await clock.asleep()
        await stage.do(Reset(), audience.publish)
        assert stage.under_way == 0
        await clock.go_on()
        await stage.do(Unready(target="pod/web-0"), audience.publish)
        commands = [one.command for _ in range(3) for one in await audience.seen.get()]
        assert commands == [f"minidns rollout restart {WEB}", "minidns reset", "minidns unready pod/web-0"]


async def test_what_was_brought_to_its_end_is_published_even_if_the_verb_after_it_is_refused() -> None:
    async with staged() as (stage, _, audience):
        await stage.do(Scale(target=WEB, replicas=0), audience.publish)
        await audience.seen.get()
        audience.changes.clear()
        with pytest.raises(VerbError, match="no pod/web-0"):
            await stage.do(Delete(target="pod/web-0"), audience.publish)
        assert await audience.seen.get() == []
        assert any(isinstance(one, Upserted) and isinstance(one.object, EndpointSlice) for one in audience.changes)


async def test_a_refused_verb_shows_nothing() -> None:
    async with staged() as (stage, _, audience):
        with pytest.raises(VerbError):
            await stage.do(Delete(target="pod/nobody"), audience.publish)
        assert audience.seen.empty()
        assert not audience.changes


async def test_a_source_follows_files_and_verbs_side_by_side(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(headless() + workload(replicas=1))
    source = ManifestSource(tmp_path, service_cidrs(V4), pod_cidrs(V4))
    source.load()
    published: asyncio.Queue[Sequence[Change]] = asyncio.Queue()
    running = asyncio.create_task(source.run(published.put_nowait))
    try:
        await source.stage.do(Scale(target=WEB, replicas=2), published.put_nowait, 0.0)
        pods = [await published.get(), await published.get()]
        assert [len(each.object.endpoints) for some in pods for each in some
                if isinstance(each, Upserted) and isinstance(each.object, EndpointSlice)] == [2, 2]  # fmt: skip
        file.write_text(headless() + workload(replicas=1, annotations='minidns.dev/ready: "false"'))
        (change,) = await asyncio.wait_for(published.get(), 20)
        assert isinstance(change, Upserted)
        assert isinstance(change.object, EndpointSlice)
        assert [each.ready for each in change.object.endpoints] == [False, False]
    finally:
        running.cancel()
        await asyncio.wait((running,))


def test_a_cluster_that_no_verb_touched_costs_no_update() -> None:
    play = Play(Controllers(service_cidrs(V4), pod_cidrs(V4)))
    assert play.advance() == []
    assert play.take_edits() == []
