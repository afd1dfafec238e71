"""Whatever an API server may send: what the decoder takes in is answered from, explained, written out and taken back.

One bad field costs that field. Names, ports, addresses, hostnames and targets here are any text and any number.
"""

from __future__ import annotations

import json
import logging
import struct
from typing import Any

import dns.message
import dns.rcode
import dns.rdata
import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from minidns import explain
from minidns.core import names
from minidns.core.model import Deleted, EndpointSlice, Kind, Namespace, Object, Pod, Service, Upserted
from minidns.core.responder import Channel, Responder
from minidns.core.schema import PodMode, ZoneSettings
from minidns.core.zone import Touch, Zone
from minidns.source.kubernetes.decode import DECODE
from minidns.source.kubernetes.store import Store
from minidns.views import zonefile
from minidns.views.changes import event_of, text, to_json, versions

TYPES = (1, 5, 12, 28, 33, 255, 65300)
ODD = [
    "", ".", "a.b", "A", "*", "_tcp", "_http", "svc", "pod", "dns", "ns", "x" * 63, "x" * 64, "ä" * 40, "a b", '"',
    "\\", "\0", "\n", "@", ";", "\ud800", "web", "default", "10-0-0-1",
]  # fmt: skip
#: A few names often, so that objects meet; any text sometimes.
WORDS = st.one_of(st.sampled_from(["web", "default"]), st.sampled_from(ODD), st.text(max_size=70))
NUMBERS = st.one_of(
    st.none(), st.sampled_from([0, 1, 80, 65535, 65536, -1, 70000, 2**31, -(2**63), 2**64 - 1]), st.integers()
)
PLACES = ["10.0.0.1", "fd00::1", "None", "", "10.0.0.256", "::ffff:1.2.3.4", "fe80::1%eth0", "0.0.0.0"]
ADDRESSES = st.lists(st.one_of(st.sampled_from(PLACES), WORDS), max_size=3)
PORTS = st.lists(st.fixed_dictionaries({}, optional={"name": WORDS, "protocol": WORDS, "port": NUMBERS}), max_size=3)
ENDS = ["web.default.svc.cluster.local", "a" * 300, "10.0.0.1", "..", "a..b", "x." * 120, "cluster.local."]
TARGETS = st.one_of(WORDS, st.sampled_from(ENDS))
BOOLS = st.one_of(st.none(), st.booleans())
META = st.fixed_dictionaries({"name": WORDS, "namespace": WORDS})
OBJECTS: dict[Kind, st.SearchStrategy[Any]] = {
    Namespace: st.fixed_dictionaries({"metadata": st.fixed_dictionaries({"name": WORDS})}),
    Service: st.fixed_dictionaries(
        {
            "metadata": META,
            "spec": st.fixed_dictionaries(
                {},
                optional={
                    "type": st.sampled_from(["ClusterIP", "ExternalName"]), "clusterIP": WORDS, "clusterIPs": ADDRESSES,
                    "externalName": TARGETS, "ports": PORTS, "selector": st.dictionaries(WORDS, WORDS, max_size=2),
                },
            ),
        }
    ),
    EndpointSlice: st.fixed_dictionaries(
        {"metadata": st.builds(lambda meta, web: {**meta, "labels": {"kubernetes.io/service-name": web}}, META, WORDS)},
        optional={
            "addressType": WORDS,
            "ports": PORTS,
            "endpoints": st.lists(
                st.fixed_dictionaries(
                    {},
                    optional={
                        "addresses": ADDRESSES, "hostname": WORDS,
                        "conditions": st.fixed_dictionaries({"ready": BOOLS}),
                        "targetRef": st.fixed_dictionaries({"kind": st.just("Pod"), "name": WORDS}),
                    },
                ),
                max_size=3,
            ),
        },
    ),
    Pod: st.fixed_dictionaries(
        {"metadata": META, "status": st.builds(lambda some: {"podIPs": [{"ip": one} for one in some]}, ADDRESSES)}
    ),
}  # fmt: skip
KINDS: tuple[Kind, ...] = (Namespace, Service, EndpointSlice, Pod)
ITEMS = st.one_of(*(st.tuples(st.just(kind), OBJECTS[kind]) for kind in KINDS))
SETTINGS = st.builds(
    ZoneSettings,
    pods=st.sampled_from(PodMode),
    endpoint_pod_names=st.booleans(),
    ignore_empty_service=st.booleans(),
    exposed_namespaces_only=st.booleans(),
)


def decoded(kind: Kind, item: Any) -> Object | None:
    try:
        return DECODE[kind](json.dumps(item).encode())
    except msgspec.MsgspecError:
        return None


def slice_item(port: Any = 80, hostname: str = "web-0", address: str = "10.0.0.1") -> Any:
    meta = {"name": "web-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "web"}}
    ports = [{"name": "http", "port": 80}, {"name": "bad", "port": port}]
    return {"metadata": meta, "ports": ports, "endpoints": [{"addresses": [address], "hostname": hostname}]}


WEB = {"metadata": {"name": "web", "namespace": "default"}, "spec": {"clusterIP": "None"}}


@given(SETTINGS, st.lists(ITEMS, max_size=6))
@example(ZoneSettings(), [(Service, WEB), (EndpointSlice, slice_item(port=70000))])
@example(ZoneSettings(), [(Service, WEB), (EndpointSlice, slice_item(port=-1))])
@settings(max_examples=100)
def test_any_object_is_answered_explained_written_and_taken_back(config: ZoneSettings, items: list[Any]) -> None:
    zone = Zone(config)
    zone.synced = True
    bare = dict.fromkeys(zone.nodes)
    objects = [obj for kind, item in items if (obj := decoded(kind, item)) is not None]
    for obj in objects:
        change, feed = Upserted(obj), list[Touch]()
        before = versions(zone.cluster, change)
        zone.apply(change, feed)
        if event := event_of(zone, before, feed):
            json.loads(to_json(event))
            assert text(event).isprintable() or "\n" in text(event)
    written = [line for piece in zonefile.pieces(zone, config.origin) for line in piece.splitlines()]
    for line in written:
        _owner, _ttl, _class, type_, rdata = line.split(maxsplit=4)
        dns.rdata.from_text("IN", type_, rdata)
    responder = Responder(zone)
    channels = responder.channel("udp", "1"), responder.channel("tcp", "1")
    for name in zone.nodes.keys() - bare.keys():
        for type_number in TYPES:
            for channel in channels:
                answered(responder, channel, name, type_number)
        if len(name) < 254:
            answered(responder, channels[0], b"\1x" + name, 1)
            json.loads(explain.to_json(explain.explain(zone, b"\1x" + name, 1)))
        for explained_type in (1, 33):
            json.loads(explain.to_json(explain.explain(zone, name, explained_type)))
    for obj in objects:
        zone.apply(Deleted(type(obj), obj.key))
    assert dict.fromkeys(zone.nodes) == bare


def answered(responder: Responder, channel: Channel, name: bytes, type_: int) -> None:
    packet = b"\0\1\1\0\0\1\0\0\0\0\0\1" + name + struct.pack("!HH", type_, 1) + b"\0\0\x29\4\xd0\0\0\0\0\0\0"
    reply = responder.respond(packet, channel)
    assert isinstance(reply, bytes)
    assert dns.message.from_wire(reply).rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)


def test_a_bad_field_costs_that_field(caplog: pytest.LogCaptureFixture) -> None:
    """The other port, the other records and the zone file stay; the log says once what is left out, explain always."""
    store = Store(EndpointSlice, lambda _: True)
    zone = Zone(ZoneSettings())
    zone.synced = True
    web = decoded(Service, WEB)
    assert web is not None
    zone.apply(Upserted(web))
    caplog.set_level(logging.WARNING)
    for address in ("10.0.0.1", "10.0.0.2"):
        (change,) = store.put(msgspec.Raw(json.dumps(slice_item(port=70000, address=address)).encode()))
        zone.apply(change)
    assert [record.getMessage() for record in caplog.records] == [
        "EndpointSlice default/web-1: left out, because no record can hold it: "
        "port bad 70000/TCP is not within 0 and 65535"
    ]
    owner = names.from_text("web.default.svc.cluster.local")
    srv = explain.explain(zone, owner, 33)
    assert [record.data for record in srv.records] == ["0 100 80 web-0.web.default.svc.cluster.local."]
    said = "port bad 70000/TCP is not within 0 and 65535: EndpointSlice default/web-1"
    assert f"left out, because no record can hold it: {said}" in srv.facts
    missing = explain.explain(zone, names.from_text("_bad._tcp.web.default.svc.cluster.local"), 33)
    assert missing.sentence == "port bad of Service default/web has no number that a record can hold, only 70000"
    text = "\n".join(zonefile.pieces(zone, zone.settings.origin))
    assert "_http._tcp.web.default.svc.cluster.local. 5 IN SRV 0 100 80 " in text
    assert "70000" not in text


def test_what_is_left_out_is_told_again_when_it_is_something_else(caplog: pytest.LogCaptureFixture) -> None:
    store = Store(EndpointSlice, lambda _: True)
    for port in (70000, 70000, 80, 70000):
        store.put(msgspec.Raw(json.dumps(slice_item(port=port)).encode()))
    store.put(msgspec.Raw(json.dumps(slice_item(hostname="x" * 64)).encode()))
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == [
        "port bad 70000/TCP is not within 0 and 65535",
        "port bad 70000/TCP is not within 0 and 65535",
        f"hostname {'x' * 64} is no label",
    ]
