"""The state file: what is written is what is read, or it is refused."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

import pytest

from minidns.core.model import (
    Endpoint,
    EndpointSlice,
    ImportedSlice,
    Kind,
    Namespace,
    Object,
    Pod,
    Port,
    Replaced,
    Service,
    ServiceImport,
)
from minidns.source import state
from tests.support.clusters import LISTS, recorded_objects
from tests.support.places import RECORDINGS


def recorded() -> dict[Kind, list[Object]]:
    return {kind: list(recorded_objects(RECORDINGS / "after", name)) for name, kind in LISTS.items()}


async def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path, objects = tmp_path / "state", recorded()
    await state.save(path, objects)
    assert state.load(path) == [Replaced(kind, tuple(objects[kind])) for kind in objects]
    assert os.listdir(tmp_path) == ["state"], "nothing is left beside it"


async def test_kinds_that_are_followed_are_remembered_even_when_empty(tmp_path: Path) -> None:
    path = tmp_path / "state"
    await state.save(path, {Service: [], Namespace: [Namespace("a")]})
    assert state.load(path) == [Replaced(Namespace, (Namespace("a"),)), Replaced(Service, ())]


async def test_a_cluster_set_is_kept_too(tmp_path: Path) -> None:
    path = tmp_path / "state"
    slice_ = ImportedSlice(
        "shop", "db-1", "db", (Port("sql", "TCP", 5432),), (Endpoint((bytes(4),), "h", "h"),), "east"
    )
    objects: dict[Kind, list[Object]] = {
        ServiceImport: [ServiceImport("shop", "db", headless=True)],
        ImportedSlice: [slice_],
    }
    await state.save(path, objects)
    assert state.load(path) == [Replaced(kind, tuple(some)) for kind, some in objects.items()]


async def test_more_than_one_chunk_and_one_write(tmp_path: Path) -> None:
    path = tmp_path / "state"
    pods: list[Object] = [Pod("shop", f"pod-{n}", (bytes(16),)) for n in range(20_000)]
    await state.save(path, {Pod: pods})
    assert state.load(path) == [Replaced(Pod, tuple(pods))]


async def test_what_is_loaded_shares_what_is_equal(tmp_path: Path) -> None:
    path = tmp_path / "state"
    port = Port("http", "TCP", 80)
    endpoint = Endpoint((bytes(4),), "web-0", "web-0", False, True, True)
    slices: list[Object] = [EndpointSlice("shop", name, "web", (port,), (endpoint,)) for name in "ab"]
    await state.save(path, {EndpointSlice: slices})
    loaded = state.load(path)
    assert loaded == [Replaced(EndpointSlice, tuple(slices))]
    first, second = loaded[0].objects
    assert isinstance(first, EndpointSlice)
    assert isinstance(second, EndpointSlice)
    assert first.ports is second.ports
    assert first.namespace is second.namespace
    assert first.endpoints[0].hostname is first.endpoints[0].pod


async def test_a_damaged_file_is_reported_and_ignored(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "state"
    await state.save(path, recorded())
    good = path.read_bytes()
    flipped = good[:5000] + bytes([good[5000] ^ 1]) + good[5001:]
    for damaged in (b"", b"minidns state", good[: len(state.MAGIC)], good[:-1], flipped, good + b"x", b"\0" * 500):
        path.write_bytes(damaged)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert state.load(path) is None
        assert f"the state in {path} is ignored" in caplog.text
    path.unlink()
    caplog.clear()
    assert state.load(path) is None
    assert caplog.text == "", "no file yet is no fault"
    assert state.load(tmp_path) is None, "a folder is one"


class Fake:
    """A source whose revision the test moves."""

    def __init__(self) -> None:
        self.synced = asyncio.Event()
        self.revision = 0
        self.names = ["a"]

    def objects(self) -> dict[Kind, list[Object]]:
        return {Namespace: [Namespace(name) for name in self.names]}


class Naps:
    """A sleep that ends when the test says so."""

    def __init__(self) -> None:
        self._begun: asyncio.Queue[asyncio.Future[None]] = asyncio.Queue()
        self._now: asyncio.Future[None] | None = None

    async def sleep(self, _: float) -> None:
        future = asyncio.get_running_loop().create_future()
        self._begun.put_nowait(future)
        await future

    async def next(self) -> None:
        """Ends the sleep that is under way, and waits for the next to begin."""
        if self._now is not None:
            self._now.set_result(None)
        self._now = await asyncio.wait_for(self._begun.get(), 10)


async def test_the_file_is_kept_up_to_date(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, source, naps = tmp_path / "deeper" / "state", Fake(), Naps()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(state.keep(path, source, sleep=naps.sleep))
        await asyncio.sleep(0)
        assert caplog.text == "", "nothing is tried before the first sync"
        source.synced.set()
        for _ in range(3):
            await naps.next()
        assert caplog.text.count("cannot keep the state") == 1, "one line for one fault"
        path.parent.mkdir()
        await naps.next()
        assert state.load(path) == [Replaced(Namespace, (Namespace("a"),))]
        before = path.stat().st_ino
        await naps.next()
        assert path.stat().st_ino == before, "nothing changed, nothing is written"
        source.names.append("b")
        source.revision += 1
        await naps.next()
        assert state.load(path) == [Replaced(Namespace, (Namespace("a"), Namespace("b")))]
        assert path.stat().st_ino != before, "a new file took its place"
        task.cancel()
