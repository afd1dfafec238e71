"""Queries as people look at them: who asked what, what came back, and why. Pure.

A `Query` is made from the two packets of an exchange, in the process that answered. Names and reasons are shown as
text that any terminal or page may print.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec

from minidns.core import records, wire
from minidns.core.responder import Exchange
from minidns.core.why import shown
from minidns.core.wire import MalformedError
from minidns.explain.question import name_text

#: What stands for the rcode NOERROR of an answer without records.
NODATA = "NODATA"
#: The parameters of a `Filter`, each with a line for people.
FILTERS = {
    "namespace": "of the pod that asks",
    "pod": "part of the name of the pod that asks, or of its address",
    "name": "part of the name that is asked for",
    "rcode": "of the answer: NOERROR, NODATA, NXDOMAIN, ...; several with commas between them",
}


class Query(msgspec.Struct, frozen=True):
    """One question and its answer.

    time: of the answer, in seconds since 1970. client: the address that asked. namespace, pod: of the pod that has this
    address, null where that is not known. name: in lower case, without the final dot; "" for a packet that is no
    question. records: in the answer section. reason: "" where records need none. bytes: of the answer. by: "zone",
    "cache", "upstream", or the plugin that answered by itself. walk: the same number for all that was asked to find
    one name; step: where in it, from 1, A and AAAA of a step together. search: the name as the program wrote it, "" as
    long as one step alone is known.
    """

    time: float
    client: str
    namespace: str | None
    pod: str | None
    name: str
    type: str
    rcode: str
    records: int
    reason: str
    bytes: int
    transport: str
    by: str
    walk: int = 0
    step: int = 0
    search: str = ""

    @property
    def outcome(self) -> str:
        """The rcode, NODATA for a NOERROR without records."""
        return NODATA if self.rcode == "NOERROR" and not self.records else self.rcode


class Slice(msgspec.Struct, frozen=True):
    """What one process shows of a short time: of `seen` queries those at its start, all of them or as many as may be
    shown. Each stands for `weight` of them."""

    seen: int
    queries: tuple[Query, ...]

    @property
    def weight(self) -> float:
        return self.seen / len(self.queries) if self.queries else 0.0


def query_of(exchange: Exchange, by: str, reason: str, time: float) -> Query:
    """What there is to show of an exchange."""
    answer = exchange.answer
    rcode, count = answer[3] & 15, int.from_bytes(answer[6:8], "big")
    name = type_ = ""
    try:
        asked = wire.parse(exchange.query)
    except MalformedError as error:
        reason = reason or str(error)
    else:
        name, type_ = name_text(asked.name), records.type_text(asked.type)
        if asked.edns and asked.edns.version:
            rcode, reason = records.BADVERS, "EDNS has no version above 0 yet"
    return Query(
        time,
        exchange.client.address,
        None,
        None,
        name,
        type_,
        records.RCODES.get(rcode, str(rcode)),
        count,
        shown(reason),
        len(answer),
        exchange.transport,
        by,
    )


class Filter(NamedTuple):
    """Which queries somebody wants to see; "" where everything passes."""

    namespace: str = ""
    pod: str = ""
    name: str = ""
    rcodes: frozenset[str] = frozenset()

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Filter:
        """From the parameters that FILTERS lists."""
        rcodes = {rcode.strip().upper() for rcode in query.get("rcode", "").split(",")} - {""}
        name = query.get("name", "").lower().removesuffix(".")
        return cls(query.get("namespace", ""), query.get("pod", ""), name, frozenset(rcodes))

    def passes(self, query: Query) -> bool:
        return (
            (not self.namespace or self.namespace == query.namespace)
            and (not self.pod or self.pod in (query.pod or "") or self.pod in query.client)
            and (not self.name or self.name in query.name)
            and (not self.rcodes or query.outcome in self.rcodes)
        )


def who(query: Query) -> str:
    """The client for people: its pod with the namespace, else its address."""
    return f"{query.namespace}/{query.pod}" if query.pod else query.client


def text(query: Query) -> str:
    """The query in a line: time, client, question, outcome, reason."""
    time = datetime.fromtimestamp(query.time).strftime("%H:%M:%S.%f")[:-3]
    asked = f"{query.name} {query.type}" if query.type else "no question"
    said = f"{query.outcome} by {query.by}" if query.by != "zone" else query.outcome
    return f"{time} {who(query)} {asked} {said}" + (f": {query.reason}" if query.reason else "")
