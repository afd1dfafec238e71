"""Names that clients ask for, changed into those that are answered, and back again in the answer.

The client never sees the other name: its question comes back as it was asked, and the records of the answer belong to
it as far as the rules say so.

Rules speak of text, names are bytes. A name is matched as `_text` has it: each byte a character, so that nothing needs
an escape and everything leads back to the same bytes; a dot within a label is a character that no rule can name.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from minidns.config.patterns import compiled
from minidns.config.plugins.rewrite import Rewrite
from minidns.core import names, records, wire
from minidns.core.names import Name
from minidns.core.packing import Packer
from minidns.core.responder import Channel, Elsewhere
from minidns.core.wire import HEADER, MalformedError, Question
from minidns.plugins.chain import Handle, Query, then
from minidns.plugins.forward import message
from minidns.plugins.forward.message import AA, AD, RA, TC, Message
from minidns.plugins.forward.reading import DNAME, NAPTR, Reader, Record

#: A dot within a label. The characters of `_text` are below 256 otherwise, so that no rule has this one either.
_DOT = "\ue02e"
#: The types whose data rules for values change, and the bytes in front of their first name: as in CoreDNS, and PTR.
_VALUES = {records.NS: 0, records.CNAME: 0, records.SOA: 0, records.PTR: 0, records.MX: 2, records.SRV: 6, DNAME: 0}


class NoNameError(Exception):
    """The rules make something of a name that is none: a label or the whole would be too long or empty."""

    def __init__(self, asked: Question) -> None:
        super().__init__("rewritten to what is no name")
        self.asked = asked


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


class _Rule(NamedTuple):
    """A rule, its texts as `_text` has names."""

    options: Rewrite
    pattern: str
    replacement: str
    regex: _Pair | None
    names: tuple[_Pair, ...]
    values: tuple[_Pair, ...]

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
        """A name of the answer as it was before the rule made `after` of `before`."""
        auto, match = self.options.answer_auto, self.options.match
        if text == after and (auto or match == "exact"):
            return before
        if auto and match == "suffix" and text.endswith(self.replacement):
            return text.removesuffix(self.replacement) + self.pattern
        return text


class _Applied(NamedTuple):
    """A rule that matched, and the name before and after it."""

    rule: _Rule
    before: str
    after: str


class Rewritten(NamedTuple):
    """A packet that asks for another name, and how to get back from its answer."""

    packet: bytes
    asked: Question
    applied: tuple[_Applied, ...]

    def restore(self, answer: bytes, transport: str) -> bytes:
        """The answer to the client's own question. transport: "udp" or "tcp"."""
        udp = transport == "udp"
        try:
            flags, _, *counts = struct.unpack_from("!5H", answer, 2)
            start = wire.skip_name(answer, HEADER, pointers=False) + 4
            found = list(Reader(answer).records(start, sum(counts)))
        except (MalformedError, IndexError, struct.error) as error:
            options = wire.ede(0, f"the answer about the rewritten name cannot be read: {error}")
            return message.reply(message.FAILURE, self.asked, udp=udp, options=options)
        own, options, rcode = self.asked.raw[:-4], wire.NO_OPTIONS, flags & 15
        packer, change = Packer(own, HEADER + len(own) + 4), _Change(self.applied, own)
        for record in found:
            if record.type == records.OPT:
                options = struct.pack("!H", len(record.rdata)) + record.rdata
                rcode |= (record.ttl >> 24) << 4
                counts[2] -= 1
            else:
                owner, rdata = change.owner(record.owner), change.rdata(record)
                packer.record(owner, record.type, record.ttl, rdata, record.class_)
        whole = Message(rcode, (counts[0], counts[1], counts[2]), b"".join(packer.pieces))
        return message.reply(whole, self.asked, udp=udp, options=options, flags=flags & (AA | TC | RA | AD))


class _Change:
    """Names of an answer, each worked out once."""

    def __init__(self, applied: tuple[_Applied, ...], own: bytes) -> None:
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

    def _changed(self, name: bytes, pairs_of: Callable[[_Rule], tuple[_Pair, ...]]) -> bytes:
        old = text = _text(name.lower())
        for applied in reversed(self._applied):
            text = applied.rule.back(text, applied.before, applied.after)
            for pair in pairs_of(applied.rule):
                text = pair.apply(text) or text
        if text == old:
            return name
        changed = _name(text)
        if changed is None:
            return name
        return self._own if changed == self._own.lower() else changed


class Rewriter:
    """The rewrite rules of a server block."""

    def __init__(self, rules: tuple[Rewrite, ...]) -> None:
        self._rules = tuple(map(_rule, rules))

    def rewrite(self, packet: bytes) -> Rewritten | None:
        """The packet under the name that the rules give it, None when no rule matches (or it is no question).

        Raises NoNameError when that is no name.
        """
        try:
            asked = message.question(packet)
        except MalformedError:
            return None
        applied, text = [], _text(asked.name)
        for rule in self._rules:
            after = rule.forth(text)
            if after is None:
                continue
            applied.append(_Applied(rule, text, after))
            text = after
            if rule.options.stop:
                break
        if not applied:
            return None
        name = _name(text)
        if name is None:
            raise NoNameError(asked)
        rest = packet[HEADER + len(asked.raw) :]
        return Rewritten(packet[:HEADER] + name + asked.raw[-4:] + rest, asked, tuple(applied))


class RewriteStage:
    """The rules in a server block."""

    def __init__(self, rules: tuple[Rewrite, ...]) -> None:
        self._rewriter = Rewriter(rules)

    def wants(self, packet: bytes, _end: int, _channel: Channel) -> bool:
        try:
            return self._rewriter.rewrite(packet) is not None
        except NoNameError:
            return True

    def handle(self, query: Query, following: Handle) -> Elsewhere:
        try:
            rewritten = self._rewriter.rewrite(query.packet)
        except NoNameError as error:
            return wire.error(query.packet, records.SERVFAIL, error.asked)
        if rewritten is None:
            return following(query)
        asked = message.question(rewritten.packet)
        answer = following(query._replace(packet=rewritten.packet, asked=asked))
        return then(answer, lambda packet: rewritten.restore(packet, query.channel.transport))


def _rule(options: Rewrite) -> _Rule:
    pattern, replacement = _bytewise(options.pattern), _bytewise(options.replacement)
    regex = _pair(options.pattern, options.replacement) if options.match == "regex" else None
    pairs = (tuple(_pair(*pair) for pair in some) for some in (options.answer_names, options.answer_values))
    return _Rule(options, pattern, replacement, regex, *pairs)


def _pair(pattern: str, replacement: str) -> _Pair:
    return _Pair(compiled(pattern.encode().decode("latin-1")), _bytewise(replacement))


def _bytewise(text: str) -> str:
    """Text of a rule as `_text` has names: a character for each byte, letters of DNS in lower case."""
    return text.encode().lower().decode("latin-1")


def _text(name: Name) -> str:
    return "".join(label.decode("latin-1").replace(".", _DOT) + "." for label in names.labels(name)) or "."


def _name(text: str) -> Name | None:
    """The name of a text; None when it is none (RFC 1035, 2.3.4)."""
    found = [label.replace(_DOT, ".").encode("latin-1") for label in text.removesuffix(".").split(".")]
    if found == [b""]:
        return names.ROOT
    if not all(0 < len(label) <= names.MAX_LABEL for label in found):
        return None
    name = b"".join(bytes((len(label),)) + label for label in found) + names.ROOT
    return name if len(name) <= names.MAX_NAME else None
