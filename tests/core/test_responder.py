"""Bytes to bytes: the error policy, one answer whichever way it is found, sizes, turns, and what is kept."""

from __future__ import annotations

import random
import struct
from functools import cache
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidns.core import names, records, wire
from minidns.core.model import Deleted, Namespace, Service, Upserted
from minidns.core.responder import MAX_PROFILES, Channel, Forward, Responder
from minidns.core.schema import PodMode, ZoneSettings
from minidns.core.walk import drop_ready
from minidns.core.zone import Node, Zone
from tests.support.client import ask, explained, parsed, presentation, query, said
from tests.support.clusters import address, endpoints, external, headless, pod, service, zone_of
from tests.support.work import calls

Z = "default.svc.cluster.local."
HEADER = struct.Struct("!6H")


def many(count: int) -> tuple[str, ...]:
    return tuple(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}" for number in range(count))


def sample(settings: ZoneSettings | None = None) -> Zone:
    """A zone with every kind of name."""
    return zone_of(
        Namespace("default"),
        Namespace("other"),
        service("default/web", "10.96.0.1", "fd00::1", ports="http:80 https:443"),
        service("other/web", "10.96.0.9"),
        headless("default/db", ports="sql:3306"),
        endpoints("default/db-1", "10.1.0.1 host=db-0", "10.1.0.2 host=db-1", "10.1.0.3 unready", ports="sql:3306"),
        headless("default/big", ports="x:1"),
        endpoints("default/big-1", *many(400), ports="x:1"),
        headless("default/none"),
        external("default/out", "www.example.com"),
        external("default/in", f"web.{Z}"),
        external("default/loop", f"loop.{Z}"),
        external("default/lost", f"nobody.{Z}"),
        pod("default/p", "10.1.0.9"),
        settings=settings,
    )


def packet(
    name: bytes, *, type_: int = 1, class_: int = 1, flags: int = 0x0100, more: bytes = b"", extra: int = 0
) -> bytes:
    """A query in pieces. `more` follows the question, as `extra` additional records."""
    return HEADER.pack(0x1234, flags, 1, 0, 0, extra) + name + struct.pack("!HH", type_, class_) + more


def opt(size: int = 1232, *, version: int = 0, flags: int = 0, options: bytes = b"", owner: bytes = b"\0") -> bytes:
    return owner + struct.pack("!HHBBHH", 41, size, 0, version, flags, len(options)) + options


WEB = names.from_text(f"web.{Z}")


# The error policy


@pytest.mark.parametrize("size", range(12))
def test_what_is_shorter_than_a_header_is_dropped(size: int) -> None:
    responder = Responder(sample())
    assert responder.respond(bytes(size), responder.channel("udp", "1")) is None


@pytest.mark.parametrize("flags", [0x8000, 0x8180, 0xFFFF])
def test_responses_are_dropped(flags: int) -> None:
    responder = Responder(sample())
    assert responder.respond(packet(WEB, flags=flags), responder.channel("udp", "1")) is None
    assert responder.respond(HEADER.pack(1, flags, 0, 0, 0, 0), responder.channel("udp", "1")) is None


MALFORMED = {
    "no question": HEADER.pack(0x1234, 0x0100, 0, 0, 0, 0),
    "two questions": HEADER.pack(0x1234, 0x0100, 2, 0, 0, 0) + (WEB + b"\0\1\0\1") * 2,
    "no end of the name": HEADER.pack(0x1234, 0x0100, 1, 0, 0, 0) + b"\3web\7default",
    "no type": HEADER.pack(0x1234, 0x0100, 1, 0, 0, 0) + WEB,
    "half a class": HEADER.pack(0x1234, 0x0100, 1, 0, 0, 0) + WEB + b"\0\1\0",
    "a label of 80": packet(b"\x50" + b"a" * 80 + b"\0"),
    "a pointer into the header": packet(b"\xc0\x0c"),
    "a pointer to zeros of the header": packet(b"\3web\xc0\4"),
    "a name of 256": packet(b"\x3f" + b"a" * 63 + (b"\x3f" + b"b" * 63) * 3 + b"\0", flags=0),
    "a name of 300 below the zone": packet((b"\x3f" + b"b" * 63) * 4 + WEB),
    "a record that is not there": packet(WEB, extra=1),
    "half a record": packet(WEB, extra=1, more=opt()[:-3]),
    "a record beyond the end": packet(WEB, extra=1, more=opt()[:-1] + b"\5"),
    "two OPT records": packet(WEB, extra=2, more=opt() * 2),
    "an OPT record with an owner": packet(WEB, extra=1, more=opt(owner=b"\1a\0")),
    "an option beyond the record": packet(WEB, extra=1, more=opt(options=b"\0\x0a\0\x08abc")),
    "an OPT record as an answer": HEADER.pack(0x1234, 0x0100, 1, 1, 0, 0) + WEB + b"\0\1\0\1" + opt(),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_is_formerr(case: str) -> None:
    responder = Responder(sample())
    reply = parsed(responder.respond(MALFORMED[case], responder.channel("udp", "1")))
    assert (reply.rcode(), reply.id) == (dns.rcode.FORMERR, 0x1234)
    assert not reply.question
    assert not reply.answer


@pytest.mark.parametrize("opcode", [1, 2, 4, 5, 6, 15])
def test_other_opcodes_are_notimp(opcode: int) -> None:
    responder = Responder(sample())
    request = packet(WEB, type_=records.SOA, flags=opcode << 11, extra=1, more=opt())
    reply = parsed(responder.respond(request, responder.channel("udp", "1")))
    assert (reply.rcode(), reply.opcode(), reply.edns) == (dns.rcode.NOTIMP, opcode, 0)


def test_another_opcode_is_notimp_whatever_follows() -> None:
    responder = Responder(sample())
    reply = responder.respond(HEADER.pack(7, 5 << 11, 9, 9, 9, 9), responder.channel("udp", "1"))
    assert isinstance(reply, bytes)
    assert reply == HEADER.pack(7, 0x8000 | 5 << 11 | 4, 0, 0, 0, 0)


def test_a_later_edns_version_is_badvers() -> None:
    responder = Responder(sample())
    reply = parsed(
        responder.respond(packet(WEB, extra=1, more=opt(version=1, flags=0x8000)), responder.channel("udp", "1"))
    )
    assert (reply.rcode(), reply.edns, bool(reply.ednsflags & dns.flags.DO)) == (dns.rcode.BADVERS, 0, True)
    assert len(reply.question) == 1


@pytest.mark.parametrize("class_", [0, 3, 4, 254, 255])
def test_other_classes_are_refused(class_: int) -> None:
    responder = Responder(sample())
    reply = parsed(responder.respond(packet(WEB, class_=class_, extra=1, more=opt()), responder.channel("udp", "1")))
    assert (dns.rcode.to_text(reply.rcode()), explained(reply)) == ("REFUSED", [(21, "only class IN is served")])
    assert not reply.flags & dns.flags.AA


@pytest.mark.parametrize("type_", ["AXFR", "IXFR"])
@pytest.mark.parametrize("name", [f"web.{Z}", f"nobody.{Z}", "cluster.local."])
def test_a_refused_transfer_is_kept_for_no_other_type(name: str, type_: str) -> None:
    """Once the REFUSED of a transfer was what the name answered for every rare type, and the other way round."""
    responder = Responder(sample())
    before = [said(ask(responder, name, rare)) for rare in ("TYPE99", type_, "TYPE99", type_, "TYPE98")]
    assert [reply.rcode for reply in before[1::2]] == ["REFUSED", "REFUSED"]
    assert before[0] == before[2] == before[4]
    assert before[0].rcode != "REFUSED"


@pytest.mark.parametrize("type_", ["AXFR", "IXFR"])
def test_a_transfer_is_somebody_elses_to_answer(type_: str) -> None:
    responder = Responder(sample(), transfers=True)
    for name, is_ours in (("cluster.local.", True), (f"web.{Z}", True), ("example.com.", False)):
        said_ = responder.respond(query(name, type_), responder.channel("tcp", "1"))
        assert isinstance(said_, Forward) == is_ours
        if isinstance(said_, Forward):
            assert (said_.transfer, said_.alias) == (True, None)


def test_labels_are_bytes() -> None:
    """Once a label that is no UTF-8 was malformed outside the zone, where it has to be forwarded (RFC 2181, 11)."""
    responder = Responder(sample())
    strange = packet(b"\2\xff\xfe\3com\0", extra=1, more=opt())
    assert explained(parsed(responder.respond(strange, responder.channel("udp", "1"))))[0][0] == 20
    forwarding = Responder(sample(), forwards=True)
    forward = forwarding.respond(strange, forwarding.channel("udp", "1"))
    assert isinstance(forward, Forward)
    assert forward.question.raw == strange[12:-11]
    inside = packet(b"\5a\0b\xffc" + WEB)
    assert parsed(responder.respond(inside, responder.channel("udp", "1"))).rcode() == dns.rcode.NXDOMAIN


def test_pointers_to_pointers_are_not_followed() -> None:
    """Each record's owner leads through 400 pointers: a reader that follows them all looks 1.6 million times."""
    start = 12 + len(WEB) + 4 + 11
    chain = b"\1a\0" + b"".join(struct.pack("!H", 0xC000 | start + (2 * n + 1 if n else 0)) for n in range(400))
    more = b"\0" + struct.pack("!HHIH", 65000, 1, 0, len(chain)) + chain
    owner = struct.pack("!H", 0xC000 | start + len(chain) - 2)
    more += (owner + struct.pack("!HHIH", 65000, 1, 0, 0)) * 4000
    responder = Responder(sample())
    for count, rcode in ((wire.MAX_RECORDS, dns.rcode.NOERROR), (wire.MAX_RECORDS + 1, dns.rcode.FORMERR)):
        reply = parsed(responder.respond(packet(WEB, extra=count, more=more), responder.channel("tcp", "1")))
        assert reply.rcode() == rcode


def test_a_message_full_of_options_is_refused_after_a_few_of_them() -> None:
    for count, rcode in ((wire.MAX_OPTIONS, dns.rcode.NOERROR), (wire.MAX_OPTIONS + 1, dns.rcode.FORMERR), (16300, 1)):
        more = b"\0\0\x29\4\xd0\0\0\0\0" + (4 * count).to_bytes(2, "big") + b"\xfd\xe9\0\0" * count
        responder = Responder(sample())
        reply = parsed(responder.respond(packet(WEB, extra=1, more=more), responder.channel("tcp", "1")))
        assert reply.rcode() == rcode


class BrokenZone(Zone):
    """A zone with a bug."""

    def origin(self, name: bytes) -> bytes | None:
        raise ZeroDivisionError(name)


def test_a_bug_is_servfail_and_a_logged_traceback(caplog: pytest.LogCaptureFixture) -> None:
    zone = BrokenZone(ZoneSettings())
    responder = Responder(zone)
    reply = responder.respond(packet(WEB), responder.channel("udp", "1"))
    assert reply == HEADER.pack(0x1234, 0x8102, 0, 0, 0, 0)
    assert "ZeroDivisionError" in caplog.text


# Before the sync


def test_before_the_first_list_names_of_the_zone_are_servfail() -> None:
    zone = zone_of(service("default/web", "10.96.0.1"), synced=False)
    responder = Responder(zone)
    for name in (f"web.{Z}", f"nobody.{Z}", "cluster.local.", "1.0.96.10.in-addr.arpa."):
        reply = ask(responder, name)
        assert dns.rcode.to_text(reply.rcode()) == "SERVFAIL"
        assert explained(reply) == [(14, "waiting for the first full list of Services and EndpointSlices")]
    assert dns.rcode.to_text(ask(responder, "example.com.").rcode()) == "REFUSED"
    zone.synced = True
    assert said(ask(responder, f"web.{Z}")).answer == [f"web.{Z} 5 A 10.96.0.1"]


# One answer, whichever way it is found

OPTIONS = {
    "none": b"",
    "cookie": b"\0\x0a\0\x08abcdefgh",
    "unknown": b"\xfd\xe9\0\3xyz",
    "two": b"\0\3\0\0\0\x0a\0\x08abcdefgh",
    "empty": b"\xff\xfe\0\0",
}
NAMES = [
    f"web.{Z}", f"_http._tcp.web.{Z}", f"_tcp.web.{Z}", f"db.{Z}", f"db-0.db.{Z}", f"10-1-0-3.db.{Z}", f"db-7.db.{Z}",
    f"_sql._tcp.db.{Z}", f"_sql._udp.db.{Z}", f"_none._tcp.web.{Z}", f"big.{Z}", f"none.{Z}", f"out.{Z}", f"in.{Z}",
    f"loop.{Z}", f"lost.{Z}", f"nobody.{Z}", f"www.example.com.{Z}", "web.other.svc.cluster.local.",
    "db.other.svc.cluster.local.", "web.nowhere.svc.cluster.local.", Z, "svc.cluster.local.", "cluster.local.",
    "foo.cluster.local.", "dns-version.cluster.local.", "ns.dns.cluster.local.", "10-1-0-9.default.pod.cluster.local.",
    "10-1-0-8.default.pod.cluster.local.", "x.default.pod.cluster.local.", "1.0.96.10.in-addr.arpa.",
    "1.0.1.10.in-addr.arpa.", "9.9.9.9.in-addr.arpa.", "10.in-addr.arpa.", "ip6.arpa.", "example.com.", ".",
]  # fmt: skip
TYPES = [1, 2, 5, 6, 12, 13, 15, 16, 28, 33, 65, 99, 251, 252, 255, 65280]


@st.composite
def plain_queries(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A query in two forms: as a client sends it, and with something that only the careful path reads."""
    name = names.from_text(draw(st.sampled_from(NAMES)))
    upper = draw(st.sets(st.integers(0, len(name) - 1)))
    cased = bytes(byte - 32 if at in upper and 97 <= byte <= 122 else byte for at, byte in enumerate(name))
    type_ = draw(st.sampled_from(TYPES))
    flags = draw(st.sampled_from([0, 0x0100, 0x0110, 0x0120, 0x0130, 0x0010, 0x0020]))
    more, extra = b"", 0
    if draw(st.booleans()):
        size = draw(st.sampled_from([0, 512, 600, 1232, 4096, 65535]))
        options = OPTIONS[draw(st.sampled_from(sorted(OPTIONS)))]
        more, extra = opt(size, flags=draw(st.sampled_from([0, 0x8000, 0x8001])), options=options), 1
    padding = b"\0" + struct.pack("!HHIH", 65001, 1, 0, 0)
    odd = packet(cased, type_=type_, flags=flags | 0x0400, more=padding + more, extra=extra + 1)
    return packet(cased, type_=type_, flags=flags, more=more, extra=extra), odd


SETTINGS = [
    ZoneSettings(pods=mode, ttl=ttl, endpoint_pod_names=ttl > 5, ns_addresses=(address("192.0.2.1"),))
    for mode in PodMode
    for ttl in (5, 30)
]
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "silent": {"explain": False},
    "forwarding": {"forwards": True, "recursion": True},
    "falling through": {"forwards": True, "recursion": True, "fallthrough": (names.from_text("cluster.local"),)},
    "reverse falling through": {"forwards": True, "recursion": True, "fallthrough": (names.IN_ADDR_ARPA,)},
}


@cache
def lasting(settings: ZoneSettings, kind: str, transport: str, _what: str) -> tuple[Responder, Channel]:
    """A responder that lives through all examples: `_what` keeps those for different uses apart."""
    responder = Responder(sample(settings), **KINDS[kind])
    return responder, responder.channel(transport, "1")


def content(reply: bytes | Forward | None) -> object:
    """What an answer says, but for the turn of an address set, and the flags of a question that is forwarded."""
    if isinstance(reply, Forward):
        return reply.question._replace(flags=0), reply.alias
    message = parsed(reply)
    sections = [sorted(presentation(section)) for section in (message.answer, message.authority, message.additional)]
    if message.flags & dns.flags.TC:
        sections[0] = ["as many as fit"]  # how many, depends on the turn: their lengths differ
    question = message.question[0].to_text()
    return (
        message.id,
        message.flags,
        question,
        message.edns,
        message.ednsflags,
        message.payload,
        explained(message),
        sections,
    )


@pytest.mark.parametrize("kind", KINDS)
@given(
    queries=st.lists(plain_queries(), min_size=1, max_size=10),
    settings=st.sampled_from(SETTINGS),
    transport=st.sampled_from(["udp", "tcp"]),
)
@settings(max_examples=60)
def test_every_path_gives_the_same_answer(
    kind: str, queries: list[tuple[bytes, bytes]], settings: ZoneSettings, transport: str
) -> None:
    warm, channel = lasting(settings, kind, transport, "warm")
    for plain, odd in queries:
        cold, cold_channel = lasting(settings, kind, transport, "cold")
        cold_channel.profiles.clear()
        for node in cold.zone.nodes.values():
            node.ready = {}
        expected = content(cold.respond(plain, cold_channel))
        assert content(warm.respond(plain, channel)) == expected
        assert content(warm.respond(plain, channel)) == expected
        assert content(warm.respond(odd, channel)) == expected


@given(data=st.data())
def test_any_bytes_give_silence_or_a_message(data: st.DataObject) -> None:
    """Silence, something to forward, or what dnspython reads, with ID and question of the request, within the limit."""
    kind, transport = data.draw(st.sampled_from(sorted(KINDS))), data.draw(st.sampled_from(["udp", "tcp"]))
    responder, channel = lasting(SETTINGS[-1], kind, transport, "bytes")
    request = data.draw(st.binary(max_size=80) | mutated())
    reply = responder.respond(request, channel)
    if len(request) < 12 or request[2] & 0x80:
        assert reply is None
        return
    assert reply is not None
    if isinstance(reply, Forward):
        assert reply.question == wire.parse(request)
        return
    assert len(reply) <= channel.limit
    assert reply[:2] == request[:2]
    assert reply[3] & 15 != dns.rcode.SERVFAIL
    if reply[2] >> 3 & 15 == dns.opcode.UPDATE:
        return  # dnspython reads the zone section of an update, which is not a question
    message = dns.message.from_wire(reply)
    if message.question:
        end = wire.skip_name(request, 12) + 4
        assert reply[12:end] == request[12:end]
    else:
        assert message.rcode() in (dns.rcode.FORMERR, dns.rcode.NOTIMP)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A query with some bytes changed, taken out or put in, and counts that may not be true."""
    request = bytearray(draw(st.sampled_from(draw(plain_queries()))))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(request) - 1))
        value = draw(st.sampled_from([0, 1, 0x29, 0x3F, 0x40, 0x80, 0xC0, 0xFF]) | st.integers(0, 255))
        match draw(st.integers(0, 2)):
            case 0:
                request[at] = value
            case 1:
                request.insert(at, value)
            case _:
                del request[at:]
                request += bytes((value,)) * draw(st.integers(1, 4))
    request[4:12] = draw(st.just(request[4:12]) | st.just(b"\0\1\0\0\0\0\0\0") | st.binary(min_size=8, max_size=8))
    return bytes(request)


def test_the_question_comes_back_in_its_own_letter_case() -> None:
    responder = Responder(sample())
    for _ in range(2):
        reply = ask(responder, "WeB.deFAULT.svc.Cluster.LOCAL.")
        assert str(reply.question[0].name) == "WeB.deFAULT.svc.Cluster.LOCAL."
        assert str(reply.answer[0].name) == "WeB.deFAULT.svc.Cluster.LOCAL."


@pytest.mark.parametrize(("name", "recursion"), [(f"web.{Z}", True), (f"nobody.{Z}", False), ("cluster.local.", True)])
def test_flags_of_answers(name: str, recursion: bool) -> None:
    responder = Responder(sample(), recursion=recursion)
    channel = responder.channel("udp", "1")
    for asked, copied in (("RD", "RD"), ("", ""), ("RD CD", "RD CD"), ("AD", ""), ("RD AD CD", "RD CD")):
        reply = parsed(responder.respond(query(name, flags=asked), channel))
        assert set(dns.flags.to_text(reply.flags).split()) == {"QR", "AA", *copied.split(), *(["RA"] * recursion)}


def test_do_and_size_are_copied() -> None:
    responder = Responder(sample())
    channel = responder.channel("udp", "1")
    for do in (True, False, True):
        reply = parsed(responder.respond(query(f"web.{Z}", do=do), channel))
        assert (bool(reply.ednsflags & dns.flags.DO), reply.payload) == (do, 4096)


def test_cookies_are_not_echoed_and_no_edns_gets_none() -> None:
    responder = Responder(sample())
    channel = responder.channel("udp", "1")
    cookie = dns.edns.GenericOption(dns.edns.OptionType.COOKIE, b"abcdefgh")
    assert parsed(responder.respond(query(f"web.{Z}", options=(cookie,)), channel)).options == ()
    assert parsed(responder.respond(query(f"web.{Z}", edns=None), channel)).edns == -1


# Elsewhere


def test_outside_every_zone() -> None:
    reply = ask(Responder(sample()), "example.com.")
    assert (dns.rcode.to_text(reply.rcode()), explained(reply)[0][0]) == ("REFUSED", 20)
    forwarding = Responder(sample(), forwards=True)
    request = query("example.com.", "MX", do=True)
    assert forwarding.respond(request, forwarding.channel("udp", "1")) == Forward(wire.parse(request))


def test_an_alias_that_leads_out_goes_on_elsewhere_with_what_is_known() -> None:
    forwarding = Responder(sample(), forwards=True, recursion=True)
    request = query(f"out.{Z}", "AAAA")
    forward = forwarding.respond(request, forwarding.channel("udp", "1"))
    assert isinstance(forward, Forward)
    assert forward.question == wire.parse(request)
    assert forward.alias is not None
    assert forward.alias.outside == names.from_text("www.example.com")
    # Once REFUSED where names outside are for the next zone of a server block, but no forwarder follows.
    for alone in (Responder(sample()), Responder(sample(), forwards=True)):
        assert said(ask(alone, f"out.{Z}")).answer == [f"out.{Z} 5 CNAME www.example.com."]


def test_what_falls_through_and_what_does_not() -> None:
    responder = Responder(
        sample(ZoneSettings(pods=PodMode.INSECURE)), forwards=True, fallthrough=(names.from_text("cluster.local"),)
    )
    channel = responder.channel("udp", "1")
    for _ in range(2):
        for name in (f"nobody.{Z}", "foo.cluster.local.", "x.default.pod.cluster.local."):
            assert isinstance(responder.respond(query(name), channel), Forward)
        # Once a name by pod address, which has no node either, was forwarded too.
        assert said(ask(responder, "1-2-3-4.default.pod.cluster.local.")).answer[0].endswith(" A 1.2.3.4")
        assert said(ask(responder, "9.9.9.9.in-addr.arpa.", "PTR")).rcode == "NXDOMAIN"
        assert said(ask(responder, f"web.{Z}", "TXT")).rcode == "NOERROR"
        assert said(ask(responder, f"lost.{Z}")).rcode == "NXDOMAIN"


def test_stale_is_said_where_nothing_else_is_and_within_the_limit() -> None:
    """Once the text came on top of what filled the packet."""
    responder = Responder(sample())
    channel = responder.channel("udp", "1")
    ask(responder, f"web.{Z}")
    text = "the API server has been away for 3 minutes " * 3
    responder.mark_stale(text)
    for name in (f"web.{Z}", f"big.{Z}", f"db-0.db.{Z}"):
        for size in (512, 1232):
            reply = responder.respond(query(name, edns=size), channel)
            assert explained(parsed(reply)) == [(3, text)]
            assert isinstance(reply, bytes)
            assert len(reply) <= size
    longest = ".".join(("x" * 63, "y" * 63, "z" * 63, "w" * 30, "default.svc.cluster.local."))
    assert len(names.from_text(longest)) == 250
    negative = parsed(responder.respond(query(longest, edns=512), channel))
    assert (dns.rcode.to_text(negative.rcode()), len(negative.authority)) == ("NXDOMAIN", 1)
    assert explained(negative)[0][0] == 19
    responder.mark_stale("")
    swept(responder)
    assert explained(parsed(responder.respond(query(f"web.{Z}"), channel))) == []
    assert explained(parsed(responder.respond(query(longest, edns=512), channel)))[0][0] == 0


def swept(responder: Responder) -> None:
    for _ in drop_ready(responder.zone):
        pass


def test_the_beginning_and_the_end_of_staleness_look_at_no_node() -> None:
    """It took 45 ms at 300,000 endpoints. What is ready is dropped in steps: by then an answer is old or new."""
    zone = sample()
    responder = Responder(zone)
    questions = [(f"web.{Z}", "A"), (f"web.{Z}", "AAAA"), (f"db.{Z}", "SRV"), (f"none.{Z}", "A"), (f"web.{Z}", "MX")]
    fresh = [said(ask(responder, *question)) for question in questions]
    kept = {name: node.ready for name, node in zone.nodes.items()}
    before = zone.outdated
    assert calls(lambda: responder.mark_stale("old")) < 20
    assert (before, zone.outdated) == (False, True)
    assert all(node.ready is kept[name] for name, node in zone.nodes.items())
    swept(responder)
    for question in questions:
        assert explained(ask(responder, *question))[0][0] in (3, 19)
    assert calls(lambda: responder.mark_stale("")) < 20
    swept(responder)
    assert [said(ask(responder, *question)) for question in questions] == fresh
    for question in questions:
        assert not {3, 19} & {code for code, _ in explained(ask(responder, *question))}


def test_one_that_is_retired_answers_and_leaves_nothing_at_the_nodes() -> None:
    zone = sample()
    old, new = Responder(zone), Responder(zone, recursion=True)
    old.retire()
    for name, type_ in ((f"web.{Z}", "A"), (f"web.{Z}", "TXT"), (f"none.{Z}", "A"), (f"in.{Z}", "A")):
        for _ in range(2):
            assert not ask(old, name, type_).flags & dns.flags.RA
        assert ask(new, name, type_).flags & dns.flags.RA


def test_every_answer_of_the_zone_says_that_it_is_stale() -> None:
    """NODATA once had its reason alone."""
    responder = Responder(sample())
    responder.mark_stale("old")
    for name, type_, code in ((f"web.{Z}", "A", 3), (f"web.{Z}", "TXT", 3), (Z, "A", 3), (f"none.{Z}", "A", 19)):
        for _ in range(2):
            assert explained(ask(responder, name, type_))[0][0] == code
    assert explained(ask(responder, "example.com."))[0][0] == 20


def test_ten_thousand_srv_records_are_put_together_without_a_call_for_each() -> None:
    """Their first answer holds up all others: 5 ms, once."""
    members = [f"{one} host=h-{number}" for number, one in enumerate(many(10_000))]
    slices = [endpoints(f"default/db-{n}", *members[n * 100 : n * 100 + 100], ports="sql:3306") for n in range(100)]
    responder = Responder(zone_of(headless("default/db", ports="sql:3306"), *slices))
    channel = responder.channel("tcp", "1")
    assert calls(lambda: responder.respond(query(f"db.{Z}", "SRV"), channel)) < 5000


def test_stale_is_not_said_when_reasons_are_switched_off() -> None:
    responder = Responder(sample(), explain=False)
    responder.mark_stale("old")
    assert explained(ask(responder, f"web.{Z}")) == explained(ask(responder, f"nobody.{Z}")) == []


# Turns and sizes


def addresses(reply: dns.message.Message) -> list[str]:
    return [str(rdata) for rrset in reply.answer for rdata in rrset]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("count", [2, 3, 40])
def test_each_answer_of_an_address_set_starts_at_another(count: int, odd: bool, transport: str) -> None:
    """Odd: with a record that takes the question to the careful path, which once started at the same one each time."""
    zone = zone_of(headless("default/set"), endpoints("default/set-1", *many(count)))
    responder = Responder(zone)
    channel = responder.channel(transport, "1")
    request = query(f"set.{Z}", edns=None)
    if odd:
        request = request[:11] + b"\1" + request[12:] + b"\0" + struct.pack("!HHIH", 65001, 1, 0, 0)
    replies = [parsed(responder.respond(request, channel)) for _ in range(2 * count)]
    first = [addresses(reply)[0] for reply in replies]
    assert len(set(first[:count])) == count
    assert first[:count] == first[count:]
    truncated = transport == "udp" and count == 40
    for reply in replies[:3]:
        shown = addresses(reply)
        assert len(set(shown)) == len(shown) == (29 if truncated else count)
        assert bool(reply.flags & dns.flags.TC) == truncated


def test_ten_thousand_addresses() -> None:
    zone = zone_of(headless("default/set"))
    for part in range(100):
        zone.apply(Upserted(endpoints(f"default/set-{part}", *many(10_000)[part * 100 : part * 100 + 100])))
    responder = Responder(zone)
    udp, tcp = responder.channel("udp", "1"), responder.channel("tcp", "2")
    query_bytes = query(f"set.{Z}")
    for limit, channel, shown, truncated in ((1232, udp, 73, True), (65535, tcp, 4092, False)):
        seen: set[str] = set()
        for _ in range(4):
            reply = responder.respond(query_bytes, channel)
            assert isinstance(reply, bytes)
            assert limit - 16 <= len(reply) <= limit
            message = parsed(reply)
            assert bool(message.flags & dns.flags.TC) == truncated
            assert len(addresses(message)) == shown
            seen.update(addresses(message))
        assert len(seen) == shown + 3
    starts = set()
    for _ in range(10_000):
        reply = responder.respond(query_bytes, udp)
        assert isinstance(reply, bytes)
        starts.add(reply[len(query_bytes) - 11 + 12 :][:4])
    assert len(starts) == 10_000


def test_more_records_than_a_header_can_count() -> None:
    """Once struct.error, and SERVFAIL."""
    zone = zone_of(headless("default/set"))
    for part in range(7):
        zone.apply(Upserted(endpoints(f"default/set-{part}", *many(70_000)[part * 10_000 : part * 10_000 + 10_000])))
    reply = ask(Responder(zone), f"set.{Z}")
    assert (dns.rcode.to_text(reply.rcode()), len(addresses(reply))) == ("NOERROR", 4092)


def srv_zone(count: int, name: str = "set") -> Zone:
    members = (f"{ip} host=web-{number}" for number, ip in enumerate(many(count)))
    return zone_of(headless(f"default/{name}"), endpoints(f"default/{name}-1", *members, ports="http:80"))


def test_additional_addresses_are_left_out_first_and_without_tc() -> None:
    responder = Responder(srv_zone(7))
    channel = responder.channel("udp", "1")
    for edns, additional in ((1232, 7), (None, 0)):
        reply = parsed(responder.respond(query(f"set.{Z}", "SRV", edns=edns), channel))
        assert (len(addresses(reply)), len(reply.additional)) == (7, additional)
        assert not reply.flags & dns.flags.TC


@pytest.mark.parametrize(("size", "shown"), [(None, 8), (512, 8), (1232, 20)])
def test_what_does_not_fit_is_left_out_record_by_record_with_tc(size: int | None, shown: int) -> None:
    responder = Responder(srv_zone(50))
    channel = responder.channel("udp", "1")
    replies = [parsed(responder.respond(query(f"set.{Z}", "SRV", edns=size), channel)) for _ in range(100)]
    assert all(reply.flags & dns.flags.TC and not reply.additional for reply in replies)
    assert {len(addresses(reply)) for reply in replies} <= {shown, shown + 1}
    assert all(len(set(addresses(reply))) == len(addresses(reply)) for reply in replies)
    assert len({record for reply in replies for record in addresses(reply)}) == 50
    assert len({addresses(reply)[0] for reply in replies}) == 50
    whole = ask(responder, f"set.{Z}", "SRV")
    assert (len(addresses(whole)), len(whole.additional)) == (50, 50)


def test_a_record_that_is_longer_than_the_packet_is_left_out() -> None:
    zone = zone_of(
        headless(f"{'n' * 63}/{'s' * 63}"),
        endpoints(f"{'n' * 63}/x", f"10.0.0.1 host={'h' * 63}", ports=f"{'p' * 15}:80", of="s" * 63),
        settings=ZoneSettings(origin=names.from_text("cluster.local"), reverse=()),
    )
    responder = Responder(zone)
    channel = responder.channel("udp", "1")
    name = f"_{'p' * 15}._tcp.{'s' * 63}.{'n' * 63}.svc.cluster.local."
    reply = parsed(responder.respond(query(name, "SRV", edns=None), channel))
    assert (len(reply.answer), bool(reply.flags & dns.flags.TC)) == (1, False)


def test_pointers_survive_truncation_and_turns() -> None:
    """Once each PTR record's target was compressed into the record before it, wherever that went."""
    zone = zone_of(*(headless(f"default/s{number}") for number in range(60)))
    for number in range(60):
        zone.apply(Upserted(endpoints(f"default/s{number}-1", "10.0.0.1")))
    responder = Responder(zone)
    channel = responder.channel("udp", "1")
    replies = [parsed(responder.respond(query("1.0.0.10.in-addr.arpa.", "PTR"), channel)) for _ in range(60)]
    assert all(reply.flags & dns.flags.TC for reply in replies)
    assert {target for reply in replies for target in addresses(reply)} == {
        f"10-0-0-1.s{number}.{Z}" for number in range(60)
    }


def test_a_chain_that_is_longer_than_the_packet_begins_at_its_beginning() -> None:
    label = "x" * 60
    zone = zone_of(
        *(external(f"default/{label}{n}", f"{label}{n + 1}.{Z}") for n in range(9)),
        service(f"default/{label}9", "10.96.0.1"),
    )
    responder = Responder(zone)
    channel = responder.channel("udp", "1")
    for _ in range(3):
        reply = parsed(responder.respond(query(f"{label}0.{Z}", edns=None), channel))
        assert reply.flags & dns.flags.TC
        owners = [str(rrset.name) for rrset in reply.answer]
        assert owners == [f"{label}{n}.{Z}" for n in range(len(owners))]
        assert len(owners) > 3


def crowd(count: int) -> Zone:
    """A headless Service of so many endpoints, and aliases of it."""
    members = [f"10.{number >> 8}.{number & 255}.1 host=h-{number}" for number in range(count)]
    crowd = endpoints("default/crowd-1", *members, ports="http:80")
    one, two = external("default/one", f"two.{Z}"), external("default/two", f"crowd.{Z}")
    return zone_of(headless("default/crowd"), crowd, one, two)


@pytest.mark.parametrize("type_", ["A", "SRV"])
def test_a_cut_answer_through_an_alias_costs_what_is_sent(type_: str) -> None:
    """Once every query worked out all addresses of the Service that the alias leads to."""
    counts = []
    for size in (200, 2000):
        responder = Responder(crowd(size))
        channel = responder.channel("udp", "1")
        packet = query(f"one.{Z}", type_)
        responder.respond(packet, channel)
        counts.append(calls(lambda: responder.respond(packet, channel)))  # noqa: B023  called at once
    assert counts[0] == counts[1] < 100


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_every_endpoint_behind_an_alias_is_reached_and_the_aliases_are_always_there(transport: str) -> None:
    responder = Responder(crowd(200))
    channel = responder.channel(transport, "1")
    found: set[str] = set()
    for _ in range(200):
        reply = parsed(responder.respond(query(f"one.{Z}", "A", edns=512), channel))
        assert [f"{rrset.name} {rrset[0]}" for rrset in reply.answer[:2]] == [f"one.{Z} two.{Z}", f"two.{Z} crowd.{Z}"]
        assert str(reply.answer[2].name) == f"crowd.{Z}"
        assert bool(reply.flags & dns.flags.TC) is (transport == "udp")
        found.update(str(rdata) for rdata in reply.answer[2])
    assert len(found) == 200


def test_an_answer_through_an_alias_follows_every_change() -> None:
    zone = crowd(3)
    responder = Responder(zone)
    channel = responder.channel("udp", "1")

    def now() -> tuple[str, list[str]]:
        rcode, answer, *_ = said(parsed(responder.respond(query(f"one.{Z}"), channel)))
        return rcode, answer[2:]

    assert now() == now()
    assert len(now()[1]) == 3
    zone.apply(Upserted(endpoints("default/crowd-1", "10.9.9.9", ports="http:80")))
    assert now() == ("NOERROR", [f"crowd.{Z} 5 A 10.9.9.9"])
    zone.apply(Upserted(external("default/two", f"web.{Z}")))
    assert now() == ("NXDOMAIN", [])
    zone.apply(Upserted(service("default/web", "10.96.0.7")))
    assert now() == ("NOERROR", [f"web.{Z} 5 A 10.96.0.7"])
    zone.apply(Upserted(external("default/two", f"one.{Z}")))
    assert now() == ("NOERROR", [])
    zone.apply(Upserted(service("default/two", "10.96.0.8")))
    assert said(parsed(responder.respond(query(f"one.{Z}"), channel))).answer[1:] == [f"two.{Z} 5 A 10.96.0.8"]


def test_a_name_of_many_labels_outside_costs_little_more_than_a_short_one() -> None:
    """Once each label was a look-up, and a copy of the name for each zone."""

    class Counted(dict[names.Name, Node]):
        looks = 0

        def get(self, key: Any, default: Any = None) -> Any:
            self.looks += 1
            return super().get(key, default)

    for forwards in (False, True):
        zone = sample()
        responder = Responder(zone, forwards=forwards)
        channel = responder.channel("udp", "1")
        zone.nodes = nodes = Counted(zone.nodes)
        short, deep = query("x.y."), query("x." * 125)
        for packet in (short, deep):
            responder.respond(packet, channel)
        nodes.looks = 0
        few, many = (calls(lambda: responder.respond(packet, channel)) for packet in (short, deep))  # noqa: B023
        assert many <= few + 5
        assert nodes.looks < 8
        assert said(ask(responder, "x." * 110 + Z)).rcode == "NXDOMAIN"


# What is kept


def test_a_stranger_cannot_fill_the_memory() -> None:
    """Random names, types, letter cases, sizes, options and flags."""
    zone = sample(ZoneSettings(pods=PodMode.INSECURE))
    responder = Responder(zone)
    channel = responder.channel("udp", "1")
    nodes, rng = len(zone.nodes), random.Random(1)
    for _ in range(10_000):
        base = names.from_text(rng.choice(NAMES))
        name = rng.choice((base, base.swapcase(), names.child(f"{rng.random()}", base), names.child("x" * 30, base)))
        assert name is not None
        options = rng.choice((b"", b"\0\x0a\0\x08" + rng.randbytes(8)))
        more = opt(rng.randrange(65536), flags=rng.choice((0, 0x8000)), options=options)
        flags = rng.choice((0x0100, 0x0110, 0, 0x0120))
        assert responder.respond(packet(name, type_=rng.randrange(300), flags=flags, more=more, extra=1), channel)
    assert len(channel.profiles) == MAX_PROFILES
    assert len(zone.nodes) == nodes
    # Eleven types, one for all others, one for what is missing below.
    assert max(len(node.ready) for node in zone.nodes.values()) <= 13


def test_a_general_miss_is_kept_once_and_a_change_drops_it() -> None:
    zone = sample()
    responder = Responder(zone)
    for number in range(50):
        ask(responder, f"x{number}.{Z}")
    node = zone.nodes[names.from_text(Z)]
    assert len(node.ready) == 1
    zone.apply(Deleted(Namespace, ("", "default")))
    zone.apply(Deleted(Service, ("default", "web")))
    assert said(ask(responder, f"web.{Z}")).rcode == "NXDOMAIN"
    zone.apply(Upserted(service("default/x1", "10.96.1.1")))
    assert said(ask(responder, f"x1.{Z}")).answer == [f"x1.{Z} 5 A 10.96.1.1"]


def test_a_service_without_a_name_has_its_own_reason_among_kept_ones() -> None:
    responder = Responder(sample())
    for _ in range(2):
        for name, about in (
            (f"nobody.{Z}", "namespace default"),
            (f"none.{Z}", "default/none"),
            ("db.other.svc.cluster.local.", "namespace default"),
            (f"other.{Z}", "namespace default"),
        ):
            ((code, text),) = explained(ask(responder, name))
            assert code == 0
            assert about in text


def test_the_serial_of_a_negative_answer_moves_with_the_zone() -> None:
    zone = sample()
    responder = Responder(zone)
    serials = []
    for number in range(3):
        reply = ask(responder, f"nobody.{Z}")
        serials.append(reply.authority[0][0].serial)
        zone.apply(Upserted(service(f"default/n{number}", f"10.96.2.{number}")))
    assert serials == [serials[0], serials[0] + 1, serials[0] + 2]


# What is counted


def test_answers_are_counted_by_type_and_rcode() -> None:
    responder = Responder(sample())
    channel = responder.channel("udp", "1")
    for _ in range(3):
        responder.respond(query(f"web.{Z}", "A"), channel)
        responder.respond(query(f"nobody.{Z}", "AAAA"), channel)
        responder.respond(query(f"web.{Z}", "TYPE99"), channel)
        responder.respond(query("example.com.", "MX"), channel)
        responder.respond(packet(WEB, flags=0x2800), channel)
        responder.respond(b"", channel)
    assert channel.answered() == {
        ("A", "NOERROR"): 3,
        ("AAAA", "NXDOMAIN"): 3,
        ("other", "NOERROR"): 3,
        ("MX", "REFUSED"): 3,
        ("other", "NOTIMP"): 3,
    }


def test_an_adopted_channel_is_told_of_staleness_too() -> None:
    first, second = Responder(sample()), Responder(sample())
    channel = first.channel("udp", "1")
    second.adopt(channel)
    second.respond(query(f"web.{Z}", edns=512), channel)
    second.mark_stale("old")
    assert explained(parsed(second.respond(query(f"web.{Z}", edns=512), channel))) == [(3, "old")]


def test_the_first_answer_of_a_service_of_10000_endpoints_takes_three_calls_for_each_at_most() -> None:
    """Some 4 ms: as records packed one by one it was 16 calls, and 15 ms."""
    count = 10_000
    responder = Responder(zone_of(headless("default/huge"), endpoints("default/huge-1", *many(count), ports="x:1")))
    packet = query(f"huge.{Z}", "SRV")
    channel = responder.channel("tcp", "1")
    assert calls(lambda: responder.respond(packet, channel)) < 3 * count
    assert calls(lambda: responder.respond(packet, channel)) < 100
    reply = parsed(responder.respond(packet, channel))
    assert len({(rdata.port, rdata.target) for rdata in reply.answer[0]}) > 500
