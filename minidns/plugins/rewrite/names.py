"""Names that clients ask for, changed into those that are answered, and back again in the answer.

The client never sees the other name: its question comes back as it was asked, and the records of the answer belong to
it as far as the rules say so.

Rules speak of text, names are bytes. A name is matched as `text_of` has it, each byte a character, so nothing needs
an escape and everything leads back to the same bytes; a dot within a label is a character that no rule can name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from minidns.config.patterns import compiled
from minidns.config.plugins.rewrite import Rewrite, RewriteMatch
from minidns.core import names, records, wire
from minidns.core.names import Name
from minidns.plugins.forward.reading import DNAME, NAPTR, Record

#: A dot within a label. The characters of `text_of` are below 256 otherwise, so that no rule has this one either.
_DOT = "\ue02e"
#: The types whose data rules for values change, and the bytes in front of their first name: as in CoreDNS, and PTR.
_VALUES = {records.NS: 0, records.CNAME: 0, records.SOA: 0, records.PTR: 0, records.MX: 2, records.SRV: 6, DNAME: 0}


class _Pair(NamedTuple):
    """A regular expression and what is put in place of the name it matches."""

    pattern: Any
    replacement: str

    def apply(self, text: str) -> str | None:
        """The replacement with `{1}` and so on filled in, when the pattern is found anywhere in the name."""
        match = self.pattern.search(text)
        if match is None:
            return None
        name = re.sub(r"\{(\d+)\}", lambda group: match[int(group[1])] or "", self.replacement)
        return name.removesuffix(".") + "."


class NameRule(NamedTuple):
    """A rule, its texts as `text_of` has names."""

    options: Rewrite
    pattern: str
    replacement: str
    regex: _Pair | None
    names: tuple[_Pair, ...]
    values: tuple[_Pair, ...]

    @property
    def stop(self) -> bool:
        return self.options.stop

    def forth(self, text: str) -> str | None:
        """The name that the rule makes of a name, None when it does not match."""
        pattern, replacement = self.pattern, self.replacement
        match self.options.match:
            case "exact":
                return replacement if text == pattern else None
            case "prefix":
                return replacement + text.removeprefix(pattern) if text.startswith(pattern) else None
            case "suffix":
                return text.removesuffix(pattern) + replacement if text.endswith(pattern) else None
            case "substring":
                return text.replace(pattern, replacement) if pattern in text else None
            case "regex":
                return self.regex.apply(text) if self.regex else None

    def back(self, text: str, before: str, after: str) -> str:
        """A name of the answer as it was before the rule made `after` of `before`: that one, and those below it."""
        auto, match = self.options.answer_auto, self.options.match
        if auto and match == "suffix":
            return text.removesuffix(self.replacement) + self.pattern if text.endswith(self.replacement) else text
        if (auto or match == "exact") and f".{text}".endswith(f".{after}") and after != ".":
            return text[: len(text) - len(after)] + before
        return text


class Applied(NamedTuple):
    """A rule that matched, and the name before and after it."""

    rule: NameRule
    before: str
    after: str


class Change:
    """Names of an answer, each worked out once."""

    def __init__(self, applied: tuple[Applied, ...], own: bytes) -> None:
        self._applied = applied
        self._own = own
        self._owners: dict[bytes, bytes] = {}
        self._values: dict[bytes, bytes] = {}

    def owner(self, name: bytes) -> bytes:
        found = self._owners.get(name)
        if found is None:
            found = self._owners[name] = self._changed(name, lambda rule: rule.names)
        return found

    def rdata(self, record: Record) -> bytes:
        """The data of a record with the first name in it changed."""
        if record.type == NAPTR:
            start = 4
            for _ in range(3):  # flags, services, regexp
                start += record.rdata[start] + 1
        elif record.type in _VALUES:
            start = _VALUES[record.type]
        else:
            return record.rdata
        end = wire.skip_name(record.rdata, start, pointers=False)
        name = record.rdata[start:end]
        found = self._values.get(name)
        if found is None:
            found = self._values[name] = self._changed(name, lambda rule: rule.values)
        return record.rdata[:start] + found + record.rdata[end:]

    def _changed(self, name: bytes, pairs_of: Callable[[NameRule], tuple[_Pair, ...]]) -> bytes:
        old = text = text_of(name.lower())
        for applied in reversed(self._applied):
            text = applied.rule.back(text, applied.before, applied.after)
            for pair in pairs_of(applied.rule):
                text = pair.apply(text) or text
        if text == old:
            return name
        changed = name_of(text)
        if changed is None:
            return name
        return self._own if changed == self._own.lower() else changed


def matches(kind: RewriteMatch, pattern: str, text: str) -> bool:
    """Whether a pattern, as `bytewise` has it (a regex as it was written), fits a name."""
    match kind:
        case "exact":
            return text == pattern
        case "prefix":
            return text.startswith(pattern)
        case "suffix":
            return text.endswith(pattern)
        case "substring":
            return pattern in text
        case "regex":
            return compiled(pattern.encode().decode("latin-1")).search(text) is not None


def name_rule(options: Rewrite) -> NameRule:
    pattern, replacement = bytewise(options.pattern), bytewise(options.replacement)
    regex = _pair(options.pattern, options.replacement) if options.match == "regex" else None
    pairs = (tuple(_pair(*pair) for pair in some) for some in (options.answer_names, options.answer_values))
    return NameRule(options, pattern, replacement, regex, *pairs)


def _pair(pattern: str, replacement: str) -> _Pair:
    return _Pair(compiled(pattern.encode().decode("latin-1")), bytewise(replacement))


def bytewise(text: str) -> str:
    """Text of a rule as `text_of` has names: a character for each byte, letters of DNS in lower case."""
    return text.encode().lower().decode("latin-1")


def text_of(name: Name) -> str:
    return "".join(label.decode("latin-1").replace(".", _DOT) + "." for label in names.labels(name)) or "."


def name_of(text: str) -> Name | None:
    """The name of a text; None when it is none (RFC 1035, 2.3.4)."""
    found = [label.replace(_DOT, ".").encode("latin-1") for label in text.removesuffix(".").split(".")]
    if found == [b""]:
        return names.ROOT
    if not all(0 < len(label) <= names.MAX_LABEL for label in found):
        return None
    name = b"".join(bytes((len(label),)) + label for label in found) + names.ROOT
    return name if len(name) <= names.MAX_NAME else None
