"""The zone of a cluster set (KEP-1645): what ServiceImports and their slices give, as CoreDNS 1.14 answers it, and why
a name of it has no answer."""

from __future__ import annotations

import sys

import pytest

from minidns.core import answers, names, schema
from minidns.core.model import EndpointSlice, ImportedSlice, Namespace, Object, Service, ServiceImport, Upserted
from minidns.core.reasons import Why, sentence
from minidns.core.responder import Responder
from minidns.core.schema import ZoneSettings
from minidns.core.zone import Touch, Zone
from tests.support.client import explained, parsed, presentation, query
from tests.support.clusters import endpoints, headless, imported, imported_slice, service, zone_of

SET = ZoneSettings(origin=names.from_text("clusterset.local"), reverse=(), multicluster=True)
OBJECTS: tuple[Object, ...] = (
    Namespace("shop"),
    Namespace("kube-system"),
    service("kube-system/kube-dns", "10.96.0.10"),
    service("shop/local", "10.96.0.11", ports="http:80"),
    imported(service("shop/web", "10.112.0.1", "fd00:112::1", ports="http:80")),
    imported_slice(endpoints("shop/web-1", "10.1.0.9 host=w", ports="http:8080"), "east"),
    imported(headless("shop/db", ports="sql:5432")),
    imported_slice(endpoints("shop/db-east", "10.1.0.1 host=db-0", "10.1.0.2", ports="sql:5432"), "east"),
    imported_slice(endpoints("shop/db-west", "10.2.0.1 host=db-0", "10.2.0.2 unready", ports="sql:5432"), "West"),
    imported_slice(endpoints("shop/db-south", "10.3.0.1 host=db-9 unready", ports="sql:5432"), "south"),
    imported(headless("shop/gone")),
    imported(headless("shop/empty")),
    imported_slice(endpoints("shop/empty-1"), "east"),
    imported(headless("shop/sad")),
    imported_slice(endpoints("shop/sad-1", "10.1.0.7 host=s unready"), "east"),
    imported(service("shop/pending")),
    imported(headless("shop/plain")),
    imported_slice(endpoints("shop/plain-1", "10.1.0.8 host=p", "10.1.0.7 host=q unready"), ""),
)


def asked(zone: Zone, name: str, type_: str = "A") -> list[str]:
    """The answer and the additional records; the rcode and the reason where there are none."""
    responder = Responder(zone)
    reply = parsed(responder.respond(query(f"{name}.clusterset.local", type_), responder.channel("udp", "1")))
    if reply.answer:
        return sorted(presentation([*reply.answer, *reply.additional]))
    return [reply.rcode().to_text(reply.rcode()), *(text for _, text in explained(reply))]


DB = "db.shop.svc.clusterset.local."


@pytest.mark.parametrize(
    ("name", "type_", "expected"),
    [
        ("web.shop.svc", "A", ["web.shop.svc.clusterset.local. 5 A 10.112.0.1"]),
        ("web.shop.svc", "AAAA", ["web.shop.svc.clusterset.local. 5 AAAA fd00:112::1"]),
        (
            "_http._tcp.web.shop.svc",
            "SRV",
            [
                "_http._tcp.web.shop.svc.clusterset.local. 5 SRV 0 100 80 web.shop.svc.clusterset.local.",
                "web.shop.svc.clusterset.local. 5 A 10.112.0.1",
                "web.shop.svc.clusterset.local. 5 AAAA fd00:112::1",
            ],
        ),
        ("w.east.web.shop.svc", "A", ["w.east.web.shop.svc.clusterset.local. 5 A 10.1.0.9"]),
        ("db.shop.svc", "A", [f"{DB} 5 A 10.1.0.1", f"{DB} 5 A 10.1.0.2", f"{DB} 5 A 10.2.0.1"]),
        ("db-0.east.db.shop.svc", "A", [f"db-0.east.{DB} 5 A 10.1.0.1"]),
        ("db-0.west.db.shop.svc", "A", [f"db-0.west.{DB} 5 A 10.2.0.1"]),
        ("10-1-0-2.east.db.shop.svc", "A", [f"10-1-0-2.east.{DB} 5 A 10.1.0.2"]),
        (
            "_sql._tcp.db.shop.svc",
            "SRV",
            [
                f"10-1-0-2.east.{DB} 5 A 10.1.0.2",
                f"_sql._tcp.{DB} 5 SRV 0 33 5432 10-1-0-2.east.{DB}",
                f"_sql._tcp.{DB} 5 SRV 0 33 5432 db-0.east.{DB}",
                f"_sql._tcp.{DB} 5 SRV 0 33 5432 db-0.west.{DB}",
                f"db-0.east.{DB} 5 A 10.1.0.1",
                f"db-0.west.{DB} 5 A 10.2.0.1",
            ],
        ),
        # A slice without the label of its cluster.
        ("p.plain.shop.svc", "A", ["p.plain.shop.svc.clusterset.local. 5 A 10.1.0.8"]),
        ("dns-version", "TXT", ['dns-version.clusterset.local. 28800 TXT "1.1.0"']),
        ("ns.dns", "A", ["ns.dns.clusterset.local. 5 A 10.96.0.10"]),
    ],
)
def test_what_imports_give(name: str, type_: str, expected: list[str]) -> None:
    assert asked(zone_of(*OBJECTS, settings=SET), name, type_) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("local.shop.svc", ["NXDOMAIN", "no ServiceImport of that name in namespace shop"]),
        ("web.kube-system.svc", ["NXDOMAIN", "no ServiceImport kube-system/web; there is one in namespace shop"]),
        ("east.db.shop.svc", ["NOERROR", "nothing here, only names below"]),
        (
            "db-0.db.shop.svc",
            ["NXDOMAIN", "below ServiceImport shop/db are names HOST.CLUSTER, with CLUSTER one of West, east, south"],
        ),
        ("south.db.shop.svc", ["NXDOMAIN", "ServiceImport shop/db has no ready endpoint in cluster south"]),
        ("db-9.south.db.shop.svc", ["NXDOMAIN", "endpoint db-9 of ServiceImport shop/db is not ready"]),
        ("db-7.west.db.shop.svc", ["NXDOMAIN", "ServiceImport shop/db has 5 endpoints, none of that name"]),
        ("x.db-0.east.db.shop.svc", ["NXDOMAIN", "no names that deep below ServiceImport shop/db"]),
        ("x.y.plain.shop.svc", ["NXDOMAIN", "no names that deep below ServiceImport shop/plain"]),
        ("q.plain.shop.svc", ["NXDOMAIN", "endpoint q of ServiceImport shop/plain is not ready"]),
        ("_x._tcp.db.shop.svc", ["NXDOMAIN", "ServiceImport shop/db has no port of that name, only sql/TCP"]),
        ("gone.shop.svc", ["NXDOMAIN", "no EndpointSlice of headless ServiceImport shop/gone is known"]),
        ("empty.shop.svc", ["NXDOMAIN", "headless ServiceImport shop/empty has no endpoints"]),
        ("sad.shop.svc", ["NXDOMAIN", "headless ServiceImport shop/sad has 1 endpoint, 0 ready"]),
        ("s.east.sad.shop.svc", ["NXDOMAIN", "endpoint s of ServiceImport shop/sad is not ready"]),
        ("pending.shop.svc", ["NOERROR", "ServiceImport shop/pending has no ClusterSetIP yet"]),
    ],
)
def test_why_a_name_has_no_answer(name: str, expected: list[str]) -> None:
    assert asked(zone_of(*OBJECTS, settings=SET), name) == expected


def test_an_import_without_ready_endpoints_is_left_out_where_that_is_asked_for() -> None:
    settings = ZoneSettings(origin=SET.origin, reverse=(), multicluster=True, ignore_empty_service=True)
    zone = zone_of(*OBJECTS, settings=settings)
    assert asked(zone, "web.shop.svc")[0].endswith("10.112.0.1")
    zone.apply(Upserted(imported_slice(endpoints("shop/web-1", "10.1.0.9 host=w unready"), "east")))
    reason = "ServiceImport shop/web has 1 endpoint, 0 ready, and such ServiceImports are left out here"
    assert asked(zone, "web.shop.svc") == ["NXDOMAIN", reason]


def test_imports_are_nothing_to_the_cluster_s_own_zone() -> None:
    zone = zone_of(*OBJECTS)
    assert names.from_text("local.shop.svc.cluster.local") in zone.nodes
    assert names.from_text("web.shop.svc.cluster.local") not in zone.nodes


def test_a_cluster_that_is_no_label_has_no_names() -> None:
    odd = imported_slice(endpoints("shop/db-1", "10.1.0.1 host=h", ports="sql:5432"), "x" * 64)
    assert list(schema.left_out(odd)) == [f"cluster {'x' * 64} is no label"]
    zone = zone_of(Namespace("shop"), imported(headless("shop/db")), odd, settings=SET)
    assert answers.answer(zone, names.from_text(DB), 1).reason.why is Why.NONE_READY


def test_an_event_touches_the_names_of_what_differs_in_its_slice() -> None:
    zone = zone_of(imported(headless("shop/db")), settings=SET)
    for cluster in ("east", "west"):
        hosts = [f"10.{len(cluster)}.0.{last} host={cluster}-{last}" for last in range(1, 101)]
        zone.apply(Upserted(imported_slice(endpoints(f"shop/db-{cluster}", *hosts, ports="sql:5432"), cluster)))
    hosts = [f"10.4.0.{last} host=east-{last}" for last in range(1, 100)]
    feed: list[Touch] = []
    zone.apply(Upserted(imported_slice(endpoints("shop/db-east", *hosts, ports="sql:5432"), "east")), feed)
    assert {touch.name for touch in feed} == {
        names.from_text(f"{front}{DB}") for front in ("", "_sql._tcp.", "east-100.east.")
    }


def test_the_cluster_of_a_slice_may_change() -> None:
    zone = zone_of(imported(headless("shop/db")), settings=SET)
    for cluster in ("east", "west"):
        zone.apply(Upserted(imported_slice(endpoints("shop/db-1", "10.1.0.1 host=h"), cluster)))
    assert names.from_text(f"h.west.{DB}") in zone.nodes
    assert names.from_text(f"east.{DB}") not in zone.nodes


def test_without_imports_an_object_is_as_small_as_before() -> None:
    fields = len(EndpointSlice.__struct_fields__)
    assert EndpointSlice.__struct_fields__ == ("namespace", "name", "service", "ports", "endpoints")
    assert ImportedSlice.__struct_fields__ == (*EndpointSlice.__struct_fields__, "cluster")
    assert ServiceImport.__struct_fields__ == Service.__struct_fields__
    slice_ = endpoints("a/s-1", "10.0.0.1")
    assert sys.getsizeof(slice_) == object.__basicsize__ + 8 * fields
    assert slice_.cluster == ""


def test_a_long_list_of_clusters_keeps_the_sentence_short() -> None:
    slices = [imported_slice(endpoints(f"shop/db-{n}", "10.1.0.1 host=h"), f"{n}{'c' * 60}") for n in range(9)]
    zone = zone_of(imported(headless("shop/db")), *slices, settings=SET)
    text = sentence(answers.answer(zone, names.from_text(f"h.{DB}"), 1).reason)
    assert text.startswith("below ServiceImport shop/db are names HOST.CLUSTER")
    assert len(text.encode()) <= 160
