"""What a process shows: a bounded part, in order, whoever answered, over both transports; and nothing untold."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import dns.asyncquery
import dns.message
import pytest

from minidns.config import corefile
from minidns.config.values import Listen
from minidns.core.model import Upserted
from minidns.core.responder import Client, Exchange, Observe
from minidns.front import Front
from minidns.server.serving import Serving
from minidns.server.tap import FREE, MOST, ONE_OF, SLICE, Tap, both
from minidns.site import Site
from minidns.views.queries import Slice
from tests.support.client import query
from tests.support.clusters import service
from tests.support.explained import DEFAULT

WEB = "web.default.svc.cluster.local."
PATIENCE = 20.0


def site(text: str = ".:0 {\n bind 127.0.0.1\n kubernetes cluster.local\n}") -> Site:
    made = Site(corefile.parse(text, env={}))
    made.publish([Upserted(DEFAULT), Upserted(service("default/web", "10.96.0.1"))])
    made.mark_synced()
    return made


class Shown:
    """Slices as they come, and a way to wait for so many queries."""

    def __init__(self) -> None:
        self.slices: list[Slice] = []
        self._came = asyncio.Event()

    def deliver(self, one: Slice) -> None:
        self.slices.append(one)
        self._came.set()

    async def names(self, count: int) -> list[str]:
        """The questions of all slices, once they are `count`."""
        async with asyncio.timeout(PATIENCE):
            while sum(one.seen for one in self.slices) < count:
                self._came.clear()
                await self._came.wait()
        return [f"{one.name} {one.type}" for slice_ in self.slices for one in slice_.queries]


def exchanges(front: Front, count: int) -> Callable[[int], Exchange]:
    """What makes exchanges, and fails when one is made that nobody has room for."""
    packet = query(WEB)
    answer = front.respond(packet, front.channel("udp", "1"))
    assert isinstance(answer, bytes)
    made = Exchange(packet, answer, Client("10.0.0.1", 1), "127.0.0.1", "udp", 0.0)

    def exchange(number: int) -> Exchange:
        assert number < count, "made for nothing"
        return made

    return exchange


async def test_so_many_are_shown_and_the_others_counted() -> None:
    """All of few; of many a share, and never more than may be, whose size the slice before gives."""
    shown, share = Shown(), 5
    free, most = int(FREE * SLICE / share), int(MOST * SLICE / share)
    tap = Tap(shown.deliver, share=share)
    (front,) = site().by_address().values()
    observe = tap.observing(front)
    observe(free - 1, exchanges(front, free - 1))
    observe(3 * ONE_OF, exchanges(front, 1))
    observe(64, exchanges(front, 0))
    tap.end_slice()
    observe(1000 * ONE_OF, exchanges(front, free + 4))
    tap.end_slice()
    observe(1000, exchanges(front, most))
    tap.end_slice()
    tap.end_slice()
    observe(1000, exchanges(front, free))
    tap.end_slice()
    assert [(one.seen, len(one.queries)) for one in shown.slices] == [
        (free + 3 * ONE_OF + 63, free),
        (1000 * ONE_OF, free + 4),
        (1000, most),
        (1000, free),
    ]


async def test_a_bug_in_what_is_shown_keeps_nobody_from_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    tap = Tap(Shown().deliver)
    (front,) = site().by_address().values()

    def broken(_: int) -> Exchange:
        raise RuntimeError("a bug")

    with caplog.at_level(logging.ERROR):
        tap.observing(front)(1, broken)
    assert "cannot show what was answered" in caplog.text


def test_two_are_told_when_there_are_two() -> None:
    told: list[str] = []
    first: Observe = lambda count, _: told.append(f"first {count}")  # noqa: E731
    second: Observe = lambda count, _: told.append(f"second {count}")  # noqa: E731
    (front,) = site().by_address().values()
    observe = both(first, second)
    assert observe is not None
    observe(3, exchanges(front, 0))
    assert told == ["first 3", "second 3"]
    assert both(first, None) is both(None, first) is first
    assert both(None, None) is None


async def ask(port: int, name: str, *, tcp: bool = False) -> None:
    asking = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
    await asking(dns.message.make_query(name, "A"), "127.0.0.1", port=port, timeout=PATIENCE)


async def test_a_server_shows_while_it_is_tapped_and_not_else() -> None:
    serving, shown = Serving(site()), Shown()
    await serving.start()
    (port,) = serving.ports.values()
    try:
        await ask(port, f"before.{WEB}")
        serving.tap(shown.deliver)
        await ask(port, f"one.{WEB}")
        await ask(port, f"two.{WEB}", tcp=True)
        assert await shown.names(2) == [f"one.{WEB[:-1]} A", f"two.{WEB[:-1]} A"]
        first, second = (one for slice_ in shown.slices for one in slice_.queries)
        assert (first.transport, second.transport, first.client, first.by) == ("udp", "tcp", "127.0.0.1", "zone")
        assert first.reason == "Service default/web has 0 endpoints, none of that name"
        # A site that takes over is shown as the one before was.
        await serving.replace(site(".:0 {\n bind 127.0.0.1\n kubernetes cluster.local {\n  ttl 7\n }\n}"))
        await ask(port, f"three.{WEB}")
        assert (await shown.names(3))[2:] == [f"three.{WEB[:-1]} A"]
        serving.tap(None)
        await ask(port, f"after.{WEB}")
    finally:
        await serving.stop()
    assert sum(one.seen for one in shown.slices) == 3


async def test_queries_are_logged_as_before_while_they_are_shown(caplog: pytest.LogCaptureFixture) -> None:
    serving = Serving(site(".:0 {\n bind 127.0.0.1\n kubernetes cluster.local\n log\n}"))
    shown = Shown()
    await serving.start()
    (port,) = serving.ports.values()
    with caplog.at_level(logging.INFO, "minidns.queries"):
        try:
            serving.tap(shown.deliver)
            await ask(port, WEB)
            assert await shown.names(1) == [f"{WEB[:-1]} A"]
            await ask(port, WEB, tcp=True)
            serving.tap(None)
            await ask(port, WEB)
        finally:
            await serving.stop()
    assert caplog.text.count(f'"A IN {WEB} ') == 3
    assert Listen("127.0.0.1", 0) in site().by_address()
