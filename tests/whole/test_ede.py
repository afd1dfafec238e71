"""The reason in the answer: Extended DNS Errors, as a DNS library and as `dig` see them."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import dns.message
import dns.rdataclass
import pytest

from minidns.core import reasons
from minidns.core.responder import Channel, Responder
from minidns.core.why import LONGEST, Reason, Why, sentence
from minidns.metrics import Traffic
from minidns.server import udp
from tests.support.client import ask, explained, parsed, query
from tests.support.explained import CASES, Case

#: Reasons that need no words, and the one that is not about a name.
SILENT = {Why.RECORDS, Why.ALIAS}
CLASS = Why.CLASS


def test_every_reason_has_a_case() -> None:
    assert {case.why for case in CASES} | SILENT | {CLASS} == set(Why)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_ede_of(case: Case) -> None:
    # A transfer is asked for over TCP; all others are the same there.
    message = ask(Responder(case.zone), case.question, case.type)
    assert explained(message) == [(case.code, case.sentence)]
    assert dns.rcode.to_text(message.rcode()) == case.rcode


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_ede_is_the_same_the_second_time(case: Case) -> None:
    """What is kept at a node for whatever is missing below it says what was said at first."""
    responder = Responder(case.zone)
    ask(responder, f"another.{case.question}", case.type)
    ask(responder, case.question, case.type)
    assert explained(ask(responder, case.question, case.type)) == [(case.code, case.sentence)]


def test_sentences_are_plain_and_short() -> None:
    for why in Why:
        text = sentence(Reason(why, ("n" * 63, "s" * 63), "p" * 63, ("e" * 63,) * 9, 10_000))
        assert len(text.encode()) <= LONGEST
        assert text.isprintable()


def test_a_cut_sentence_has_whole_characters() -> None:
    text = sentence(Reason(Why.NO_SLICES, ("n", "ü" * 100)))
    assert text == f"no EndpointSlice of headless Service n/{'ü' * 13}... is known"


def test_another_class() -> None:
    packet = dns.message.make_query("web.default.svc.cluster.local", "A", rdclass=dns.rdataclass.CH, use_edns=0)
    message = parsed(Responder(CASES[0].zone).respond(packet.to_wire(), Channel("udp", "1")))
    assert explained(message) == [(21, "only class IN is served")]


def test_records_need_no_reason() -> None:
    zone = CASES[0].zone
    assert explained(ask(Responder(zone), "web.default.svc.cluster.local")) == []


def test_no_edns_no_reason() -> None:
    case = CASES[0]
    reply = Responder(case.zone).respond(query(case.question, edns=None), Channel("udp", "1"))
    message = parsed(reply)
    assert message.edns == -1
    assert reasons.sentence(Reason(case.why, ("default", "web"), "web-1")) == case.sentence


def test_ede_can_be_switched_off() -> None:
    case = CASES[0]
    assert explained(ask(Responder(case.zone, explain=False), case.question)) == []


@asynccontextmanager
async def served(responder: Responder) -> AsyncIterator[int]:
    """A real UDP socket that the responder answers on; its port."""

    def resolve(*_: object) -> None:
        return None

    sock = udp.bind("127.0.0.1", 0, socket.AF_INET, shared=False)
    server = udp.UdpServer(sock, responder.channel("udp", "1"), responder.respond, resolve, Traffic())
    server.start()
    try:
        yield server.port
    finally:
        await server.stop()


async def dig(port: int, *arguments: str) -> str:
    command = ["dig", "@127.0.0.1", "-p", str(port), "+timeout=5", "+tries=1", *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    return output.decode()


#: dig's words for the codes.
WORDS = {0: "Other", 14: "Not Ready", 20: "Not Authoritative"}


@pytest.mark.parametrize("case", [case for case in CASES if case.why is not Why.TRANSFER], ids=lambda case: case.id)
async def test_dig_prints_the_reason(case: Case) -> None:
    async with served(Responder(case.zone)) as port:
        output = await dig(port, case.question, case.type)
    assert f"status: {case.rcode}" in output
    found = re.search(r"^; EDE: (\d+) \((.*?)\): \((.*)\)$", output, re.MULTILINE)
    assert found, output
    assert (int(found[1]), found[2], found[3]) == (case.code, WORDS[case.code], case.sentence)
