"""What a question passes before the zones of a server block, and what of it costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.opcode
import pytest

from minidns.config.plugins.acl import Acl
from minidns.config.plugins.autopath import Autopath
from minidns.config.plugins.chaos import Chaos
from minidns.config.plugins.dns64 import Dns64
from minidns.config.plugins.template import Template
from minidns.config.settings import Cache, Hosts, Rewrite, ServerBlock, Upstream
from minidns.config.settings import Forward as ForwardOptions
from minidns.core.responder import Channel, Client, Elsewhere, Forward
from minidns.plugins.chain import Chain, Handle, Query, then
from minidns.plugins.forward import message
from minidns.plugins.stages import stages
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


def nobody(_: Query) -> None:
    """Nobody to ask."""


CLIENT = Client("127.0.0.1", 53)


def answered(chain: Chain, packet: bytes, channel: Channel) -> object:
    """What a server gets: at once, or by resolving."""
    said = chain.respond(packet, channel)
    return chain.resolve(packet, said, channel, CLIENT) if isinstance(said, Forward) else said


def respond(block: ServerBlock, packet: bytes) -> tuple[object, Behind]:
    behind = Behind()
    return answered(Chain(stages(block, nobody), behind.respond, behind.later), packet, Channel("udp", "1")), behind


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
    assert dns.message.from_wire(answer).rcode() == 2
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
        chain = Chain(stages(block, nobody), behind.respond, resolve)
        for name in ("y.example.", "out.other."):
            answer = answered(chain, query(name), channel)
            if isinstance(answer, Coroutine):
                answer = await answer
            assert lines(answer) == [f"{name} 5 IN A 192.0.2.8"]


def test_a_block_has_a_stage_per_plugin_in_corednss_order_and_none_for_what_it_lacks() -> None:
    assert (
        stages(ServerBlock(forwards=(UPSTREAM,), cache=Cache(), whoami=True, errors=True, bufsize=1232), nobody) == []
    )
    block = ServerBlock(
        hosts=HOSTS,
        templates=(Template(rcode=3),),
        chaos=Chaos(),
        any=True,
        acls=(Acl(),),
        rewrites=(RULE,),
        bufsize=512,
        nsid="x",
        dns64=Dns64(),
        minimal=True,
        autopath=Autopath(search=("a.",)),
    )
    assert [type(stage).__name__.removesuffix("Stage").lower() for stage in stages(block, nobody)] == [
        *("nsid", "bufsize", "dns64", "rewrite", "acl", "any", "chaos", "autopath", "minimal", "template", "hosts")
    ]


def test_what_no_plugin_wants_goes_to_the_zones_with_a_look_by_each() -> None:
    class Counted:
        def __init__(self) -> None:
            self.looks = self.questions = 0

        def wants(self, packet: bytes, _end: int, _channel: Channel) -> bool:
            self.looks += 1
            return b"\2me" in packet

        def handle(self, asked: Query, following: Handle) -> Elsewhere:
            self.questions += 1
            return following(asked)

    one, other, behind = Counted(), Counted(), Behind()
    chain = Chain([one, other], behind.respond, behind.later)
    answered(chain, query("a.example."), Channel("udp", "1"))
    assert (one.looks, other.looks, one.questions, other.questions) == (1, 1, 0, 0)
    answered(chain, query("me.example."), Channel("udp", "1"))
    assert (one.questions, other.questions) == (1, 1)
    assert behind.asked == ["a.example.", "me.example."]


async def test_a_bug_in_a_plugin_is_a_servfail(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def wants(self, _packet: bytes, _end: int, _channel: Channel) -> bool:
            return True

        def handle(self, asked: Query, following: Handle) -> Elsewhere:
            def change(_: bytes) -> bytes:
                raise KeyError("a bug")

            return then(following(asked), change)

    behind = Behind()
    answer = answered(Chain([Broken()], behind.respond, behind.later), query("out.example."), Channel("udp", "1"))
    assert isinstance(answer, Coroutine)
    reply = await answer
    assert dns.message.from_wire(reply).rcode() == 2
    assert "a bug" in caplog.text
