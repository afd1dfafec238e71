"""UDP beside TCP clients that mean harm: `python -m benchmarks.hostile`, minidns and Knot in the same run.

Core 0 is the server's. On core 1 dnsperf asks over UDP, a steady 5,000 questions a second, while an attacker, a process
of lower priority (dnsperf is to be held up by nobody), keeps up to 300 connections to the server full, each from a
loopback address of its own. Bounded: ROUNDS of SECONDS for each attack and server, the medians count; MOST bytes.
"""

from __future__ import annotations

import argparse
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import monotonic

import dns.message
from rich.console import Console
from rich.table import Table

from benchmarks import cluster, servers
from benchmarks.measuring import paced
from benchmarks.processes import started
from benchmarks.servers import Server, StartError
from benchmarks.works import WORKS
from minidns.cli import bench

CORE, ROUNDS, SECONDS, MOST = 1, 3, 3.0, 8 << 30
#: Questions per second over UDP; so many may wait before dnsperf sends fewer (it begins with all of them at once). Lost
#: is what was not answered of the RATE * SECONDS that should have been sent.
RATE, OUTSTANDING = 5000, 100
LOST, P99 = 0.01, 0.020
READ = 1 << 20
_SERVICE, _WIDE = cluster.service_name(0), cluster.headless_name("wide", 0)


@dataclass(frozen=True, slots=True)
class Attack:
    """`connections`, each of which sends `message`, pipelined, as fast as the server takes it."""

    text: str
    connections: int = 0
    message: bytes = b""


def _framed(name: str, type_: str, options: int = 0) -> bytes:
    query = dns.message.make_query(name, type_, use_edns=False).to_wire()
    if options:
        query = query[:11] + b"\1" + query[12:]
        query += b"\0\0\x29\4\xd0\0\0\0\0" + (4 * options).to_bytes(2, "big") + b"\xfd\xe9\0\0" * options
    return len(query).to_bytes(2, "big") + query


ATTACKS = {
    "none": Attack("nobody else asks"),
    "srv": Attack("200 connections, SRV of 100 endpoints", 200, _framed(f"_sql._tcp.{_WIDE}", "SRV")),
    "options": Attack("20 connections, messages of 16,300 EDNS options", 20, _framed(_SERVICE, "A", 16300)),
    "plain": Attack("300 connections, A of a Service", 300, _framed(_SERVICE, "A")),
}


class Attacker:
    """The clients of one attack, in one process, until SECONDS are over. A connection that is closed comes again."""

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


def main() -> int:
    arguments = _arguments()
    if arguments.attack:
        os.nice(19)
        print(Attacker(ATTACKS[arguments.attack], arguments.port).run(SECONDS + 1))
        return 0
    missing = [name for name in ("dnsperf", "taskset") if shutil.which(name) is None]
    if missing or len(os.sched_getaffinity(0)) < 2:
        print(f"missing: {', '.join(missing) or 'a second core'} (apt install dnsperf util-linux)", file=sys.stderr)
        return 2
    os.sched_setaffinity(0, {CORE})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    table = _table()
    try:
        with tempfile.TemporaryDirectory() as folder:
            for row in _rows(Path(folder), arguments):
                table.add_row(*row)
    except (StartError, bench.BenchError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    Console(width=120).print(table)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hostile", description="UDP beside TCP clients that mean harm, minidns and Knot."
    )
    parser.add_argument("--only", default="minidns,knot", metavar="SERVERS", help="which servers (minidns,knot)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="of minidns, all on the one core (1)")
    parser.add_argument("--python", default=sys.executable, metavar="PATH", help="what runs minidns")
    parser.add_argument("--attack", choices=[*ATTACKS], help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.only = arguments.only.split(",")
    return arguments


def _table() -> Table:
    target = f"lost < {LOST:.0%}, p99 < {P99 * 1e3:g} ms"
    made = Table(title=f"{RATE:,} queries/s over UDP, {ROUNDS} times {SECONDS:g} s each. Target: {target}")
    for number, column in enumerate(("beside", "server", "lost", "mean ms", "p99 ms", "TCP, MB/s", "target")):
        made.add_column(column, justify="left" if number < 2 else "right")
    return made


def _rows(folder: Path, arguments: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    questions = WORKS["hot"].file(folder)
    with servers.running(folder, arguments.only, arguments.python, arguments.workers) as (running, _):
        for name, attack in ATTACKS.items():
            rounds = [[_under(name, server, questions) for server in running] for _ in range(ROUNDS)]
            for server, measured in zip(running, zip(*rounds, strict=True), strict=True):
                lost, mean, p99, answers = (median(values) for values in zip(*measured, strict=True))
                figures = (f"{lost:.2%}", f"{mean * 1e3:.2f}", f"{p99 * 1e3:.2f}", f"{answers / 1e6:.1f}")
                yield attack.text, server.name, *figures, "met" if lost < LOST and p99 < P99 else "missed"


def _under(name: str, server: Server, questions: Path) -> tuple[float, float, float, float]:
    """UDP under an attack: the share that is lost, mean and p99 in seconds; and the attack's answers in bytes/s."""
    command = [sys.executable, "-m", "benchmarks.hostile", "--attack", name, "--port", str(server.port)]
    with started(command) as attacker:
        found = paced(WORKS["hot"], questions, server, RATE, SECONDS, OUTSTANDING)
        assert attacker.stdout
        answers = int(attacker.stdout.readline() or 0) / (SECONDS + 1)
    return max(0.0, 1 - (found.sent - found.lost) / (RATE * SECONDS)), found.mean, found.p99, answers


if __name__ == "__main__":
    sys.exit(main())
