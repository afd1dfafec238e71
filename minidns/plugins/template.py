"""`template`: answers made up from the question, a record a template."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.tokenizer
import dns.ttl

from minidns.config.patterns import compiled
from minidns.config.plugins import gotemplate
from minidns.config.plugins.gotemplate import RenderError, Struct
from minidns.config.plugins.template import Template
from minidns.core import names, records, wire
from minidns.core.names import Name, is_below
from minidns.core.responder import Channel, Elsewhere
from minidns.core.wire import Question
from minidns.plugins import sections
from minidns.plugins.asking import Ask, lookup
from minidns.plugins.cache import Shown
from minidns.plugins.chain import Handle, Query
from minidns.plugins.forward.message import AA
from minidns.plugins.forward.reading import Record
from minidns.plugins.sections import Sections

log = logging.getLogger(__name__)

_ANY = 255
_ADDRESSES = (records.A, records.AAAA)


class _Ready(NamedTuple):
    """A template whose texts were read."""

    options: Template
    zones: tuple[Name, ...]
    fallthrough: tuple[Name, ...]
    patterns: tuple[Any, ...]
    parts: tuple[tuple[gotemplate.Template, ...], ...]
    types: tuple[bytes, ...]

    def zone(self, name: Name) -> Name | None:
        """The longest of the zones that hold the name."""
        return max((zone for zone in self.zones if is_below(name, zone)), key=len, default=None)

    def fits(self, asked: Question) -> bool:
        """Whether class and type are those of the template."""
        options = self.options
        return (options.class_ in (_ANY, asked.class_) or asked.class_ == _ANY) and (
            options.type in (_ANY, asked.type) or asked.type == _ANY
        )


class TemplateStage:
    """The `template`s of a server block, in their order."""

    def __init__(self, templates: Sequence[Template], flags: int, ask: Ask, shown: Shown) -> None:
        self._ask = ask
        self._shown = shown
        self._templates = tuple(map(_ready, templates))
        self._flags = AA | flags

    def wants(self, packet: bytes, end: int, _: Channel) -> bool:
        name, type_ = packet[wire.HEADER : end + 1].lower(), packet[end + 1 : end + 3]
        for template in self._templates:
            if name.endswith(template.zones) and (not template.types or type_ in template.types):
                return True
        return False

    def handle(self, query: Query, following: Handle) -> Elsewhere:
        asked = query.asked
        if asked.class_ != 1:
            return following(query)
        text = ""
        for template in self._templates:
            zone = template.zone(asked.name)
            if zone is None or not template.fits(asked):
                continue
            text = text or names.to_text(asked.name)
            match = next((match for pattern in template.patterns if (match := pattern.search(text))), None)
            if match is not None:
                return self._answer(template, query, _values(query, text, zone, match))
            if not any(is_below(asked.name, through) for through in template.fallthrough):
                return wire.error(query.packet, records.SERVFAIL, asked)
        return following(query)

    def _answer(self, template: _Ready, query: Query, values: Struct) -> Elsewhere:
        options = template.options
        if options.rcode == records.SERVFAIL:
            return wire.error(query.packet, records.SERVFAIL, query.asked)
        try:
            answer, authority, additional = (
                [_record(text.render(values)) for text in texts] for texts in template.parts
            )
        except (RenderError, ValueError) as error:
            log.error("template: %s %s: %s", values["Name"], values["Type"], error)
            return wire.error(query.packet, records.SERVFAIL, query.asked)
        ede = wire.NO_OPTIONS if options.ede_code is None else wire.ede(options.ede_code, options.ede_text)
        said = Sections(options.rcode, answer, authority, additional, self._flags, ede)
        if query.asked.type in _ADDRESSES and any(record.type == records.CNAME for record in answer):
            return self._followed(said, query)
        return self._written(said, query)

    def _written(self, said: Sections, query: Query) -> bytes:
        return sections.write(self._shown.sections(query.asked.name, said), query.asked, udp=query.udp)

    async def _followed(self, said: Sections, query: Query) -> bytes:
        """The answer with the addresses that its aliases lead to."""
        answer = []
        for record in said.answer:
            answer.append(record)
            if record.type == records.CNAME:
                found = await lookup(self._ask, query, record.rdata, query.asked.type)
                answer += found.answer if found else ()
        return self._written(said._replace(answer=answer), query)


def _ready(options: Template) -> _Ready:
    parts = (options.answer, options.authority, options.additional)
    return _Ready(
        options,
        tuple(map(names.from_text, options.zones)),
        tuple(map(names.from_text, options.fallthrough)),
        tuple(map(compiled, options.patterns or (".*",))),
        tuple(tuple(map(gotemplate.parse, texts)) for texts in parts),
        () if options.type == _ANY else tuple(type_.to_bytes(2, "big") for type_ in (options.type, _ANY)),
    )


def _values(query: Query, text: str, zone: Name, match: Any) -> Struct:
    """What a template can speak of."""
    asked = query.asked
    found = [match[number] or "" for number in range(match.re.groups + 1)]
    groups = {str(number): value for number, value in enumerate(found)}
    groups |= {name: value or "" for name, value in match.groupdict().items()}
    question = Struct(Name=names.to_text(asked.raw[:-4]), Qtype=asked.type, Qclass=asked.class_)
    return Struct(
        Name=text,
        Zone=names.to_text(zone),
        Class=dns.rdataclass.to_text(dns.rdataclass.RdataClass.make(asked.class_)),
        Type=dns.rdatatype.to_text(dns.rdatatype.RdataType.make(asked.type)),
        Match=found,
        Group=groups,
        Question=question,
        Message=Struct(Id=int.from_bytes(asked.id, "big"), Question=[question]),
        Remote=query.client.address,
        Meta=lambda _: "",  # no plugin here publishes metadata
    )


@lru_cache(maxsize=4096)
def _record(text: str) -> Record:
    """The record of a line of a zone file. Raises ValueError."""
    try:
        tokens = dns.tokenizer.Tokenizer(text)
        owner = tokens.get_name(dns.name.root)
        ttl, class_ = 3600, dns.rdataclass.IN
        word = tokens.get()
        for _ in range(2):
            if word.value[:1].isdigit():
                ttl, word = dns.ttl.from_text(word.value), tokens.get()
            elif word.value.upper() in ("IN", "CH", "HS", "ANY"):
                class_, word = dns.rdataclass.from_text(word.value), tokens.get()
        type_ = dns.rdatatype.from_text(word.value)
        rdata = dns.rdata.from_text(class_, type_, tokens, dns.name.root, relativize=False)
        raw = bytes(rdata.to_wire() or b"")
    except (dns.exception.DNSException, ValueError, NotImplementedError) as error:
        raise ValueError(f"{text!r} is not a record: {error}") from error
    return Record(bytes(owner.to_wire() or b""), int(type_), int(class_), ttl, raw)
