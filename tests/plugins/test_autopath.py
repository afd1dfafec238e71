"""The search list of a pod, walked by the server: whose it is, and what of it a question needs."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import dns.message
import dns.rcode

from minidns.config.plugins.autopath import Autopath
from minidns.config.settings import Kubernetes, PodMode, ServerBlock
from minidns.core.model import Deleted, Namespace, Object, Pod, Upserted
from minidns.core.responder import Client, Forward
from minidns.core.schema import ZoneSettings
from minidns.front import BlockFront
from tests.support.clusters import pod, service, zone_of

BLOCK = ServerBlock(kubernetes=Kubernetes(pods=PodMode.VERIFIED), autopath=Autopath(kubernetes=True))
OBJECTS = (Namespace("a"), Namespace("b"), service("b/web", "10.96.0.1"), pod("a/client", "192.0.2.1"))


def front_of(*objects: Object) -> BlockFront:
    return BlockFront(BLOCK, [zone_of(*objects, settings=ZoneSettings(pods=PodMode.VERIFIED))])


async def ask(front: BlockFront, name: str, client: str = "192.0.2.1") -> tuple[int, list[str]]:
    """The rcode, and the answer section."""
    channel = front.channel("udp", "1")
    packet = dns.message.make_query(name, "A").to_wire()
    said: Any = front.respond(packet, channel)
    if isinstance(said, Forward):
        said = front.resolve(packet, said, channel, Client(client, 53))
    if isinstance(said, Coroutine):
        said = await said
    message = dns.message.from_wire(said)
    return message.rcode(), [str(rrset) for rrset in message.answer]


FOUND = [
    "web.b.a.svc.cluster.local. 5 IN CNAME web.b.svc.cluster.local.",
    "web.b.svc.cluster.local. 5 IN A 10.96.0.1",
]


async def test_the_list_is_walked_for_the_pod_that_asks_and_for_nobody_else() -> None:
    front = front_of(*OBJECTS)
    assert await ask(front, "web.b.a.svc.cluster.local") == (0, FOUND)
    assert await ask(front, "web.b.svc.cluster.local") == (0, FOUND[1:])
    assert await ask(front, "web.b.a.svc.cluster.local", "192.0.2.2") == (dns.rcode.NXDOMAIN, [])
    # The rest of the list is for the first element alone, and nobody here has names outside.
    assert await ask(front, "web.b.b.svc.cluster.local") == (dns.rcode.NXDOMAIN, [])
    assert await ask(front, "example.org.a.svc.cluster.local") == (dns.rcode.NXDOMAIN, [])


async def test_an_address_leads_to_the_pod_that_has_it_now() -> None:
    front = front_of(*OBJECTS)
    zone = front.zones[0]
    zone.apply(Deleted(Pod, ("a", "client")))
    assert await ask(front, "web.b.a.svc.cluster.local") == (dns.rcode.NXDOMAIN, [])
    zone.apply(Upserted(pod("c/other", "192.0.2.1")))
    zone.apply(Upserted(Namespace("c")))
    assert await ask(front, "web.b.a.svc.cluster.local") == (dns.rcode.NXDOMAIN, [])
    assert (await ask(front, "web.b.c.svc.cluster.local"))[0] == dns.rcode.NOERROR
    # Two pods of one node share its address: each is in its own namespace.
    zone.apply(Upserted(pod("a/again", "192.0.2.1")))
    assert await ask(front, "web.b.a.svc.cluster.local") == (0, FOUND)
