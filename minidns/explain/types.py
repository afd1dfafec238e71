"""What an explanation says, as values. Their JSON form is the schema of `minidns explain --json`: `json_schema()`.

Every text from the network or the cluster in here is escaped (`minidns.core.why.shown`): it can go to a terminal as it
is. Names are in presentation form without the final dot. Long lists are cut; the counts beside them are of everything.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Role = Literal[
    "host", "cluster", "port", "protocol", "service", "namespace", "tree", "zone", "pod address", "address", "version",
    "name server", "too deep", "unknown", "outside",
]  # fmt: skip

ServiceType = Literal[
    "ClusterIP", "headless", "ExternalName", "missing", "ClusterSetIP", "headless import", "missing import"
]


class Label(msgspec.Struct, frozen=True):
    """How a part of the name was read: `text` is a label, or the zone's whole name; `role` is what it stands for."""

    text: str
    role: Role


class Port(msgspec.Struct, frozen=True):
    """`name` is "" for an unnamed port; `number` is null where a slice leaves it open."""

    name: str
    protocol: str
    number: int | None


class Endpoint(msgspec.Struct, frozen=True):
    """An endpoint of a slice, its conditions, and the labels that it has below its Service once it is ready.

    `state` is its conditions in words. `named_after` tells where the labels come from: its hostname, its pod's name, or
    its addresses.
    """

    slice: str
    addresses: tuple[str, ...]
    pod: str | None
    hostname: str | None
    ready: bool
    serving: bool
    terminating: bool
    state: str
    labels: tuple[str, ...]
    named_after: Literal["hostname", "pod", "address"]


class Slice(msgspec.Struct, frozen=True):
    """An EndpointSlice: how many endpoints it has, how many of them are ready, and its ports."""

    name: str
    endpoints: int
    ready: int
    ports: tuple[Port, ...]


class Service(msgspec.Struct, frozen=True):
    """The Service that the name led to, and what is behind it.

    `type` is "missing" when there are slices labelled with it, and no such Service. "ClusterSetIP", "headless import"
    and "missing import" are ServiceImports: `cluster_ips` are their ClusterSetIPs. `endpoint_count`, `ready_count` and
    `terminating_count` are of all endpoints, a pod with addresses of both families being one; `endpoints` and `slices`
    are cut, with those that the question is about kept.
    """

    namespace: str
    name: str
    type: ServiceType
    cluster_ips: tuple[str, ...]
    external_name: str | None
    selector: str
    ports: tuple[Port, ...]
    publish_not_ready: bool
    slices: tuple[Slice, ...]
    slice_count: int
    endpoints: tuple[Endpoint, ...]
    endpoint_count: int
    ready_count: int
    terminating_count: int


class Record(msgspec.Struct, frozen=True):
    """A record of the answer, its TTL in seconds, and the object that it came from."""

    name: str
    ttl: int
    type: str
    data: str
    source: str


class Ede(msgspec.Struct, frozen=True):
    """The Extended DNS Error (RFC 8914) of the answer."""

    code: int
    text: str


class Explanation(msgspec.Struct, frozen=True, tag_field="kind", tag="explanation"):
    """Why a question is answered as it is.

    `rcode` is that of the answer, null when it is not ours to give: a forwarder answers, or the next plugin.
    `resolves`: the answer has records of the type; null when that is for another server to say.
    `why` names the kind of reason (`minidns.core.why.Why`, in lower case); `sentence` is it in words, the EDE's when
    there is one. `facts` are more sentences, each read from the index; `steps` are what to do or to look at next;
    `suggestions` are names that exist and may have been meant. `negative_ttl`: seconds that a resolver may keep
    "no" for; null when there is no such answer.
    """

    name: str
    type: str
    rcode: str | None
    resolves: bool | None
    why: str
    sentence: str
    ede: Ede | None
    zone: str | None
    labels: tuple[Label, ...]
    service: Service | None
    records: tuple[Record, ...]
    record_count: int
    negative_ttl: int | None
    facts: tuple[str, ...]
    steps: tuple[str, ...]
    suggestions: tuple[str, ...]


class Outcome(msgspec.Struct, frozen=True):
    """What one query of a search brought. `rcode` and `resolves` as in an Explanation."""

    type: str
    rcode: str | None
    resolves: bool | None
    record_count: int


class Candidate(msgspec.Struct, frozen=True):
    """A name that the resolver tried, with one query for each type, and the sentence of the first of them.

    `sent`: how many times each query is sent; more than once where the answer is a failure. `then`: what the resolver
    does next: it has `found` its answer, tries the `next` name or the name `as it is`, has `failed`, or an answer from
    `elsewhere` decides.
    """

    name: str
    outcomes: tuple[Outcome, ...]
    sentence: str
    sent: int
    then: Literal["found", "next", "as it is", "failed", "elsewhere"]


class SearchExplanation(msgspec.Struct, frozen=True, tag_field="kind", tag="search"):
    """What becomes of a short name in a pod: its search list is tried one by one, until a candidate has records.

    `dots` in the name and `ndots` decide whether it is tried as it is first or last; a final dot (`absolute`) ends the
    search list. `queries` is what the search costs, `with_dot` what the last candidate costs when it is written with a
    final dot, null where that saves nothing. `libc`: whose resolver that is, glibc or musl; `rules`: what it did that
    the other would not. `answered_by` is the candidate that has the records, null when
    none has, or when only another server can say. `explanation` is of that candidate, or of the one that came closest.
    """

    name: str
    namespace: str
    search: tuple[str, ...]
    ndots: int
    dots: int
    libc: str
    absolute: bool
    as_it_is_first: bool
    rules: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    queries: int
    with_dot: int | None
    answered_by: str | None
    resolves: bool | None
    explanation: Explanation


def to_json(explanation: Explanation | SearchExplanation) -> bytes:
    """The JSON form, indented."""
    return msgspec.json.format(msgspec.json.encode(explanation))


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of both kinds of explanations."""
    return msgspec.json.schema(Explanation | SearchExplanation)
