"""Who may ask for what."""

from __future__ import annotations

import ipaddress

import pytest

from minidns.config.plugins.acl import Acl, Action, Policy
from minidns.config.settings import ServerBlock
from minidns.core import names
from minidns.core.responder import Channel, Client, Forward
from minidns.plugins.acl import AclStage
from minidns.plugins.chain import Chain
from minidns.plugins.stages import stages

INSIDE = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))
ACLS = (
    Acl(
        zones=("secret.example.",),
        policies=(Policy(action=Action.ALLOW, networks=INSIDE), Policy(action=Action.BLOCK, types=frozenset((1,)))),
    ),
    Acl(policies=(Policy(action=Action.DROP, types=frozenset((28,))),)),
)


@pytest.mark.parametrize(
    ("name", "type_", "client", "action"),
    [
        ("secret.example", 1, "10.1.2.3", Action.ALLOW),
        ("a.secret.example", 1, "::ffff:10.1.2.3", Action.ALLOW),
        ("a.secret.example", 1, "fd00::1%eth0", Action.ALLOW),
        ("a.secret.example", 1, "192.0.2.1", Action.BLOCK),
        ("a.secret.example", 28, "192.0.2.1", Action.DROP),
        ("notsecret.example", 1, "192.0.2.1", Action.ALLOW),
        ("other.example", 28, "10.1.2.3", Action.DROP),
    ],
)
def test_the_first_policy_that_fits_counts(name: str, type_: int, client: str, action: Action) -> None:
    assert AclStage(ACLS).action(names.from_text(name), type_, client) is action


def test_a_name_with_a_zero_byte_in_it_does_not_slip_through() -> None:
    zones = names.from_text("secret.example")
    packet = b"\0\1\1\0\0\1" + bytes(6) + b"\2\0x" + zones + b"\0\1\0\1"
    block, channel = ServerBlock(acls=ACLS), Channel("udp", "1")

    def respond(_packet: bytes, _channel: Channel) -> bytes:
        return b"an answer of the zones"

    chain = Chain(stages(block, lambda _: None), respond, lambda *_: None)
    said = chain.respond(packet, channel)
    assert isinstance(said, Forward)
    reply = chain.resolve(packet, said, channel, Client("192.0.2.1", 53))
    assert isinstance(reply, bytes)
    assert reply[3] & 15 == 5
