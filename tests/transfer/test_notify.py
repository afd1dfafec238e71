"""Word of new serials: at once, not too often, again until it is acknowledged, and signed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.tsig
import pytest

from minidns.core.model import Upserted
from minidns.core.responder import Client, Forward
from minidns.site import Site
from minidns.transfer.notify import INTERVAL, Notifier
from tests.support.clusters import service
from tests.support.neighbours import Scripted, scripted
from tests.support.transfers import COREFILE, asked, front_of, question, site

ZONES = ["cluster.local.", "in-addr.arpa.", "ip6.arpa."]
SECRET = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
KEYRING = {dns.name.from_text("k1."): dns.tsig.Key("k1.", SECRET, "hmac-sha256")}
PATIENCE = 20.0


class Peer:
    """A secondary that acknowledges what it is told of, but for the first `deaf` times, and says it has `serial`.

    told: the zones of each notification; again: set when there is one more.
    """

    def __init__(self, serial: int = 1, deaf: int = 0) -> None:
        self.serial = serial
        self.deaf = deaf
        self.asked = 0
        self.told: list[str] = []
        self.serials: list[int] = []
        self.again = asyncio.Event()

    def script(self, packet: bytes, _: str) -> list[bytes]:
        query = dns.message.from_wire(packet, keyring=KEYRING)
        name = query.question[0].name.to_text()
        reply = dns.message.make_response(query)
        if query.opcode() == dns.opcode.NOTIFY:
            self.told.append(name)
            self.serials.append(query.answer[0][0].serial)
            self.again.set()
            if self.deaf:
                self.deaf -= 1
                return []
            reply.set_opcode(dns.opcode.NOTIFY)
        else:
            self.asked += 1
            self.again.set()
            soa = f"ns.{name} hostmaster.{name} {self.serial} 0 0 0 0"
            reply.answer.append(dns.rrset.from_text(name, 5, "IN", "SOA", soa))
        return [reply.to_wire()]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self.again.clear()
                await self.again.wait()


@asynccontextmanager
async def telling(
    peer: Peer, made: Callable[[int], Site] | None = None, advance: list[int] | None = None
) -> AsyncIterator[tuple[Site, Notifier, Scripted]]:
    async with scripted(peer.script, tcp=False) as server:
        found = (made or following)(server.port)
        notifier = Notifier(found.targets(), (advance if advance is not None else []).append)
        notifier.start()
        try:
            yield found, notifier, server
        finally:
            notifier.close()


def following(port: int) -> Site:
    return site(COREFILE.replace("127.0.0.1", f"127.0.0.1:{port} *"))


def signing(port: int) -> Site:
    keys = f"  key k1\n  }}\n  tsig {{\n    secret k1 {SECRET}\n  }}"
    return site(COREFILE.replace("127.0.0.1", f"127.0.0.1:{port}").replace("  }\n}", keys + "\n}"))


def change(found: Site, notifier: Notifier, last: int) -> None:
    found.publish([Upserted(service("default/web", f"10.96.0.{last}"))])
    notifier.moved()


async def test_at_the_start_of_all_zones_then_of_those_that_change() -> None:
    peer = Peer()
    async with telling(peer) as (found, notifier, _):
        await peer.until(lambda: len(peer.told) == 3)
        assert sorted(peer.told) == ZONES
        change(found, notifier, 1)
        await peer.until(lambda: len(peer.told) == 5)
        assert sorted(peer.told[3:]) == ZONES[:2]
        assert set(peer.serials[3:]) == {found.serial}
        found.publish([Upserted(service("default/web", "10.96.0.1"))])  # the same again
        notifier.moved()
        change(found, notifier, 2)
        await peer.until(lambda: len(peer.told) == 7)
        assert notifier.counts[0] == 7


async def test_not_oftener_than_stated_while_changes_keep_coming() -> None:
    peer = Peer()
    async with telling(peer) as (found, notifier, _):
        await peer.until(lambda: len(peer.told) == 3)
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in range(300):
            change(found, notifier, number % 2 + 1)
            await asyncio.sleep(0.001)
        await peer.until(lambda: peer.serials[-1] == found.serial)
        assert len(peer.told) - 3 <= 2 * ((loop.time() - began) / INTERVAL + 2)


async def test_again_until_it_is_acknowledged() -> None:
    peer = Peer(deaf=6)
    async with telling(peer) as (found, notifier, _):
        await peer.until(lambda: len(peer.told) == 3)
        for last in (1, 2, 3):  # no change makes it come sooner
            change(found, notifier, last)
        await peer.until(lambda: len(peer.told) == 9)
        assert [sorted(peer.told[at : at + 3]) for at in (0, 3, 6)] == [ZONES] * 3
        assert set(peer.serials[3:]) == {found.serial}
        change(found, notifier, 4)
        await peer.until(lambda: len(peer.told) == 11)


async def test_who_asked_in_vain_is_told_again() -> None:
    peer = Peer(serial=0)
    async with telling(peer) as (found, notifier, _):
        await peer.until(lambda: len(peer.told) >= 6)
        (first, *_) = await notifier.standings({}, fresh=True)
        assert (first.serial, first.changes, first.seconds) == (0, None, None)
        peer.serial = found.serial
        (first, *_) = await notifier.standings({("cluster.local.", "127.0.0.1", ""): 5.0}, fresh=True)
        assert (first.zone, first.changes, first.seconds, first.asked) == ("cluster.local.", 0, 0.0, 5.0)
        change(found, notifier, 1)
        (first, _, third) = await notifier.standings({})
        assert (first.changes, third.changes) == (1, 0)
        assert first.seconds
        assert first.notified


async def test_who_comes_nearer_is_looked_after_as_often_as_before() -> None:
    """Waits that doubled would be 50 s for so many looks."""
    peer = Peer(serial=0)
    honest = peer.script

    def nearer(packet: bytes, how: str) -> list[bytes]:
        peer.serial = peer.asked // 3
        return honest(packet, how)

    peer.script = nearer  # type: ignore[assignment,method-assign]
    async with telling(peer) as (found, notifier, _):
        found.advance(1000)
        notifier.moved()
        await peer.until(lambda: peer.asked >= 3 * 8)


async def test_who_fetched_what_it_was_told_of_is_not_asked_for_its_serial() -> None:
    peer = Peer()
    async with telling(peer) as (found, notifier, _):
        front = front_of(found)
        await peer.until(lambda: len(peer.told) == 3)
        for last in range(1, 4):
            change(found, notifier, last)
            await peer.until(lambda: peer.serials[-1] == found.serial)
            for origin in ZONES:
                asked(front, question(origin, 1).to_wire())
        standings = await notifier.standings({})
        assert [one.serial for one in standings] == [found.serial] * 3
        assert [one.changes for one in standings] == [0] * 3


async def test_a_transfer_that_ended_behind_what_was_told_meanwhile_is_told_again() -> None:
    peer = Peer()
    async with telling(peer) as (found, notifier, _):
        await peer.until(lambda: len(peer.told) == 3)
        front, packet = front_of(found), question("cluster.local.").to_wire()
        channel = front.channel("tcp", "1")
        forward = front.respond(packet, channel)
        assert isinstance(forward, Forward)
        messages = front.resolve(packet, forward, channel, Client("127.0.0.1", 1))
        assert isinstance(messages, Iterator)
        next(messages)
        change(found, notifier, 1)
        await peer.until(lambda: len(peer.told) == 5)
        await peer.until(lambda: notifier.counts[1] == 5)
        list(messages)
        await peer.until(lambda: len(peer.told) == 6)
        assert peer.told[5] == "cluster.local."


async def test_a_serial_ahead_of_ours_is_where_we_go_on() -> None:
    peer, advance = Peer(serial=1000), list[int]()
    async with telling(peer, advance=advance) as (found, notifier, _):
        await peer.until(lambda: len(peer.told) == 3)
        await notifier.standings({}, fresh=True)
        assert set(advance) == {1001}
        found.advance(1001)
        notifier.moved()
        await peer.until(lambda: len(peer.told) >= 6)
        assert sorted(peer.told[3:6]) == ZONES
        assert set(peer.serials[3:6]) == {1001}
        change(found, notifier, 1)
        assert found.serial == 1002


async def test_signed_and_only_a_signed_answer_counts(caplog: pytest.LogCaptureFixture) -> None:
    peer = Peer()
    async with telling(peer, signing) as (found, notifier, server):
        await peer.until(lambda: len(peer.told) == 3)
        change(found, notifier, 1)
        await peer.until(lambda: len(peer.told) == 5)
        assert dns.message.from_wire(server.seen[-1][0], keyring=KEYRING).had_tsig
        honest = server.script
        server.script = lambda packet, how: [
            dns.message.make_response(dns.message.from_wire(packet, keyring=KEYRING)).to_wire()[:12]
            for _ in honest(packet, how)
        ]
        change(found, notifier, 2)
        await peer.until(lambda: len(peer.told) == 9)
        assert notifier.counts[1] == 5
    assert "is not signed as it should be" in caplog.text


async def test_a_secondary_that_is_not_there_costs_nothing_else() -> None:
    found = following(9)
    notifier = Notifier(found.targets(), lambda _: None)
    notifier.start()
    try:
        for last in range(50):
            change(found, notifier, last)
            await asyncio.sleep(0.001)
        (first, *_) = await notifier.standings({}, fresh=True)
        assert (first.serial, first.notified) == (None, None)
        assert notifier.counts[1] == 0
        assert notifier.counts[0] <= 9
    finally:
        notifier.close()


async def test_a_refusal_is_an_answer_that_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    peer = Peer()
    honest = peer.script

    def refused(packet: bytes, how: str) -> list[bytes]:
        return [reply[:3] + bytes((reply[3] | dns.rcode.REFUSED,)) + reply[4:] for reply in honest(packet, how)]

    peer.script = refused  # type: ignore[assignment,method-assign]
    async with telling(peer) as (found, notifier, _):
        await peer.until(lambda: len(peer.told) == 3)
        change(found, notifier, 1)
        await peer.until(lambda: len(peer.told) == 5)
        (first, *_) = await notifier.standings({}, fresh=True)
        assert first.serial is None
    assert caplog.text.count("does not want to be told of cluster.local.: REFUSED") == 1
