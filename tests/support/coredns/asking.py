"""Recorded questions, asked again: a line of words becomes packets, what comes back a row as the recordings have it.

A line is `NAME TYPE [word...]`; the words: class=CH, noedns, nsid, do, bufsize=N, opt=CODE:HEX, src=ADDRESS, tcp,
udponly (no second try over TCP), rd0, cd, ad, pause=SECONDS (before asking), port2, dst=ADDRESS, timeout=SECONDS.
`HTTP /path` asks port2.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

Row = dict[str, Any]


async def ask(line: str, port: int, port2: int) -> Row:
    """The row of one question."""
    name, rdtype, *rest = line.split()
    words = {word.partition("=")[0]: word.partition("=")[2] for word in rest}
    await asyncio.sleep(float(words.get("pause", 0)))
    if name == "HTTP":
        return {"q": line, **await _http(rdtype, port2)}
    message = _message(name, rdtype, words)
    try:
        async with asyncio.timeout(float(words.get("timeout", 5))):
            wire, own, tcp = await _exchange(message.to_wire(), words, port2 if "port2" in words else port)
    except (TimeoutError, OSError) as error:
        return {"q": line, "error": "Timeout" if isinstance(error, TimeoutError) else type(error).__name__}
    try:
        reply = dns.message.from_wire(wire, ignore_trailing=True, raise_on_truncation=False)
    except dns.exception.DNSException as error:
        counts = [int.from_bytes(wire[at : at + 2], "big") for at in range(4, 12, 2)]
        return {"q": line, "unparsed": type(error).__name__, "header_rcode": wire[3] & 15, "counts": counts}
    return _row(line, reply, own, tcp, with_more=bool(rest))


def _message(name: str, rdtype: str, words: dict[str, str]) -> dns.message.Message:
    message = dns.message.make_query(name, rdtype, rdclass=words.get("class", "IN"))
    options: list[dns.edns.Option] = [dns.edns.GenericOption("NSID", b"")] if "nsid" in words else []
    if "opt" in words:
        code, _, data = words["opt"].partition(":")
        options.append(dns.edns.GenericOption(dns.edns.OptionType.make(int(code)), bytes.fromhex(data)))
    if "noedns" not in words:
        flags = dns.flags.DO if "do" in words else 0
        message.use_edns(0, flags, int(words.get("bufsize", 4096)), options=options)
    if "rd0" in words:
        message.flags &= ~dns.flags.RD
    message.flags |= (dns.flags.CD if "cd" in words else 0) | (dns.flags.AD if "ad" in words else 0)
    return message


async def _exchange(wire: bytes, words: dict[str, str], port: int) -> tuple[bytes, int, bool]:
    """The answer, the client's own port, and whether it came over TCP."""
    where, source = (words.get("dst", "127.0.0.1"), port), (words.get("src", "0.0.0.0"), 0)
    if "tcp" not in words:
        reply, own = await _udp(wire, where, source)
        if not reply[2] & 2 or "udponly" in words:
            return reply, own, False
    reply, own = await _tcp(wire, where, source)
    return reply, own, True


async def _udp(wire: bytes, where: tuple[str, int], source: tuple[str, int]) -> tuple[bytes, int]:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.bind(source)
        sock.connect(where)
        await loop.sock_sendall(sock, wire)
        return await loop.sock_recv(sock, 65535), sock.getsockname()[1]


async def _tcp(wire: bytes, where: tuple[str, int], source: tuple[str, int]) -> tuple[bytes, int]:
    reader, writer = await asyncio.open_connection(*where, local_addr=source)
    try:
        writer.write(len(wire).to_bytes(2, "big") + wire)
        size = int.from_bytes(await reader.readexactly(2), "big")
        return await reader.readexactly(size), writer.get_extra_info("sockname")[1]
    finally:
        writer.close()


async def _http(path: str, port: int) -> Row:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError as error:
        return {"error": type(error).__name__}
    writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost:{port}\r\n\r\n".encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    return {"status": int(head.split()[1]), "body": body}


def _row(line: str, reply: dns.message.Message, own: int, tcp: bool, *, with_more: bool) -> Row:
    sections = {name: _section(getattr(reply, name), own) for name in ("answer", "authority", "additional")}
    row: Row = {"q": line, "rcode": dns.rcode.to_text(reply.rcode()), "aa": bool(reply.flags & dns.flags.AA)}
    row |= {"tcp": tcp, **sections}
    if with_more:
        row["flags"] = dns.flags.to_text(reply.flags)
        classes = [(rrset, dns.rdataclass.to_text(rrset.rdclass)) for rrset in reply.question]
        row["question"] = [f"{rrset.name} {class_} {dns.rdatatype.to_text(rrset.rdtype)}" for rrset, class_ in classes]
        row["edns"] = None
        if reply.edns >= 0:
            options = [f"{int(option.otype)}={(option.to_wire() or b'').hex()}" for option in reply.options]
            do = bool(reply.ednsflags & dns.flags.DO)
            row["edns"] = {"payload": reply.payload, "do": do, "options": options}
    return row


def _section(rrsets: list[dns.rrset.RRset], own: int) -> list[str]:
    rows = []
    for rrset in rrsets:
        for rdata in rrset:
            fields = rdata.to_text().split()
            if rrset.rdtype == dns.rdatatype.SOA:
                fields[2] = "SERIAL"
            if rrset.rdtype == dns.rdatatype.SRV and fields[2:] == [str(own), "."]:
                fields[2] = "CLIENTPORT"
            class_ = "" if rrset.rdclass == 1 else f" {dns.rdataclass.to_text(rrset.rdclass)}"
            text = " ".join(fields) if rrset.rdtype in (dns.rdatatype.SOA, dns.rdatatype.SRV) else rdata.to_text()
            rows.append(f"{rrset.name} {rrset.ttl}{class_} {dns.rdatatype.to_text(rrset.rdtype)} {text}")
    return sorted(rows)
