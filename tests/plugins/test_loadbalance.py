"""`loadbalance` with `prefer`."""

from __future__ import annotations

import dns.message
import pytest

from minidns.config import corefile
from minidns.core.responder import Client, Forward
from minidns.site import Site
from tests.support.client import parsed, query

TEXT = """
. {
    loadbalance {
        prefer 192.0.2.64/26 2001:db8::/32 192.0.2.0/28
    }
    template IN A a.example {
        answer "{{ .Name }} 1 IN A 198.51.100.1"
        answer "{{ .Name }} 1 IN A 192.0.2.1"
        answer "{{ .Name }} 1 IN A 192.0.2.70"
        answer "{{ .Name }} 1 IN A 192.0.2.65"
    }
    template IN A b.example {
        answer "b.example 1 IN CNAME c.example"
        answer "c.example 1 IN A 198.51.100.1"
        answer "c.example 1 IN A 192.0.2.1"
    }
    template IN TXT a.example {
        answer "a.example 1 IN TXT b" "a.example 1 IN TXT a"
    }
}
"""


@pytest.mark.parametrize(
    ("name", "type_", "data"),
    [
        ("a.example", "A", ["192.0.2.70", "192.0.2.65", "192.0.2.1", "198.51.100.1"]),
        ("b.example", "A", ["c.example.", "192.0.2.1", "198.51.100.1"]),
        ("a.example", "TXT", ['"b"', '"a"']),
    ],
)
async def test_addresses_of_preferred_networks_come_first(name: str, type_: str, data: list[str]) -> None:
    (front,) = Site(corefile.parse(TEXT, env={})).by_address().values()
    channel = front.channel("udp", "1")
    packet = query(name, type_)
    said = front.respond(packet, channel)
    assert isinstance(said, Forward)
    answer = front.resolve(packet, said, channel, Client("127.0.0.1", 1))
    message = parsed(await answer if not isinstance(answer, bytes) else answer)  # type: ignore[misc]
    assert in_order(message) == data


def in_order(message: dns.message.Message) -> list[str]:
    """The data of the answer section as it stands there: dnspython gathers records of a set in their order."""
    return [str(rdata) for rrset in message.answer for rdata in rrset]
