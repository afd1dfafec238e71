"""Zones over a restart: secondaries get what has changed since, record for record, or the whole zone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minidns.core.model import Change, Upserted
from minidns.site import Site
from minidns.transfer.kept import LARGEST, Kept
from tests.support.changing import changes
from tests.support.clusters import endpoints, headless, service
from tests.support.transfers import COREFILE, Secondary, front_of, site, zone_lines

ORIGINS = ("cluster.local.", "in-addr.arpa.", "ip6.arpa.")
SHOP = service("default/shop", "10.96.0.1", "fd00::1", ports="http:80")
WEB = headless("default/web", ports="http:80")


def restarted(before: Site, some: list[Change], text: str = COREFILE) -> Site:
    """A new process, later, in which the cluster has these objects."""
    made = site(text)
    made.zones[0].synced = False
    made.publish(some, before.serial + 1000)
    made.advance(before.serial + 1000)
    made.mark_synced()
    return made


def moved(secondary: Secondary, to: Site) -> Secondary:
    """The same secondary, of another primary."""
    found = Secondary(front_of(to), secondary.origin)
    found.lines, found.serial = secondary.lines, secondary.serial
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(changes, max_size=6), st.lists(changes, max_size=6), st.lists(changes, max_size=3))
async def test_what_changed_over_a_restart(
    tmp_path: Path, first: list[Change], then: list[Change], last: list[Change]
) -> None:
    kept = Kept(tmp_path / "zones")
    before = site()
    before.publish(first)
    await kept.save(before.journals)
    secondaries = [Secondary(front_of(before), origin) for origin in ORIGINS]
    for secondary in secondaries:
        secondary.transfer()
    after = restarted(before, then)
    await Kept(tmp_path / "zones").restore(after.journals)
    after.publish(last)
    for secondary in secondaries:
        new = moved(secondary, after)
        new.transfer()
        assert new.incremental == 1
        assert new.lines == zone_lines(after, secondary.origin)


async def test_changes_while_the_file_is_compared(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "zones")
    before = site()
    before.publish([Upserted(WEB), Upserted(SHOP)])
    await kept.save(before.journals)
    secondary = Secondary(front_of(before), "cluster.local.")
    secondary.transfer()
    after = restarted(before, [Upserted(WEB)])
    restoring = asyncio.create_task(kept.restore(after.journals))
    await asyncio.sleep(0)
    count = 0
    while not restoring.done():
        count += 1
        after.publish([Upserted(endpoints("default/web-1", f"10.0.0.{count % 200 + 1}"))])
        await asyncio.sleep(0)
    await restoring
    assert count > 1
    new = moved(secondary, after)
    new.transfer()
    assert new.incremental == 1
    assert new.lines == zone_lines(after, "cluster.local.")


async def test_zones_below_each_other(tmp_path: Path) -> None:
    text = COREFILE.replace("in-addr.arpa", "in-addr.arpa 10.in-addr.arpa")
    before = site(text)
    before.publish([Upserted(SHOP), Upserted(service("a/b", "192.0.2.1"))])
    await Kept(tmp_path / "zones").save(before.journals)
    after = restarted(before, [Upserted(SHOP), Upserted(service("a/b", "192.0.2.2"))], text)
    await Kept(tmp_path / "zones").restore(after.journals)
    ((_, journal),) = after.journals
    steps = journal.since(before.serial)
    assert steps is not None
    assert [len(step.parts) for step in steps] == [2]


async def test_another_ttl_makes_other_records(tmp_path: Path) -> None:
    before = site()
    await Kept(tmp_path / "zones").save(before.journals)
    after = restarted(before, [], COREFILE.replace("ip6.arpa", "ip6.arpa {\n ttl 30\n }", 1))
    await Kept(tmp_path / "zones").restore(after.journals)
    ((_, journal),) = after.journals
    assert journal.since(before.serial) is None


@pytest.mark.parametrize("damage", [b"", b"x", b"minidns zones, version 2\n" + bytes(40)])
async def test_a_damaged_file_is_ignored(tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "zones"
    path.write_bytes(damage)
    made = site()
    await Kept(path).restore(made.journals)
    ((_, journal),) = made.journals
    assert journal.size == 0
    assert "are ignored" in caplog.text


async def test_what_is_too_large_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "zones"
    path.write_bytes(b"an older one")
    made = site()
    size = LARGEST // 120 // 3
    members = [f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255} host={'x' * 50}-{n}" for n in range(size)]
    made.publish([Upserted(WEB), Upserted(endpoints("default/web-1", *members, ports="http:80"))])
    await Kept(path).save(made.journals)
    assert not path.exists()


async def test_a_file_that_cannot_be_written_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept, made = Kept(tmp_path / "none" / "zones"), site()
    for _ in range(2):
        await kept.save(made.journals)
    assert caplog.text.count("cannot keep the zones") == 1
