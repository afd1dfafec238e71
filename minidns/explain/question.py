"""What a person types into a Name and a type, and how a name of the zone is read."""

from __future__ import annotations

import ipaddress
from contextlib import suppress

from minidns.core import names, reasons, records
from minidns.core.names import Name
from minidns.core.why import shown
from minidns.core.zone import Zone
from minidns.explain.types import Label, Role

_DIGITS = 3


def parse_name(text: str) -> Name:
    r"""The Name of a dotted name with the escapes of zone files (`\.`, `\032`); of an address, its reverse name.

    Raises ValueError, with the reason.
    """
    with suppress(ValueError):
        return names.reverse(ipaddress.ip_address(text).packed)
    if text in ("", "."):
        return names.ROOT
    labels = _labels(text)
    if any(not 0 < len(label) <= names.MAX_LABEL for label in labels):
        raise ValueError(f"{shown(text)} is not a domain name: a label has 1 to {names.MAX_LABEL} bytes")
    wire = b"".join(bytes((len(label),)) + label for label in labels) + names.ROOT
    if len(wire) > names.MAX_NAME:
        raise ValueError(f"{shown(text)} is not a domain name: it is longer than {names.MAX_NAME} bytes")
    return wire.lower()


def _labels(text: str) -> list[bytes]:
    raw = text.encode("utf-8", "surrogateescape")
    found, label, at = [], bytearray(), 0
    while at < len(raw):
        digits = raw[at + 1 : at + 1 + _DIGITS]
        if raw[at : at + 1] == b".":
            found.append(bytes(label))
            label.clear()
            at += 1
        elif raw[at : at + 1] == b"\\" and len(digits) == _DIGITS and digits.isdigit() and int(digits) < 256:
            label.append(int(digits))
            at += 1 + _DIGITS
        elif raw[at : at + 1] == b"\\" and digits:
            label.append(digits[0])
            at += 2
        else:
            label.append(raw[at])
            at += 1
    return found if raw.endswith(b".") and not label else [*found, bytes(label)]


def parse_type(text: str) -> int:
    """The number of a type's mnemonic, of `TYPE65` (RFC 3597, 5), or of a number. Raises ValueError."""
    upper = text.upper()
    number = records.TYPE_NUMBERS.get(upper)
    digits = upper.removeprefix("TYPE")
    if number is None and digits.isascii() and digits.isdigit() and int(digits) < 65536:
        number = int(digits)
    if number is None:
        raise ValueError(f"{shown(text)} is not a record type; known by name: {', '.join(records.TYPE_NUMBERS)}")
    return number


def usual_type(name: Name) -> int:
    """What people ask about a name when they name no type: A, and of an address its PTR record."""
    return records.PTR if names.reversed_address(name) else records.A


def name_text(name: Name) -> str:
    """A name in presentation form without the final dot."""
    text = names.to_text(name)
    return text if text == "." else text[:-1]


def path(zone: Zone, name: Name) -> list[str]:
    """The labels of a name of the cluster zone below its origin, from the right: ["svc", NS, SVC, ...]."""
    return reasons.labels_below(zone, name)[::-1]


def host(zone: Zone, below: list[str]) -> str | None:
    """What a name has in front of its Service, as endpoints have it; None for a Service's own, and for a port's."""
    if len(below) < 4 or below[3].startswith("_"):
        return None
    return f"{below[4]}.{below[3]}" if zone.settings.multicluster and len(below) > 4 else below[3]


def read(zone: Zone, name: Name) -> tuple[Label, ...]:
    """What each label of a name stands for (the grammar in `minidns.core.names`), the zone's name as one at the end."""
    origin = zone.origin(name)
    raw = names.labels(name)
    if origin is None:
        return tuple(Label(names.label_text(label), "outside") for label in raw)
    front = raw[: len(raw) - len(names.labels(origin))]
    zone_label = Label(name_text(origin), "zone")
    if origin != zone.settings.origin:
        address = names.reversed_address(name)
        text = names.address_text(address) if address else ".".join(map(names.label_text, front))
        return (Label(text, "address"), zone_label) if front else (zone_label,)
    roles = _roles(path(zone, name), of_a_set=zone.settings.multicluster)[::-1]
    return (*(Label(names.label_text(label), role) for label, role in zip(front, roles, strict=True)), zone_label)


def _roles(below: list[str], *, of_a_set: bool) -> list[Role]:
    """The roles of the labels, from the right."""
    known: list[Role]
    match below:
        case ["svc", _, _, below_service, *_] if below_service.startswith("_"):
            known = ["tree", "namespace", "service", "protocol", "port"]
        case ["svc", *_] if of_a_set:
            known = ["tree", "namespace", "service", "cluster", "host"]
        case ["svc", *_]:
            known = ["tree", "namespace", "service", "host"]
        case ["pod", *_]:
            known = ["tree", "namespace", "pod address"]
        case ["dns-version"]:
            known = ["version"]
        case ["dns"] | ["dns", "ns"]:
            known = ["name server", "name server"]
        case _:
            return ["unknown"] * len(below)
    too_deep: Role = "too deep"
    return (known + [too_deep] * len(below))[: len(below)]
