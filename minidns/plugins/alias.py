"""An alias of the zone whose target is elsewhere: its CNAME records, then what an upstream says about the target."""

from __future__ import annotations

from collections.abc import Sequence

from minidns.core import records
from minidns.core.packing import Packer
from minidns.core.records import Rrset
from minidns.core.wire import HEADER, Question
from minidns.plugins.forward import message
from minidns.plugins.forward.message import Message
from minidns.plugins.forward.reading import Reader


def target_of(chain: Sequence[Rrset], asked: Question) -> Question:
    """The question for the end of a chain of aliases, with the flags and EDNS of the client's."""
    name = chain[-1].rdata[0].lower()
    return asked._replace(raw=name + asked.raw[-4:], name=name)


def joined(
    chain: Sequence[Rrset],
    asked: Question,
    target: Question,
    answer: Message,
    age: int,
    bounds: tuple[int, int],
    room: int,
) -> Message:
    """The answer to the client: its rcode is that of the target's (RFC 6604, 3). Raises MalformedError.

    answer: what there is of the target, with `age` and `bounds` as `message.reply` takes them; they are applied here.
    room: bytes that the client takes. Records are joined until there are more than that: such an answer is not sent.
    A target that nobody here may ask about leaves the aliases alone, and the rest to the client.
    """
    start = HEADER + len(asked.raw)
    packer = Packer(asked.raw[:-4], start)
    for rrset in chain:
        packer.record(rrset.owner, rrset.type, rrset.ttl, rrset.rdata[0])
    whole = bytes(HEADER) + target.raw + answer.body
    for number, record in enumerate(Reader(whole).records(HEADER + len(target.raw), sum(answer.counts))):
        ttl = message.left(answer.ttls[number][1], age, bounds) if answer.ttls else record.ttl
        packer.record(record.owner, record.type, ttl, record.rdata, record.class_)
        if start + packer.length > room:
            break
    rcode = records.NOERROR if answer.rcode == records.REFUSED else answer.rcode
    counts = (len(chain) + answer.counts[0], *answer.counts[1:])
    # AA speaks of the first name of the answer (RFC 1035, 4.1.1), and that is the zone's.
    return Message(
        rcode, counts, b"".join(packer.pieces), authentic=answer.authentic, authoritative=True, errors=answer.errors
    )
