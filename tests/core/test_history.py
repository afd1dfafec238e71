"""What is answered, and why, depends on what there is: not on what there was, nor on what was asked meanwhile."""

from __future__ import annotations

from typing import Any

import dns.message
from hypothesis import given, settings
from hypothesis import strategies as st

from minidns.core import names
from minidns.core.model import (
    Change,
    Deleted,
    Endpoint,
    EndpointSlice,
    ImportedSlice,
    Namespace,
    Object,
    Pod,
    Port,
    Service,
    ServiceImport,
    Upserted,
)
from minidns.core.responder import Responder
from minidns.core.schema import PodMode, ZoneSettings
from minidns.core.zone import Zone
from tests.support.client import explained, parsed, query, said

WORDS = st.sampled_from(["a", "b"])
NAMESPACES = st.sampled_from(["a", "b", "c"])
ADDRESS = st.sampled_from([b"\n\0\0\1", b"\n\0\0\2", bytes(15) + b"\1"])
PORTS = st.lists(
    st.builds(Port, st.sampled_from(["", "http", "x"]), st.sampled_from(["TCP", "UDP"]), st.sampled_from([80, 70000])),
    max_size=2,
).map(tuple)
ENDPOINTS = st.builds(
    Endpoint, st.tuples(ADDRESS), st.none() | WORDS, st.none() | WORDS, ready=st.booleans(), serving=st.just(True)
)
OBJECTS: st.SearchStrategy[Object] = st.one_of(
    st.builds(Namespace, NAMESPACES),
    st.builds(Service, NAMESPACES, WORDS, st.lists(ADDRESS, max_size=2).map(tuple), ports=PORTS),
    st.builds(Service, NAMESPACES, WORDS, headless=st.just(True), ports=PORTS, selector=st.just((("app", "x"),))),
    st.builds(
        Service,
        WORDS,
        WORDS,
        external_name=st.sampled_from(["a.b.svc.cluster.local", "b.a.svc.cluster.local", "..", "x"]),
    ),
    st.builds(
        EndpointSlice, WORDS, st.sampled_from(["s", "t"]), WORDS, PORTS, st.lists(ENDPOINTS, max_size=3).map(tuple)
    ),
    st.builds(ServiceImport, NAMESPACES, WORDS, st.lists(ADDRESS, max_size=2).map(tuple), ports=PORTS),
    st.builds(ServiceImport, NAMESPACES, WORDS, headless=st.just(True), ports=PORTS),
    st.builds(
        ImportedSlice,
        WORDS,
        st.sampled_from(["s", "t"]),
        WORDS,
        PORTS,
        st.lists(ENDPOINTS, max_size=3).map(tuple),
        st.sampled_from(["", "a", "b"]),
    ),
    st.builds(Pod, NAMESPACES, WORDS, st.tuples(ADDRESS)),
)
ASKED = [
    f"{front}{service}.{namespace}.svc.cluster.local"
    for front in ("", "a.", "a.a.", "b.a.", "_http._tcp.", "_x._udp.")
    for service in ("a", "b")
    for namespace in ("a", "b")
] + ["a.svc.cluster.local", "a.c.svc.cluster.local", "10-0-0-1.a.pod.cluster.local", "1.0.0.10.in-addr.arpa",
     "0.0.10.in-addr.arpa", "cluster.local", "x.cluster.local"]  # fmt: skip
TYPES = ("A", "SRV", "TXT")
SETTINGS = st.builds(
    ZoneSettings,
    pods=st.sampled_from(PodMode),
    ignore_empty_service=st.booleans(),
    exposed_namespaces_only=st.booleans(),
    multicluster=st.booleans(),
)


def everything(responder: Responder) -> list[Any]:
    channel = responder.channel("udp", "1")
    found = []
    for name in ASKED:
        for type_ in TYPES:
            reply: dns.message.Message = parsed(responder.respond(query(name, type_), channel))
            rcode, *sections = said(reply)
            found.append((name, type_, rcode, [sorted(one) for one in sections], explained(reply)))
    return found


@given(SETTINGS, st.lists(st.tuples(st.booleans(), OBJECTS), max_size=12))
@settings(max_examples=30)
def test_answers_and_their_reasons_do_not_depend_on_history(
    config: ZoneSettings, steps: list[tuple[bool, Object]]
) -> None:
    zone = Zone(config)
    zone.synced = True
    responder = Responder(zone)
    left: dict[Any, Object] = {}
    for number, (stays, obj) in enumerate(steps):
        change: Change = Upserted(obj) if stays else Deleted(type(obj), obj.key)
        zone.apply(change)
        left.pop((type(obj).__name__, obj.key), None)
        if stays:
            left[type(obj).__name__, obj.key] = obj
        if number % 3 == 2:
            everything(responder)
    fresh = Zone(config)
    fresh.synced = True
    for key in sorted(left):
        fresh.apply(Upserted(left[key]))
    assert everything(responder) == everything(Responder(fresh))


def test_a_reason_names_no_namespace_that_is_hidden() -> None:
    zone = Zone(ZoneSettings(exposed_namespaces_only=True))
    zone.synced = True
    for obj in (Namespace("a"), Service("secret", "web", (b"\n\0\0\1",)), Service("b", "web", (b"\n\0\0\2",))):
        zone.apply(Upserted(obj))
    packet = query("web.a.svc.cluster.local")
    responder = Responder(zone)
    channel = responder.channel("udp", "1")
    assert explained(parsed(responder.respond(packet, channel))) == [(0, "no Service of that name in namespace a")]
    zone.apply(Upserted(Namespace("b")))
    expected = [(0, "no Service a/web; there is one in namespace b")]
    assert explained(parsed(responder.respond(packet, channel))) == expected
    assert names.from_text("web.b.svc.cluster.local") in zone.nodes
