"""`minimal`: answers without what nobody asked for."""

from __future__ import annotations

from minidns.core import records
from minidns.core.responder import Channel, Elsewhere
from minidns.plugins import sections
from minidns.plugins.chain import Handle, Query, then


class MinimalStage:
    """Leaves authority and additional sections out of answers that have an answer section."""

    def wants(self, _packet: bytes, _end: int, _channel: Channel) -> bool:
        return True

    def handle(self, query: Query, following: Handle) -> Elsewhere:
        def without(packet: bytes) -> bytes:
            if not any(packet[6:8]) or packet[3] & 15 != records.NOERROR or not any(packet[8:12]):
                return packet
            said = sections.read(packet)
            if not said.authority and not said.additional:
                return packet
            return sections.write(said._replace(authority=(), additional=()), query.asked, udp=query.udp)

        return then(following(query), without)
