"""`tsig`: questions and answers that are signed with shared keys (RFC 8945)."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from pathlib import Path

from minidns.config.values import ConfigError, ZoneName, zone_name

#: What signs; what is weaker (RFC 8945, 6) is no key's.
ALGORITHMS = ("hmac-sha256", "hmac-sha384", "hmac-sha512")
_TOKEN = re.compile(r'"([^"\n]*)"|([{};])|([^\s{};"]+)')
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|#[^\n]*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class TsigKey:
    """A shared key. `algorithm`: the only one that it signs with; None for any of `ALGORITHMS`."""

    name: ZoneName
    secret: bytes = field(repr=False)
    algorithm: str | None = None

    @classmethod
    def parse(cls, name: str, secret: str, algorithm: str | None = None) -> TsigKey:
        """From the texts of a key file. Raises ConfigError, which does not tell the secret."""
        try:
            raw = base64.b64decode(secret, validate=True)
        except (binascii.Error, ValueError):
            raise ConfigError(f"the secret of key {name} is not base64") from None
        if not raw:
            raise ConfigError(f"the secret of key {name} is empty")
        wanted = algorithm and algorithm.lower().rstrip(".")
        if wanted and wanted not in ALGORITHMS:
            raise ConfigError(f"key {name}: {algorithm} is none of {', '.join(ALGORITHMS)}")
        return cls(zone_name(name), raw, wanted or None)

    def takes(self, algorithm: str) -> bool:
        """Whether a signature by that algorithm can be this key's."""
        return algorithm == self.algorithm or (self.algorithm is None and algorithm in ALGORITHMS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tsig:
    """Signed questions below `zones` are checked, and their answers signed.

    `require`: types of questions that are refused without a signature; None for all.
    """

    zones: tuple[ZoneName, ...] = (".",)
    keys: tuple[TsigKey, ...] = ()
    require: frozenset[int] | None = frozenset()

    def __post_init__(self) -> None:
        names = [key.name for key in self.keys]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"two keys are called {name}")


def read_keys(path: Path) -> tuple[TsigKey, ...]:
    """The keys of a file, as tsig-keygen and keymgr write it and named.conf includes it:

        key "NAME" { algorithm hmac-sha256; secret "BASE64"; };

    Raises ConfigError with file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the keys in {path}: {getattr(error, 'strerror', None) or error}") from None
    return parse_keys(text, str(path))


def parse_keys(text: str, file: str = "keys") -> tuple[TsigKey, ...]:
    """The keys of a text. Raises ConfigError with file and line."""
    # A comment leaves its lines behind, so that those of errors are right.
    plain = _COMMENT.sub(lambda found: "\n" * found[0].count("\n"), text)
    words = _Words(plain, file)
    found = []
    while not words.at_end:
        words.expect("key")
        name, options = words.word("the name of a key"), {}
        words.expect("{")
        while not words.take("}"):
            option = words.word("algorithm or secret")
            if option not in ("algorithm", "secret"):
                raise words.error(f"unknown option of a key {option!r}; known: algorithm, secret")
            options[option] = words.word(f"the {option}")
            words.expect(";")
        words.take(";")
        if "secret" not in options:
            raise words.error(f"key {name} has no secret")
        try:
            found.append(TsigKey.parse(name, options["secret"], options.get("algorithm")))
        except ConfigError as error:
            raise words.error(str(error)) from None
    return tuple(found)


class _Words:
    def __init__(self, text: str, file: str) -> None:
        self._text, self._file = text, file
        self._found = list(_TOKEN.finditer(text))
        self._next = 0

    @property
    def at_end(self) -> bool:
        return self._next == len(self._found)

    def word(self, what: str) -> str:
        if self.at_end:
            raise self.error(f"{what} is missing at the end")
        found = self._found[self._next]
        if found[2]:
            raise self.error(f"{what} is missing before {found[2]!r}")
        self._next += 1
        return found[1] if found[1] is not None else found[3]

    def take(self, text: str) -> bool:
        """Whether that is next; then it is behind us."""
        if self.at_end or (self._found[self._next][2] or self._found[self._next][3]) != text:
            return False
        self._next += 1
        return True

    def expect(self, text: str) -> None:
        if not self.take(text):
            got = "the end" if self.at_end else repr(self._found[self._next][0])
            raise self.error(f"{text!r} is missing before {got}")

    def error(self, text: str) -> ConfigError:
        at = min(self._next, len(self._found) - 1)
        position = self._found[at].start() if self._found else 0
        return ConfigError(f"{self._file}:{self._text.count(chr(10), 0, position) + 1}: {text}")
