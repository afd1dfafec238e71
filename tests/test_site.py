"""The zones of a configuration: which there are, what feeds them, and what they say of themselves."""

from __future__ import annotations

import dns.rcode
import pytest

from minidns.config import corefile
from minidns.config.settings import Cluster, Config, Kubernetes, ServerBlock
from minidns.config.values import Listen
from minidns.core import names
from minidns.core.model import (
    Deleted,
    EndpointSlice,
    ImportedSlice,
    Kind,
    Namespace,
    Pod,
    Replaced,
    Service,
    ServiceImport,
    Upserted,
)
from minidns.front import BlockFront, Router
from minidns.site import Site
from minidns.views.changes import Event
from tests.support.client import explained, parsed, query
from tests.support.clusters import endpoints, headless, imported, imported_slice, pod, service

WEB = service("default/web", "10.96.0.1")
DB = headless("default/db")
DB_SLICE = endpoints("default/db-1", "10.1.0.1 host=db-0")


def site(text: str) -> Site:
    return Site(corefile.parse(text, env={}))


def rcode(made: Site, name: str) -> str:
    front = made.fronts[0]
    return dns.rcode.to_text(parsed(front.respond(query(name), front.channel("tcp", "1"))).rcode())


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        ("", {Namespace, Service, EndpointSlice}),
        ("pods insecure", {Namespace, Service, EndpointSlice}),
        ("pods verified", {Namespace, Service, EndpointSlice, Pod}),
        ("noendpoints", {Namespace, Service}),
        ("noendpoints\n multicluster cluster.local", {Namespace, Service, ServiceImport, ImportedSlice}),
    ],
)
def test_kinds_that_are_followed(options: str, kinds: set[Kind]) -> None:
    assert site(f". {{\n kubernetes cluster.local {{\n {options}\n }}\n}}").kinds == kinds


def test_nothing_is_followed_for_upstreams_alone() -> None:
    made = site(". {\n forward . 192.0.2.53\n}")
    assert made.kinds == frozenset()
    assert made.summary() == "no zone of its own"


def test_blocks_that_answer_the_same_share_one_index() -> None:
    text = "".join(
        f"{zone} {{\n kubernetes cluster.local {{\n ttl {ttl}\n }}\n}}\n"
        for zone, ttl in (("a", 5), ("b", 5), ("c", 6))
    )
    made = site(text)
    assert len(made.fronts) == 3
    assert [zone.settings.ttl for zone in made.zones] == [5, 6]
    assert made.fronts[0].zones == made.fronts[1].zones != made.fronts[2].zones
    made.publish([Upserted(WEB)])
    assert [zone.cluster.service(WEB.key) for zone in made.zones] == [WEB, WEB]


def test_reverse_zones_belong_to_the_first_zone() -> None:
    made = site(". {\n kubernetes in-addr.arpa cluster.local k8s.test\n}")
    assert [[names.to_text(origin) for origin in zone.origins] for zone in made.zones] == [
        ["cluster.local.", "in-addr.arpa."],
        ["k8s.test."],
    ]


def test_zones_get_only_what_they_want() -> None:
    made = site("a {\n kubernetes cluster.local {\n noendpoints\n }\n}\nb {\n kubernetes cluster.local\n}")
    made.publish([Replaced(EndpointSlice, (DB_SLICE,)), Upserted(DB), Upserted(pod("default/x", "10.1.0.1"))])
    assert [len(zone.cluster.all(EndpointSlice)) for zone in made.zones] == [0, 1]
    assert [len(zone.cluster.all(Pod)) for zone in made.zones] == [0, 0]
    assert {kind: tuple(known.values()) for kind, known in made.known().items()} == {
        Namespace: (),
        Service: (DB,),
        EndpointSlice: (DB_SLICE,),
    }


def test_not_synced_is_not_empty() -> None:
    made = site(". {\n kubernetes cluster.local\n}")
    made.publish([Upserted(WEB)])
    before = made.synced
    assert rcode(made, "web.default.svc.cluster.local") == "SERVFAIL"
    made.mark_synced()
    assert (before, made.synced) == (False, True)
    assert rcode(made, "web.default.svc.cluster.local") == "NOERROR"
    assert rcode(made, "none.default.svc.cluster.local") == "NXDOMAIN"


def test_stale_is_said_until_it_ends_and_by_renewed_fronts_too() -> None:
    made = site(". {\n kubernetes cluster.local\n}")
    made.publish([Upserted(WEB)])
    made.mark_synced()

    def said() -> list[tuple[int, str]]:
        front = made.fronts[0]
        return explained(parsed(front.respond(query("web.default.svc.cluster.local"), front.channel("udp", "1"))))

    made.mark_stale("of yesterday")
    assert said() == [(3, "of yesterday")]
    before = made.fronts
    made.renew_fronts()
    assert made.fronts[0] is not before[0]
    assert made.fronts[0].zones == before[0].zones
    assert said() == [(3, "of yesterday")]
    made.mark_stale("")
    assert said() == []


def test_front_of_each_address() -> None:
    made = site(".:1 a.test:2 {\n kubernetes cluster.local\n}\nb.test:2 {\n kubernetes cluster.local\n}")
    found = {str(listen): type(front) for listen, front in made.by_address().items()}
    assert found == {":1": BlockFront, ":2": Router}


def test_one_block_that_is_not_for_every_name_is_behind_a_router() -> None:
    (front,) = site("cluster.local {\n kubernetes cluster.local\n}").by_address().values()
    assert isinstance(front, Router)


def test_watchers_hear_of_every_change_that_makes_a_difference() -> None:
    made = site("a {\n kubernetes cluster.local\n}\nb {\n kubernetes cluster.local {\n ttl 9\n }\n}")
    events: list[Event] = []
    made.watchers.append(events.append)
    made.publish([Upserted(WEB), Upserted(WEB)])
    made.publish([Replaced(Service, (WEB,))])
    assert len(events) == 1
    assert "web.default.svc.cluster.local" in repr(events[0])
    made.publish([Replaced(Service, ())])
    assert len(events) == 2


def test_namespaces_that_labels_leave_out_have_no_names() -> None:
    blocks = (ServerBlock(kubernetes=Kubernetes()),)
    made = Site(Config(servers=blocks, source=Cluster(namespace_labels="shown=yes")))
    made.publish([Upserted(Namespace("default")), Upserted(WEB), Upserted(service("hidden/web", "10.96.0.2"))])
    made.mark_synced()
    assert rcode(made, "web.default.svc.cluster.local") == "NOERROR"
    assert rcode(made, "web.hidden.svc.cluster.local") == "NXDOMAIN"


def test_summary_counts() -> None:
    made = site(". {\n kubernetes cluster.local\n}")
    made.publish([Upserted(Namespace("default")), Upserted(WEB), Upserted(DB), Upserted(DB_SLICE)])
    assert made.summary().startswith("cluster.local.: 2 Services, 1 EndpointSlice, 1 Namespace, ")


def test_explanations() -> None:
    made = site(". {\n kubernetes cluster.local\n}")
    made.publish([Upserted(WEB)])
    made.mark_synced()
    assert made.explain({"name": "web.default.svc.cluster.local"}).resolves
    assert made.explain({"name": "web", "from": "default", "type": "A"}).resolves
    assert made.explain({"name": "none.default.svc.cluster.local", "type": "SRV"}).resolves is False
    for wrong in ({"name": "a..b"}, {"name": "a", "type": "NO"}, {}, {"name": "a", "from": "b", "ndots": "x"}):
        with pytest.raises(ValueError, match=r"."):
            made.explain(wrong)
    with pytest.raises(ValueError, match="every name is forwarded"):
        site(". {\n forward . 192.0.2.53\n}").explain({"name": "web"})


def test_listen_addresses_are_those_of_the_blocks() -> None:
    made = site(".:5 {\n bind 127.0.0.1 ::1\n kubernetes cluster.local\n}")
    assert set(made.by_address()) == {Listen("127.0.0.1", 5), Listen("::1", 5)}


def test_followers_are_told_which_objects_differ_also_when_nobody_watches() -> None:
    made = site("cluster.local {\n    kubernetes\n}")
    told: list[tuple[object, object]] = []
    made.followers.append(lambda changed: told.extend(changed))
    web = headless("default/web")
    made.publish([Upserted(web), Upserted(web), Deleted(type(web), web.key)])
    assert told == [(None, web), (web, None)]
    made.followers.clear()
    made.publish([Upserted(web)])
    assert len(told) == 2


SET = "kubernetes clusterset.local cluster.local in-addr.arpa {\n multicluster clusterset.local\n}"


def test_a_cluster_set_is_a_zone_of_its_own_behind_that_of_the_cluster() -> None:
    made = site(f". {{\n {SET}\n}}")
    assert [(zone.settings.multicluster, len(zone.settings.reverse)) for zone in made.zones] == [(False, 1), (True, 0)]
    slice_ = imported_slice(endpoints("default/db-1", "10.2.0.1 host=db-0"), "east")
    made.publish([Upserted(obj) for obj in (Namespace("default"), WEB, imported(DB), slice_)])
    made.mark_synced()
    assert rcode(made, "web.default.svc.cluster.local") == rcode(made, "db-0.east.db.default.svc.clusterset.local")
    assert rcode(made, "web.default.svc.clusterset.local") == rcode(made, "db.default.svc.cluster.local") == "NXDOMAIN"
    assert "1 Service, no EndpointSlices, 1 Namespace, 1 ServiceImport, 1 ImportedSlice, " in made.summary()


def test_watchers_hear_of_each_change_once_from_the_first_zone_that_it_is_about() -> None:
    made, told = site(f". {{\n {SET}\n}}"), list[Event]()
    made.mark_synced()
    made.watchers.append(told.append)
    made.publish([Upserted(obj) for obj in (Namespace("default"), WEB, imported(service("default/web", "10.9.0.1")))])
    assert [(event.kind, event.service, event.added_count) for event in told] == [
        ("Namespace", "", 0),
        ("Service", "web", 2),
        ("ServiceImport", "web", 1),
    ]


def test_a_zone_that_is_not_listed_says_so_while_others_answer() -> None:
    made = site(f". {{\n {SET}\n}}")
    made.publish([Upserted(WEB)])
    made.mark_synced(frozenset({ServiceImport}))
    assert made.synced
    assert rcode(made, "web.default.svc.cluster.local") == "NOERROR"
    assert rcode(made, "web.default.svc.clusterset.local") == "SERVFAIL"
    made.mark_synced()
    assert rcode(made, "web.default.svc.clusterset.local") == "NXDOMAIN"


@pytest.mark.parametrize(
    ("ttl", "cache", "shown"),
    [
        (30, "", (30, 28800, 5)),
        (30, "cache 10", (10, 10, 5)),
        (30, "cache 3", (3, 3, 3)),
        (0, "cache 30", (5, 30, 5)),
        (30, "cache {\n success 9 7 6\n denial 9 4 2\n}", (7, 7, 4)),
        (30, "cache 10 other.test", (30, 28800, 5)),
        (30, "cache 10 {\n disable success\n disable denial\n}", (10, 10, 5)),
    ],
)
def test_a_cache_bounds_the_ttls_of_the_zones_behind_it(ttl: int, cache: str, shown: tuple[int, ...]) -> None:
    text = f". {{\n kubernetes cluster.local {{\n ttl {ttl}\n }}\n {cache}\n}}"
    site = Site(corefile.parse(text, env={}))
    site.publish([Upserted(service("default/web", "10.96.0.1"))])
    site.mark_synced()
    (front,) = site.by_address().values()
    asked = [("web.default.svc.cluster.local", "A"), ("dns-version.cluster.local", "TXT"), ("none.cluster.local", "A")]
    answers = [parsed(front.respond(query(*one), front.channel("tcp", "1"))) for one in asked]
    assert tuple((one.answer or one.authority)[0].ttl for one in answers) == shown
    soa = answers[-1].authority[0][0]
    assert soa.minimum == min(ttl, 5)
