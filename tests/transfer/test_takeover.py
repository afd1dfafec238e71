"""Secondaries over a reload that leaves a zone its nodes: the whole zone where its records are others, else what
changed; also after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from minidns.config import corefile
from minidns.core.model import Upserted
from minidns.core.responder import Client, Forward
from minidns.front import BlockFront
from minidns.site import Site
from minidns.transfer.kept import Kept
from tests.support.clusters import endpoints, headless
from tests.support.transfers import COREFILE, Secondary, asked, front_of, question, rows, site, zone_lines

ORIGIN = "cluster.local."
OTHER_TTL = COREFILE.replace("ip6.arpa", "ip6.arpa {\n ttl 30\n }", 1)
BOUNDED = COREFILE.replace("transfer", "cache 60\n transfer", 1)
PODS = COREFILE.replace("ip6.arpa", "ip6.arpa {\n pods insecure\n }", 1)
FORWARD = COREFILE.replace("transfer", "forward . 192.0.2.1\n transfer", 1)
WEB = headless("default/web", ports="http:80")


def pods(count: int, slice_: int = 1) -> Upserted:
    members = [f"10.{slice_}.{i // 250}.{i % 250 + 1} host=web-{i}" for i in range(count)]
    return Upserted(endpoints(f"default/web-{slice_}", *members, ports="http:80"))


def followed() -> tuple[Site, Secondary]:
    made = site()
    made.publish([Upserted(WEB), pods(600)])
    secondary = Secondary(front_of(made), ORIGIN)
    secondary.transfer()
    return made, secondary


def reloaded(old: Site, text: str) -> Site:
    made = Site(corefile.parse(text, env={}), serial=old.serial + 1000, like=old)
    made.mark_synced()
    made.take_over(old)
    assert made.zones == old.zones
    return made


def moved(secondary: Secondary, to: Site) -> Secondary:
    """The same secondary, of another site."""
    found = Secondary(front_of(to), secondary.origin)
    found.lines, found.serial = set(secondary.lines), secondary.serial
    return found


@pytest.mark.parametrize(
    ("text", "incremental"), [(OTHER_TTL, 0), (BOUNDED, 0), (PODS, 1), (FORWARD, 1), (COREFILE, 1)]
)
def test_where_the_records_are_others_the_whole_zone_is_fetched(text: str, incremental: int) -> None:
    before, secondary = followed()
    serial = before.serial
    after = reloaded(before, text)
    assert (after.zones[0].serial == serial) == bool(incremental)
    first = moved(secondary, after)
    first.transfer()
    assert first.lines == zone_lines(after, ORIGIN)
    after.publish([pods(5, 2)])
    for each, steps in ((moved(secondary, after), incremental), (first, 1)):
        each.transfer()
        assert each.incremental == steps
        assert each.lines == zone_lines(after, ORIGIN)
    back = reloaded(after, COREFILE)
    last = moved(first, back)
    last.transfer()
    assert (last.serial == first.serial) == bool(incremental)
    assert last.lines == zone_lines(back, ORIGIN)


def begun(made: Site, packet: bytes) -> Iterator[bytes]:
    """The messages of a transfer, as a client takes them."""
    front = front_of(made)
    channel = front.channel("tcp", "1")
    forward = front.respond(packet, channel)
    assert isinstance(forward, Forward)
    reply = front.resolve(packet, forward, channel, Client("127.0.0.1", 1))
    assert isinstance(reply, Iterator)
    return reply


def test_a_whole_zone_under_way_is_that_before_the_reload() -> None:
    before, _ = followed()
    wanted = zone_lines(before, ORIGIN)
    messages = begun(before, question(ORIGIN).to_wire())
    taken = list(islice(messages, 3))
    after = reloaded(before, OTHER_TTL)
    after.publish([pods(5, 2)])
    taken += messages
    found = [line for line, _ in rows(list(filter(None, taken)))]
    assert found[0] == found[-1]
    assert set(found) == wanted


def test_what_changed_under_way_is_that_before_the_reload() -> None:
    before, secondary = followed()
    before.publish([pods(900, 2)])
    packet = question(ORIGIN, secondary.serial).to_wire()
    front = front_of(before)
    wanted = asked(BlockFront(front.block, front.zones, front.journals), packet)
    messages = begun(before, packet)
    assert next(messages) == b""
    reloaded(before, OTHER_TTL)
    assert list(filter(None, messages)) == wanted


@pytest.mark.parametrize("text", [OTHER_TTL, BOUNDED, COREFILE])
async def test_a_restart_after_it_goes_on_from_what_was_kept_last(tmp_path: Path, text: str) -> None:
    kept = Kept(tmp_path / "zones")
    before, old = followed()
    await kept.save(before.journals)
    after = reloaded(before, text)
    new = moved(old, after)
    new.transfer()
    await kept.save(after.journals)
    for config in (text, COREFILE):
        started = site(config)
        started.zones[0].synced = False
        started.publish([Upserted(WEB), pods(601)], after.serial + 1000)
        started.advance(after.serial + 1000)
        started.mark_synced()
        await Kept(tmp_path / "zones").restore(started.journals)
        for secondary, incremental in ((new, config == text), (old, text == COREFILE)):
            last = moved(secondary, started)
            last.transfer()
            assert last.incremental == incremental
            assert last.lines == zone_lines(started, ORIGIN)


async def test_what_is_being_kept_during_it_is_of_before(tmp_path: Path) -> None:
    before, old = followed()
    saving = asyncio.create_task(Kept(tmp_path / "zones").save(before.journals))
    for _ in range(3):
        await asyncio.sleep(0)
    assert not saving.done()
    after = reloaded(before, OTHER_TTL)
    await saving
    started = site(OTHER_TTL)
    started.advance(after.serial + 1000)
    await Kept(tmp_path / "zones").restore(started.journals)
    last = moved(old, started)
    last.transfer()
    assert last.lines == zone_lines(started, ORIGIN)
    assert not last.incremental


async def test_transfers_that_come_and_go_with_reloads(tmp_path: Path) -> None:
    nobody = COREFILE[: COREFILE.index("transfer")] + "}\n"
    before, old = followed()
    kept = Kept(tmp_path / "zones")
    without = reloaded(before, nobody)
    assert without.journals == []
    await kept.save(without.journals)
    assert not (tmp_path / "zones").exists()
    without.publish([pods(601)])
    again = reloaded(without, COREFILE)
    await kept.save(again.journals)
    assert (tmp_path / "zones").exists()
    for incremental in (0, 1):
        last = moved(old, again)
        last.transfer()
        assert last.incremental == incremental
        assert last.lines == zone_lines(again, ORIGIN)
        old = last
        again.publish([pods(602)])
