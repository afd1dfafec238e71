"""Signatures: dnspython signs questions and checks answers; what is wrong is said as RFC 8945, 5 has it."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdata
import dns.tsig
import pytest

from minidns.config import corefile
from minidns.config.plugins.tsig import TsigKey
from minidns.core.model import Upserted
from minidns.core.responder import Client, Forward
from minidns.site import Site
from minidns.transfer.tsig import Keys, Refusal, Signature
from tests.support.clusters import service
from tests.support.transfers import asked, front_of, question, site

SECRET = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
COREFILE = f"""
. {{
  kubernetes cluster.local in-addr.arpa
  transfer {{
    to 127.0.0.1
    key One
  }}
  tsig {{
    secret one. {SECRET}
    secret two {SECRET}
    require AXFR IXFR
  }}
}}
"""


def key(name: str = "one.", algorithm: str = "hmac-sha256", secret: str = SECRET) -> dns.tsig.Key:
    return dns.tsig.Key(name, secret, algorithm)


def signed(message: dns.message.Message, by: dns.tsig.Key | None = None) -> bytes:
    message.use_tsig(by or key())
    return message.to_wire()


def made(text: str = COREFILE) -> Site:
    found = site(text)
    found.publish([Upserted(service("default/web", "10.96.0.1", ports="http:80"))])
    return found


def rcode(reply: bytes) -> str:
    return dns.rcode.to_text(dns.rcode.Rcode(reply[3] & 15))


def tsig_of(reply: bytes) -> Any:
    """The data of the TSIG record at the end."""
    at = reply.rindex(b"\0\xfa\0\xff\0\0\0\0") + 10
    return dns.rdata.from_wire("ANY", "TSIG", reply, at, len(reply) - at)


@pytest.mark.parametrize("algorithm", ["hmac-sha256", "hmac-sha384", "hmac-sha512"])
def test_every_message_of_a_transfer_is_signed(algorithm: str) -> None:
    found = made()
    found.publish([Upserted(service(f"default/s{n}", f"10.96.1.{n}")) for n in range(250)])
    for origin in ("cluster.local.", "in-addr.arpa."):
        query = question(origin)
        replies = asked(front_of(found), signed(query, key(algorithm=algorithm)))
        context: Any = None
        for reply in replies:
            message = dns.message.from_wire(
                reply, keyring=query.keyring, request_mac=query.mac, xfr=True, tsig_ctx=context, multi=True
            )
            assert message.had_tsig
            context = message.tsig_ctx


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_other_answers_are_signed_too(transport: str) -> None:
    query = dns.message.make_query("web.default.svc.cluster.local.", "A")
    (reply,) = asked(front_of(made()), signed(query), transport=transport)
    message = dns.message.from_wire(reply, keyring=query.keyring, request_mac=query.mac)
    assert message.had_tsig
    assert [str(rrset[0]) for rrset in message.answer] == ["10.96.0.1"]


@pytest.mark.parametrize("edns", [None, 520])
def test_an_answer_that_does_not_fit_with_its_signature_is_truncated(edns: int | None) -> None:
    found = made()
    found.publish([Upserted(service("default/many", *[f"10.97.0.{n}" for n in range(1, 29)]))])
    query = dns.message.make_query("many.default.svc.cluster.local.", "A", use_edns=edns is not None, payload=edns or 0)
    (reply,) = asked(front_of(found), signed(query), transport="udp")
    assert len(reply) <= (edns or 512)
    message = dns.message.from_wire(reply, keyring=query.keyring, request_mac=query.mac)
    assert message.flags & dns.flags.TC
    assert message.answer == []


def test_wrong_signatures() -> None:
    front = front_of(made())
    query = question("cluster.local.").to_wire()
    other = key(secret="MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDI=")
    for by, error in ((other, 16), (key("onex."), 17), (key(algorithm="hmac-sha1"), 17)):
        (reply,) = asked(front, signed(question("cluster.local."), by))
        assert rcode(reply) == "NOTAUTH"
        rdata = tsig_of(reply)
        assert (rdata.error, rdata.mac) == (error, b"")
    (reply,) = asked(front, query)
    assert rcode(reply) == "REFUSED"
    (reply,) = asked(front, signed(question("cluster.local."), key("two.")))
    assert rcode(reply) == "REFUSED", "a key, but not that of this secondary"
    tampered = bytearray(signed(question("cluster.local.")))
    tampered[2] ^= 1
    (reply,) = asked(front, bytes(tampered))
    assert tsig_of(reply).error == 16


def test_a_signature_of_another_time_is_told_ours_and_signed() -> None:
    now = 1_800_000_000.0
    mine = Keys({"one.": TsigKey.parse("one.", SECRET)}, now=lambda: now)
    theirs = Keys({"one.": TsigKey.parse("one.", SECRET)}, now=lambda: now - 301)
    packet, _ = theirs.sign(question("cluster.local.").to_wire(), "one.")
    found = mine.verify(packet)
    assert isinstance(found, Refusal)
    assert found.why == "BADTIME"
    rdata = tsig_of(found.reply)
    assert (rdata.error, int.from_bytes(rdata.other, "big")) == (18, int(now))
    assert rdata.mac
    nearly = Keys({"one.": TsigKey.parse("one.", SECRET)}, now=lambda: now + 299)
    packet, _ = nearly.sign(question("cluster.local.").to_wire(), "one.")
    assert isinstance(mine.verify(packet), Signature)


@pytest.mark.parametrize("extra", [b"", b"\0\0\1\0\1\0\0\0\0\0\0"])
def test_a_signature_out_of_place_is_malformed(extra: bytes) -> None:
    packet = signed(question("cluster.local."))
    packet = packet[:10] + (2).to_bytes(2, "big") + packet[12:] + extra
    (reply,) = asked(front_of(made()), packet)
    assert rcode(reply) == "FORMERR"


def test_the_bytes_of_a_signature_elsewhere_are_none() -> None:
    front = front_of(made())
    query = dns.message.make_query("web.default.svc.cluster.local.", "A", use_edns=0)
    option = dns.edns.GenericOption(dns.edns.OptionType.make(65001), b"\0\xfa\0\xff\0\0\0\0")
    query.use_edns(0, options=[option])
    (reply,) = asked(front, query.to_wire())
    message = dns.message.from_wire(reply)
    assert [str(rrset[0]) for rrset in message.answer] == ["10.96.0.1"]


def test_what_must_be_signed() -> None:
    def says(text: str, type_: str, name: str = "web.default.svc.cluster.local.") -> str:
        (reply,) = asked(front_of(made(text)), dns.message.make_query(name, type_).to_wire())
        return rcode(reply)

    no, yes = "REFUSED", "NOERROR"
    for require, a, soa in (("all", no, no), ("SOA", yes, no), ("none", yes, yes)):
        text = COREFILE.replace("AXFR IXFR", require)
        assert (says(text, "A"), says(text, "SOA")) == (a, soa)
    elsewhere = COREFILE.replace("tsig {", "tsig in-addr.arpa {").replace("AXFR IXFR", "all")
    assert says(elsewhere, "A") == "NOERROR"
    assert says(elsewhere, "PTR", "1.0.96.10.in-addr.arpa.") == "REFUSED"


async def test_answers_that_come_later_are_signed() -> None:
    text = ". {\n forward . 127.0.0.1:1\n tsig {\n secret one. " + SECRET + "\n }\n}"
    front = front_of(Site(corefile.parse(text, env={})))
    query = dns.message.make_query("example.com.", "A")
    packet, channel = signed(query), front.channel("udp", "1")
    forward = front.respond(packet, channel)
    assert isinstance(forward, Forward)
    coming = front.resolve(packet, forward, channel, Client("127.0.0.1", 1))
    assert asyncio.iscoroutine(coming)
    reply = await coming
    assert reply is not None
    front.close()
    message = dns.message.from_wire(reply, keyring=query.keyring, request_mac=query.mac)
    assert (message.had_tsig, message.rcode()) == (True, dns.rcode.SERVFAIL)


def test_an_algorithm_of_its_own() -> None:
    one = dataclasses.replace(TsigKey.parse("one.", SECRET), algorithm="hmac-sha512")
    keys = Keys({"one.": one})
    assert isinstance(keys.verify(signed(question("cluster.local."))), Refusal)
    assert isinstance(keys.verify(signed(question("cluster.local."), key(algorithm="hmac-sha512"))), Signature)
    answer, mac = keys.sign(question("cluster.local.").to_wire(), "one.")
    assert isinstance(keys.verify(answer), Signature)
    assert len(mac) == 64
