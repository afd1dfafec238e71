"""`any`: a question for all records of a name gets one that tells of RFC 8482 instead."""

from __future__ import annotations

from minidns.core import records
from minidns.core.responder import Channel, Elsewhere
from minidns.plugins import sections
from minidns.plugins.chain import Handle, Query
from minidns.plugins.forward.reading import Record
from minidns.plugins.sections import Sections

_TYPE = records.ANY.to_bytes(2, "big")
_TTL = 8482
_TEXT = records.character_string("ANY obsoleted") + records.character_string("See RFC 8482")


class AnyStage:
    """Answers every question for ANY."""

    def wants(self, packet: bytes, end: int, _: Channel) -> bool:
        return packet[end + 1 : end + 3] == _TYPE

    def handle(self, query: Query, following: Handle) -> Elsewhere:
        if query.asked.type != records.ANY:
            return following(query)
        record = Record(query.asked.raw[:-4], records.HINFO, 1, _TTL, _TEXT)
        return sections.write(Sections(records.NOERROR, (record,)), query.asked, udp=query.udp)
