"""Questions over HTTP: a packet for the front that answers on the sockets, a pod's search list walked with such
packets, and a message taken apart. Nothing changes by it, and it is counted apart."""

from __future__ import annotations

import asyncio
import inspect
import secrets
import struct
from collections import Counter
from collections.abc import Sequence

import msgspec

from minidns.admin.running import Running
from minidns.core import records, wire
from minidns.core.names import Name
from minidns.core.responder import Channel, Client, Forward
from minidns.explain import BOTH, NDOTS, Libc, parse_libc, parse_ndots, parse_type
from minidns.explain.question import name_text
from minidns.explain.search import Found, Then, after, check_namespace, search_of, sendings, walk
from minidns.front import Front
from minidns.server.http.endpoint import DNS, JSON, Asked, Endpoint, RefusedError, Reply
from minidns.site import Site
from minidns.views import dissection

#: Seconds that an upstream has to answer.
PATIENCE = 5.0
#: An OPT record as dig sends it (without a cookie): 1232 bytes, version 0, no flags.
_OPT = struct.pack("!BHHIH", 0, records.OPT, wire.UDP_SIZE, 0, 0)
_RD = 0x0100
#: Records of an answer that are looked at: 4,000 of them would take 5 ms.
_LOOKED_AT = 64
_TRANSPORTS = ("udp", "tcp")
_HERE = Client("127.0.0.1", 0)

_WALK = {
    "name": "as a program would write it",
    "type": "A and AAAA, side by side, by default",
    "from": "the namespace of a pod; without it there is no search list",
    "ndots": f"of the pod's resolv.conf ({NDOTS})",
    "libc": "whose resolver walks: glibc (the default) or musl",
    "edns": "1 to ask with EDNS, as dig does: answers are larger, and say why",
}


class Asking:
    """What asks the front of an address, over channels of its own.

    at: which address, the first by default; the last when there are not so many. answered: how many answers by rcode.
    """

    def __init__(self, running: Running, at: int = 0) -> None:
        self._at = at
        self.answered: Counter[str] = Counter()
        self._running = running
        self._site: Site | None = None
        self._front: Front
        self._channels: dict[str, Channel] = {}

    async def ask(self, packet: bytes, transport: str) -> bytes | None:
        """The answer to a packet as a client of that transport gets it; None for silence."""
        front = self._current()
        channel = self._channels[transport]
        reply = front.respond(packet, channel)
        if isinstance(reply, Forward):
            reply = await self._elsewhere(front, packet, reply, channel)
        if reply is not None:
            self.answered[records.RCODES.get(reply[3] & 15, str(reply[3] & 15))] += 1
        return reply

    @staticmethod
    async def _elsewhere(front: Front, packet: bytes, forward: Forward, channel: Channel) -> bytes | None:
        reply = front.resolve(packet, forward, channel, _HERE)
        if inspect.iscoroutine(reply):
            try:
                reply = await asyncio.wait_for(reply, PATIENCE)
            except TimeoutError:
                return wire.error(packet, records.SERVFAIL, forward.question)
        if reply is None or isinstance(reply, bytes):
            return reply
        # A transfer is many messages: it is to be had over TCP, and not here.
        return wire.error(packet, records.REFUSED, forward.question)

    def _current(self) -> Front:
        site = self._running.generation.site
        if site is not self._site:
            fronts = [*site.by_address().values()]
            self._site, self._front = site, fronts[: self._at + 1][-1]
            self._channels = {transport: self._front.channel(transport, "1") for transport in _TRANSPORTS}
        return self._front


class Query(msgspec.Struct, frozen=True):
    """A query and its answer, both in hexadecimal; `answer` and `rcode` are null where silence was the answer.
    `records` are those of the type asked for."""

    type: str
    transport: str
    rcode: str | None
    records: int
    truncated: bool
    size: int
    packet: str
    answer: str | None


class Step(msgspec.Struct, frozen=True):
    """What was asked about one name, how often each query is sent, why it was answered so, and what the resolver does
    then (`minidns.explain.search.Then`)."""

    name: str
    queries: tuple[Query, ...]
    sent: int
    sentence: str
    then: str


class Walk(msgspec.Struct, frozen=True):
    """A walk down the search list. `cost`: queries that were sent, `connections`: over TCP among them. `with_dot`: what
    the name that was found costs, written whole and with a final dot; null when none was found."""

    name: str
    namespace: str
    search: tuple[str, ...]
    ndots: int
    dots: int
    libc: str
    edns: bool
    as_it_is_first: bool
    steps: tuple[Step, ...]
    cost: int
    connections: int
    found: str | None
    with_dot: int | None


async def walked(asking: Asking, site: Site, parameters: dict[str, str]) -> Walk:
    """Walk as `parameters` (those of `/walk`) say. Raises ValueError for what makes no sense."""
    if not parameters.get("name"):
        raise ValueError("name what is to be asked for: ?name=")
    types = [parse_type(parameters["type"])] if parameters.get("type") else list(BOTH)
    ndots, libc = parse_ndots(parameters.get("ndots", "")), parse_libc(parameters.get("libc", ""))
    edns = parameters.get("edns") == "1"
    zone, namespace = site.zones[0], parameters.get("from", "")
    if namespace:
        check_namespace(zone, namespace)
    search = search_of(zone.settings.origin, parameters["name"], namespace, types, ndots, libc)
    walker = walk(search)
    steps: list[Step] = []
    name: Name | None = next(walker)
    while name is not None:
        step, found = await _step(asking, site, name, types, libc, edns=edns)
        steps.append(step)
        try:
            name = walker.send(found)
        except StopIteration:
            name = None
    last = steps[-1]
    return Walk(
        name_text(search.name),
        namespace,
        tuple(map(name_text, search.tails)),
        ndots,
        search.dots,
        libc.value,
        edns,
        search.as_it_is_first,
        tuple(steps),
        sum(len(step.queries) * step.sent for step in steps),
        sum(any(query.transport == "tcp" for query in step.queries) for step in steps),
        last.name if last.then == Then.FOUND else None,
        len(last.queries) if last.then == Then.FOUND else None,
    )


async def _step(
    asking: Asking, site: Site, name: Name, types: Sequence[int], libc: Libc, *, edns: bool
) -> tuple[Step, list[Found]]:
    queries = [await _query(asking, name, type_, "udp", edns=edns) for type_ in types]
    decisive = list(queries)
    for at, query in enumerate(queries):
        # glibc asks for both types again over TCP when one answer is cut off; musl (from 1.2.4 on) for that one.
        if query.truncated or (libc is Libc.GLIBC and any(one.truncated for one in queries)):
            decisive[at] = await _query(asking, name, types[at], "tcp", edns=edns)
            queries = [*queries, decisive[at]]
    found = [Found(_number(query), query.records) for query in decisive]
    best = next((at for at, query in enumerate(decisive) if query.records), 0)
    sentence = _sentence(site, name, types[best], decisive[best])
    return Step(name_text(name), tuple(queries), sendings(libc, found), sentence, after(libc, found).value), found


async def _query(asking: Asking, name: Name, type_: int, transport: str, *, edns: bool) -> Query:
    packet = struct.pack("!6H", secrets.randbelow(1 << 16), _RD, 1, 0, 0, edns) + name + struct.pack("!HH", type_, 1)
    packet += _OPT if edns else b""
    answer = await asking.ask(packet, transport)
    type_text = records.type_text(type_)
    if answer is None:
        return Query(type_text, transport, None, 0, False, 0, packet.hex(), None)
    return Query(
        type_text,
        transport,
        records.RCODES.get(answer[3] & 15, str(answer[3] & 15)),
        _count(answer, type_),
        bool(answer[2] & 2),
        len(answer),
        packet.hex(),
        answer.hex(),
    )


def _count(answer: bytes, type_: int) -> int:
    """How many records of a type are in the answer section. Behind a chain of aliases they all are of one."""
    count = int.from_bytes(answer[6:8], "big")
    at, found = wire.skip_name(answer, wire.HEADER) + 4, max(0, count - _LOOKED_AT)
    for _ in range(min(count, _LOOKED_AT)):
        at = wire.skip_name(answer, at)
        found += type_ in (int.from_bytes(answer[at : at + 2], "big"), records.ANY)
        at += 10 + int.from_bytes(answer[at + 8 : at + 10], "big")
    return found


def _number(query: Query) -> int:
    return next((number for number, text in records.RCODES.items() if text == query.rcode), records.SERVFAIL)


def _sentence(site: Site, name: Name, type_: int, query: Query) -> str:
    if query.records:
        return f"{query.records} {query.type} record{'s' if query.records > 1 else ''}"
    if query.rcode is None:
        return "no answer"
    return site.reason(name, type_) or f"{query.rcode}, answered elsewhere"


def endpoints(running: Running, asking: Asking) -> tuple[Endpoint, ...]:
    async def on_query(asked: Asked) -> Reply:
        transport = asked.query.get("transport") or "tcp"
        if transport not in _TRANSPORTS:
            raise ValueError(f"transport={transport!r}: udp or tcp")
        answer = await asking.ask(asked.body, transport)
        if answer is None:
            raise RefusedError(400, "no answer: that is no query")
        return Reply(answer, DNS)

    async def on_walk(asked: Asked) -> Reply:
        return Reply(msgspec.json.encode(await walked(asking, running.generation.site, dict(asked.query))), JSON)

    async def on_dissect(asked: Asked) -> Reply:
        return Reply(dissection.to_json(dissection.dissect(asked.body)), JSON)

    transport = {"transport": "udp, where answers are cut off, or tcp (the default)"}
    return (
        Endpoint(
            path="/dns-query", doc="the answer to a DNS message (RFC 8484)", parameters=transport, handler=on_query,
            method="POST", takes=DNS,
        ),
        Endpoint(path="/walk", doc="a pod's search list, walked with real queries", parameters=_WALK, handler=on_walk),
        Endpoint(
            path="/dissect", doc="a DNS message, byte by byte", handler=on_dissect, method="POST", takes=DNS,
        ),
    )  # fmt: skip
