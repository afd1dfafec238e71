"""Text to tokens, as the Caddyfile lexer that CoreDNS uses cuts them.

Words end at white space. A word that begins with a double quote ends at the next one, may span lines, and
knows one escape: `\\"`.
`#` outside quotes begins a comment. `{` and `}` are words of their own only when white space surrounds them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from minidns.config.values import ConfigError

_WORD = re.compile(
    r"""
    (?P<blank> \s+ )
  | (?P<comment> \#[^\n]* )
  | "(?P<quoted> (?: [^"\\] | \\. )* )"
  | (?P<open> " )
  | (?P<word> [^\s#]+ )
    """,
    re.VERBOSE | re.DOTALL,
)


class CorefileError(ConfigError):
    """A Corefile that cannot be used; the text begins with "FILE:LINE: ".

    others: what else is wrong with it.
    """

    def __init__(self, file: str, line: int, message: str) -> None:
        super().__init__(f"{file}:{line}: {message}")
        self.file, self.line, self.message = file, line, message
        self.others: tuple[CorefileError, ...] = ()

    @property
    def all(self) -> tuple[CorefileError, ...]:
        """Itself and the others, in the order they were found in, each once."""
        found = [self, *(error for other in self.others for error in other.all)]
        return tuple({str(error): error for error in found}.values())

    @classmethod
    def of(cls, errors: Sequence[CorefileError]) -> CorefileError:
        """One for all of them."""
        first, *rest = errors
        first.others += tuple(rest)
        return first


@dataclass(frozen=True, slots=True)
class Token:
    """A word, where it stands, and whether it is the first of its line. A quoted word is never a brace.

    unset: the environment variable that it was, and that is not set; "" for any other word.
    """

    text: str
    file: str
    line: int
    first: bool
    quoted: bool = False
    unset: str = ""

    def is_brace(self, brace: str) -> bool:
        return self.text == brace and not self.quoted

    def error(self, message: str) -> CorefileError:
        return CorefileError(self.file, self.line, message)


def tokens(text: str, file: str) -> list[Token]:
    """The words of a text. Raises `CorefileError` for a quote that is not closed or a NUL character."""
    found: list[Token] = []
    line, first = 1, True
    for match in _WORD.finditer(text.removeprefix("\ufeff")):
        kind, body = match.lastgroup, match[0]
        if kind == "open":
            raise CorefileError(file, line, "this quote is never closed")
        if "\0" in body:
            raise CorefileError(file, line, "a NUL character: this is not a text file")
        if kind == "quoted":
            found.append(Token(match["quoted"].replace('\\"', '"'), file, line, first, quoted=True))
        elif kind == "word":
            found.append(Token(body, file, line, first))
        first = "\n" in body or (first and kind in ("blank", "comment"))
        line += body.count("\n")
    return found
