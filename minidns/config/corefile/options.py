"""What all plugins share: usage checks, tables of options, the nearest known word."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import dns.exception
import dns.rdatatype

from minidns.config.corefile.imports import Expander
from minidns.config.corefile.lexer import CorefileError, Token
from minidns.config.corefile.tree import Line
from minidns.config.plugins.coredns import BY_NAME
from minidns.config.values import ConfigError, ZoneName, zone_names

#: Field names and values for one of the configuration's types.
Fields = dict[str, Any]
#: The most arguments of an option that takes any number of them.
MANY = 1000
_CLASSES = {"IN": 1, "CH": 3, "HS": 4, "NONE": 254, "ANY": 255}
RCODES = {
    "NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "NOTIMPL": 4, "REFUSED": 5,
    "YXDOMAIN": 6, "YXRRSET": 7, "NXRRSET": 8, "NOTAUTH": 9, "NOTZONE": 10,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Context:
    """What a plugin may look at besides its own line: the block's zones, and files; and where it says what is hardly
    meant."""

    zones: tuple[ZoneName, ...]
    expander: Expander

    def warn(self, line: Line, text: str) -> None:
        self.expander.warn(line.head, text)


@dataclass(frozen=True, slots=True)
class Option:
    """An option: its arguments as a person writes them, how many there may be, and what they mean.

    `read` gets the arguments and returns fields. A field that holds a tuple grows when the option is
    repeated.
    """

    usage: str
    read: Callable[[list[str]], Fields]
    low: int = 0
    high: int = 0


@dataclass(slots=True)
class Options:
    """The options of one plugin, by name."""

    plugin: str
    known: Mapping[str, Option] = field(default_factory=dict)

    def read(self, line: Line, other: Callable[[Line], Fields | None] = lambda _: None) -> Fields:
        """The fields that the block of a plugin sets; `other` may take lines that are not options."""
        fields: Fields = {}
        errors: list[CorefileError] = []
        for item in line.block or ():
            try:
                with located(item.head):
                    read = self._read(item, other)
            except CorefileError as error:
                errors.append(error)
                continue
            for name, value in read.items():
                old = fields.get(name)
                fields[name] = old + value if isinstance(old, tuple) else value
        if errors:
            raise CorefileError.of(errors)
        return fields

    def _read(self, item: Line, other: Callable[[Line], Fields | None]) -> Fields:
        option = self.known.get(item.name)
        if option is not None:
            no_block(item)
            arguments(item, f"{item.name} {option.usage}", option.low, option.high)
            return option.read(item.values)
        read = other(item)
        if read is None and item.name in BY_NAME:
            raise ConfigError(f"{item.name} is a plugin, and no option of {self.plugin}: is a }} missing above?")
        if read is None:
            raise unknown(item.name, self.known, f"option of {self.plugin}")
        return read


def arguments(line: Line, usage: str, low: int, high: int) -> list[str]:
    """The arguments of a line, if their number is right and, for an option, no block follows."""
    if not low <= len(line.args) <= high:
        raise ConfigError(f"{line.name} has {len(line.args)} arguments; write: {usage.strip()}")
    return line.values


def no_block(line: Line) -> None:
    if line.block is not None:
        raise ConfigError(f"{line.name} takes no block")


def unknown(word: str, known: Iterable[str], what: str) -> ConfigError:
    """An error for a word that nothing is called, with the nearest one that something is."""
    names = sorted(map(str, known))
    near = difflib.get_close_matches(word.lower()[:64], names, n=1, cutoff=0.6)
    meant = f", did you mean {near[0]!r}?" if near else ";"
    listed = ", ".join(names) or "none"
    return ConfigError(f"unknown {what} {word!r}{meant} known: {listed}")


def choice(word: str, known: Iterable[str], what: str) -> str:
    """The word, if it is one of those known."""
    names = list(known)
    if word not in names:
        raise unknown(word, names, what)
    return word


def zones(texts: Iterable[str]) -> tuple[ZoneName, ...]:
    """Zones of names and networks, each once."""
    return tuple(dict.fromkeys(zone for text in texts for zone in zone_names(text)))


def zones_or_all(texts: list[str]) -> tuple[ZoneName, ...]:
    """The zones of a `fallthrough`: without arguments, all."""
    return zones(texts) or (".",)


def class_number(text: str) -> int:
    """The number of a class, in capitals; 255 is ANY."""
    return _CLASSES[choice(text, _CLASSES, "class")]


def type_number(text: str) -> int:
    """The number of a type of records, in capitals; 255 is ANY."""
    try:
        number = dns.rdatatype.from_text(text)
    except (dns.exception.DNSException, ValueError):
        number = dns.rdatatype.TYPE0
    if number == dns.rdatatype.TYPE0 or text != text.upper():
        raise ConfigError(f"{text!r} is not a type of records, such as A or AAAA")
    return int(number)


def rcode_number(text: str) -> int:
    """The number of a response code, in capitals."""
    return RCODES[choice(text, RCODES, "response code")]


def flag(name: str, value: bool = True) -> Option:
    """An option without arguments that sets a field."""
    return Option("", lambda _: {name: value})


@contextmanager
def located(token: Token) -> Any:
    """Give errors from inside the file and line of a token, unless they have one already."""
    try:
        yield
    except CorefileError:
        raise
    except ConfigError as error:
        raise token.error(str(error)) from None
