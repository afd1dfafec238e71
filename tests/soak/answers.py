"""Whether a server answers as one that was started now: its zones record by record, its answers one by one."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from tests.soak.api import EVERYTHING
from tests.soak.secondary import ZONES
from tests.soak.world import PATIENCE
from tests.support.client import query
from tests.support.running import Running

TYPES = ("A", "AAAA", "SRV", "TXT", "PTR")
#: Connections that each question is asked on: the kernel chooses a worker for each, and one for all once in 128.
CONNECTIONS = 8
Rows = set[tuple[str, int, str, str]]


def zone_file(running: Running, origin: str) -> Rows:
    """What the server says is in a zone, but for the SOA, whose serial is each server's own."""
    found = set()
    for line in running.get(f"/zone?origin={origin}").splitlines():
        owner, ttl, _, type_, data = line.split(" ", 4)
        if type_ != "SOA":
            rrset = dns.rrset.from_text(owner, int(ttl), "IN", type_, data)
            found.add((str(rrset.name), int(ttl), type_, str(rrset[0])))
    return found


def zones(running: Running) -> dict[str, Rows]:
    return {zone: zone_file(running, zone) for zone in ZONES}


def unlike(right: Rows, rows: Rows, who: str) -> Iterator[str]:
    """What only one of them has."""
    yield from (f"{who} lacks {row}" for row in sorted(right - rows))
    yield from (f"{who} alone has {row}" for row in sorted(rows - right))


def compare(running: Running, fresh: Running) -> tuple[int, list[str]]:
    """How many answers were compared, and those that are not the fresh server's: of every worker, to every name."""
    names = {row[0] for rows in zones(fresh).values() for row in rows} | {f"{name}." for name in EVERYTHING}
    compared, found = 0, []
    with _asking(fresh.port, 1) as right, _asking(running.port, CONNECTIONS) as served:
        for name in sorted(names):
            for type_ in TYPES:
                packet = query(name, type_)
                (reply,) = _asked(right, packet)
                expected = told(reply)
                for answer in _asked(served, packet):
                    compared += 1
                    # Most are alike to the last byte, and need no reading.
                    if answer != reply and (said := told(answer)) != expected:
                        found.append(f"{name} {type_} is {said}, and {expected} of a fresh server")
    return compared, found


def told(answer: bytes) -> tuple[str, frozenset[tuple[str, int, str, str]]]:
    """Rcode and records in any order, but for the SOA."""
    said = dns.message.from_wire(answer)
    rows = frozenset(
        (str(rrset.name), rrset.ttl, dns.rdatatype.to_text(rrset.rdtype), str(rdata))
        for rrset in (*said.answer, *said.authority, *said.additional)
        if rrset.rdtype != dns.rdatatype.SOA
        for rdata in rrset
    )
    return dns.rcode.to_text(said.rcode()), rows


@contextmanager
def _asking(port: int, count: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE)) for _ in range(count)]


def _asked(connections: Iterable[socket.socket], packet: bytes) -> list[bytes]:
    for connection in connections:
        connection.sendall(len(packet).to_bytes(2, "big") + packet)
    return [_exactly(one, int.from_bytes(_exactly(one, 2), "big")) for one in connections]


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = connection.recv(size - len(data))
        if not chunk:
            raise ConnectionResetError("closed while it was asked")
        data += chunk
    return data
