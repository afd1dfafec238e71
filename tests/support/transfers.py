"""An independent secondary: dnspython reads what a server block sends, and applies it."""

from __future__ import annotations

from collections.abc import Iterator

import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.rrset
import dns.serial
import dns.tsig
import dns.zone

from minidns.config import corefile
from minidns.core.responder import Client, Forward
from minidns.front import BlockFront
from minidns.site import Site
from minidns.views import zonefile

#: Records as `owner ttl type rdata`.
Lines = set[str]

COREFILE = """
. {
  kubernetes cluster.local in-addr.arpa ip6.arpa
  transfer {
    to 127.0.0.1
  }
}
"""


def site(text: str = COREFILE) -> Site:
    """An empty, synced site."""
    made = Site(corefile.parse(text, env={}))
    made.mark_synced()
    return made


def front_of(made: Site) -> BlockFront:
    (front,) = made.fronts
    return front


def asked(front: BlockFront, packet: bytes, *, transport: str = "tcp", client: str = "127.0.0.1") -> list[bytes]:
    """Every message that a block answers with."""
    channel = front.channel(transport, "1")
    said = front.respond(packet, channel)
    reply = front.resolve(packet, said, channel, Client(client, 5353)) if isinstance(said, Forward) else said
    if isinstance(reply, bytes):
        return [reply]
    assert isinstance(reply, Iterator)
    return [message for message in reply if message]


def question(origin: str, serial: int | None = None) -> dns.message.Message:
    """AXFR, or IXFR from a serial."""
    message = dns.message.make_query(origin, "AXFR" if serial is None else "IXFR", flags=0)
    if serial is not None:
        soa = f"ns.{origin} hostmaster.{origin} {serial} 0 0 0 0"
        message.authority.append(dns.rrset.from_text(origin, 0, "IN", "SOA", soa))
    return message


def rows(messages: list[bytes]) -> list[tuple[str, dns.rrset.RRset]]:
    """Each record of the answer sections, in order: its line, and itself."""
    found = []
    for wire in messages:
        for rrset in dns.message.from_wire(wire, xfr=True, one_rr_per_rrset=True).answer:
            text = f"{rrset.name} {rrset.ttl} {dns.rdatatype.to_text(rrset.rdtype)} {rrset[0]}"
            found.append((text.replace("\\@", "@"), rrset))
    return found


class Secondary:
    """A zone that follows a server block by transfers. incremental: how many of them were."""

    def __init__(self, front: BlockFront, origin: str) -> None:
        self._front = front
        self.origin = origin
        self.lines: Lines = set()
        self.serial: int | None = None
        self.incremental = 0

    def transfer(self) -> None:
        """Ask for what is new, and apply it as RFC 1995, 4 and RFC 5936 have it: nothing removed that is not there,
        nothing added that is."""
        query = question(self.origin, self.serial)
        found = rows(asked(self._front, query.to_wire()))
        (first, soa), (last, _) = found[0], found[-1]
        assert first == last
        serial = soa[0].serial
        if len(found) == 1:
            assert serial == self.serial
            return
        if found[1][1].rdtype == dns.rdatatype.SOA:
            self._apply(found)
            self.incremental += 1
        else:
            lines = [line for line, _ in found[:-1]]
            assert len(set(lines)) == len(lines)
            self.lines = set(lines)
        self.serial = serial

    def _apply(self, found: list[tuple[str, dns.rrset.RRset]]) -> None:
        removing = False
        for line, rrset in found[1:-1]:
            if rrset.rdtype == dns.rdatatype.SOA:
                removing = not removing
                assert not removing or rrset[0].serial == self.serial
            if removing:
                self.lines.remove(line)
            else:
                assert line not in self.lines
                self.lines.add(line)
        assert not removing


def zone_lines(made: Site, origin: str) -> Lines:
    """The zone as `minidns zone` prints it, in the form of `Lines`."""
    name = dns.name.from_text(origin).to_wire()
    assert name is not None
    zone = next(zone for zone in made.zones if name in zone.origins)
    text = "".join(zonefile.pieces(zone, name))
    found = set()
    for line in text.splitlines():
        owner, ttl, _, type_, rdata = line.split(" ", 4)
        rrset = dns.rrset.from_text(owner, int(ttl), "IN", type_, rdata)
        found.add(f"{rrset.name} {ttl} {type_} {rrset[0]}")
    return found
