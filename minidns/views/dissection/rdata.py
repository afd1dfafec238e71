"""The data of records, by type. Each function reads its fields and gives the data as a zone file has it."""

from __future__ import annotations

from collections.abc import Callable

from minidns.core import names, records
from minidns.core.why import shown
from minidns.views.dissection.fields import Cursor

_SOA = "RFC 1035, 3.3.13"
_SRV = "RFC 2782"
#: Option codes of the OPT record (IANA, DNS EDNS0 Option Codes) with their RFCs.
_OPTIONS = {
    3: ("NSID", "RFC 5001, 2.3"),
    8: ("client subnet", "RFC 7871, 6"),
    9: ("EXPIRE", "RFC 7314, 4"),
    10: ("COOKIE", "RFC 7873, 4"),
    11: ("TCP keepalive", "RFC 7828, 3.1"),
    12: ("padding", "RFC 7830, 3"),
    15: ("Extended DNS Error", "RFC 8914, 2"),
}
#: INFO-CODEs that minidns sends, and common ones of others (RFC 8914, 4).
INFO_CODES = {
    0: "Other", 3: "Stale Answer", 4: "Forged Answer", 13: "Cached Error", 14: "Not Ready", 15: "Blocked",
    18: "Prohibited", 19: "Stale NXDOMAIN Answer", 20: "Not Authoritative", 21: "Not Supported",
    22: "No Reachable Authority", 23: "Network Error",
}  # fmt: skip


def read(cursor: Cursor, type_: int) -> str:
    """Read the data up to the cursor's end."""
    reader = _READERS.get(type_, _opaque)
    return reader(cursor) if cursor.at < cursor.end else ""


def options(cursor: Cursor) -> list[str]:
    """The options of an OPT record (RFC 6891, 6.1.2), each as dig prints it."""
    lines = []
    while cursor.at < cursor.end:
        start, raw = cursor.take(2)
        code = int.from_bytes(raw, "big")
        name, reference = _OPTIONS.get(code, ("unknown option", "RFC 6891, 6.1.2"))
        cursor.add(start, "option code", f"{code} ({name})", "RFC 6891, 6.1.2")
        length = cursor.number(2, "option length", "RFC 6891, 6.1.2", "{} bytes")
        if code == 15 and length >= 2:
            lines.append(_extended_error(cursor, length, reference))
            continue
        start, raw = cursor.take(length)
        cursor.add(start, name, raw.hex(" "), reference)
        lines.append(f"; {name if code in _OPTIONS else f'OPT={code}'}: {raw.hex()}")
    return lines


def _extended_error(cursor: Cursor, length: int, reference: str) -> str:
    start, raw = cursor.take(2)
    code = int.from_bytes(raw, "big")
    meaning = INFO_CODES.get(code, "see RFC 8914, 4")
    cursor.add(start, "INFO-CODE", f"{code} ({meaning})", reference)
    start, raw = cursor.take(length - 2)
    text = shown(raw.decode("utf-8", "backslashreplace"))
    cursor.add(start, "EXTRA-TEXT", text, reference)
    return f"; EDE: {code} ({meaning})" + (f": ({text})" if text else "")


def _address(cursor: Cursor) -> str:
    size = cursor.end - cursor.at
    if size not in (4, 16):
        return _opaque(cursor)
    start, raw = cursor.take(size)
    text = names.address_text(raw)
    cursor.add(start, "address", text, "RFC 1035, 3.4.1" if size == 4 else "RFC 3596, 2.2")
    return text


def _named(what: str, reference: str) -> Callable[[Cursor], str]:
    return lambda cursor: cursor.name(what, reference)


def _service(cursor: Cursor) -> str:
    numbers = [cursor.number(2, what, _SRV) for what in ("priority", "weight", "port")]
    return " ".join([*map(str, numbers), cursor.name("target, not compressed", _SRV)])


def _authority(cursor: Cursor) -> str:
    found = [cursor.name("primary server (MNAME)", _SOA), cursor.name("mailbox (RNAME)", _SOA)]
    found.append(str(cursor.number(4, "serial number", "RFC 1982; RFC 1035, 3.3.13")))
    found += [str(cursor.number(4, what, _SOA, "{} s")) for what in ("refresh", "retry", "expire")]
    found.append(str(cursor.number(4, "minimum: how long a no may be kept", "RFC 2308, 4", "{} s")))
    return " ".join(found)


def _strings(cursor: Cursor) -> str:
    found = []
    while cursor.at < cursor.end:
        length = cursor.number(1, "length of the string", "RFC 1035, 3.3", "{} bytes")
        start, raw = cursor.take(length)
        text = "".join(chr(byte) if 32 <= byte <= 126 and byte not in b'"\\' else f"\\{byte:03d}" for byte in raw)
        cursor.add(start, "string", text, "RFC 1035, 3.3")
        found.append(f'"{text}"')
    return " ".join(found)


def _exchange(cursor: Cursor) -> str:
    preference = cursor.number(2, "preference", "RFC 1035, 3.3.9")
    return f"{preference} {cursor.name('exchange', 'RFC 1035, 3.3.9')}"


def _opaque(cursor: Cursor) -> str:
    start, raw = cursor.take(cursor.end - cursor.at)
    cursor.add(start, "data", raw.hex(" "), "RFC 3597, 5")
    return f"\\# {len(raw)} {raw.hex()}"


_READERS: dict[int, Callable[[Cursor], str]] = {
    records.A: _address,
    records.AAAA: _address,
    records.NS: _named("name server", "RFC 1035, 3.3.11"),
    records.CNAME: _named("canonical name", "RFC 1035, 3.3.1"),
    records.PTR: _named("name", "RFC 1035, 3.3.12"),
    records.SRV: _service,
    records.SOA: _authority,
    records.TXT: _strings,
    records.HINFO: _strings,
    records.MX: _exchange,
}
