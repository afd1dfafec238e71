"""Fronts: the zones of a block, blocks that share an address, and what is left for upstreams."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.rcode
import pytest

from minidns.config import corefile
from minidns.core.model import Change, Object, Upserted
from minidns.core.responder import Channel, Client, Exchange, Forward, Resolved
from minidns.front import BlockFront, Front, Router, guarded
from minidns.site import Site
from tests.support.client import explained, parsed, query
from tests.support.clusters import external, service
from tests.support.neighbours import free_port, knot
from tests.support.running import Running, eventually, minidns


def site(text: str, *objects: Object) -> Site:
    """A synced site of a Corefile."""
    made = Site(corefile.parse(text, env={}))
    changes: list[Change] = [Upserted(one) for one in objects]
    made.publish(changes)
    made.mark_synced()
    return made


def front_of(text: str, *objects: Object) -> Front:
    """The front of the one address that a Corefile listens on."""
    (front,) = site(text, *objects).by_address().values()
    return front


def asked(front: Front, name: str, type_: str = "A") -> bytes | Forward | None:
    return front.respond(query(name, type_), front.channel("tcp", "1"))


def answered(front: Front, name: str, type_: str = "A") -> list[str]:
    """The rcode, then the data of the answer section, sorted."""
    message = parsed(asked(front, name, type_))
    rcode = dns.rcode.to_text(message.rcode())
    return [rcode, *sorted(str(rdata) for rrset in message.answer for rdata in rrset)]


WEB = service("default/web", "10.96.0.1", ports="http:80")


def test_block_with_one_zone_has_nothing_in_front_of_its_responder() -> None:
    front = front_of(". {\n kubernetes cluster.local\n}", WEB)
    assert isinstance(front, BlockFront)
    assert front.respond == front.responders[0].respond
    assert answered(front, "web.default.svc.cluster.local") == ["NOERROR", "10.96.0.1"]
    assert answered(front, "example.com") == ["REFUSED"]


def test_several_cluster_zones_in_a_block() -> None:
    front = front_of(". {\n kubernetes cluster.local k8s.test in-addr.arpa\n}", WEB, external("default/out", "a.test"))
    for zone in ("cluster.local", "k8s.test"):
        assert answered(front, f"web.default.svc.{zone}") == ["NOERROR", "10.96.0.1"]
        assert answered(front, f"none.default.svc.{zone}") == ["NXDOMAIN"]
        assert answered(front, f"out.default.svc.{zone}") == ["NOERROR", "a.test."]
    assert answered(front, "1.0.96.10.in-addr.arpa", "PTR") == ["NOERROR", "web.default.svc.cluster.local."]
    assert answered(front, "example.com") == ["REFUSED"]


@pytest.mark.parametrize("forwards", ["", "forward . 127.0.0.1:1"])
async def test_an_alias_leads_from_one_zone_of_a_block_to_another(forwards: str) -> None:
    text = f". {{\n kubernetes cluster.local k8s.test\n {forwards}\n}}"
    there, back, nowhere = (
        external("default/there", "web.default.svc.k8s.test"),
        external("default/back", "there.default.svc.cluster.local"),
        external("default/nowhere", "none.default.svc.k8s.test"),
    )
    front = front_of(text, WEB, there, back, nowhere)
    channel = front.channel("udp", "1")
    for name, data in {
        "there.default.svc.cluster.local": ["NOERROR", "10.96.0.1", "web.default.svc.k8s.test."],
        "back.default.svc.k8s.test": [
            "NOERROR", "10.96.0.1", "there.default.svc.cluster.local.", "web.default.svc.k8s.test.",
        ],
        "nowhere.default.svc.cluster.local": ["NXDOMAIN", "none.default.svc.k8s.test."],
    }.items():  # fmt: skip
        said = asked(front, name)
        assert isinstance(said, Forward)
        message = parsed(front.resolve(query(name), said, channel, Client("127.0.0.1", 1)))
        found = sorted(str(rdata) for rrset in message.answer for rdata in rrset)
        assert [dns.rcode.to_text(message.rcode()), *found] == data
        assert message.answer[0].name == dns.name.from_text(name)


def test_longest_zone_wins() -> None:
    front = front_of(
        """
        cluster.local {
            kubernetes cluster.local
        }
        default.svc.cluster.local {
            kubernetes cluster.local {
                ttl 7
            }
        }
        example.test {
            forward . 192.0.2.53
        }
        """,
        WEB,
    )
    assert isinstance(front, Router)
    ttls = {
        name: parsed(asked(front, f"{name}.svc.cluster.local")).answer[0].ttl for name in ("web.default", "WEB.Default")
    }
    assert ttls == {"web.default": 7, "WEB.Default": 7}
    assert answered(front, "dns-version.cluster.local", "TXT") == ["NOERROR", '"1.1.0"']
    assert isinstance(asked(front, "www.example.test"), Forward)
    assert answered(front, "notexample.test") == ["REFUSED"]


def test_packets_that_are_no_questions_reach_no_zone() -> None:
    front = front_of("a.test {\n kubernetes cluster.local\n}\nb.test {\n kubernetes cluster.local\n}")
    channel = front.channel("udp", "1")
    question = query("web.default.svc.a.test")
    assert front.respond(b"\0" * 11, channel) is None
    assert front.respond(question[:2] + b"\x80" + question[3:], channel) is None
    assert parsed(front.respond(question[:-4], channel)).rcode() == dns.rcode.FORMERR
    assert parsed(front.respond(question[:4] + b"\0\2" + question[6:], channel)).rcode() == dns.rcode.FORMERR


def test_block_without_zone_of_its_own_leaves_all_to_upstreams() -> None:
    front = front_of(". {\n forward . 192.0.2.53\n}")
    assert isinstance(asked(front, "web.default.svc.cluster.local"), Forward)


def test_fallthrough_is_for_blocks_that_forward() -> None:
    options = "kubernetes cluster.local in-addr.arpa {\n fallthrough in-addr.arpa\n }"
    alone = front_of(f". {{\n {options}\n}}", WEB)
    assert answered(alone, "9.9.9.10.in-addr.arpa", "PTR") == ["NXDOMAIN"]
    forwarding = front_of(f". {{\n {options}\n forward . 192.0.2.53\n}}", WEB)
    assert isinstance(asked(forwarding, "9.9.9.10.in-addr.arpa", "PTR"), Forward)
    assert answered(forwarding, "1.0.96.10.in-addr.arpa", "PTR") == ["NOERROR", "web.default.svc.cluster.local."]
    assert answered(forwarding, "none.default.svc.cluster.local") == ["NXDOMAIN"]


def test_channel_made_by_another_front_is_answered_on() -> None:
    made = site(". {\n kubernetes cluster.local\n}", WEB)
    channel = Channel("udp", "1")
    for front in made.fronts:
        front.adopt(channel)
    made.mark_stale("of yesterday")
    reply = parsed(made.fronts[0].respond(query("web.default.svc.cluster.local"), channel))
    assert explained(reply) == [(3, "of yesterday")]


BLOCKS = """
.:0 {{
    bind 127.0.0.1
    forward . 127.0.0.1:{upstream}
    log
}}
cluster.local:0 10.96.0.0/16 {{
    bind 127.0.0.1
    kubernetes cluster.local 10.96.0.0/16 {{
        ttl 7
    }}
}}
refused.test:0 {{
    bind 127.0.0.1
    kubernetes cluster.local 10.96.0.0/16 {{
        ttl 7
    }}
    log . {{
        class denial error
    }}
}}
"""


@pytest.fixture(scope="module", params=["1", "2"])
def blocks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A process with three blocks on one port, before Knot."""
    folder = tmp_path_factory.mktemp("blocks")
    (folder / "web.yaml").write_text(
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {clusterIP: 10.96.7.7}"
    )
    with knot(folder) as upstream:
        (folder / "Corefile").write_text(BLOCKS.replace("/16 {{", "/16:0 {{", 1).format(upstream=upstream))
        arguments = ["--conf", str(folder / "Corefile"), "--manifests", str(folder / "web.yaml")]
        with minidns(*arguments, "--workers", request.param) as running:
            yield running


def test_blocks_of_a_process(blocks: Running) -> None:
    assert len(blocks.listening) == 1
    for _ in range(8):
        assert blocks.ask("web.default.svc.cluster.local").answer[0].ttl == 7
        assert blocks.addresses("a.example.test") == ["192.0.2.1"]
        assert blocks.addresses("chain.example.test", "AAAA")[-1] == "middle.example.test."
        assert "status: REFUSED" in blocks.dig("www.refused.test")
        assert "web.default.svc.cluster.local." in blocks.dig("-x", "10.96.7.7")


REWRITES = """
.:0 {{
    bind 127.0.0.1
    forward . 127.0.0.1:{other}
}}
foo.test:0 {{
    bind 127.0.0.1
    rewrite name suffix .foo.test. .example.test. answer auto
    forward . 127.0.0.1:{upstream}
}}
"""


def test_the_block_is_chosen_once_by_the_name_that_came(tmp_path: Path) -> None:
    """The new name belongs to another block, which has no part in the answer."""
    with knot(tmp_path) as upstream:
        (tmp_path / "Corefile").write_text(REWRITES.format(upstream=upstream, other=free_port()))
        with minidns("--conf", str(tmp_path / "Corefile")) as running:
            assert running.addresses("a.foo.test") == ["192.0.2.1"]
            assert str(running.ask("A.Foo.test").answer[0].name) == "A.Foo.test."
            assert running.addresses("chain.foo.test", "CNAME") == ["middle.foo.test."]


def test_rewrite_out_of_the_only_block(tmp_path: Path) -> None:
    """As the documentation of AKS has it: the block's own zone does not hold the new name."""
    with knot(tmp_path) as upstream:
        block = (
            REWRITES.format(upstream=upstream, other=0).partition("}\n")[2].replace("name suffix", "stop name suffix")
        )
        (tmp_path / "Corefile").write_text(block)
        with minidns("--conf", str(tmp_path / "Corefile")) as running:
            assert running.addresses("a.foo.test") == ["192.0.2.1"]
            assert running.ask("a.example.test").rcode() == dns.rcode.REFUSED


def test_query_log_of_the_blocks_that_ask_for_it(blocks: Running) -> None:
    blocks.dig("logged.example.test")
    blocks.dig("not-logged.default.svc.cluster.local")
    blocks.dig("+nocookie", "+tcp", "logged.Refused.test", "TXT")
    eventually(lambda: blocks.said("logged.example.test."))
    eventually(lambda: blocks.said("logged.refused.test."))
    assert not blocks.said("not-logged")
    assert not blocks.said("dns.cluster.local")
    line = next(line for line in blocks.lines if "logged.refused.test." in line)
    assert re.fullmatch(
        r'\[INFO\] 127\.0\.0\.1:\d+ - \d+ "TXT IN logged\.refused\.test\. tcp \d+ false \d+" '
        r"REFUSED qr,rd \d+ 0\.\d+s",
        line,
    ), line


def test_a_bug_before_the_zones_is_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    """It must not take the other packets of its batch with it."""

    def broken(packet: bytes, channel: Channel) -> bytes:
        raise LookupError(f"{len(packet)} {channel.transport}")

    reply = guarded(broken)(query("web.default.svc.cluster.local."), Channel("udp", "1"))
    assert parsed(reply).rcode() == dns.rcode.SERVFAIL
    assert "LookupError" in caplog.text


def behind(front: Front, name: str, type_: str = "A", *, edns: int | None = None, resolved: Resolved = "no") -> str:
    """Who is said to have answered, and why, to a client that may be one without EDNS."""
    packet = query(name, type_, edns=edns)
    channel = front.channel("udp", "1")
    answer = front.respond(packet, channel)
    if isinstance(answer, Forward):
        answer = packet[:2] + b"\x81\x83" + packet[4:]  # an upstream's NXDOMAIN
    assert answer is not None
    by, reason = front.behind(Exchange(packet, answer, CLIENT, "127.0.0.1", "udp", 0.0, resolved))
    return f"{by}: {reason}"


CLIENT = Client("10.0.0.1", 4711)
ALONE = "outside of every zone served here, and no forwarder is configured"


def test_who_is_behind_an_answer_and_why(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("192.0.2.1 printer.example.org\n")
    front = front_of(
        f"""
        . {{
            kubernetes cluster.local
            hosts {tmp_path / "hosts"} {{
                fallthrough
            }}
            rewrite name exact short.test web.default.svc.cluster.local
            forward . 127.0.0.1:9
        }}
        """,
        WEB,
    )
    missing = "zone: Service default/web has 0 endpoints, none of that name"
    assert behind(front, "web.default.svc.cluster.local") == "zone: "
    assert behind(front, "a.web.default.svc.cluster.local") == missing
    assert behind(front, "a.web.default.svc.cluster.local", edns=1232) == missing
    assert behind(front, "printer.example.org") == "hosts: "
    assert behind(front, "short.test", "AAAA") == "zone: Service default/web has IPv4 addresses only"
    assert behind(front, "example.com", resolved="at once") == "cache: "
    assert behind(front, "example.com", resolved="later") == "upstream: "


def test_who_is_behind_a_refusal() -> None:
    front = front_of("cluster.local {\n kubernetes cluster.local\n}", WEB)
    assert isinstance(front, Router)
    assert behind(front, "example.com") == f"zone: {ALONE}"
    packet = query("web.default.svc.cluster.local")[:20]
    answer = front.respond(packet, front.channel("udp", "1"))
    assert isinstance(answer, bytes)
    exchange = Exchange(packet, answer, CLIENT, "127.0.0.1", "udp", 0.0)
    assert front.behind(exchange) == ("zone", "")
    (block,) = site(". {\n kubernetes cluster.local\n}", WEB).fronts
    assert behind(block, "example.com") == f"zone: {ALONE}"
    assert block.behind(exchange) == ("zone", "")
    notify = packet[:2] + b"\x20" + query("web.default.svc.cluster.local")[3:]
    refused = block.respond(notify, block.channel("udp", "1"))
    assert isinstance(refused, bytes)
    assert block.behind(Exchange(notify, refused, CLIENT, "127.0.0.1", "udp", 0.0)) == ("zone", "")
