"""What a message is taken apart into, and the cursor that does it."""

from __future__ import annotations

import msgspec

from minidns.core import names

#: Pointers that are followed for one name: each leads backwards, and no name has more labels than this.
_MOST_POINTERS = 128


class Bit(msgspec.Struct, frozen=True):
    """One or more bits of the header's flags: `name` is the RFC's, `bits` how many they are, from the left."""

    name: str
    bits: int
    value: str
    meaning: str
    reference: str


class Field(msgspec.Struct, frozen=True):
    """The bytes from `start` up to `end`. `to` is where a compression pointer leads to."""

    start: int
    end: int
    name: str
    value: str
    reference: str = ""
    bits: tuple[Bit, ...] = ()
    to: int | None = None


class Part(msgspec.Struct, frozen=True):
    """Fields that belong together: the header, a question, a record. `line` is a question or record as text."""

    title: str
    fields: tuple[Field, ...]
    section: str = ""
    line: str = ""


class Dissection(msgspec.Struct, frozen=True):
    """A whole message. `text` is it as dig prints it; `problem` says what could not be read, "" when all could."""

    size: int
    parts: tuple[Part, ...]
    text: str
    problem: str


def to_json(dissection: Dissection) -> bytes:
    return msgspec.json.encode(dissection)


class UnreadableError(ValueError):
    """The message breaks a rule, or ends too soon."""


class Cursor:
    """Steps through a message; `fields` are those of the part that is being read."""

    def __init__(self, packet: bytes) -> None:
        self.packet = packet
        self.at = 0
        self.end = len(packet)
        self.fields: list[Field] = []

    def take(self, size: int) -> tuple[int, bytes]:
        """Where the next bytes are, and they. Raises UnreadableError when there are not as many."""
        start = self.at
        if start + size > self.end:
            raise UnreadableError(f"{size} bytes are due at byte {start}, {self.end - start} are left")
        self.at += size
        return start, self.packet[start : self.at]

    def number(self, size: int, name: str, reference: str, text: str = "{}") -> int:
        """A number in network order; `text` is how its value is shown."""
        start, raw = self.take(size)
        value = int.from_bytes(raw, "big")
        self.add(start, name, text.format(value), reference)
        return value

    def add(self, start: int, name: str, value: str, reference: str, to: int | None = None) -> None:
        """Name the bytes from `start` up to here; no bytes, no field."""
        if start < self.at:
            self.fields.append(Field(start, self.at, name, value, reference, to=to))

    def name(self, what: str, reference: str) -> str:
        """A name, compressed or not, in presentation form (RFC 1035, 3.1 and 4.1.4)."""
        start, labels = self.at, list[bytes]()
        while True:
            at, raw = self.take(1)
            length = raw[0]
            if length >= 0xC0:
                return self._compressed(what, reference, start, at, labels)
            if length > names.MAX_LABEL:
                raise UnreadableError(f"byte {at} is neither a length nor a pointer")
            if not length:
                break
            labels.append(self.take(length)[1])
        text = _text(labels)
        self.add(start, what, text, reference)
        return text

    def _compressed(self, what: str, reference: str, start: int, at: int, labels: list[bytes]) -> str:
        self.take(1)
        pointer = int.from_bytes(self.packet[at : self.at], "big") & 0x3FFF
        text = _text([*labels, *self._follow(pointer, at)])
        end, self.at = self.at, at
        self.add(start, what, f"{_text(labels)[:-1]}, goes on at the pointer", reference)
        self.at = end
        self.add(at, f"{what}, pointer", f"{text} (the rest is at byte {pointer})", "RFC 1035, 4.1.4", to=pointer)
        return text

    def _follow(self, pointer: int, before: int) -> list[bytes]:
        labels: list[bytes] = []
        size = 0
        for _ in range(_MOST_POINTERS):
            if pointer >= before:
                raise UnreadableError(f"the pointer at byte {before} leads forward")
            before = at = pointer
            while (length := self.packet[at]) <= names.MAX_LABEL:
                if not length:
                    return labels
                labels.append(self.packet[at + 1 : at + 1 + length])
                at += 1 + length
                size += 1 + length
                if at >= len(self.packet) or size > names.MAX_NAME:
                    raise UnreadableError(f"the name at byte {before} has no end")
            if length < 0xC0 or at + 2 > len(self.packet):
                raise UnreadableError(f"byte {at} is neither a length nor a pointer")
            pointer, before = int.from_bytes(self.packet[at : at + 2], "big") & 0x3FFF, at
        raise UnreadableError(f"a name of more than {_MOST_POINTERS} pointers")


def _text(labels: list[bytes]) -> str:
    return "".join(names.label_text(label) + "." for label in labels) or "."
