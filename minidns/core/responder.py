"""Bytes to bytes: one function for every transport, and the whole error policy.

`respond` takes the fast path for ordinary questions: a known profile, a look-up, a join. What it does not know goes on
to `_ordinary` (a plain query whose answer or profile is not ready yet), and what is not a plain query to `_careful`.
All three give the same answer to the same question.

The error policy: too short, or a response: silence. Malformed, or not exactly one question: FORMERR. Another opcode:
NOTIMP. EDNS above version 0: BADVERS. Another class than IN: REFUSED. A bug of ours: SERVFAIL and a logged traceback.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from minidns.core import answers, names, records, wire
from minidns.core.answers import Answer
from minidns.core.names import Name
from minidns.core.ready import Ready
from minidns.core.reasons import Reason, Why
from minidns.core.wire import Profile, Question
from minidns.core.zone import Node, Zone

log = logging.getLogger(__name__)

#: Profiles that a channel keeps. EDNS without options has few forms in practice; what is beyond is parsed each time.
MAX_PROFILES = 256
#: Extended DNS Errors (RFC 8914, 4.4 and 4.20).
_STALE, _STALE_NXDOMAIN = 3, 19
_STALE_CODES = {records.NOERROR: _STALE, records.NXDOMAIN: _STALE_NXDOMAIN}
#: Where a node keeps its NXDOMAIN for whatever is missing below it, and its NODATA for types that nobody holds.
_MISS, _OTHER = b"miss", b"other"
#: Types that a node keeps an answer for, so that asking for all 65,536 of them does not fill the memory; and the slots
#: in which answers are counted. The last slot is for every other type.
_SLOTS = {
    type_.to_bytes(2, "big"): slot
    for slot, type_ in enumerate(
        (
            records.A, records.NS, records.CNAME, records.SOA, records.PTR, records.MX, records.TXT, records.AAAA,
            records.SRV, records.HTTPS, records.ANY,
        )
    )
}  # fmt: skip
_OTHER_SLOT = len(_SLOTS)
#: Bytes of a name whose end is looked at before its labels are.
_LONG = 64
_RCODES = 16


class Forward(NamedTuple):
    """The question of a packet is for somebody else to answer.

    alias: the answer so far, when that is a chain of aliases that leads out of the zone.
    chained: plugins that come before the zone have not seen it yet.
    transfer: it asks for a zone of ours, whole or what changed in it.
    """

    question: Question
    alias: Answer | None = None
    chained: bool = False
    transfer: bool = False


class Channel:
    """One transport over one address family: what is learnt and counted there.

    limit: the most bytes of an answer.
    profiles: by the bytes 2-12 of a packet and those behind its question's type.
    counts: answers sent, by slot of the type and rcode.
    """

    __slots__ = ("counts", "family", "limit", "profiles", "transport")

    def __init__(self, transport: str, family: str) -> None:
        self.transport = transport
        self.family = family
        self.limit = wire.UDP_SIZE if transport == "udp" else wire.TCP_SIZE
        self.profiles: dict[bytes, Profile] = {}
        self.counts = [0] * (_RCODES * (len(_SLOTS) + 1))

    def answered(self) -> dict[tuple[str, str], int]:
        """How many answers were sent, by the mnemonics of type ("other" for rare ones) and rcode."""
        types = [records.type_text(int.from_bytes(type_, "big")) for type_ in _SLOTS] + ["other"]
        return {
            (types[slot], records.RCODES.get(rcode, str(rcode))): count
            for slot in range(len(types))
            for rcode in range(_RCODES)
            if (count := self.counts[slot * _RCODES + rcode])
        }


class Client(NamedTuple):
    """Who sent a packet, as far as somebody who answers beside the zone wants to know.

    key: the name of the key that signed it.
    """

    address: str
    port: int
    key: str = ""


#: The answer to a packet, None for silence, or what somebody else has to answer.
Respond = Callable[[bytes, Channel], bytes | Forward | None]
#: An answer of many messages, made one by one as a client on TCP takes them (a zone transfer). Each step is short, that
#: others get their turn: one that has nothing to send yet gives b"".
Messages = Iterator[bytes]
#: The answer of somebody else, at once, later, or message by message; None for silence.
Elsewhere = bytes | Coroutine[Any, Any, bytes | None] | Messages | None
#: (packet, what respond said, channel, client).
Resolve = Callable[[bytes, Forward, Channel, Client], Elsewhere]
#: Whether somebody else answered.
Resolved = Literal["no", "at once", "later"]


class Exchange(NamedTuple):
    """A question that was answered.

    query, answer: the packets. local: the address that listens. transport: "udp" or "tcp". seconds: from reading the
    question to sending the answer.
    """

    query: bytes
    answer: bytes
    client: Client
    local: str
    transport: str
    seconds: float
    resolved: Resolved = "no"


#: (how many questions were just answered, what makes the exchange of one of them): told once per batch, so that one who
#: wants a few of many exchanges pays for those alone.
Observe = Callable[[int, Callable[[int], Exchange]], None]


class Responder:
    """Answers packets from a zone index.

    forwards: names outside the zone are somebody else's to answer, instead of being REFUSED.
    recursion: a forwarder is configured: RA is set, and it goes on where an alias leads out of the zone.
    beside: other zones of the same server, where such an alias may lead.
    fallthrough: names that do not exist at or below these are somebody else's to answer too.
    explain: reasons go out as Extended DNS Errors to clients that speak EDNS.
    transfers: zones may be transferred, which is somebody else's to answer.
    """

    def __init__(
        self,
        zone: Zone,
        *,
        forwards: bool = False,
        recursion: bool = False,
        beside: Sequence[Zone] = (),
        fallthrough: tuple[Name, ...] = (),
        explain: bool = True,
        transfers: bool = False,
    ) -> None:
        self.zone = zone
        self.transfers = transfers
        self.forwards = forwards
        self.recursion = recursion
        self.beside = tuple(beside)
        self.explain = explain
        self.fallthrough = fallthrough
        self._channels: list[Channel] = []
        self._options = wire.NO_OPTIONS
        self._stale = False
        self._keeps = True
        self._soa: dict[tuple[Name, int], bytes] = {}
        self._soa_serial = zone.serial

    def channel(self, transport: str, family: str) -> Channel:
        """A new channel to answer on: transport "udp" or "tcp", family "1" (IPv4) or "2" (IPv6)."""
        channel = Channel(transport, family)
        self.adopt(channel)
        return channel

    def adopt(self, channel: Channel) -> None:
        """Answer on a channel that another responder of the same server made."""
        self._channels.append(channel)

    def mark_stale(self, text: str) -> None:
        """Say "Stale Answer" or "Stale NXDOMAIN Answer" (RFC 8914, 4.4 and 4.20) with every answer; "" ends it.

        The text goes with answers that have no reason of their own to give. What is ready at nodes is outdated.
        """
        options = wire.ede(_STALE, text) if text and self.explain else wire.NO_OPTIONS
        if (options, bool(text)) == (self._options, self._stale):
            return
        self._options, self._stale = options, bool(text)
        for channel in self._channels:
            channel.profiles.clear()
        self.zone.outdated = True

    def retire(self) -> None:
        """Leave nothing at the zone's nodes from now on: somebody else answers from it, who may say other things."""
        self._keeps = False

    def respond(self, packet: bytes, channel: Channel) -> bytes | Forward | None:
        """The answer to a packet, None for silence, or what to forward. Never raises."""
        try:
            end = packet.find(0, wire.HEADER)
            profile = channel.profiles.get(packet[2:12] + packet[end + 3 :])
            if profile is not None:
                node = self.zone.nodes.get(packet[12 : end + 1].lower())
                if node is not None:
                    ready = node.ready.get(packet[end + 1 : end + 3])
                    if ready is not None:
                        channel.counts[ready.kind] += 1
                        return self._send(packet, end, channel, profile, ready)
            return self._ordinary(packet, end, channel, profile)
        except Exception:
            log.exception("cannot answer %s", packet.hex())
            return wire.error(packet, records.SERVFAIL)

    def _send(self, packet: bytes, end: int, channel: Channel, profile: Profile, ready: Ready) -> bytes:
        body = ready.body
        # A negative answer fits always: 502 bytes with the longest name and reason.
        if ready.size + end > profile.room and ready.soa is None:
            room = profile.room - end
            head, body, options = wire.fit(
                ready, profile, room, recursion=self.recursion, udp=channel.limit == wire.UDP_SIZE
            )
        else:
            head, options = ready.heads[profile.variant], ready.options or profile.options
            if ready.soa is not None:
                body = self._soa_record(ready.soa, end)
            elif ready.step:
                turn = ready.turn
                ready.turn = (turn + ready.step) % ready.size
                body = body[turn : turn + ready.size]
        if profile.opt:
            return b"".join((packet[:2], head, packet[12 : end + 5], body, profile.opt, options))
        return b"".join((packet[:2], head, packet[12 : end + 5], body))

    def _soa_record(self, origin: Name, end: int) -> bytes:
        """The authority section of a negative answer; kept for each length of a name until the serial moves."""
        if self._soa_serial != self.zone.serial:
            self._soa.clear()
            self._soa_serial = self.zone.serial
        found = self._soa.get((origin, end))
        if found is None:
            found = self._soa[origin, end] = wire.soa_record(end, answers.soa(self.zone, origin, negative=True))
        return found

    def _ordinary(
        self, packet: bytes, end: int, channel: Channel, profile: Profile | None, question: Question | None = None
    ) -> bytes | Forward | None:
        """Plain queries whose profile or answer is not ready yet, or whose name has no node."""
        profile = profile or self._profile(packet, end, channel)
        name, type_ = packet[12 : end + 1].lower(), packet[end + 1 : end + 3]
        if profile is None or not self.zone.synced or type_ in _TRANSFERS:
            return self._careful(packet, channel)
        node = self.zone.nodes.get(name)
        if node is not None:
            key = type_ if type_ in _SLOTS else _OTHER
            ready = node.ready.get(key)
            if ready is None and (way := answers.end_of_aliases(self.zone, name)):
                # Kept where the aliases end, under the way there: it goes with any change that it depends on.
                node, key = self.zone.nodes[way[-1]], b"".join((key, name, *way))
                ready = node.ready.get(key)
        elif closest := self._closest(name):
            node, label = closest
            key = _MISS
            ready = None if self._falls_through(name) else node.ready.get(_MISS)
            if (
                ready is not None
                and profile.opt
                and self.zone.cluster.namespaces_with(label.decode("utf-8", "replace"))
            ):
                ready = None  # A Service of that name has a better reason than the one for all that is missing here.
        else:
            return self._careful(packet, channel)
        if ready is None:
            answer = answers.answer(self.zone, name, int.from_bytes(type_, "big"))
            if self._is_elsewhere(name, answer):
                return Forward(question or wire.parse(packet), answer if answer.outside else None)
            ready = self._prepare(name, answer)
            if self._keeps and (answer.reason.general if key == _MISS else _stays(answer)):
                ready.kind = _SLOTS.get(key, _OTHER_SLOT) * _RCODES + ready.rcode
                node.ready = {**node.ready, key: ready}
        channel.counts[_SLOTS.get(type_, _OTHER_SLOT) * _RCODES + ready.rcode] += 1
        return self._send(packet, end, channel, profile, ready)

    def _closest(self, name: bytes) -> tuple[Node, bytes] | None:
        """The closest node above a name that has none, and the label that is missing there.

        None when there is none, and for bytes that are no name: a label with a zero byte in it was taken for the end.
        """
        nodes, position, last = self.zone.nodes, 0, len(name) - 1
        # Long names may have many labels; below no zone of ours they need no look-up. Short ones are not worth 0.1 us.
        if last > _LONG and (last >= names.MAX_NAME or not name.endswith(self.zone.origins)):
            return None
        while position < last and (length := name[position]) <= names.MAX_LABEL:
            below, position = position, position + length + 1
            node = nodes.get(name[position:])
            if node is not None:
                return node, name[below + 1 : position]
        return None

    def _profile(self, packet: bytes, end: int, channel: Channel) -> Profile | None:
        """The profile of a plain query, kept when it has no EDNS options: those have few forms, cookies have many."""
        if end < 0 or len(packet) < end + 5:
            return None
        ordinary = wire.ordinary(packet[2:12], packet[end + 3 :])
        if ordinary is None:
            return None
        profile = wire.profile(*ordinary, channel.limit, self._options)
        if len(packet) <= end + 5 + wire.OPT_SIZE and len(channel.profiles) < MAX_PROFILES:
            channel.profiles[packet[2:12] + packet[end + 3 :]] = profile
        return profile

    def _careful(self, packet: bytes, channel: Channel) -> bytes | Forward | None:
        """Any packet."""
        if len(packet) < wire.HEADER or packet[2] & 0x80:
            return None
        try:
            question = wire.parse(packet)
        except wire.MalformedError:
            question = None
        rcode = _refusal(packet, question)
        if question is None or rcode != records.NOERROR:
            channel.counts[_OTHER_SLOT * _RCODES + (rcode & 15)] += 1
            return wire.error(packet, rcode, question)
        profile = wire.profile(question.flags, question.edns, channel.limit, self._options)
        # The question as it was read: it may hold a label with a zero byte in it, and any records may follow.
        plain, end = packet[:12] + question.raw, 11 + len(question.name)
        type_ = question.raw[-4:-2]
        if question.class_ == 1 and type_ not in _TRANSFERS and self.zone.synced and self.zone.origin(question.name):
            return self._ordinary(plain, end, channel, profile, question)
        answer = _CLASS if question.class_ != 1 else answers.answer(self.zone, question.name, question.type)
        if self._is_elsewhere(question.name, answer):
            return Forward(question, transfer=answer.reason.why is Why.TRANSFER)
        ready = self._prepare(question.name, answer)
        channel.counts[_SLOTS.get(type_, _OTHER_SLOT) * _RCODES + ready.rcode] += 1
        return self._send(plain, end, channel, profile, ready)

    def _is_elsewhere(self, name: Name, answer: Answer) -> bool:
        """Whether it is somebody else's to answer, or to answer on where an alias leads out of the zone."""
        if answer.rcode == records.NXDOMAIN and not answer.answer:
            return self._falls_through(name)
        if answer.outside is not None:
            return self.recursion or any(zone.origin(answer.outside) for zone in self.beside)
        if answer.reason.why is Why.TRANSFER:
            return self.transfers
        return self.forwards and answer.reason.why is Why.OUTSIDE

    def _falls_through(self, name: Name) -> bool:
        # The ends of the bytes first: most names are below none, and that takes 0.1 us instead of 2.
        return name.endswith(self.fallthrough) and any(names.is_below(name, origin) for origin in self.fallthrough)

    def _prepare(self, name: Name, answer: Answer) -> Ready:
        code = _STALE_CODES.get(answer.rcode) if self._stale else None
        return wire.prepare(name, answer, recursion=self.recursion, explain=self.explain, code=code)


#: Answers that hold what other changes move (the serial, an alias without its end) are put together each time.
_MOVING = (records.CNAME, records.SOA)
_CLASS = Answer(records.REFUSED, Reason(Why.CLASS))
_TRANSFERS = tuple(type_.to_bytes(2, "big") for type_ in (records.IXFR, records.AXFR))


def _stays(answer: Answer) -> bool:
    """Whether an answer is the same until something changes at the node that it is kept at."""
    return not answer.answer or (answer.answer[-1].type not in _MOVING and not answer.authority)


def _refusal(packet: bytes, question: Question | None) -> int:
    """The rcode for a packet that is no query we read, NOERROR for one that is."""
    if packet[2] & 0x78:
        return records.NOTIMP
    if question is None:
        return records.FORMERR
    return records.BADVERS if question.edns and question.edns.version else records.NOERROR
