"""A whole message as records in sections, for plugins that make or change answers."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from minidns.core import records, wire
from minidns.core.packing import Packer
from minidns.core.wire import HEADER, MalformedError, Question
from minidns.plugins.forward import message
from minidns.plugins.forward.message import Message
from minidns.plugins.forward.reading import Reader, Record

#: What follows from question and transport: the other flags of an answer are its own.
_OWN_FLAGS = message.AA | message.RA | message.AD | message.TC


class Sections(NamedTuple):
    """An answer. flags: AA, RA, AD and TC. options: of its OPT record with their length in front."""

    rcode: int
    answer: Sequence[Record] = ()
    authority: Sequence[Record] = ()
    additional: Sequence[Record] = ()
    flags: int = 0
    options: bytes = wire.NO_OPTIONS


def read(packet: bytes) -> Sections:
    """The sections of an answer to one question, its OPT record left out. Raises MalformedError."""
    _, flags, questions, *counts = struct.unpack_from("!6H", packet)
    if questions != 1:
        raise MalformedError("not one question")
    start = wire.skip_name(packet, HEADER, pointers=False) + 4
    found = list(Reader(packet).records(start, sum(counts)))
    first, second = counts[0], counts[0] + counts[1]
    rcode, options = flags & 15, wire.NO_OPTIONS
    for record in found[second:]:
        if record.type == records.OPT:
            rcode |= (record.ttl >> 24) << 4
            options = len(record.rdata).to_bytes(2, "big") + record.rdata
    additional = [record for record in found[second:] if record.type != records.OPT]
    return Sections(rcode, found[:first], found[first:second], additional, flags & _OWN_FLAGS, options)


def write(sections: Sections, asked: Question, *, udp: bool) -> bytes:
    """The message that answers a question."""
    packer = Packer(asked.raw[:-4], HEADER + len(asked.raw))
    parts = (sections.answer, sections.authority, sections.additional)
    room = wire.TCP_SIZE
    for record in (record for part in parts for record in part):
        packer.record(record.owner, record.type, record.ttl, record.rdata, record.class_)
        if packer.length > room:
            break
    counts = len(parts[0]), len(parts[1]), len(parts[2])
    made = Message(sections.rcode, counts, b"".join(packer.pieces), authentic=bool(sections.flags & message.AD))
    flags = sections.flags & (message.AA | message.RA | message.TC)
    return message.reply(made, asked, udp=udp, options=sections.options, flags=flags)
