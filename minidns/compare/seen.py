"""An answer as it is compared: the records of each section in zone-file text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset

from minidns.core import records
from minidns.core.answers import Answer
from minidns.core.records import Rrset

#: Types whose data are names and numbers that minidns writes by itself.
_OURS = frozenset(records.TYPES) - {records.MX, records.HTTPS, records.IXFR, records.AXFR, records.ANY}
#: TTLs and the SOA minimum up to which a negative answer says the same (difference 7).
SHORT = 5


class UnreadableError(Exception):
    """A message that is no answer; the text says why."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer.

    rcode: its mnemonic. Each record is "owner ttl TYPE rdata" in lower case; the serial of an SOA record is the word
    SERIAL.
    """

    rcode: str
    answer: frozenset[str] = frozenset()
    authority: frozenset[str] = frozenset()
    additional: frozenset[str] = frozenset()


#: The rcode of no answer at all.
SILENCE = Seen("no answer")


def of_answer(answer: Answer) -> Seen:
    """What minidns answers from the objects."""
    sections = (answer.answer, answer.authority, answer.additional)
    return Seen(records.RCODES[answer.rcode], *map(of_rrsets, sections))


def of_rrsets(rrsets: Iterable[Rrset]) -> frozenset[str]:
    """The records of minidns, each as it is compared."""
    lines = (line.split(" ", 4) for rrset in rrsets for line in records.to_text(rrset))
    return frozenset(record_text(owner, ttl, type_, rdata) for owner, ttl, _class, type_, rdata in lines)


def of_message(packet: bytes) -> tuple[Seen, bool]:
    """What a server answered, and whether it was truncated. Raises UnreadableError."""
    try:
        message = dns.message.from_wire(packet)
    except (dns.exception.DNSException, ValueError, LookupError) as error:
        raise UnreadableError(str(error) or type(error).__name__) from None
    sections = (message.answer, message.authority, message.additional)
    rcode = records.RCODES.get(int(message.rcode()), f"RCODE{int(message.rcode())}")
    return Seen(rcode, *(frozenset(_theirs(section)) for section in sections)), bool(message.flags & dns.flags.TC)


def _theirs(section: Iterable[dns.rrset.RRset]) -> Iterable[str]:
    for rrset in section:
        owner, type_ = str(rrset.name), int(rrset.rdtype)
        for rdata in rrset:
            # One way to write data on both sides: ours.
            text = records.rdata_text(type_, rdata.to_wire() or b"") if type_ in _OURS else str(rdata)
            yield record_text(owner, str(rrset.ttl), records.type_text(type_), text)


def record_text(owner: str, ttl: str, type_: str, rdata: str) -> str:
    """One record as it is compared."""
    if type_ not in ("TXT", "HINFO"):
        rdata = rdata.lower()
    if type_ == "SOA":
        fields = rdata.split()
        rdata = " ".join([*fields[:2], "SERIAL", *fields[3:]])
    return f"{owner.lower()} {ttl} {type_} {rdata}"


def plain(record: str) -> str:
    """The record without what a cache counts down and what is a setting: its TTL, and the minimum of an SOA record
    where that is short."""
    owner, _ttl, type_, rdata = record.split(" ", 3)
    if type_ == "SOA":
        rest, _, minimum = rdata.rpartition(" ")
        rdata = f"{rest} {minimum if int(minimum) > SHORT else 'SHORT'}"
    return f"{owner} {type_} {rdata}"


def owner_of(record: str) -> str:
    return record.partition(" ")[0]


def type_of(record: str) -> str:
    return record.split(" ", 3)[2]


def rdata_of(record: str) -> str:
    return record.split(" ", 3)[3]
