"""Tokens to server blocks, and within them to lines that may have a block of their own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from minidns.config.corefile.lexer import CorefileError, Token

#: rewrite's block inside a server block is the deepest that means anything.
MAX_NESTING = 3


@dataclass(frozen=True, slots=True)
class Line:
    """A plugin or an option: its name, its arguments, and its block (None when there is none)."""

    head: Token
    args: tuple[Token, ...]
    block: tuple[Line, ...] | None = None

    @property
    def name(self) -> str:
        return self.head.text

    @property
    def values(self) -> list[str]:
        return [arg.text for arg in self.args]


@dataclass(frozen=True, slots=True)
class Block:
    """A server block: the zones it is for, as written, and its lines."""

    keys: tuple[Token, ...]
    lines: tuple[Line, ...]


class _Reader:
    def __init__(self, words: Iterable[Token]) -> None:
        self.words = list(words)
        self.position = 0

    def peek(self) -> Token | None:
        return self.words[self.position] if self.position < len(self.words) else None

    def line(self, depth: int) -> Line:
        head = self.words[self.position]
        self.position += 1
        args = []
        while (word := self.peek()) and not (word.first or word.is_brace("{") or word.is_brace("}")):
            args.append(word)
            self.position += 1
        if word is None or not word.is_brace("{"):
            return Line(head, tuple(args))
        if depth >= MAX_NESTING:
            raise word.error(f"blocks are nested more than {MAX_NESTING} deep")
        return Line(head, tuple(args), self.block(word, depth + 1))

    def block(self, opening: Token, depth: int) -> tuple[Line, ...]:
        """The lines from an opening brace to the closing one."""
        self.position += 1
        lines: list[Line] = []
        while word := self.peek():
            if word.is_brace("}"):
                self.position += 1
                return tuple(lines)
            if word.is_brace("{"):
                raise word.error("a { without the name of what it belongs to")
            lines.append(self.line(depth))
        raise opening.error("this { is never closed: a } is missing")


def server_blocks(words: Iterable[Token]) -> list[Block]:
    """The server blocks of a configuration. Raises `CorefileError` where braces do not match."""
    reader, blocks = _Reader(words), []
    while word := reader.peek():
        keys = _keys(reader)
        opening = reader.peek()
        if opening is None or not opening.is_brace("{"):
            at = opening or word
            raise at.error(f"expected zones and then {{, as in `.:53 {{`, but found {at.text!r}")
        if not keys:
            raise word.error("a server block begins with the zones it is for, as in `.:53 {`")
        blocks.append(Block(tuple(keys), reader.block(opening, 1)))
    return blocks


def _keys(reader: _Reader) -> list[Token]:
    """The words before the brace; a comma at the end of a line lets them go on in the next."""
    keys: list[Token] = []
    while (word := reader.peek()) and not (word.is_brace("{") or word.is_brace("}")):
        if word.first and keys and not keys[-1].text.endswith(","):
            break
        keys.append(word)
        reader.position += 1
    stripped = [Token(key.text.removesuffix(","), key.file, key.line, key.first, key.quoted) for key in keys]
    return [key for key in stripped if key.text]


__all__ = ["Block", "CorefileError", "Line", "server_blocks"]
