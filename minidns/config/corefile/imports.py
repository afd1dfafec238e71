"""`import`, snippets and environment variables: the tokens of one file become those of the whole
configuration.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from minidns.config.corefile.lexer import Token, tokens

log = logging.getLogger(__name__)

#: A snippet that imports another one twice, and so on, doubles each time: stop before memory does.
MAX_TOKENS = 100_000
MAX_DEPTH = 50

_VARIABLE = re.compile(r"\{\$([^{}]+)\}|\{%([^{}%]+)%\}")


@dataclass(slots=True)
class Expander:
    """Puts imported tokens in place.

    `root` is where absolute paths start: "/" but for tests and for checking another machine's files.
    files: what is imported instead of files of this machine, by path. warnings: "FILE:LINE: TEXT" of what is hardly
    meant.
    """

    env: Mapping[str, str]
    root: Path = Path("/")
    files: Mapping[str, str] | None = None
    warnings: list[str] = field(default_factory=list)
    _snippets: dict[str, list[Token]] = field(default_factory=dict)
    _count: int = 0
    _depth: int = 0

    def expand(self, words: list[Token], via: tuple[str, ...] = ()) -> Iterator[Token]:
        """The tokens with each `import` replaced by what it names, `{$ENV}` and `{%ENV%}` by their values."""
        position = 0
        while position < len(words):
            word = words[position]
            following = words[position + 1] if position + 1 < len(words) else None
            if word.first and word.text == "import" and not word.quoted:
                yield from self._import(word, words[position + 1 :], via)
                position += 2
            elif self._depth == 0 and following and following.is_brace("{") and _snippet_name(word):
                position = self._define(words, position)
            else:
                self._count += 1
                if self._count > MAX_TOKENS:
                    raise word.error(f"the imports grow this configuration beyond {MAX_TOKENS} words")
                self._depth += word.is_brace("{") - word.is_brace("}")
                yield self._substituted(word)
                position += 1

    def path(self, text: str, beside: str = "") -> Path:
        """The file that a path in the configuration means; a relative one is looked up next to `beside`."""
        path = Path(text)
        return self.root.joinpath(*path.parts[1:]) if path.is_absolute() else Path(beside).parent / path

    def warn(self, at: Token, text: str) -> None:
        """Say what is hardly meant."""
        self.warnings.append(f"{at.file}:{at.line}: {text}")

    def _substituted(self, word: Token) -> Token:
        if "{" not in word.text:
            return word
        whole = _VARIABLE.fullmatch(word.text)
        if whole and not self._value(whole):
            return replace(word, text="", quoted=True, unset=_name(whole))
        for match in _VARIABLE.finditer(word.text):
            if not self._value(match):
                self.warn(word, f"the variable {_name(match)} is not set: nothing stands in its place in {word.text}")
        text = self._substitute(word.text)
        return replace(word, text=text, quoted=word.quoted or text != word.text)

    def _substitute(self, text: str) -> str:
        return _VARIABLE.sub(self._value, text)

    def _value(self, match: re.Match[str]) -> str:
        return self.env.get(_name(match), "")

    def _define(self, words: list[Token], start: int) -> int:
        """Remember a snippet; the position after its closing brace."""
        name, depth = _snippet_name(words[start]), 0
        if name in self._snippets:
            raise words[start].error(f"the snippet ({name}) is defined twice")
        for position in range(start + 1, len(words)):
            depth += words[position].is_brace("{") - words[position].is_brace("}")
            if depth == 0:
                self._snippets[name] = words[start + 2 : position]
                return position + 1
        raise words[start].error(f"the snippet ({name}) is never closed: a }} is missing")

    def _import(self, word: Token, rest: list[Token], via: tuple[str, ...]) -> Iterator[Token]:
        if not rest or rest[0].first or (len(rest) > 1 and not rest[1].first):
            raise word.error("import takes one argument: a file, a pattern or the name of a snippet")
        name = self._substitute(rest[0].text)
        if name in via or len(via) >= MAX_DEPTH:
            raise word.error(f"import {name} goes in a circle: " + " -> ".join([*via, name]))
        if name in self._snippets:
            yield from self.expand(_first(self._snippets[name]), (*via, name))
            return
        for path in self._matches(word, name):
            if str(path) in via:
                raise word.error(f"import {path} goes in a circle: " + " -> ".join([*via, str(path)]))
            yield from self.expand(_first(tokens(self._text(word, path), str(path))), (*via, str(path)))

    def _matches(self, word: Token, name: str) -> list[Path]:
        if not name:
            raise word.error("import needs a file: its argument is empty, or a variable that is not set")
        path = self.path(name, word.file)
        if not set("*?[") & set(name):
            return [path]
        if name.count("*") > 1 or set("*?[") & set(str(path.parent)):
            raise word.error(f"import {name}: one * in the last part of the path is the most there can be")
        try:
            found = sorted(path.parent.glob(path.name) if self.files is None else self._given(path))
        except (OSError, ValueError) as error:
            raise word.error(f"import {name}: {error}") from None
        if not found:
            log.info("%s:%s: import %s matches no file", word.file, word.line, name)
        return found

    def _given(self, pattern: Path) -> Iterator[Path]:
        return (Path(name) for name in self.files or () if Path(name).match(str(pattern)))

    def _text(self, word: Token, path: Path) -> str:
        try:
            if self.files is not None and str(path) not in self.files:
                raise FileNotFoundError("it is not among the files that were given")
            return self.files[str(path)] if self.files is not None else path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            known = ", ".join(f"({snippet})" for snippet in self._snippets) or "none"
            raise word.error(f"cannot import {path}: {error}; snippets defined above: {known}") from None


def _name(match: re.Match[str]) -> str:
    return match[1] or match[2]


def _snippet_name(word: Token) -> str:
    match = re.fullmatch(r"\(([^()]+)\)", word.text)
    return match[1] if match and word.first and not word.quoted else ""


def _first(words: list[Token]) -> list[Token]:
    """Imported tokens begin a line of their own, wherever they stood in their file."""
    return [replace(words[0], first=True), *words[1:]] if words else []
