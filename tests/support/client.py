"""dnspython as the independent client of a responder: questions to bytes, bytes to presentation form."""

from __future__ import annotations

from typing import NamedTuple

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from minidns.core.responder import Channel, Responder


class Said(NamedTuple):
    """An answer in presentation form: `owner ttl type rdata`, the SOA serial as SERIAL; sections in order."""

    rcode: str
    answer: list[str]
    authority: list[str]
    additional: list[str]


def query(
    name: str,
    type_: str = "A",
    *,
    edns: int | None = 4096,
    do: bool = False,
    options: tuple[dns.edns.Option, ...] = (),
    flags: str = "RD",
) -> bytes:
    """A question. edns: the size offered, None for a client without EDNS. flags: "RD CD AD" or fewer."""
    message = dns.message.make_query(name, type_)
    message.flags = dns.flags.from_text(flags)
    if edns is not None:
        message.use_edns(0, dns.flags.DO if do else 0, edns, options=list(options))
    return message.to_wire()


def parsed(reply: object) -> dns.message.Message:
    """The message of a reply, which dnspython has to find nothing wrong with."""
    assert isinstance(reply, bytes)
    return dns.message.from_wire(reply)


def ask(responder: Responder, name: str, type_: str = "A", *, transport: str = "tcp") -> dns.message.Message:
    """What a responder says, by default over TCP."""
    return parsed(responder.respond(query(name, type_), Channel(transport, "1")))


def said(message: dns.message.Message) -> Said:
    sections = [presentation(section) for section in (message.answer, message.authority, message.additional)]
    return Said(dns.rcode.to_text(message.rcode()), *sections)


def presentation(section: list[dns.rrset.RRset]) -> list[str]:
    lines = []
    for rrset in section:
        type_ = dns.rdatatype.to_text(rrset.rdtype)
        for rdata in rrset:
            text = str(rdata)
            if rrset.rdtype == dns.rdatatype.SOA:
                text = text.replace(f" {rdata.serial} ", " SERIAL ")
            lines.append(f"{rrset.name} {rrset.ttl} {type_} {text}")
    return lines


def explained(message: dns.message.Message) -> list[tuple[int, str]]:
    """Code and text of the Extended DNS Errors of a message."""
    return [
        (int(option.code), option.text or "") for option in message.options if isinstance(option, dns.edns.EDEOption)
    ]
