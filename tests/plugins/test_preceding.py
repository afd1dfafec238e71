"""Rewrites and hosts before the zones of a server block."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.opcode
import pytest

from minidns.config.settings import Forward as ForwardOptions
from minidns.config.settings import Hosts, Rewrite, ServerBlock, Upstream
from minidns.core.responder import Channel, Client, Forward
from minidns.plugins.forward import message
from minidns.plugins.preceding import Preceding
from tests.support.neighbours import answer_to

NO_FILE = Path("/nonexistent/hosts")
HOSTS = Hosts(path=NO_FILE, inline=((bytes([192, 0, 2, 1]), ("a.example", "b.example")),), reload=0, fallthrough=(".",))
RULE = Rewrite(pattern="x.example.", replacement="a.example.")
OUT = Rewrite(pattern="y.example.", replacement="out.example.")
UPSTREAM = ForwardOptions(upstreams=(Upstream(host="192.0.2.53"),))


class Behind:
    """Stands for the zones: answers with 192.0.2.9, forwards names that begin with "out"."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def respond(self, packet: bytes, _: Channel) -> bytes | Forward | None:
        name = str(dns.message.from_wire(packet).question[0].name)
        self.asked.append(name)
        if name.startswith("out"):
            return Forward(message.question(packet))
        return answer_to(packet, f"{name} 5 A 192.0.2.9")

    def later(self, packet: bytes, _forward: Forward, _channel: Channel, _client: Client) -> Any:
        async def answer() -> bytes:
            return self.at_once(packet, _forward, _channel, _client)

        return answer()

    def at_once(self, packet: bytes, _forward: Forward, _channel: Channel, _client: Client) -> bytes:
        return answer_to(packet, f"{message_name(packet)} 5 A 192.0.2.8")


def message_name(packet: bytes) -> str:
    return str(dns.message.from_wire(packet).question[0].name)


def lines(answer: object) -> list[str]:
    assert isinstance(answer, bytes)
    return [str(rrset) for rrset in dns.message.from_wire(answer).answer]


def query(name: str, type_: str = "A", **options: Any) -> bytes:
    return dns.message.make_query(name, type_, **options).to_wire()


def respond(block: ServerBlock, packet: bytes) -> tuple[object, Behind]:
    behind = Behind()
    return Preceding(block, behind.respond, behind.later).respond(packet, Channel("udp", "1")), behind


def test_hosts_answer_before_the_zones() -> None:
    answer, behind = respond(ServerBlock(hosts=HOSTS), query("A.Example.", use_edns=0))
    assert lines(answer) == ["A.Example. 3600 IN A 192.0.2.1"]
    assert isinstance(answer, bytes)
    assert dns.message.from_wire(answer).flags == dns.flags.QR | dns.flags.AA | dns.flags.RD
    assert behind.asked == []


def test_reverse_names_of_hosts() -> None:
    answer, _ = respond(ServerBlock(hosts=HOSTS, forwards=(UPSTREAM,)), query("1.2.0.192.in-addr.arpa.", "PTR"))
    assert lines(answer) == [
        "1.2.0.192.in-addr.arpa. 3600 IN PTR a.example.\n1.2.0.192.in-addr.arpa. 3600 IN PTR b.example."
    ]
    assert isinstance(answer, bytes)
    assert dns.message.from_wire(answer).flags & dns.flags.RA


def test_what_hosts_do_not_have_goes_to_the_zones() -> None:
    answer, behind = respond(ServerBlock(hosts=HOSTS), query("c.example."))
    assert lines(answer) == ["c.example. 5 IN A 192.0.2.9"]
    assert behind.asked == ["c.example."]


def test_hosts_without_fallthrough_say_no() -> None:
    answer, behind = respond(ServerBlock(hosts=Hosts(path=NO_FILE, reload=0)), query("c.example."))
    assert isinstance(answer, bytes)
    assert dns.message.from_wire(answer).rcode() == 3
    assert behind.asked == []


@pytest.mark.parametrize("change", [lambda query: query.set_opcode(dns.opcode.NOTIFY), lambda query: query.use_edns(1)])
def test_odd_packets_are_not_for_hosts(change: Callable[[dns.message.Message], None]) -> None:
    packet = dns.message.make_query("a.example.", "A")
    change(packet)
    _, behind = respond(ServerBlock(hosts=HOSTS), packet.to_wire())
    assert behind.asked == ["a.example."]


def test_rewritten_name_is_looked_up_in_hosts_and_in_the_zones() -> None:
    answer, _ = respond(ServerBlock(hosts=HOSTS, rewrites=(RULE,)), query("X.example."))
    assert lines(answer) == ["X.example. 3600 IN A 192.0.2.1"]
    answer, behind = respond(ServerBlock(rewrites=(RULE,)), query("X.example."))
    assert lines(answer) == ["X.example. 5 IN A 192.0.2.9"]
    assert behind.asked == ["a.example."]


async def test_rewritten_name_is_resolved_elsewhere() -> None:
    behind, channel = Behind(), Channel("udp", "1")
    block = ServerBlock(rewrites=(OUT,), forwards=(UPSTREAM,))
    for resolve in (behind.later, behind.at_once):
        preceding = Preceding(block, behind.respond, resolve)
        for name in ("y.example.", "out.other."):
            packet = query(name)
            forward = preceding.respond(packet, channel)
            assert isinstance(forward, Forward)
            answer = preceding.resolve(packet, forward, channel, Client("127.0.0.1", 53))
            if isinstance(answer, Coroutine):
                answer = await answer
            assert isinstance(answer, bytes)
            assert lines(answer) == [f"{name} 5 IN A 192.0.2.8"]
