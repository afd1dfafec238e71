"""An alias of the zone whose target is elsewhere: its CNAME records, then what an upstream says about the target."""

from __future__ import annotations

from collections.abc import Sequence

import dnslib

from minidns.core import names, records
from minidns.core.records import CNAME, Rrset
from minidns.core.wire import HEADER, MalformedError, Question
from minidns.plugins.forward import message
from minidns.plugins.forward.message import Message


def target_of(chain: Sequence[Rrset], asked: Question) -> Question:
    """The question for the end of a chain of aliases, with the flags and EDNS of the client's."""
    name = chain[-1].rdata[0].lower()
    return asked._replace(raw=name + asked.raw[-4:], name=name)


def joined(chain: Sequence[Rrset], asked: Question, target: Question, answer: Message) -> Message:
    """The answer to the client: its rcode is that of the target's (RFC 6604, 3). Raises MalformedError.

    A target that nobody here may ask about leaves the aliases alone, and the rest to the client.
    """
    packet = message.reply(answer, target._replace(edns=None), udp=False)
    try:
        record = dnslib.DNSRecord.parse(packet)
        record.questions = [dnslib.DNSQuestion(_label(asked.raw[:-4]), asked.type, asked.class_)]
        aliases = [
            dnslib.RR(_label(rrset.owner), CNAME, 1, rrset.ttl, dnslib.CNAME(_label(rrset.rdata[0]))) for rrset in chain
        ]
        record.rr = aliases + record.rr
        packed = bytes(record.pack())
    except Exception as error:  # dnslib lets errors of many kinds through
        raise MalformedError(str(error)) from error
    whole = message.answer(packed, HEADER + len(asked.raw))
    rcode = records.NOERROR if answer.rcode == records.REFUSED else answer.rcode
    return Message(rcode, whole.counts, whole.body, whole.ttls, whole.ttl, answer.authentic)


def _label(name: bytes) -> dnslib.DNSLabel:
    return dnslib.DNSLabel(tuple(names.labels(name)))
