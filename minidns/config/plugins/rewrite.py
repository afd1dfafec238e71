"""`rewrite`: questions that are changed before they are answered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from minidns.config.patterns import compiled
from minidns.config.values import ConfigError, zone_name

RewriteMatch = Literal["exact", "prefix", "suffix", "substring", "regex"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """A question's name is changed before anything but the log sees it, and the answer fits the client's question.

    `pattern` and `replacement` are lowercase text over the absolute name ("a.example.org."); in a regex rule
    `{1}` in the replacement is the first group. `stop`: no later rule is tried after this one matched.
    `answer_auto`: the new name, where it owns a record of the answer, becomes the old one again; a suffix
    rule does so for every owner with the new suffix. An exact rule always does.
    `answer_names`, `answer_values`: pairs of regex and replacement for owner names, for names in record data.
    """

    match: RewriteMatch = "exact"
    pattern: str
    replacement: str
    stop: bool = True
    answer_auto: bool = False
    answer_names: tuple[tuple[str, str], ...] = ()
    answer_values: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not self.pattern:
            raise ConfigError("a rewrite needs a name to look for")
        if self.match == "exact":
            zone_name(self.pattern)
            zone_name(self.replacement)
        rules = [*self.answer_names, *self.answer_values]
        if self.match == "regex":
            rules.append((self.pattern, self.replacement))
        for pattern, replacement in rules:
            groups = compiled(pattern).groups
            for group in re.findall(r"\{(\d+)\}", replacement):
                if int(group[:9]) > groups:
                    raise ConfigError(f"{{{group}}} in {replacement!r}: {pattern!r} has {groups} groups")


@dataclass(frozen=True, slots=True, kw_only=True)
class RewriteType:
    """A question for records of one type becomes one for another."""

    before: int
    after: int
    stop: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RewriteTtl:
    """The TTLs of answers about names that fit are brought within these seconds. match, pattern: as of `Rewrite`."""

    match: RewriteMatch = "exact"
    pattern: str
    low: int
    high: int
    stop: bool = True

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ConfigError(f"TTLs from {self.low} to {self.high}: the lower one comes first")
        if self.match == "regex":
            compiled(self.pattern)


@dataclass(frozen=True, slots=True, kw_only=True)
class RewriteRcode:
    """The response code `before` of answers about names that fit becomes `after`."""

    match: RewriteMatch = "exact"
    pattern: str
    before: int
    after: int
    stop: bool = True

    def __post_init__(self) -> None:
        if self.match == "regex":
            compiled(self.pattern)


AnyRewrite = Rewrite | RewriteType | RewriteTtl | RewriteRcode
