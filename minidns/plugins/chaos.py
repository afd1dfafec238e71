"""`chaos`: version, authors and machine, asked for in class CH."""

from __future__ import annotations

import socket

from minidns.config.plugins.chaos import Chaos
from minidns.core import names, records
from minidns.core.responder import Channel, Elsewhere
from minidns.plugins import sections
from minidns.plugins.chain import Handle, Query
from minidns.plugins.forward.reading import Record
from minidns.plugins.sections import Sections

_CHAOS = 3


class ChaosStage:
    """Answers the names that BIND made known."""

    def __init__(self, options: Chaos) -> None:
        machine = (socket.gethostname(),)
        texts = {
            "version.bind": (options.version,),
            "version.server": (options.version,),
            "authors.bind": options.authors,
            "hostname.bind": machine,
            "id.server": machine,
        }
        self._texts = {names.from_text(name): tuple(map(_txt, some)) for name, some in texts.items()}

    def wants(self, packet: bytes, end: int, _: Channel) -> bool:
        return packet[end + 3 : end + 5] == _CHAOS.to_bytes(2, "big")

    def handle(self, query: Query, following: Handle) -> Elsewhere:
        asked = query.asked
        found = self._texts.get(asked.name) if asked.class_ == _CHAOS and asked.type == records.TXT else None
        if found is None:
            return following(query)
        answer = [Record(asked.raw[:-4], records.TXT, _CHAOS, 0, text) for text in found]
        return sections.write(Sections(records.NOERROR, answer), asked, udp=query.udp)


def _txt(text: str) -> bytes:
    """The data of a TXT record: as many strings of 255 bytes as it takes."""
    raw = text.encode()
    parts = [raw[at : at + 255] for at in range(0, len(raw), 255)] or [b""]
    return b"".join(bytes((len(part),)) + part for part in parts)
