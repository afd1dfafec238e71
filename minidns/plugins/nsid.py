"""`nsid`: which server it was, for clients that ask for it (RFC 5001)."""

from __future__ import annotations

import struct

from minidns.core import records
from minidns.core.responder import Channel, Elsewhere
from minidns.core.wire import HEADER, OPT_SIZE
from minidns.plugins import sections
from minidns.plugins.chain import Handle, Query, then

_NSID = 3


class NsidStage:
    """Adds the option to answers whose questions had it."""

    def __init__(self, text: str) -> None:
        raw = text.encode()
        self._option = struct.pack("!HH", _NSID, len(raw)) + raw

    def wants(self, packet: bytes, end: int, _: Channel) -> bool:
        return len(packet) > end + 5 + OPT_SIZE

    def handle(self, query: Query, following: Handle) -> Elsewhere:
        if not _asks(query.packet[HEADER + len(query.asked.raw) :]):
            return following(query)

        def with_option(packet: bytes) -> bytes:
            said = sections.read(packet)
            options = said.options[2:] + self._option
            said = said._replace(options=len(options).to_bytes(2, "big") + options)
            return sections.write(said, query.asked, udp=query.udp)

        return then(following(query), with_option)


def _asks(tail: bytes) -> bool:
    """Whether the OPT record behind a question has the option."""
    if tail[:3] != b"\0" + records.OPT.to_bytes(2, "big"):
        return False
    at = OPT_SIZE
    while at + 4 <= len(tail):
        code, length = struct.unpack_from("!HH", tail, at)
        if code == _NSID:
            return True
        at += 4 + length
    return False
