"""`bufsize`: no client is taken at its word about more bytes than these (RFC 6891, 6.2.5)."""

from __future__ import annotations

from minidns.core import wire
from minidns.core.responder import Channel, Elsewhere
from minidns.plugins.chain import Handle, Query

#: Behind a question: root, OPT.
_OPT = b"\0\0\x29"


class BufsizeStage:
    """Lowers the size in the OPT record of questions."""

    def __init__(self, size: int) -> None:
        self._size = size

    @staticmethod
    def matters(size: int | None) -> bool:
        """Whether anything has to be done for that size: no UDP answer is longer than 1232 bytes in any case."""
        return size is not None and size < wire.UDP_SIZE

    def wants(self, packet: bytes, end: int, channel: Channel) -> bool:
        return (
            channel.transport == "udp"
            and packet[end + 5 : end + 8] == _OPT
            and int.from_bytes(packet[end + 8 : end + 10], "big") > self._size
        )

    def handle(self, query: Query, following: Handle) -> Elsewhere:
        asked, end = query.asked, wire.HEADER + len(query.asked.raw)
        at = end + len(_OPT)
        if asked.edns is None or asked.edns.size <= self._size or query.packet[end:at] != _OPT:
            return following(query)
        packet = query.packet[:at] + self._size.to_bytes(2, "big") + query.packet[at + 2 :]
        edns = asked.edns._replace(size=self._size)
        return following(query._replace(packet=packet, asked=asked._replace(edns=edns)))
