"""A query as people look at it, and which ones somebody wants to see."""

from __future__ import annotations

import re

import dns.edns
import dns.message
import dns.rcode
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidns.core.responder import Client, Exchange, Responder
from minidns.views.queries import FILTERS, Filter, Query, Slice, query_of, text, who
from tests.support.client import query
from tests.support.clusters import service, zone_of
from tests.support.explained import DEFAULT

WEB = "web.default.svc.cluster.local"


def exchange(packet: bytes, transport: str = "udp") -> Exchange:
    responder = Responder(zone_of(DEFAULT, service("default/web", "10.96.0.1")))
    answer = responder.respond(packet, responder.channel(transport, "1"))
    assert isinstance(answer, bytes)
    return Exchange(packet, answer, Client("10.244.0.7", 4711), "127.0.0.1", transport, 0.001)


def made(name: str, type_: str = "A", reason: str = "") -> Query:
    return query_of(exchange(query(name, type_)), "zone", reason, 12.5)


def test_what_there_is_to_show() -> None:
    asked = exchange(query("WEB.default.svc.cluster.local."), "tcp")
    assert query_of(asked, "zone", "", 12.5) == Query(
        12.5, "10.244.0.7", None, None, WEB, "A", "NOERROR", 1, "", len(asked.answer), "tcp", "zone"
    )
    missing = made("none.default.svc.cluster.local.", reason="a \x1b[31mreason")
    assert (missing.rcode, missing.outcome, missing.reason) == ("NXDOMAIN", "NXDOMAIN", "a \\027[31mreason")
    other = made(f"{WEB}.", "TYPE65280")
    assert (other.type, other.rcode, other.records, other.outcome) == ("TYPE65280", "NOERROR", 0, "NODATA")


def test_packets_that_are_no_plain_question() -> None:
    malformed = query_of(exchange(query(f"{WEB}.")[:20]), "zone", "", 0.0)
    assert (malformed.name, malformed.type, malformed.rcode) == ("", "", "FORMERR")
    assert malformed.reason == "the packet ends too soon"
    assert "no question FORMERR: the packet ends too soon" in text(malformed)
    message = dns.message.make_query(f"{WEB}.", "A", use_edns=1)
    assert query_of(exchange(message.to_wire()), "zone", "", 0.0).rcode == "BADVERS"


@given(st.binary(max_size=40))
def test_any_name_is_shown_in_printable_characters(raw: bytes) -> None:
    label = bytes((len(raw),)) + raw if raw else b""
    packet = b"\0\1\1\0\0\1\0\0\0\0\0\0" + label + b"\0\0\1\0\1"
    shown = text(query_of(exchange(packet), "zone", "", 0.0))
    assert shown.isprintable()


def test_lines_for_people() -> None:
    missing = made("none.default.svc.cluster.local.", reason="no such Service")
    line = text(missing)
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.500 10\.244\.0\.7 none\.default\S+ A NXDOMAIN: no such Service", line)
    known = msgspec.structs.replace(missing, namespace="default", pod="web-0", by="cache", reason="")
    assert who(known) == "default/web-0"
    assert text(known).endswith(" default/web-0 none.default.svc.cluster.local A NXDOMAIN by cache")


@pytest.mark.parametrize(
    ("parameters", "passes"),
    [
        ({}, True),
        ({"namespace": "default"}, True),
        ({"namespace": "defaul"}, False),
        ({"pod": "web"}, True),
        ({"pod": "10.244"}, True),
        ({"pod": "db"}, False),
        ({"name": "NONE.default.svc.cluster.local."}, True),
        ({"name": "svc"}, True),
        ({"name": "web"}, False),
        ({"rcode": "nxdomain"}, True),
        ({"rcode": "NODATA, NXDOMAIN"}, True),
        ({"rcode": "NOERROR"}, False),
        ({"pod": "web", "rcode": "NOERROR"}, False),
    ],
)
def test_filters(parameters: dict[str, str], passes: bool) -> None:
    missing = msgspec.structs.replace(made("none.default.svc.cluster.local."), namespace="default", pod="web-0")
    assert parameters.keys() <= FILTERS.keys()
    assert Filter.of(parameters).passes(missing) is passes


def test_a_namespace_is_of_a_known_pod_alone() -> None:
    assert not Filter.of({"namespace": "default"}).passes(made(f"{WEB}."))
    assert Filter.of({"rcode": "NOERROR"}).passes(made(f"{WEB}."))
    assert not Filter.of({"rcode": "NOERROR"}).passes(made(f"{WEB}.", "AAAA")), "that is a NODATA"


def test_each_query_of_a_slice_stands_for_the_others() -> None:
    assert Slice(8, (made(f"{WEB}."), made(f"{WEB}."))).weight == 4.0
    assert Slice(8, ()).weight == 0.0
