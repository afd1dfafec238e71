"""`minidns ask`: asks a DNS server, over UDP and where an answer is cut off over TCP, and reads what it says."""

from __future__ import annotations

import argparse
import secrets
import shlex
import socket
import struct
import time
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from minidns.config.values import UsageError, number, split_port
from minidns.core import records, wire
from minidns.core.names import Name
from minidns.core.why import shown
from minidns.explain import parse_name, parse_type, usual_type
from minidns.explain.behind import number as number_of
from minidns.explain.question import name_text
from minidns.explain.text import table
from minidns.views import told
from minidns.views.dissection import Dissection, dissect

#: Seconds that an answer may take, and how often a question is sent over UDP.
PATIENCE, TRIES = 2.0, 2
_RD = 0x0100
_LARGEST = 65535


class Server(NamedTuple):
    """Whom to ask."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def add_arguments(parser: argparse.ArgumentParser, server: str) -> None:
    parser.add_argument("name", help="whole, or an address for its PTR record")
    parser.add_argument("type", nargs="?", help="A by default")
    parser.add_argument("--server", default=server, metavar="HOST[:PORT]", help=f"whom to ask ({server})")
    parser.add_argument("--tcp", action="store_true", help="over TCP from the start")
    parser.add_argument("--no-edns", action="store_true", help="as in 1987: 512 bytes at most, and no reason")
    parser.add_argument("--bytes", action="store_true", help="take the answer apart, byte by byte")
    parser.add_argument("--dig", action="store_true", help="show the dig command that asks the same")


def run(arguments: argparse.Namespace) -> int:
    """0 when there are records, 1 when there are none. Raises UsageError when nobody answers."""
    if not arguments.name:
        raise UsageError("NAME is empty: name what is to be asked for")
    try:
        name = parse_name(arguments.name)
        type_ = parse_type(arguments.type) if arguments.type else usual_type(name)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if type_ in (records.AXFR, records.IXFR):
        raise UsageError("a zone transfer is many messages: minidns zone prints a zone, dig AXFR transfers it")
    server = _server(arguments.server)
    console = Console(highlight=False)
    if arguments.dig:
        _say(console, _dig(server, name, type_, arguments))
    tcp, why = arguments.tcp, ""
    while True:
        answer, message = _asked(console, server, name, type_, tcp=tcp, edns=not arguments.no_edns, why=why)
        if tcp or not told.truncated(message):
            break
        fit = len(told.lines(message, "ANSWER"))
        _say(console, f"  cut off (TC) behind {number_of(fit, 'record')}: the whole answer is to be had over TCP")
        tcp, why = True, ", because the answer over UDP was cut off"
    _tell(console, message, records.type_text(type_), name)
    if arguments.bytes:
        for title, rows in told.dump(message, answer):
            table(console, title, rows)
    return 0 if told.lines(message, "ANSWER") else 1


def _tell(console: Console, message: Dissection, type_: str, name: Name) -> None:
    outcome = told.outcome(message, type_)
    style = "bold green" if told.lines(message, "ANSWER") else "bold red"
    console.print(Text(outcome, style), soft_wrap=True)
    if message.problem:
        _say(console, f"  it cannot be read to its end: {message.problem}")
    table(console, "flags", told.flags(message))
    for section in ("ANSWER", "AUTHORITY", "ADDITIONAL"):
        table(console, section.lower(), told.rows(message, section))
    table(console, "why", [(reason,) for reason in told.reasons(message)])
    if kept := told.kept(message):
        _say(console, kept)
    short = len(name_text(name).split(".")) < 3
    if short and told.rcode_of(message) in ("NXDOMAIN", "REFUSED", "SERVFAIL"):
        _say(console, "a name is asked for as it is here; in a pod the search list completes it:")
        _say(console, f"  minidns explain {shlex.quote(shown(name_text(name)))} --from default")


def _asked(
    console: Console, server: Server, name: Name, type_: int, *, tcp: bool, edns: bool, why: str
) -> tuple[bytes, Dissection]:
    transport = "TCP" if tcp else "UDP"
    question = f"{name_text(name)} {records.type_text(type_)}"
    console.print(Text.assemble((f"{question}", "bold"), f" asked of {server} over {transport}{why}"), soft_wrap=True)
    opt = struct.pack("!BHHIH", 0, records.OPT, wire.UDP_SIZE, 0, 0) if edns else b""
    packet = struct.pack("!6H", secrets.randbelow(1 << 16), _RD, 1, 0, 0, edns) + name + struct.pack("!HH", type_, 1)
    packet += opt
    began = time.perf_counter()
    try:
        answer = _over_tcp(server, packet) if tcp else _over_udp(server, packet)
    except TimeoutError:
        raise UsageError(
            f"no answer from {server} over {transport} within {PATIENCE:g} s: name it with --server"
        ) from None
    except OSError as error:
        raise UsageError(f"no DNS server at {server} ({error.strerror or error}): name it with --server") from None
    took = (time.perf_counter() - began) * 1e3
    _say(console, f"  {len(packet)} bytes there, {len(answer)} bytes back, {took:.1f} ms")
    return answer, dissect(answer)


def _over_udp(server: Server, packet: bytes) -> bytes:
    family, _, _, _, address = socket.getaddrinfo(*server, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.connect(address)
        for _ in range(TRIES):
            asking.send(packet)
            until = time.monotonic() + PATIENCE
            while (left := until - time.monotonic()) > 0:
                asking.settimeout(left)
                try:
                    answer = asking.recv(_LARGEST)
                except TimeoutError:
                    break
                if answer[:2] == packet[:2] and len(answer) >= wire.HEADER:
                    return answer
    raise TimeoutError


def _over_tcp(server: Server, packet: bytes) -> bytes:
    with socket.create_connection(server, PATIENCE) as asking, asking.makefile("rb") as stream:
        asking.sendall(len(packet).to_bytes(2, "big") + packet)
        size = int.from_bytes(stream.read(2), "big")
        answer = stream.read(size)
        if len(answer) < max(size, wire.HEADER):
            raise ConnectionError("the connection ended before the answer did")
        return answer


def _server(text: str) -> Server:
    host, port = split_port(text)
    if not host:
        raise UsageError(f"--server {text or repr(text)}: neither HOST nor HOST:PORT")
    return Server(host, 53 if port is None else number(port, "the port of --server", 1, 65535))


def _dig(server: Server, name: Name, type_: int, arguments: argparse.Namespace) -> str:
    port = "" if server.port == 53 else f" -p {server.port}"
    more = " +tcp" * arguments.tcp + " +noedns" * arguments.no_edns
    asked = f"{shlex.quote(name_text(name))} {records.type_text(type_)}"
    return f"dig @{server.host}{port} +nocookie{more} {asked}"


def _say(console: Console, text: str) -> None:
    console.print(Text(text), soft_wrap=True)
