"""Zone transfers: whole, and as what changed, read and applied by dnspython."""

from __future__ import annotations

from itertools import islice
from typing import Any

import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidns.core import names
from minidns.core.model import Change, Deleted, EndpointSlice, Upserted
from minidns.core.responder import Client, Forward
from minidns.transfer.answering import SMALL
from minidns.transfer.deltas import AT_ONCE
from minidns.transfer.journal import size_of
from tests.support.changing import changes
from tests.support.clusters import endpoints, headless, service
from tests.support.transfers import COREFILE, Secondary, asked, front_of, question, rows, site, zone_lines

ORIGINS = ("cluster.local.", "in-addr.arpa.", "ip6.arpa.")
WEB = headless("default/web", ports="http:80")
SHOP = service("default/shop", "10.96.0.1", "fd00::1", ports="http:80")


def pods(count: int, first: int = 0, slice_: int = 1) -> EndpointSlice:
    members = [f"10.0.{i // 250}.{i % 250 + 1} host=web-{i}" for i in range(first, first + count)]
    return endpoints(f"default/web-{slice_}", *members, ports="http:80")


def rcode(reply: bytes) -> str:
    return dns.rcode.to_text(dns.message.from_wire(reply).rcode())


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_whole_zone_is_what_minidns_zone_prints(origin: str) -> None:
    made = site()
    made.publish([Upserted(WEB), Upserted(SHOP), Upserted(pods(400))])
    messages = asked(front_of(made), question(origin).to_wire())
    found = [line for line, _ in rows(messages)]
    assert found[0] == found[-1]
    assert " SOA " in found[0]
    assert len(set(found)) == len(found) - 1
    assert set(found) == zone_lines(made, origin)


def test_messages_are_full_and_compressed() -> None:
    made = site()
    made.publish([Upserted(WEB), Upserted(pods(900))])
    messages = asked(front_of(made), question("cluster.local.").to_wire())
    assert all(15000 < len(message) <= 16384 for message in messages[:-1])
    plain = sum(len(rrset.to_text()) for _, rrset in rows(messages))
    assert sum(map(len, messages)) < plain * 0.7


def test_a_client_with_edns_finds_it_in_the_first_message() -> None:
    query = question("cluster.local.")
    query.use_edns(0)
    (message,) = asked(front_of(site()), query.to_wire())
    assert dns.message.from_wire(message, xfr=True).edns == 0


def test_a_whole_zone_is_that_of_one_moment() -> None:
    made = site()
    made.publish([Upserted(WEB), Upserted(pods(600))])
    before = zone_lines(made, "cluster.local.")
    front = front_of(made)
    packet = question("cluster.local.").to_wire()
    channel = front.channel("tcp", "1")
    forward = front.respond(packet, channel)
    assert isinstance(forward, Forward)
    reply = front.resolve(packet, forward, channel, Client("127.0.0.1", 1))
    assert not isinstance(reply, bytes)
    found = []
    for count, message in enumerate(reply):  # type: ignore[arg-type]
        found += [line for line, _ in rows([message])] if message else []
        made.publish([Upserted(pods(count % 50, first=count))])
    assert set(found) == before
    assert zone_lines(made, "cluster.local.") != before
    assert made.zones[0].overlays == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(changes, min_size=1, max_size=3), max_size=6), st.data())
def test_what_changed_makes_of_the_old_zone_the_new_one(sequence: list[list[Change]], data: st.DataObject) -> None:
    made = site()
    front = front_of(made)
    followers = [[Secondary(front, origin) for origin in ORIGINS] for _ in range(2)]
    for several in [[], *sequence]:
        made.publish(several)
        for follower in followers:
            # One of them is not always there.
            if follower is followers[0] or data.draw(st.booleans()):
                for secondary in follower:
                    secondary.transfer()
    for follower in followers:
        for secondary, origin in zip(follower, ORIGINS, strict=True):
            secondary.transfer()
            assert secondary.lines == zone_lines(made, origin)
            assert secondary.serial == made.serial


@pytest.mark.parametrize(("first", "then"), [(49, 51), (51, 49), (1, 120), (120, 1), (50, 60), (120, 121), (3, 0)])
def test_weights_move_with_the_number_of_records(first: int, then: int) -> None:
    made = site()
    made.publish([Upserted(WEB), Upserted(pods(30, first=200, slice_=2)), Upserted(pods(first))])
    secondary = Secondary(front_of(made), "cluster.local.")
    secondary.transfer()
    made.publish([Upserted(pods(then))])
    secondary.transfer()
    made.publish([Deleted(EndpointSlice, ("default", "web-2"))])
    secondary.transfer()
    assert secondary.lines == zone_lines(made, "cluster.local.")
    assert secondary.incremental == 2


def test_what_came_and_went_is_not_sent() -> None:
    made = site()
    made.publish([Upserted(WEB), Upserted(pods(60))])
    serial = made.serial
    for _ in range(50):
        made.publish([Upserted(pods(61))])
        made.publish([Upserted(pods(60))])
    made.publish([Upserted(SHOP)])
    found = rows(asked(front_of(made), question("cluster.local.", serial).to_wire()))
    types = [dns.rdatatype.to_text(rrset.rdtype) for _, rrset in found]
    assert types == ["SOA", "SOA", "SOA", "A", "AAAA", "SRV", "SRV", "SOA"]


def test_nothing_new_is_one_record_and_so_is_a_serial_ahead_of_ours() -> None:
    made = site()
    for serial in (made.serial, made.serial + 5):
        ((line, _),) = rows(asked(front_of(made), question("cluster.local.", serial).to_wire()))
        assert f" {made.serial} " in line


def test_who_is_too_far_behind_gets_the_whole_zone() -> None:
    made = site()
    secondary = Secondary(front_of(made), "cluster.local.")
    secondary.serial = made.serial - 1
    made.publish([Upserted(WEB), Upserted(pods(3))])
    secondary.transfer()
    assert secondary.incremental == 0
    assert secondary.lines == zone_lines(made, "cluster.local.")


def test_over_udp_what_fits_and_else_the_serial_to_fetch() -> None:
    made = site()
    made.publish([Upserted(WEB)])
    front, serial = front_of(made), made.serial
    made.publish([Upserted(pods(2))])
    query = question("cluster.local.", serial)
    assert len(rows(asked(front, query.to_wire(), transport="udp"))) == 1, "512 bytes without EDNS"
    query.use_edns(0, payload=1232)
    assert len(rows(asked(front, query.to_wire(), transport="udp"))) > 4
    made.publish([Upserted(pods(40))])
    for transport, count in (("udp", 1), ("tcp", 204)):
        for start in (serial, serial - 1):
            found = rows(asked(front, question("cluster.local.", start).to_wire(), transport=transport))
            assert f" {made.serial} " in found[0][0]
            if start == serial:
                assert len(found) == count
    assert rcode(asked(front, question("cluster.local.").to_wire(), transport="udp")[0]) == "REFUSED"


def test_nobody_may_who_was_not_named() -> None:
    made = site()
    (reply,) = asked(front_of(made), question("cluster.local.").to_wire(), client="127.0.0.2")
    assert rcode(reply) == "REFUSED"
    anybody = site(COREFILE.replace("127.0.0.1", "*"))
    assert len(rows(asked(front_of(anybody), question("cluster.local.").to_wire(), client="::1"))) == 4
    nobody = site(". {\n kubernetes cluster.local\n}")
    assert rcode(asked(front_of(nobody), question("cluster.local.").to_wire())[0]) == "REFUSED"
    other = site(COREFILE.replace("transfer", "transfer in-addr.arpa"))
    assert rcode(asked(front_of(other), question("cluster.local.").to_wire())[0]) == "REFUSED"
    assert len(rows(asked(front_of(other), question("in-addr.arpa.").to_wire()))) == 3


@pytest.mark.parametrize(
    ("origin", "serial", "says"),
    [("svc.cluster.local.", None, "NOTAUTH"), ("nobody.cluster.local.", 1, "NOTAUTH"), ("example.com.", 1, "REFUSED")],
)
def test_what_is_no_zone_of_ours(origin: str, serial: int | None, says: str) -> None:
    (reply,) = asked(front_of(site()), question(origin, serial).to_wire())
    assert rcode(reply) == says


def test_an_incremental_question_without_its_serial_is_malformed() -> None:
    (reply,) = asked(front_of(site()), dns.message.make_query("cluster.local.", "IXFR").to_wire())
    assert rcode(reply) == "FORMERR"


def test_when_a_secondary_that_was_named_last_asked() -> None:
    front = front_of(site(COREFILE.replace("127.0.0.1", "127.0.0.1 *")))
    asked(front, question("cluster.local.").to_wire(), client="192.0.2.9")
    asked(front, question("in-addr.arpa.").to_wire())
    asked(front, question("ip6.arpa.", 1).to_wire(), transport="udp")
    assert front.transfers is not None
    assert sorted(front.transfers.asked) == [("in-addr.arpa.", "127.0.0.1", ""), ("ip6.arpa.", "127.0.0.1", "")]
    assert front.transfers.counts == {"axfr": 2, "current": 1}


def test_the_second_zone_of_a_block() -> None:
    made = site(COREFILE.replace("cluster.local", "cluster.local other.example"))
    made.publish([Upserted(SHOP)])
    for origin in ("cluster.local.", "other.example.", "in-addr.arpa."):
        found = {line for line, _ in rows(asked(front_of(made), question(origin).to_wire()))}
        assert found == zone_lines(made, origin)


def test_a_zone_below_another_is_its_own() -> None:
    made = site(COREFILE.replace("in-addr.arpa", "in-addr.arpa 10.in-addr.arpa"))
    made.publish([Upserted(SHOP), Upserted(service("a/b", "192.0.2.1"))])
    front = front_of(made)
    origins = "in-addr.arpa.", "10.in-addr.arpa."
    outer, inner = ([line for line, _ in rows(asked(front, question(one).to_wire()))] for one in origins)
    assert not any("10.in-addr.arpa" in line for line in outer)
    assert any(line.startswith("1.2.0.192.in-addr.arpa.") for line in outer)
    assert any(line.startswith("1.0.96.10.in-addr.arpa.") for line in inner)


def test_no_more_transfers_at_once_than_stated() -> None:
    made = site()
    made.publish([Upserted(WEB), Upserted(pods(900))])
    front, packet = front_of(made), question("cluster.local.").to_wire()
    channel = front.channel("tcp", "1")
    running: list[Any] = []
    for _ in range(AT_ONCE + 1):
        forward = front.respond(packet, channel)
        assert isinstance(forward, Forward)
        running.append(iter(front.resolve(packet, forward, channel, Client("127.0.0.1", 1))))  # type: ignore[arg-type]
    firsts = [next(filter(None, one)) for one in running]
    assert [rcode(first) for first in firsts] == ["NOERROR"] * AT_ONCE + ["REFUSED"]
    assert list(islice(running[-1], 1)) == []
    running[0].close()
    assert len(asked(front, packet)) > 1


def test_a_burst_of_changes_is_fetched_by_more_at_once_than_whole_zones() -> None:
    made = site()
    made.publish([Upserted(WEB), Upserted(pods(10))])
    serial = made.serial
    made.publish([Upserted(pods(300))])
    (_, steps), *_ = made.journals
    assert size_of(steps.since(serial) or (), names.from_text("cluster.local.")) > SMALL
    front, packet = front_of(made), question("cluster.local.", serial).to_wire()
    channel = front.channel("tcp", "1")
    running: list[Any] = []
    firsts = []
    for _ in range(2 * AT_ONCE):
        forward = front.respond(packet, channel)
        assert isinstance(forward, Forward)
        running.append(iter(front.resolve(packet, forward, channel, Client("127.0.0.1", 1))))  # type: ignore[arg-type]
        firsts.append(rcode(next(filter(None, running[-1]))))
    assert firsts == ["NOERROR"] * 2 * AT_ONCE
    assert len(asked(front, question("cluster.local.").to_wire())) > 1  # and takes no place of a whole zone's


def test_a_zone_of_usual_size_is_sent_in_order() -> None:
    made = site()
    made.publish([Upserted(WEB), Upserted(SHOP), Upserted(pods(400))])
    found = rows(asked(front_of(made), question("cluster.local.").to_wire()))[:-1]
    owners = [rrset.name for _, rrset in found]
    assert owners == sorted(owners)
