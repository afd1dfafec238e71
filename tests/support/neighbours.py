"""Other name servers on loopback: a real Knot with a zone, and one that answers whatever a test makes up."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import cast

import dns.exception
import dns.message
import dns.query

ZONE = "example.test."
#: `broken.test.` has no zone file, so Knot answers SERVFAIL for it.
ZONE_TEXT = f"""
$ORIGIN {ZONE}
$TTL 300
@       3600 IN SOA ns hostmaster 1 7200 1800 86400 60
@               NS  ns
ns              A   127.0.0.1
a               A   192.0.2.1
a               AAAA 2001:db8::1
short       1   A   192.0.2.2
zero        0   A   192.0.2.3
chain           CNAME middle
middle          CNAME a
txt             TXT "{"x" * 200}" "{"y" * 200}" "{"z" * 200}"
_sip._tcp       SRV 1 2 5060 a
mx              MX  10 a
away            CNAME elsewhere.invalid.
""" + "".join(f"many A 198.51.100.{last}\n" for last in range(1, 121))

CONFIG = """
server:
    rundir: "{folder}"
    listen: [ "127.0.0.1@{port}", "::1@{port}" ]
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "{folder}"
log:
  - target: stderr
    any: warning
zone:
"""


def free_port() -> int:
    """A port that was free for UDP and TCP on both loopback addresses a moment ago."""
    while True:
        with (
            socket.socket() as tcp,
            socket.socket(type=socket.SOCK_DGRAM) as udp,
            socket.socket(socket.AF_INET6) as six,
        ):
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            with suppress(OSError):
                udp.bind(("127.0.0.1", port))
                six.bind(("::1", port))
                return port


@contextmanager
def knot(folder: Path) -> Iterator[int]:
    """A Knot DNS that serves ZONE_TEXT from `folder`; its port on 127.0.0.1 and ::1."""
    (folder / "zone").write_text(ZONE_TEXT)
    with knot_with(folder, {"example.test": "zone", "broken.test": "none"}) as port:
        yield port


@contextmanager
def knot_with(folder: Path, zones: Mapping[str, str]) -> Iterator[int]:
    """A Knot DNS that serves zones from their files in `folder`, once it answers for the first; its port."""
    program = shutil.which("knotd", path="/usr/sbin:/usr/local/sbin:/usr/bin:/sbin")
    assert program, "these tests need Knot DNS: apt-get install knot"
    served = "".join(f'  - domain: {zone}\n    file: "{folder / file}"\n' for zone, file in zones.items())
    for _ in range(3):
        port = free_port()
        (folder / "knot.conf").write_text(CONFIG.format(folder=folder, port=port) + served)
        process = subprocess.Popen([program, "-c", str(folder / "knot.conf")], stderr=subprocess.PIPE)
        try:
            if _wait_until_answers(port, next(iter(zones)), process):
                yield port
                return
        finally:
            process.terminate()
            _, errors = process.communicate(timeout=20)
    raise AssertionError(f"knotd does not start: {errors.decode()}")


def _wait_until_answers(port: int, zone: str, process: subprocess.Popen[bytes]) -> bool:
    query = dns.message.make_query(zone, "SOA")
    deadline = monotonic() + 20
    while monotonic() < deadline and process.poll() is None:
        with suppress(OSError, dns.exception.DNSException):
            if dns.query.udp(query, "127.0.0.1", port=port, timeout=0.5).answer:
                return True
        sleep(0.02)
    return False


#: Gets a question and "udp" or "tcp"; what it returns is sent back, packet by packet.
Script = Callable[[bytes, str], list[bytes]]


class Scripted(asyncio.DatagramProtocol):
    """A name server whose answers are made up by a function.

    seen: (packet, transport) of each question. clients: where the datagrams came from. connections: accepted so far;
    `all_gone` is set while none of them is open.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.seen: list[tuple[bytes, str]] = []
        self.clients: list[tuple[str, int]] = []
        self.port = 0
        self.arrived = asyncio.Event()
        #: While this is not set, answers wait.
        self.open = asyncio.Event()
        self.open.set()
        self._transport: asyncio.DatagramTransport | None = None
        self.connections = 0
        self.all_gone = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.clients.append(addr)
        self._note(data, "udp")
        task = asyncio.create_task(self._answer(data, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, data: bytes, addr: tuple[str, int]) -> None:
        await self.open.wait()
        for packet in self.script(data, "udp"):
            assert self._transport
            self._transport.sendto(packet, addr)

    async def stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        self.all_gone.clear()
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                data = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
                self._note(data, "tcp")
                await self.open.wait()
                for packet in self.script(data, "tcp"):
                    writer.write(len(packet).to_bytes(2, "big") + packet)
                await writer.drain()
        writer.close()
        self._writers.discard(writer)
        if not self._writers:
            self.all_gone.set()

    def hang_up(self) -> None:
        """Close all connections."""
        for writer in self._writers:
            writer.close()

    def _note(self, data: bytes, transport: str) -> None:
        self.seen.append((data, transport))
        self.arrived.set()


@asynccontextmanager
async def scripted(script: Script, *, tcp: bool = True, tls: ssl.SSLContext | None = None) -> AsyncIterator[Scripted]:
    """A Scripted server on a free port of 127.0.0.1, over UDP and, unless told otherwise, TCP (with TLS)."""
    port = free_port()
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(lambda: Scripted(script), local_addr=("127.0.0.1", port))
    server.port = port
    listener = await asyncio.start_server(server.stream, "127.0.0.1", port, ssl=tls) if tcp else None
    try:
        yield server
    finally:
        transport.close()
        server.hang_up()
        if listener:
            listener.close()
            await listener.wait_closed()


def certificate(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate for a host name: its file, and a server's context with it."""
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    return cert, context


def answer_to(query: bytes, *records: str, rcode: int = 0) -> bytes:
    """The right answer to a query, with records in zone-file form in its answer section."""
    response = dns.message.make_response(dns.message.from_wire(query), recursion_available=True)
    response.set_rcode(dns.rcode.Rcode(rcode))
    for record in records:
        owner, ttl, type_, rdata = record.split(maxsplit=3)
        response.answer.append(dns.rrset.from_text(owner, int(ttl), "IN", type_, rdata))
    return response.to_wire()
