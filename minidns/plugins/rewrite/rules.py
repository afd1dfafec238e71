"""The rules of a server block, on the way of a question and on that of its answer."""

from __future__ import annotations

import struct
from typing import NamedTuple

from minidns.config.plugins.rewrite import AnyRewrite, Rewrite, RewriteRcode, RewriteTtl, RewriteType
from minidns.core import records, wire
from minidns.core.packing import Packer
from minidns.core.responder import Channel, Elsewhere
from minidns.core.wire import HEADER, MalformedError, Question
from minidns.plugins.chain import Handle, Query, then
from minidns.plugins.forward import message
from minidns.plugins.forward.message import AA, AD, RA, TC, Message
from minidns.plugins.forward.reading import Reader
from minidns.plugins.rewrite.names import Applied, Change, NameRule, bytewise, matches, name_of, name_rule, text_of


class NoNameError(Exception):
    """The rules make something of a name that is none: a label or the whole would be too long or empty."""

    def __init__(self, asked: Question) -> None:
        super().__init__("rewritten to what is no name")
        self.asked = asked


class Rewritten(NamedTuple):
    """A packet that asks for something else, and how to get back from its answer.

    applied: the rules for names that matched. effects: rules for the answer.
    """

    packet: bytes
    asked: Question
    applied: tuple[Applied, ...]
    effects: tuple[RewriteTtl | RewriteRcode, ...] = ()

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
        packer, change = Packer(own, HEADER + len(own) + 4), Change(self.applied, own)
        for record in found:
            if record.type == records.OPT:
                options = struct.pack("!H", len(record.rdata)) + record.rdata
                rcode |= (record.ttl >> 24) << 4
                counts[2] -= 1
            else:
                owner, rdata = change.owner(record.owner), change.rdata(record)
                packer.record(owner, record.type, self._ttl(record.ttl), rdata, record.class_)
        whole = Message(self._rcode(rcode), (counts[0], counts[1], counts[2]), b"".join(packer.pieces))
        return message.reply(whole, self.asked, udp=udp, options=options, flags=flags & (AA | TC | RA | AD))

    def _ttl(self, ttl: int) -> int:
        for effect in self.effects:
            if isinstance(effect, RewriteTtl):
                ttl = min(max(ttl, effect.low), effect.high)
        return ttl

    def _rcode(self, rcode: int) -> int:
        for effect in self.effects:
            if isinstance(effect, RewriteRcode) and rcode == effect.before:
                return effect.after
        return rcode


class Rewriter:
    """The rewrite rules of a server block."""

    def __init__(self, rules: tuple[AnyRewrite, ...]) -> None:
        self._rules = tuple(name_rule(rule) if isinstance(rule, Rewrite) else rule for rule in rules)

    def rewrite(self, packet: bytes) -> Rewritten | None:
        """The packet as the rules have it, None when no rule matches (or it is no question).

        Raises NoNameError when the rules make something of the name that is none.
        """
        try:
            asked = message.question(packet)
        except MalformedError:
            return None
        applied: list[Applied] = []
        effects: list[RewriteTtl | RewriteRcode] = []
        text, type_ = text_of(asked.name), asked.type
        for rule in self._rules:
            if isinstance(rule, NameRule):
                after = rule.forth(text)
                if after is None:
                    continue
                applied.append(Applied(rule, text, after))
                text = after
            elif isinstance(rule, RewriteType):
                if type_ != rule.before:
                    continue
                type_ = rule.after
            elif matches(rule.match, rule.pattern if rule.match == "regex" else bytewise(rule.pattern), text):
                effects.append(rule)
            else:
                continue
            if rule.stop:
                break
        if not applied and not effects and type_ == asked.type:
            return None
        name = name_of(text)
        if name is None:
            raise NoNameError(asked)
        raw = name + type_.to_bytes(2, "big") + asked.raw[-2:]
        rest = packet[HEADER + len(asked.raw) :]
        return Rewritten(packet[:HEADER] + raw + rest, asked, tuple(applied), tuple(effects))


class RewriteStage:
    """The rules in a server block."""

    def __init__(self, rules: tuple[AnyRewrite, ...]) -> None:
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
