"""A message as dig prints it."""

from __future__ import annotations

from dataclasses import dataclass, field

from minidns.core import records

#: By number (RFC 1035, 4.1.1; RFC 1996; RFC 2136).
OPCODES = {0: "QUERY", 1: "IQUERY", 2: "STATUS", 4: "NOTIFY", 5: "UPDATE"}
_FLAGS = (("qr", 0x8000), ("aa", 0x0400), ("tc", 0x0200), ("rd", 0x0100), ("ra", 0x80), ("ad", 0x20), ("cd", 0x10))
_TITLES = ("QUESTION", "ANSWER", "AUTHORITY", "ADDITIONAL")


@dataclass(slots=True)
class Printed:
    """What was read so far. sections: lines of the question and of each kind of record. edns: lines of OPT."""

    id: int = 0
    flags: int = 0
    extended: int = 0
    counts: list[int] = field(default_factory=lambda: [0] * 4)
    sections: tuple[list[str], ...] = field(default_factory=lambda: ([], [], [], []))
    edns: list[str] = field(default_factory=list)


def as_dig(printed: Printed, size: int) -> str:
    """The text, its columns aligned in each section."""
    opcode = (printed.flags >> 11) & 15
    rcode = (printed.extended << 4) | (printed.flags & 15)
    flags = " ".join(name for name, bit in _FLAGS if printed.flags & bit)
    counts = zip(("QUERY", "ANSWER", "AUTHORITY", "ADDITIONAL"), printed.counts, strict=True)
    lines = [
        f";; ->>HEADER<<- opcode: {OPCODES.get(opcode, f'RESERVED{opcode}')},"
        f" status: {records.RCODES.get(rcode, f'RESERVED{rcode}')}, id: {printed.id}",
        f";; flags: {flags}; {', '.join(f'{title}: {count}' for title, count in counts)}",
    ]
    if printed.edns:
        lines += ["", ";; OPT PSEUDOSECTION:", *printed.edns]
    for title, section in zip(_TITLES, printed.sections, strict=True):
        if section:
            lines += ["", f";; {title} SECTION:", *_aligned(section)]
    return "\n".join([*lines, "", f";; MSG SIZE  rcvd: {size}"])


def _aligned(lines: list[str]) -> list[str]:
    """Owner, TTL, class and type below each other; the data as it is. What is very long moves nothing."""
    rows = [line.split(" ", 4) for line in lines]
    widths = [max(len(row[at]) for row in rows if len(row) > at + 1) for at in range(max(map(len, rows)) - 1)]
    return [
        " ".join([*(cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)), row[-1]]) for row in rows
    ]
