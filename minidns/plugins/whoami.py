"""`whoami`: the client's own address and port, for questions that nobody else answers."""

from __future__ import annotations

import struct

from minidns.core import names, records
from minidns.core.responder import Channel, Client
from minidns.core.wire import Question
from minidns.plugins import sections
from minidns.plugins.cache import Shown
from minidns.plugins.forward.message import AA
from minidns.plugins.forward.reading import Record
from minidns.plugins.sections import Sections


def answer(asked: Question, channel: Channel, client: Client, flags: int, shown: Shown) -> bytes:
    """The address as A or AAAA, the port as SRV, both in the additional section. flags: beside AA."""
    own = asked.raw[:-4]
    address = names.packed_address(client.address.partition("%")[0])
    type_ = records.A if len(address) == 4 else records.AAAA
    label = b"\4_" + channel.transport.encode()
    found = [Record(own, type_, 1, 0, address)]
    if len(label) + len(own) <= names.MAX_NAME:
        found.append(Record(label + own, records.SRV, 1, 0, struct.pack("!HHH", 0, 0, client.port) + names.ROOT))
    said = Sections(records.NOERROR, additional=found, flags=AA | flags)
    return sections.write(shown.sections(asked.name, said), asked, udp=channel.transport == "udp")
