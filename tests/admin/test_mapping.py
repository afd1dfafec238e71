"""The index behind the map: there while somebody looks, and work that lets others in."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from types import SimpleNamespace
from typing import Any

from minidns.admin.mapping import Atlas
from minidns.admin.pieces import in_pieces
from minidns.config import corefile
from minidns.core.model import Upserted
from minidns.site import Site
from tests.support.clusters import headless


def a_site() -> Site:
    return Site(corefile.parse("cluster.local {\n kubernetes\n}"))


async def test_the_index_is_made_once_follows_and_is_given_up() -> None:
    site = a_site()
    running: Any = SimpleNamespace(generation=SimpleNamespace(site=site))
    atlas = Atlas(running)
    assert not site.followers
    index = await atlas.index()
    assert len(site.followers) == 1
    site.publish([Upserted(headless("default/web"))])
    assert await atlas.index() is index
    assert list(index.lines) == [("default", "web")]
    assert len(site.followers) == 1
    atlas.forget()
    assert not site.followers
    atlas.forget()


async def test_a_reload_makes_another_index() -> None:
    old, new = a_site(), a_site()
    running: Any = SimpleNamespace(generation=SimpleNamespace(site=old))
    atlas = Atlas(running)
    index = await atlas.index()
    running.generation.site = new
    assert await atlas.index() is not index
    assert (len(old.followers), len(new.followers)) == (0, 1)
    atlas.forget()


async def test_others_have_their_turn_between_pieces() -> None:
    turns: list[str] = []

    def steps() -> Generator[None, None, str]:
        for number in range(3):
            turns.append(f"step {number}")
            yield
        return "done"

    async def other() -> None:
        for number in range(3):
            turns.append(f"other {number}")
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    assert await in_pieces(steps(), piece=0.0) == "done"
    await task
    assert turns == ["step 0", "other 0", "step 1", "other 1", "step 2", "other 2"]
    assert await in_pieces(steps(), piece=60.0) == "done"
