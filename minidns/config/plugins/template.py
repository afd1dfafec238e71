"""`template`: answers made up from the question."""

from __future__ import annotations

from dataclasses import dataclass

from minidns.config.patterns import compiled
from minidns.config.plugins import gotemplate
from minidns.config.values import ZoneName


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """Questions of this class and type below `zones` whose name one of `patterns` finds, get these records.

    class_, type: numbers, 255 for any. answer, additional, authority: a record each, in the text of a zone file with
    Go's template language in it. ede_code, ede_text: an Extended DNS Error beside them.
    fallthrough: names below these that no pattern finds go on; others get SERVFAIL.
    """

    zones: tuple[ZoneName, ...] = (".",)
    class_: int = 1
    type: int = 255
    patterns: tuple[str, ...] = ()
    answer: tuple[str, ...] = ()
    additional: tuple[str, ...] = ()
    authority: tuple[str, ...] = ()
    rcode: int = 0
    ede_code: int | None = None
    ede_text: str = ""
    fallthrough: tuple[ZoneName, ...] = ()

    def __post_init__(self) -> None:
        for pattern in self.patterns:
            compiled(pattern)
        for text in (*self.answer, *self.additional, *self.authority):
            gotemplate.parse(text)
