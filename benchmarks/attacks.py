"""What clients that mean harm do to a server: over TCP, over HTTP, and with costly questions over UDP.

`python -m benchmarks.attacks NAME PORT SECONDS` is one of those over TCP or HTTP, in a process of its own.
"""

from __future__ import annotations

import os
import select
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

import dns.message

from benchmarks import cluster

#: Bytes that an attack sends at most, and reads at a time.
MOST, READ = 8 << 30, 1 << 20
#: Questions over UDP that wait for an answer at most.
WAITING = 20
#: Names that no run comes to the end of.
NAMES = 200_000
_SERVICE, _WIDE = cluster.service_name(0), cluster.headless_name("wide", 0)
_LABELS = ".".join("b" * 125)
_MINIDNS, _BOTH, _FORWARDING = ("minidns", "apart"), ("minidns", "apart", "knot"), ("minidns", "apart", "unbound")


@dataclass(frozen=True, slots=True)
class Attack:
    """`connections`, each of which sends `message`, pipelined, as fast as the server takes it; or `questions` over UDP,
    lines for dnsperf, WAITING of them at once.

    servers: that it is meant for. admin: the connections are to the admin port. churn: the cluster changes meanwhile.
    """

    text: str
    connections: int = 0
    message: bytes = b""
    questions: Callable[[], Iterator[str]] | None = None
    servers: tuple[str, ...] = _BOTH
    admin: bool = False
    churn: bool = False


def _framed(name: str, type_: str, options: int = 0) -> bytes:
    query = dns.message.make_query(name, type_, use_edns=False).to_wire()
    if options:
        query = query[:11] + b"\1" + query[12:]
        query += b"\0\0\x29\4\xd0\0\0\0\0" + (4 * options).to_bytes(2, "big") + b"\xfd\xe9\0\0" * options
    return len(query).to_bytes(2, "big") + query


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def _again(line: str) -> Callable[[], Iterator[str]]:
    return lambda: iter([line])


ATTACKS = {
    "none": Attack("nobody else asks", servers=(*_BOTH, "unbound")),
    "srv": Attack("200 connections, SRV of 100 endpoints", 200, _framed(f"_sql._tcp.{_WIDE}", "SRV")),
    "options": Attack("20 connections, messages of 16,300 EDNS options", 20, _framed(_SERVICE, "A", 16300)),
    "plain": Attack("300 connections, A of a Service", 300, _framed(_SERVICE, "A")),
    "upstream": Attack(
        "an upstream that sends 63 KB of pointers over TCP",
        questions=lambda: (f"n{number}.hostile.test A" for number in range(NAMES)),
        servers=_FORWARDING,
    ),
    "regex": Attack(
        "26 letters that backtrack in rewrite name regex",
        questions=lambda: (f"{'a' * 26}.x{number}.{cluster.ZONE} A" for number in range(NAMES)),
        servers=("rewriting", "knot"),
    ),
    "alias": Attack("alias of 5,000 endpoints", questions=_again(f"{cluster.ALIAS_NAME} A")),
    "direct": Attack("the 5,000 endpoints themselves", questions=_again(f"{cluster.HUGE_NAME} A")),
    "labels": Attack("125 labels, outside: cached", questions=_again(f"{_LABELS} A"), servers=_FORWARDING),
    "outside": Attack("2 labels, outside: cached", questions=_again("b.b A"), servers=_FORWARDING),
    "zone": Attack("2 connections, GET /zone", 2, _get("/zone"), servers=_MINIDNS, admin=True),
    "explain": Attack(
        "8 connections, GET /explain with a search list",
        8,
        _get("/explain?name=nobody.team-1&from=team-2"),
        servers=_MINIDNS,
        admin=True,
    ),
    "watch": Attack(
        "90 readers of /watch, 500 changes/s", 90, _get("/watch"), servers=_MINIDNS, admin=True, churn=True
    ),
}


class Attacker:
    """The clients of one attack over TCP. A connection that is closed comes again."""

    def __init__(self, attack: Attack, port: int) -> None:
        self._port = port
        self._data = attack.message * max(1, (128 << 10) // len(attack.message))
        self._epoll = select.epoll()
        self._clients: dict[int, tuple[socket.socket, str, int]] = {}
        self.sent = self.received = 0
        for number in range(attack.connections):
            self._connect(f"127.0.{1 + number // 250}.{1 + number % 250}")

    def run(self, seconds: float) -> int:
        """Attack; returns the bytes of answers that came."""
        deadline, room = monotonic() + seconds, bytearray(READ)
        while monotonic() < deadline and self.sent < MOST:
            for number, events in self._epoll.poll(0.1):
                client, address, at = self._clients[number]
                try:
                    if events & select.EPOLLIN:
                        self.received += (got := client.recv_into(room))
                        if not got:
                            raise ConnectionResetError
                    if events & select.EPOLLOUT:
                        sent = client.send(memoryview(self._data)[at:])
                        self.sent += sent
                        self._clients[number] = client, address, (at + sent) % len(self._data)
                except BlockingIOError:
                    pass
                except OSError:
                    self._epoll.unregister(number)
                    del self._clients[number]
                    client.close()
                    self._connect(address)
        return self.received

    def _connect(self, address: str) -> None:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind((address, 0))
        client.setblocking(False)
        with suppress(BlockingIOError):
            client.connect(("127.0.0.1", self._port))
        self._clients[client.fileno()] = client, address, 0
        self._epoll.register(client, select.EPOLLIN | select.EPOLLOUT)


if __name__ == "__main__":
    name, port, seconds = sys.argv[1:]
    os.nice(19)
    print(Attacker(ATTACKS[name], int(port)).run(float(seconds)))
