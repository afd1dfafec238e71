"""Incremental transfers are made once, however many ask for them, and break off for all or for none."""

from __future__ import annotations

from collections.abc import Iterator

import dns.message
import dns.rcode
import pytest

from minidns.core import names
from minidns.core.model import EndpointSlice, Upserted
from minidns.core.responder import Client, Forward, Messages
from minidns.front import BlockFront
from minidns.site import Site
from minidns.transfer.answering import SMALL
from minidns.transfer.deltas import AT_ONCE, MIDDLING, MOST, Made
from minidns.transfer.journal import Journal, size_of
from tests.support.clusters import endpoints, headless
from tests.support.transfers import Secondary, asked, front_of, question, rows, site, zone_lines

ZONE = "cluster.local."
#: Pods that are more than `MIDDLING` bytes of changes.
LARGE = 1100
WEB = headless("default/web", ports="http:80")


def pods(count: int, first: int = 0) -> EndpointSlice:
    members = [f"10.{i // 62500}.{i // 250 % 250}.{i % 250 + 1} host=web-{i}" for i in range(first, first + count)]
    return endpoints("default/web-1", *members, ports="http:80")


def changed(made: Site, count: int) -> tuple[int, Journal]:
    """A serial, and what leads on from it: `count` pods that came."""
    made.publish([Upserted(WEB)])
    serial = made.serial
    made.publish([Upserted(pods(count))])
    return serial, made.journals[0][1]


def taking(front: BlockFront, packet: bytes) -> Iterator[bytes]:
    """The messages of an answer, one by one."""
    channel = front.channel("tcp", "1")
    forward = front.respond(packet, channel)
    assert isinstance(forward, Forward)
    reply = front.resolve(packet, forward, channel, Client("127.0.0.1", 1))
    assert isinstance(reply, Iterator)
    return filter(None, reply)


def made_of(front: BlockFront) -> int:
    assert front.transfers is not None
    return front.transfers.deltas.made


@pytest.mark.parametrize("count", [3, 60, LARGE])
def test_what_many_ask_for_is_made_once(count: int) -> None:
    made = site()
    made.publish([Upserted(WEB)])
    front = front_of(made)
    assert front.transfers is not None
    secondaries = [Secondary(front, ZONE) for _ in range(4)]
    for one in secondaries:
        one.transfer()
    (_, steps), *_ = made.journals
    serial = made.serial
    made.publish([Upserted(pods(count))])
    size = size_of(steps.since(serial) or (), names.from_text(ZONE))
    assert (size > SMALL, size > MIDDLING) == (count > 3, count > 60)
    now = zone_lines(made, ZONE)
    for one in secondaries:
        one.transfer()
        assert one.lines == now
    assert front.transfers.deltas.made == 1
    assert front.transfers.counts == {"axfr": 4, "ixfr": 4}


def test_who_asks_while_it_is_made_gets_it_too_and_takes_no_place() -> None:
    made = site()
    serial, _ = changed(made, LARGE)
    front = front_of(made)
    query = question(ZONE, serial)
    plain, edns = query.to_wire(), query
    edns.use_edns(0)
    asking = [plain, edns.to_wire()] * AT_ONCE
    running = [taking(front, packet) for packet in asking]
    taken = [[next(one)] for one in running]
    for one, messages in zip(running, taken, strict=True):
        messages += one
    assert made_of(front) == 1
    assert len(taken[0]) > 5
    assert all(messages == taken[0] for messages in taken[::2])
    assert all(messages == taken[1] for messages in taken[1::2])
    assert rows(taken[0]) == rows(taken[1])
    options = [dns.message.from_wire(wire, xfr=True).edns for wire in (*taken[0][:2], *taken[1][:2])]
    assert options == [-1, -1, 0, -1]
    ids = {int.from_bytes(wire[:2], "big") for wire in taken[0]}
    assert ids == {query.id}


def test_no_more_large_ones_at_once_than_stated() -> None:
    made = site()
    made.publish([Upserted(WEB)])
    serials = []
    for first in range(AT_ONCE + 1):
        serials.append(made.serial)
        made.publish([Upserted(pods(1, first))])
    made.publish([Upserted(pods(LARGE))])
    front = front_of(made)
    running = [taking(front, question(ZONE, serial).to_wire()) for serial in serials]
    said = [dns.rcode.to_text(dns.message.from_wire(next(one), xfr=True).rcode()) for one in running]
    assert said == ["NOERROR"] * AT_ONCE + ["REFUSED"]
    list(running[0])
    assert len(asked(front, question(ZONE, serials[-1]).to_wire())) > 1


def test_those_that_were_told_go_to_one_serial_though_there_is_a_later_one() -> None:
    made = site()
    serial, steps = changed(made, 3)
    steps.tell()
    told = made.serial
    front = front_of(made)
    for count in range(4, 9):
        made.publish([Upserted(pods(count))])
        found = rows(asked(front, question(ZONE, serial).to_wire()))
        assert f" {told} " in found[0][0]
    assert made_of(front) == 1
    # Who has that already goes on, and so does everybody once others have been told.
    assert f" {made.serial} " in rows(asked(front, question(ZONE, told).to_wire()))[0][0]
    steps.tell()
    assert f" {made.serial} " in rows(asked(front, question(ZONE, serial).to_wire()))[0][0]


def test_what_nobody_takes_makes_room() -> None:
    made = site()
    made.publish([Upserted(WEB)])
    front = front_of(made)
    for count in range(1, MOST + 3):
        serial = made.serial
        made.publish([Upserted(pods(count % 5 + 1, count))])
        for _ in range(2):
            asked(front, question(ZONE, serial).to_wire())
        assert made_of(front) == count


def test_one_that_breaks_off_ends_for_nobody_as_if_it_were_whole() -> None:
    def making() -> Messages:
        yield b"one"
        yield b""
        raise ValueError("a bug")

    made = Made(making(), 1)
    first, second = iter(made), iter(made)
    assert [next(first), next(first), next(second)] == [b"one", b"", b"one"]
    with pytest.raises(ValueError, match="a bug"):
        next(first)
    with pytest.raises(RuntimeError, match="broke off"):
        next(second)
    assert next(iter(made)) == b"one"
