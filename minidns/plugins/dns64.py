"""`dns64`: a name without an IPv6 address gets one for each of its IPv4 addresses (RFC 6147)."""

from __future__ import annotations

from minidns.config.plugins.dns64 import Dns64
from minidns.core import records
from minidns.core.responder import Channel, Elsewhere
from minidns.plugins import sections
from minidns.plugins.asking import Ask, lookup, settled
from minidns.plugins.chain import Handle, Query
from minidns.plugins.forward.reading import Record

_IPV6 = "2"
_AAAA = records.AAAA.to_bytes(2, "big") + b"\0\1"
#: TTL of a made address in seconds, where no SOA record says how long there is none (RFC 6147, 5.1.7).
_TTL = 600


class Dns64Stage:
    """Makes addresses for clients that ask over IPv6, or for all of them."""

    def __init__(self, options: Dns64, ask: Ask) -> None:
        self._options, self._ask = options, ask

    def wants(self, packet: bytes, end: int, channel: Channel) -> bool:
        return packet[end + 1 : end + 5] == _AAAA and (self._options.allow_ipv4 or channel.family == _IPV6)

    def handle(self, query: Query, following: Handle) -> Elsewhere:
        if not self.wants(query.packet, query.end, query.channel):
            return following(query)
        return self._translated(query, following)

    async def _translated(self, query: Query, following: Handle) -> bytes | None:
        packet = await settled(following(query))
        if packet is None:
            return None
        said = sections.read(packet)
        has_address = any(record.type == records.AAAA for record in said.answer)
        if said.rcode == records.NXDOMAIN or (has_address and not self._options.translate_all):
            return packet
        found = await lookup(self._ask, query, query.asked.raw[:-4], records.A)
        if found is None:
            return packet
        limit = next((record.ttl for record in said.authority if record.type == records.SOA), _TTL)
        answer = [self._made(record, limit) if record.type == records.A else record for record in found.answer]
        return sections.write(found._replace(answer=answer, flags=0), query.asked, udp=query.udp)

    def _made(self, record: Record, limit: int) -> Record:
        address = embedded(self._options, record.rdata)
        return record._replace(type=records.AAAA, ttl=min(record.ttl, limit), rdata=address)


def embedded(options: Dns64, address: bytes) -> bytes:
    """The IPv6 address with an IPv4 one in it; its bits 64 to 71 stay zero (RFC 6052, 2.2)."""
    length = options.prefix.prefixlen // 8
    made = options.prefix.network_address.packed[:length] + address
    made = made if length == 12 else made[:8] + b"\0" + made[8:]
    return made.ljust(16, b"\0")
