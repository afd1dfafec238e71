"""Resource record types, rcodes, and an rrset as the core passes it on."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from typing import NamedTuple

from minidns.core import names
from minidns.core.names import Name

A, NS, CNAME, SOA, PTR, HINFO, MX, TXT, AAAA, SRV, OPT, HTTPS = 1, 2, 5, 6, 12, 13, 15, 16, 28, 33, 41, 65
IXFR, AXFR, ANY = 251, 252, 255

TYPES = {
    A: "A", NS: "NS", CNAME: "CNAME", SOA: "SOA", PTR: "PTR", HINFO: "HINFO", MX: "MX",
    TXT: "TXT", AAAA: "AAAA", SRV: "SRV", HTTPS: "HTTPS", IXFR: "IXFR", AXFR: "AXFR", ANY: "ANY",
}  # fmt: skip
TYPE_NUMBERS = {text: number for number, text in TYPES.items()}

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = 0, 1, 2, 3, 4, 5
BADVERS = 16
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 16: "BADVERS"}


class Rrset(NamedTuple):
    """All records of one owner and type: class IN, rdata in uncompressed wire form, each once."""

    owner: Name
    type: int
    ttl: int
    rdata: tuple[bytes, ...]


#: A name with some of its records, as `bodies`.
Owned = tuple[Name, Sequence[bytes]]


def type_text(number: int) -> str:
    """The mnemonic of a type, TYPE12345 (RFC 3597, 5) for others."""
    return TYPES.get(number, f"TYPE{number}")


def srv(weight: int, port: int, target: Name) -> bytes:
    """The rdata of an SRV record with priority 0 (RFC 2782)."""
    return struct.pack("!HHH", 0, weight, port) + target


def bodies(type_: int, ttl: int, rdata: Sequence[bytes]) -> list[bytes]:
    """Records of class IN as the bytes behind their owner (RFC 1035, 3.2.1)."""
    head = struct.pack("!HHI", type_, 1, ttl)
    heads = {length: head + length.to_bytes(2, "big") for length in set(map(len, rdata))}
    return [heads[len(one)] + one for one in rdata]


def character_string(text: str) -> bytes:
    """One character-string of TXT and HINFO rdata (RFC 1035, 3.3)."""
    raw = text.encode()
    return bytes((len(raw),)) + raw


def rdata_text(type_: int, rdata: bytes) -> str:
    """The rdata of the types that minidns holds, as a zone file has it."""
    match type_:
        case 1:
            return socket.inet_ntop(socket.AF_INET, rdata)
        case 28:
            return socket.inet_ntop(socket.AF_INET6, rdata)
        case 33:
            priority, weight, port = struct.unpack_from("!HHH", rdata)
            return f"{priority} {weight} {port} {names.to_text(rdata[6:])}"
        case 2 | 5 | 12:
            return names.to_text(rdata)
        case 6:
            mname = sum(len(label) + 1 for label in names.labels(rdata)) + 1
            numbers = " ".join(map(str, struct.unpack("!5I", rdata[-20:])))
            return f"{names.to_text(rdata[:mname])} {names.to_text(rdata[mname:-20])} {numbers}"
        case _:
            return " ".join(f'"{string.decode("latin-1")}"' for string in _character_strings(rdata))


def _character_strings(rdata: bytes) -> list[bytes]:
    found = []
    while rdata:
        found.append(rdata[1 : rdata[0] + 1])
        rdata = rdata[rdata[0] + 1 :]
    return found


def to_text(rrset: Rrset) -> list[str]:
    """The records in zone-file text, one line each: `owner ttl IN type rdata`."""
    owner = names.to_text(rrset.owner)
    return [f"{owner} {rrset.ttl} IN {TYPES[rrset.type]} {rdata_text(rrset.type, rdata)}" for rdata in rrset.rdata]
