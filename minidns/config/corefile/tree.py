"""Tokens to server blocks, and within them to lines that may have a block of their own.

A `{` ends the line that it belongs to and a `}` has a line of its own, as for CoreDNS: there a plugin takes what is in
front of a `}` for its last argument. The braces of the last server block may be left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from minidns.config.corefile.lexer import CorefileError, Token
from minidns.config.plugins.coredns import BY_NAME

#: rewrite's block inside a server block is the deepest that means anything.
MAX_NESTING = 3
#: Options that are called as a plugin is, by plugin.
_NAMESAKES = {"forward": ("tls",), "kubernetes": ("tls",), "prometheus": ("tls",), "hosts": ("reload",)}


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

    @property
    def words(self) -> tuple[Token, ...]:
        """Every word of it, those of its block too."""
        return (self.head, *self.args, *(word for line in self.block or () for word in line.words))


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
        if word is not None and word.is_brace("}") and not word.first:
            raise word.error("a } has a line of its own")
        if word is None or not word.is_brace("{"):
            return Line(head, tuple(args))
        if word.first:
            raise word.error(f"a {{ is at the end of the line that it belongs to, behind {head.text}")
        if depth >= MAX_NESTING:
            raise word.error(f"blocks are nested more than {MAX_NESTING} deep")
        block = self.block(word, depth + 1)
        if (word := self.peek()) and not word.first:
            raise word.error(f"{word.text!r} follows a }} on its line")
        return Line(head, tuple(args), block)

    def block(self, opening: Token, depth: int) -> tuple[Line, ...]:
        """The lines from an opening brace to the closing one."""
        self.position += 1
        lines = self.lines(depth)
        if self.peek() is None:
            raise _unclosed(lines) or opening.error("this { is never closed: a } is missing")
        self.position += 1
        return tuple(lines)

    def lines(self, depth: int) -> list[Line]:
        """The lines up to a closing brace, or to the end."""
        lines: list[Line] = []
        while (word := self.peek()) and not word.is_brace("}"):
            if word.is_brace("{"):
                raise word.error("a { without the name of what it belongs to")
            lines.append(self.line(depth))
        return lines


def server_blocks(words: Iterable[Token]) -> list[Block]:
    """The server blocks of a configuration. Raises `CorefileError` where braces do not match."""
    reader, blocks = _Reader(words), []
    while word := reader.peek():
        keys = _keys(reader)
        opening = reader.peek()
        if not keys:
            what = "a } that closes nothing" if word.is_brace("}") else "a server block begins with the zones it is for"
            raise word.error(f"{what}: a server block is written as `.:53 {{`")
        if opening is not None and opening.is_brace("{"):
            blocks.append(Block(keys, reader.block(opening, 1)))
            continue
        blocks.append(Block(keys, tuple(reader.lines(1))))
        if closing := reader.peek():
            raise closing.error("a } that closes nothing")
    return blocks


def _unclosed(lines: Sequence[Line]) -> CorefileError | None:
    """Where a } is missing for certain: in front of a plugin in the block of another."""
    for line in lines:
        for inner in line.block or ():
            if inner.name in BY_NAME and inner.name not in _NAMESAKES.get(line.name, ()):
                return inner.head.error(
                    f"{inner.name} is a plugin, and no option of {line.name}: "
                    f"the block of {line.name}, from line {line.head.line} on, is never closed"
                )
    return None


def _keys(reader: _Reader) -> tuple[Token, ...]:
    """The words before the brace; a comma at the end of a line lets them go on in the next."""
    keys: list[Token] = []
    while (word := reader.peek()) and not (word.is_brace("{") or word.is_brace("}")):
        if word.first and keys and not keys[-1].text.endswith(","):
            break
        keys.append(word)
        reader.position += 1
    if keys and keys[-1].text.endswith(","):
        raise keys[-1].error("a comma that no zone follows")
    stripped = [Token(key.text.removesuffix(","), key.file, key.line, key.first, key.quoted, key.unset) for key in keys]
    return tuple(key for key in stripped if key.text or key.unset)


__all__ = ["Block", "CorefileError", "Line", "server_blocks"]
