"""Go's text/template, as far as records of a `template` plugin use it: fields, functions, if, with, variables.

A template is read once and rendered any number of times. `range`, `block`, `define` and `template` are not understood:
a record has no use for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from minidns.config.plugins.gofunctions import FUNCTIONS, WORDS, shown, truth
from minidns.config.values import ConfigError

_ACTION = re.compile(r"\{\{(-(?=\s))?(.*?)(?:(?<=\s)(-))?\}\}", re.DOTALL)
_TOKEN = re.compile(
    r"""\s*(?: (?P<string>"(?:[^"\\]|\\.)*"|`[^`]*`) | (?P<char>'(?:[^'\\]|\\.)') | (?P<number>[+-]?\d+)
    | (?P<mark>[|()]) | (?P<variable>\$\w*) | (?P<field>\.\w*) | (?P<word>\w+) )""",
    re.VERBOSE,
)
_MOST_DEPTH = 50


class RenderError(Exception):
    """A template that cannot be rendered with these values, as a field that does not exist."""


class Struct(dict[str, Any]):
    """A value whose fields are known: another one is an error, unlike a missing key of a map, which is empty."""


#: What a piece of a template gives: (dot, variables) to a value.
_Piece = Callable[[Any, dict[str, Any]], Any]


class Template:
    """A template that was read. Raises ConfigError for what is none."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._pieces = _Parser(text).whole()
        #: The text, when there is nothing to fill in.
        self.constant = text if "{{" not in text else None

    def render(self, dot: Struct) -> str:
        """Raises RenderError."""
        try:
            return _run(self._pieces, dot, {"$": dot})
        except (TypeError, ValueError, LookupError, ArithmeticError) as error:
            raise RenderError(f"{self.text!r}: {error}") from error


@lru_cache(maxsize=1024)
def parse(text: str) -> Template:
    """A template. Raises ConfigError."""
    return Template(text)


def _run(pieces: list[_Piece], dot: Any, variables: dict[str, Any]) -> str:
    return "".join(shown(piece(dot, variables)) for piece in pieces)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._parts = list(self._split(text))
        self._depth = 0

    def whole(self) -> list[_Piece]:
        pieces, end = self._pieces()
        if end:
            raise self._error(f"{end!r} ends nothing")
        return pieces

    def _split(self, text: str) -> Iterator[tuple[str, bool]]:
        """(text, False) and (action, True) in turn; a dash within the braces takes the blanks beyond them."""
        at, trim = 0, False
        for match in _ACTION.finditer(text):
            before = text[at : match.start()]
            before = before.lstrip() if trim else before
            yield (before.rstrip() if match[1] else before), False
            yield match[2].strip(), True
            at, trim = match.end(), bool(match[3])
        yield (text[at:].lstrip() if trim else text[at:]), False
        if "{{" in text[at:]:
            raise self._error("a {{ is never closed")

    def _error(self, why: str) -> ConfigError:
        return ConfigError(f"{self._text!r} is not a template: {why}")

    def _pieces(self) -> tuple[list[_Piece], str]:
        """Pieces up to an `end` or `else`, and that action ("" at the end of the text)."""
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise self._error("it is nested too deep")
        pieces: list[_Piece] = []
        while self._parts:
            text, is_action = self._parts.pop(0)
            word = text.partition(" ")[0]
            if not is_action:
                pieces += [_constant(text)] if text else []
            elif word in ("end", "else"):
                self._depth -= 1
                return pieces, text
            elif word in ("if", "with"):
                pieces.append(self._branch(text))
            elif not (text.startswith("/*") and text.endswith("*/")):
                pieces.append(self._action(text))
        self._depth -= 1
        return pieces, ""

    def _branch(self, text: str) -> _Piece:
        word, _, condition = text.partition(" ")
        test = _Pipeline(self, condition).read()
        then, end = self._pieces()
        otherwise: list[_Piece] = []
        if end == "else":
            otherwise, end = self._pieces()
        elif end.startswith("else "):
            otherwise, end = [self._branch(end.removeprefix("else").strip())], "end"
        if end != "end":
            raise self._error(f"{word} without end")

        def run(dot: Any, variables: dict[str, Any]) -> str:
            inner = dict(variables)
            value = test(dot, inner)
            chosen, seen = (then, value if word == "with" else dot) if truth(value) else (otherwise, dot)
            return _run(chosen, seen, inner)

        return run

    def _action(self, text: str) -> _Piece:
        match = re.fullmatch(r"(\$\w+)\s*:?=\s*(.*)", text, re.DOTALL)
        if match is None:
            return _Pipeline(self, text).read()
        name, value = match[1], _Pipeline(self, match[2]).read()

        def assign(dot: Any, variables: dict[str, Any]) -> str:
            variables[name] = value(dot, variables)
            return ""

        return assign


class _Pipeline:
    """One action's expression."""

    def __init__(self, parser: _Parser, text: str) -> None:
        self._error = parser._error
        self._tokens: list[tuple[str, str, bool]] = []
        at = 0
        while rest := text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None:
                raise self._error(f"{rest!r} is not understood")
            kind = match.lastgroup or ""
            # `.Group.a` is one operand, `.Group .a` are two.
            self._tokens.append((kind, match[kind], match.start(kind) > at or at == 0))
            at = match.end()

    def read(self) -> _Piece:
        piece = self._pipeline()
        if self._tokens:
            raise self._error(f"{self._tokens[0][1]!r} is not understood here")
        return piece

    def _pipeline(self) -> _Piece:
        piece = self._command(None)
        while self._tokens and self._tokens[0][1] == "|":
            self._tokens.pop(0)
            piece = self._command(piece)
        return piece

    def _command(self, last: _Piece | None) -> _Piece:
        function: Callable[..., Any] | None = None
        if self._tokens and self._tokens[0][0] == "word" and self._tokens[0][1] not in WORDS:
            name = self._tokens.pop(0)[1]
            function = FUNCTIONS.get(name)
            if function is None:
                raise self._error(f"{name!r} is no function that is known: {', '.join(sorted(FUNCTIONS))}")
        operands: list[_Piece] = []
        while self._tokens and self._tokens[0][1] not in ("|", ")"):
            operands.append(self._operand())
        if function is None and not operands:
            raise self._error("an action with nothing in it")
        if function is None and (last or len(operands) > 1):
            first, *rest = operands if last is None else [*operands, last]
            return lambda dot, variables: _called(first(dot, variables), [one(dot, variables) for one in rest])
        if function is None:
            return operands[0]
        called = function
        arguments = operands if last is None else [*operands, last]
        return lambda dot, variables: called(*[one(dot, variables) for one in arguments])

    def _operand(self) -> _Piece:
        kind, text, _ = self._tokens.pop(0)
        piece: _Piece
        if kind == "string":
            piece = _constant(text[1:-1] if text[0] == "`" else _unquoted(text[1:-1]))
        elif kind == "char":
            piece = _constant(ord(_unquoted(text[1:-1])))
        elif kind == "number":
            piece = _constant(int(text))
        elif kind == "variable":
            piece = lambda _, variables: variables[text]  # noqa: E731
        elif kind == "field":
            piece = (lambda dot, _: dot) if text == "." else (lambda dot, _: _field(dot, text[1:]))
        elif kind == "word" and text in WORDS:
            piece = _constant(WORDS[text])
        elif kind == "word":
            name = FUNCTIONS.get(text)
            if name is None:
                raise self._error(f"{text!r} is not understood")
            piece = lambda _dot, _variables: name()  # noqa: E731
        elif text == "(":
            piece = self._pipeline()
            if not self._tokens or self._tokens.pop(0)[1] != ")":
                raise self._error("a ( is never closed")
        else:
            raise self._error(f"{text!r} is not understood here")
        while self._tokens and self._tokens[0][0] == "field" and not self._tokens[0][2]:
            piece = _chained(piece, self._tokens.pop(0)[1][1:])
        return piece


def _chained(piece: _Piece, name: str) -> _Piece:
    return lambda dot, variables: _field(piece(dot, variables), name)


def _constant(value: Any) -> _Piece:
    return lambda _dot, _variables: value


def _field(value: Any, name: str) -> Any:
    if isinstance(value, Struct):
        return value[name]
    if isinstance(value, Mapping):
        return value.get(name, "")
    raise TypeError(f"{shown(value)!r} has no field {name}")


def _called(value: Any, arguments: list[Any]) -> Any:
    """A method of a value: a field with arguments behind it."""
    if not callable(value):
        raise TypeError(f"{shown(value)!r} takes no arguments")
    return value(*arguments)


def _unquoted(text: str) -> str:
    escapes = {"n": "\n", "t": "\t", "r": "\r"}
    return re.sub(r"\\(.)", lambda match: escapes.get(match[1], match[1]), text)
