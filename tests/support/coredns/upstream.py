"""The upstream that the recorded questions were forwarded to: two small zones, and names that it makes up.

Below stub.test., by how the name begins, the questions for it counted per name and type:
  count        TTL 5: A 203.0.113.N, TXT "N" for the Nth question; count60 the same with TTL 60
  once         the first question: 203.0.113.200 with TTL 1, SERVFAIL later; onceslow is not answered later
  fail1st      SERVFAIL first, then A 203.0.113.N
  servfail, refused, notimp, formerr, nxdomain    that rcode
  noerr-nosoa  no record at all; drop is not answered
  big          TXT: 20 records of 100 bytes; proto TXT: over what the question came; show TXT: what it looked like
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import cast

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.message import Message
from dns.rcode import Rcode

_RCODES = {"servfail": Rcode.SERVFAIL, "refused": Rcode.REFUSED, "notimp": Rcode.NOTIMP, "formerr": Rcode.FORMERR}
Rows = dict[str, list[tuple[int, str]]]


class Upstream(asyncio.DatagramProtocol):
    """Answers on one port of 127.0.0.1 over UDP and TCP, between `open` and `close`."""

    def __init__(self, zone: Path) -> None:
        self.port = 0
        self._counts: Counter[tuple[str, str]] = Counter()
        self._records: dict[str, Rows] = {}
        for line in zone.read_text().splitlines():
            if line and not line.startswith(";"):
                name, ttl, rdtype, rdata = line.split(None, 3)
                self._records.setdefault(name, {}).setdefault(rdtype, []).append((int(ttl), rdata))
        self._transport: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", port))
        self._server = await asyncio.start_server(self._stream, "127.0.0.1", port)
        self.port = port

    def close(self) -> None:
        if self._transport:
            self._transport.close()
        if self._server:
            self._server.close()
        for task in self._tasks:
            task.cancel()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = self._answer(data, "udp")
        if reply and self._transport:
            self._transport.sendto(reply, addr)

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        with suppress(asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            while True:
                data = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
                if reply := self._answer(data, "tcp"):
                    writer.write(len(reply).to_bytes(2, "big") + reply)
        writer.close()
        self._tasks.discard(task)

    def _answer(self, wire: bytes, transport: str) -> bytes | None:
        query = dns.message.from_wire(wire)
        message = dns.message.make_response(query, our_payload=1232)
        message.flags |= dns.flags.AA | dns.flags.RA
        owner = query.question[0].name.to_text()
        if owner.lower().endswith(".stub.test."):
            done = self._made_up(query, message, owner, transport)
            if done is None:
                return None
            if done:
                return _packed(message, query, transport)
        self._from_zone(query, message, owner)
        return _packed(message, query, transport)

    def _made_up(self, query: Message, message: Message, owner: str, transport: str) -> bool | None:
        """Whether the name is one of those made up; None when there is to be no answer."""
        rdtype = dns.rdatatype.to_text(query.question[0].rdtype)
        first = owner.lower().partition(".")[0]
        self._counts[owner.lower(), rdtype] += 1
        number = self._counts[owner.lower(), rdtype]

        def add(ttl: int, *rdata: str) -> bool:
            message.answer.append(dns.rrset.from_text_list(owner, ttl, "IN", rdtype, list(rdata)))
            return True

        if first.startswith("count") and rdtype in ("A", "TXT"):
            ttl = 60 if first.startswith("count60") else 5
            return add(ttl, f"203.0.113.{number}" if rdtype == "A" else f'"{number}"')
        if first.startswith("once") and number > 1:
            message.set_rcode(Rcode.SERVFAIL)
            return None if first.startswith("onceslow") else True
        if first.startswith("once") and rdtype == "A":
            return add(1, "203.0.113.200")
        if first.startswith("fail1st"):
            if number == 1:
                message.set_rcode(Rcode.SERVFAIL)
            return number == 1 or rdtype != "A" or add(5, f"203.0.113.{number}")
        for word, rcode in _RCODES.items():
            if first.startswith(word):
                message.set_rcode(rcode)
                return True
        if first.startswith(("nxdomain", "count", "once")):
            self._soa(message, owner.lower())
            if first.startswith("nxdomain"):
                message.set_rcode(Rcode.NXDOMAIN)
            return True
        if first.startswith("drop"):
            return None
        if rdtype == "TXT" and first.startswith("big"):
            return add(300, *[f'"{at:03d}{"x" * 97}"' for at in range(20)])
        if rdtype == "TXT" and first.startswith("proto"):
            return add(300, f'"{transport}"')
        if rdtype == "TXT" and first.startswith("show"):
            return add(300, f'"{_shown(query, owner)[:250]}"')
        return first.startswith("noerr-nosoa")

    def _rrset(self, name: str, rdtype: str, owner: str) -> dns.rrset.RRset | None:
        rows = self._records.get(name, {}).get(rdtype)
        return dns.rrset.from_text_list(owner, rows[0][0], "IN", rdtype, [text for _, text in rows]) if rows else None

    def _find(self, name: str) -> str | None:
        """The name that holds the records of a name: itself or a wildcard."""
        labels = name.split(".")
        wildcards = ["*." + ".".join(labels[at:]) for at in range(1, len(labels) - 1)]
        return next((known for known in (name, *wildcards) if known in self._records), None)

    def _soa(self, message: Message, name: str) -> bool:
        zones = [zone for zone, rows in self._records.items() if "SOA" in rows and f".{name}".endswith(f".{zone}")]
        if not zones:
            message.set_rcode(Rcode.REFUSED)
            return False
        zone = max(zones, key=len)
        soa = self._rrset(zone, "SOA", zone)
        assert soa
        message.authority.append(soa)
        return True

    def _from_zone(self, query: Message, message: Message, owner: str) -> None:
        name, rdtype = owner.lower(), dns.rdatatype.to_text(query.question[0].rdtype)
        here = self._find(name)
        if here is None:
            below = any(known.endswith("." + name) for known in self._records)
            if self._soa(message, name) and not below:
                message.set_rcode(Rcode.NXDOMAIN)
            return
        for _ in range(8):
            rrset = self._rrset(here, rdtype, owner) if here else None
            alias = self._rrset(here, "CNAME", owner) if here and rrset is None and rdtype != "CNAME" else None
            if alias is None:
                break
            message.answer.append(alias)
            name = owner = alias[0].target.to_text()
            here = self._find(name)
        if rrset is None:
            if self._soa(message, name) and here is None:
                message.set_rcode(Rcode.NXDOMAIN)
            return
        message.answer.append(rrset)
        field = {"SRV": "target", "MX": "exchange"}.get(rdtype)
        for target in [getattr(rdata, field).to_text() for rdata in rrset] if field else []:
            for type_ in ("A", "AAAA"):
                if found := self._rrset(target, type_, target):
                    message.additional.append(found)


def _shown(query: Message, owner: str) -> str:
    options = " ".join(f"{int(one.otype)}={(one.to_wire() or b'').hex()}" for one in query.options) or "-"
    edns = query.edns if query.edns >= 0 else "none"
    do = int(bool(query.ednsflags & dns.flags.DO))
    class_ = dns.rdataclass.to_text(query.question[0].rdclass)
    return f"{owner} {class_} edns={edns} payload={query.payload} do={do} opts={options}"


def _packed(message: Message, query: Message, transport: str) -> bytes:
    size = 65535 if transport == "tcp" else max(512, query.payload if query.edns >= 0 else 512)
    try:
        return message.to_wire(max_size=size)
    except dns.exception.TooBig:
        message.answer, message.authority, message.additional = [], [], []
        message.flags |= dns.flags.TC
        return message.to_wire()
