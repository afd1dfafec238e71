"""Names that clients ask for, changed into those that are answered, and back again in the answer.

The client never sees the other name: its question comes back as it was asked, and the records of the answer belong to
it as far as the rules say so. What passes here is packed anew with dnslib, which costs a millisecond for a hundred
records.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import NamedTuple

import dnslib

from minidns.config.plugins.rewrite import Rewrite
from minidns.core import names, records, wire
from minidns.core.wire import HEADER, MalformedError, Question
from minidns.plugins.forward import message
from minidns.plugins.forward.message import TC

log = logging.getLogger(__name__)


class _Applied(NamedTuple):
    """A rule that matched, and the name before and after it."""

    rule: Rewrite
    before: str
    after: str


class Rewritten(NamedTuple):
    """A packet that asks for another name, and how to get back from its answer."""

    packet: bytes
    asked: Question
    applied: tuple[_Applied, ...]

    def restore(self, answer: bytes, transport: str) -> bytes:
        """The answer to the client's own question. transport: "udp" or "tcp"."""
        try:
            record = dnslib.DNSRecord.parse(answer)
            record.questions = [dnslib.DNSQuestion(_label(self.asked.raw[:-4]), self.asked.type, self.asked.class_)]
            for rr in (*record.rr, *record.auth, *record.ar):
                if rr.rtype != records.OPT:
                    self._restore(rr)
            packed = bytes(record.pack())
        except Exception:  # dnslib lets errors of many kinds through
            log.exception("cannot rewrite the answer %s", answer.hex())
            return wire.error(self.packet, records.SERVFAIL, self.asked)
        if len(packed) <= message.limit(self.asked, udp=transport == "udp"):
            return packed
        flags = int.from_bytes(packed[2:4], "big") | TC
        return packed[:2] + flags.to_bytes(2, "big") + b"\0\1" + bytes(6) + self.asked.raw

    def _restore(self, rr: dnslib.RR) -> None:
        rr.rname = self._changed(rr.rname, lambda rule: rule.answer_names)
        for field in ("label", "target"):
            value = getattr(rr.rdata, field, None)
            if isinstance(value, dnslib.DNSLabel):
                setattr(rr.rdata, field, self._changed(value, lambda rule: rule.answer_values))

    def _changed(
        self, label: dnslib.DNSLabel, pairs_of: Callable[[Rewrite], tuple[tuple[str, str], ...]]
    ) -> dnslib.DNSLabel:
        old = text = str(label).lower()
        for applied in reversed(self.applied):
            text = _back(text, applied)
            for pattern, replacement in pairs_of(applied.rule):
                text = _by_regex(text, pattern, replacement) or text
        if text == old:
            return label
        if text == names.to_text(self.asked.name):
            return _label(self.asked.raw[:-4])
        return dnslib.DNSLabel(text)


class Rewriter:
    """The rewrite rules of a server block."""

    def __init__(self, rules: tuple[Rewrite, ...]) -> None:
        self._rules = rules

    def rewrite(self, packet: bytes) -> Rewritten | None:
        """The packet under the name that the rules give it, None when no rule matches (or it is no question)."""
        try:
            asked = message.question(packet)
        except MalformedError:
            return None
        applied, text = [], names.to_text(asked.name)
        for rule in self._rules:
            after = _forth(text, rule)
            if after is None:
                continue
            applied.append(_Applied(rule, text, after))
            text = after
            if rule.stop:
                break
        if not applied:
            return None
        try:
            name = names.from_text(text)
        except ValueError as error:
            log.warning("rewrite: %s", error)
            return None
        rest = packet[HEADER + len(asked.raw) :]
        return Rewritten(packet[:HEADER] + name + asked.raw[-4:] + rest, asked, tuple(applied))


def _forth(text: str, rule: Rewrite) -> str | None:
    """The name that a rule makes of a name, None when it does not match."""
    pattern, replacement = rule.pattern, rule.replacement
    match rule.match:
        case "exact":
            return replacement if text == pattern else None
        case "prefix":
            return replacement + text.removeprefix(pattern) if text.startswith(pattern) else None
        case "suffix":
            return text.removesuffix(pattern) + replacement if text.endswith(pattern) else None
        case "substring":
            return text.replace(pattern, replacement) if pattern in text else None
        case "regex":
            return _by_regex(text, pattern, replacement)


def _by_regex(text: str, pattern: str, replacement: str) -> str | None:
    """The replacement with `{1}` and so on filled in, when the pattern is found anywhere in the name."""
    match = re.search(pattern, text)
    if match is None:
        return None
    name = re.sub(r"\{(\d+)\}", lambda group: match[int(group[1])] or "", replacement)
    return name.lower().removesuffix(".") + "."


def _back(text: str, applied: _Applied) -> str:
    """A name of the answer as it was before the rule."""
    rule = applied.rule
    if text == applied.after and (rule.answer_auto or rule.match == "exact"):
        return applied.before
    if rule.answer_auto and rule.match == "suffix" and text.endswith(rule.replacement):
        return text.removesuffix(rule.replacement) + rule.pattern
    return text


def _label(name: bytes) -> dnslib.DNSLabel:
    return dnslib.DNSLabel(tuple(names.labels(name)))
