"""Explanations: the sentence that the answer carries, and what the index knows beside it."""

from __future__ import annotations

import io
import json

import dns.message
import dns.rcode
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from minidns.core import records
from minidns.core.model import Endpoint, EndpointSlice, Namespace, Object, Port, Service
from minidns.core.responder import Channel, Forward, Responder
from minidns.core.schema import PodMode, ZoneSettings
from minidns.core.zone import Zone
from minidns.explain import (
    Explanation,
    SearchExplanation,
    explain,
    explain_search,
    json_schema,
    parse_name,
    parse_type,
    render,
    to_json,
    usual_type,
)
from minidns.explain.behind import LISTED
from tests.support.client import ask, explained
from tests.support.clusters import address, endpoints, external, headless, pod, service, zone_of
from tests.support.explained import CASES, DEFAULT, THE_WEB, WEB, Case, replicas
from tests.support.work import calls


def shown(explanation: Explanation | SearchExplanation, *, terminal: bool = False) -> str:
    """What people get to see."""
    console = Console(
        file=io.StringIO(), force_terminal=terminal, color_system="standard" if terminal else None, width=80
    )
    render(explanation, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def about(question: str, *objects: Object, type_: int = records.A, settings: ZoneSettings | None = None) -> Explanation:
    return explain(zone_of(DEFAULT, *objects, settings=settings), question, type_)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_explanation_and_ede_agree(case: Case) -> None:
    found = explain(case.zone, case.question, parse_type(case.type))
    message = ask(Responder(case.zone), case.question, case.type)
    assert found.ede
    assert (found.why, found.sentence, found.rcode) == (case.why.name.lower(), case.sentence, case.rcode)
    assert [(found.ede.code, found.ede.text)] == explained(message)
    assert found.resolves is False
    assert case.sentence in shown(found)


# What else is said, and what to do next.

PAIR = replicas("", "unready")


def test_pod_not_ready() -> None:
    found = about(f"web-1.{THE_WEB}", WEB, PAIR)
    assert found.facts == ("pod web-1 is not ready, with address 10.244.0.3",)
    assert found.steps == (
        "a pod gets its names when its readiness probe passes: kubectl describe pod -n default web-1",
        "spec.publishNotReadyAddresses: true would give them names before that",
    )


def test_no_pod_ready() -> None:
    sliced = EndpointSlice(
        "default", "web-1", "web", (), (Endpoint((address("10.0.0.1"),), None, None, False, True, True),)
    )
    found = about(THE_WEB, WEB, sliced)
    assert found.facts == ()
    assert "10.0.0.1  terminating, still serving" in shown(found)
    assert found.service
    assert (found.service.endpoint_count, found.service.ready_count, found.service.terminating_count) == (1, 0, 1)


def test_wrong_namespace() -> None:
    found = about("web.shop.svc.cluster.local", Namespace("shop"), WEB, PAIR)
    assert found.suggestions == (THE_WEB,)
    found = about("web-0.web.shop.svc.cluster.local", Namespace("shop"), WEB, PAIR)
    assert found.suggestions == (f"web-0.{THE_WEB}", THE_WEB)


def test_unnamed_port() -> None:
    found = about(f"_http._tcp.{THE_WEB}", headless("default/web", ports=":80"), replicas("", ports=":80"))
    assert found.facts == ("its ports: 80/TCP",)
    assert found.suggestions == (THE_WEB,)
    assert "give the port a name" in found.steps[0]


def test_no_selector_match() -> None:
    found = about(THE_WEB, WEB, replicas())
    assert found.facts == ("EndpointSlice without endpoints: web-1",)
    assert found.steps[0].endswith("kubectl get pods -n default -l app=web")


def test_commands_can_be_copied_safely() -> None:
    waiting = Endpoint((address("10.0.0.1"),), None, "web-0; reboot", False)
    found = about(THE_WEB, WEB, EndpointSlice("default", "web-1", "web", (), (waiting,)))
    assert found.steps[0].endswith("kubectl describe pod -n default 'web-0; reboot'")


def test_endpoints_without_pods() -> None:
    found = about(THE_WEB, headless("default/web"), endpoints("default/web-1", "10.0.0.1 unready"))
    assert found.steps[0] == "an endpoint has its names while its conditions.ready is true"


def test_an_empty_service_that_is_ignored() -> None:
    shop, settings = service("default/shop", "10.96.0.1"), ZoneSettings(ignore_empty_service=True)
    found = about("shop.default.svc.cluster.local", shop, settings=settings)
    assert found.facts == ("`ignore empty_service` is on: a Service without a ready endpoint has no name",)


def test_deleted_pod() -> None:
    found = about(f"web-2.{THE_WEB}", WEB, PAIR)
    assert found.facts == ("names below it: web-0", "would be names if they were ready: web-1")
    assert found.steps == ("the name of a pod goes when the pod goes: was it deleted, or scaled away?",)
    assert found.suggestions == (f"web-0.{THE_WEB}",)


def test_an_endpoint_of_a_service_without_any() -> None:
    found = about("web-0.shop.default.svc.cluster.local", service("default/shop", "10.96.0.1"))
    assert found.sentence == "Service default/shop has 0 endpoints, none of that name"
    assert found.facts == ()


def test_pod_without_hostname() -> None:
    found = about(f"web-0.{THE_WEB}", WEB, endpoints("default/web-1", "10.0.0.1 pod=web-0"))
    assert found.facts[0] == "pod web-0 is behind it as 10-0-0-1: its endpoint has no hostname"
    assert "serviceName) is web" in found.steps[0]


def test_a_slice_whose_service_is_missing() -> None:
    found = about(THE_WEB, PAIR)
    assert found.facts[0] == "EndpointSlice web-1 is there, labelled with Service web"
    assert found.service
    assert (found.service.type, found.service.endpoint_count) == ("missing", 2)
    assert "no Service default/web\n" in shown(found)


def test_nearest_service() -> None:
    found = about("wbe.default.svc.cluster.local", WEB, PAIR, service("default/shop", "10.96.0.1"))
    assert found.facts == ("nearest Services in namespace default: web",)
    assert found.suggestions == (THE_WEB,)
    found = about("shop.default.svc.cluster.local", service("default/my-shop-svc", "10.96.0.1"))
    assert found.suggestions == ("my-shop-svc.default.svc.cluster.local",)


def test_no_service_like_it() -> None:
    assert about("x.default.svc.cluster.local", WEB, PAIR).facts == ("namespace default has 1 Service: web",)
    assert about("x.default.svc.cluster.local").facts == ("namespace default has no Services",)


def test_slices_nobody_makes() -> None:
    assert about(THE_WEB, headless("default/web")).facts == ("it has no selector, so nobody makes slices for it",)
    assert "controller" in about(THE_WEB, WEB).steps[0]


def test_ports_that_there_are() -> None:
    found = about(f"_htp._tcp.{THE_WEB}", WEB, PAIR)
    assert found.facts == ("its ports: http 80/TCP",)
    assert found.suggestions == (f"_http._tcp.{THE_WEB}",)


def test_port_without_underscores() -> None:
    assert about(f"http.tcp.{THE_WEB}", WEB, PAIR).suggestions == (f"_http._tcp.{THE_WEB}",)
    assert about(f"x.web-0.{THE_WEB}", WEB, PAIR).suggestions == (f"web-0.{THE_WEB}",)


def test_port_of_endpoints_that_are_not_ready() -> None:
    found = about(
        f"_admin._tcp.{THE_WEB}",
        WEB,
        replicas(""),
        endpoints("default/web-2", "10.0.0.9 pod=x unready", ports="admin:81"),
    )
    assert found.facts == ("its ports: http 80/TCP, admin 81/TCP",)
    assert "readiness probe" in found.steps[0]


def test_nearest_namespace() -> None:
    found = about("web.defualt.svc.cluster.local", WEB, PAIR)
    assert found.facts == ("nearest namespaces: default",)
    assert found.suggestions == (THE_WEB,)


def test_labels_the_wrong_way_round() -> None:
    assert about("default.web.svc.cluster.local", WEB, PAIR).suggestions == (THE_WEB,)


def test_a_service_without_its_namespace() -> None:
    found = about("web.svc.cluster.local", WEB, PAIR)
    assert found.suggestions == (THE_WEB,)
    assert "web is the name of a Service in namespace default" in found.facts


@pytest.mark.parametrize("question", ["web", "web.default", "web.default.svc", "web.default.svc.example.org"])
def test_a_name_outside(question: str) -> None:
    found = about(question, WEB, PAIR)
    assert found.suggestions == (THE_WEB,)
    assert found.facts == ("the cluster's zone is cluster.local",)
    assert found.zone is None


def test_a_name_without_svc() -> None:
    assert about("web.default.cluster.local", WEB, PAIR).suggestions == (THE_WEB,)


def test_a_zone_that_serves_nothing() -> None:
    found = explain(Zone(ZoneSettings(served=False)), "example.com")
    assert (found.rcode, found.facts) == ("REFUSED", ("no zone is served here",))


def test_a_namespace_lists_its_services() -> None:
    assert about("default.svc.cluster.local", WEB).facts == ("Services in it: web",)
    assert about("default.svc.cluster.local").facts == ("there is no Service in it",)


def test_the_address_of_a_pod_that_is_not_ready() -> None:
    found = about("10.244.0.3", WEB, PAIR, type_=records.PTR)
    assert found.facts == ("pod web-1 of headless Service default/web has that address, and is not ready",)
    assert found.labels[0].text == "10.244.0.3"


def test_an_unknown_address() -> None:
    assert "ask for its name instead" in about("10.9.9.9", type_=records.PTR).steps[0]
    assert "all four numbers" in about("9.10.in-addr.arpa", type_=records.PTR).steps[0]


def test_aliases() -> None:
    found = about("db.default.svc.cluster.local", external("default/db", "db.example.com"))
    assert found.resolves is None
    assert found.facts == (
        "db.default.svc.cluster.local is an alias of db.example.com",
        "db.example.com is outside of every zone served here;"
        " no forwarder is configured: the client gets the alias alone",
    )
    found = about("db.default.svc.cluster.local", external("default/db", THE_WEB), WEB, PAIR)
    assert found.resolves is True
    assert [record.type for record in found.records] == ["CNAME", "A"]
    assert [record.source for record in found.records] == [
        "spec.externalName of Service default/db", "pod web-0 in EndpointSlice default/web-1",
    ]  # fmt: skip
    found = about("db.default.svc.cluster.local", external("default/db", THE_WEB), WEB)
    assert found.facts[1] == f"{THE_WEB}: NXDOMAIN, no EndpointSlice of headless Service default/web is known"
    found = about("db.default.svc.cluster.local", external("default/db", "192.0.2.1"))
    assert found.facts == ('its spec.externalName is "192.0.2.1"',)


# Answers with records.


def test_headless() -> None:
    found = about(THE_WEB, WEB, PAIR)
    assert found.sentence == "1 A record of headless Service default/web: 1 of 2 endpoints ready"
    assert found.facts == ("left out, because it is not ready: pod web-1 (not ready)",)
    assert (found.rcode, found.resolves, found.ede, found.negative_ttl) == ("NOERROR", True, None, None)
    assert [(label.text, label.role) for label in found.labels] == [
        ("web", "service"), ("default", "namespace"), ("svc", "tree"), ("cluster.local", "zone"),
    ]  # fmt: skip
    (record,) = found.records
    assert (record.data, record.ttl, record.source) == ("10.244.0.2", 5, "pod web-0 in EndpointSlice default/web-1")


def test_srv_of_a_headless_service() -> None:
    found = about(f"_http._tcp.{THE_WEB}", WEB, PAIR, type_=records.SRV)
    assert found.sentence == "1 SRV record of port http/tcp of headless Service default/web"
    assert [label.role for label in found.labels[:3]] == ["port", "protocol", "service"]
    assert found.records[0].source == "port http 80/TCP of pod web-0 in EndpointSlice default/web-1"


def test_an_endpoint() -> None:
    found = about(f"web-0.{THE_WEB}", WEB, PAIR)
    assert found.sentence == "1 A record of endpoint web-0 of headless Service default/web"
    assert found.labels[0].role == "host"
    assert found.service
    assert [(one.pod, one.ready, one.labels, one.named_after) for one in found.service.endpoints] == [
        ("web-0", True, ("web-0",), "hostname"),
        ("web-1", False, ("web-1",), "hostname"),
    ]


def test_where_names_of_endpoints_come_from() -> None:
    sliced = endpoints("default/web-1", "10.0.0.1 host=a pod=p", "10.0.0.2 pod=p-2", "10.0.0.3")
    found = about(THE_WEB, WEB, sliced, settings=ZoneSettings(endpoint_pod_names=True))
    assert found.service
    assert [(one.labels, one.named_after) for one in found.service.endpoints] == [
        (("a",), "hostname"), (("p-2",), "pod"), (("10-0-0-3",), "address"),
    ]  # fmt: skip


def test_a_cluster_ip() -> None:
    shop = service("default/shop", "10.96.0.1", ports="http:80")
    found = about("shop.default.svc.cluster.local", shop)
    assert found.sentence == "1 A record of Service default/shop"
    assert found.records[0].source == "a cluster IP of Service default/shop"
    assert found.facts == ("no endpoint is behind it; connections fail",)
    found = about("shop.default.svc.cluster.local", shop, type_=records.SRV)
    assert found.records[0].source == "port http 80/TCP of Service default/shop"
    found = about("10.96.0.1", shop, type_=records.PTR)
    assert (found.resolves, found.records[0].source) == (True, "a cluster IP of Service default/shop")


def test_an_endpoints_address() -> None:
    found = about("10.244.0.2", WEB, PAIR, type_=records.PTR)
    assert found.records[0].source == "pod web-0 in EndpointSlice default/web-1"
    assert found.service
    assert found.service.name == "web"


def test_addresses_of_other_places() -> None:
    dns = service("kube-system/kube-dns", "10.96.0.10")
    assert about("ns.dns.cluster.local", dns).records[0].source == "a cluster IP of Service kube-system/kube-dns"
    own = ZoneSettings(ns_addresses=(address("192.0.2.1"),), pods=PodMode.INSECURE)
    assert about("ns.dns.cluster.local", settings=own).records[0].source == "an address of this server"
    assert "itself says" in about("10-0-0-1.default.pod.cluster.local", settings=own).records[0].source
    verified = ZoneSettings(pods=PodMode.VERIFIED)
    found = about("10-0-0-1.default.pod.cluster.local", pod("default/web-0", "10.0.0.1"), settings=verified)
    assert found.records[0].source == "Pod default/web-0"
    assert found.labels[0].role == "pod address"


def test_the_zone_itself() -> None:
    for question, type_ in ("dns-version", records.TXT), ("", records.SOA), ("", records.ANY):
        found = about(f"{question}.cluster.local".lstrip("."), type_=type_)
        assert (found.resolves, found.records[0].source) == (True, "the zone itself")


def test_a_big_service_is_cut() -> None:
    many = replicas(*["unready" if at == 150 else "" for at in range(200)])
    found = about(f"web-180.{THE_WEB}", WEB, many)
    assert found.service
    assert (found.service.endpoint_count, found.service.ready_count) == (200, 199)
    listed = [one.labels[0] for one in found.service.endpoints]
    assert len(listed) == LISTED
    assert {"web-150", "web-180", "web-0"} <= set(listed)
    found = about(THE_WEB, WEB, many)
    assert found.record_count == 199
    assert len(found.records) < 50
    text = shown(found)
    assert f"{200 - LISTED} more" in text
    assert f"{199 - len(found.records)} more" in text


def test_many_slices_are_cut() -> None:
    text = shown(about(THE_WEB, WEB, *(endpoints(f"default/web-{at}", f"10.0.0.{at}") for at in range(LISTED + 3))))
    assert "and 3 more slices" in text


# What is for somebody else to answer.


def test_forwarded() -> None:
    zone = zone_of(DEFAULT, external("default/db", "db.example.com"))
    found = explain(zone, "example.com", forwards=True)
    assert (found.rcode, found.resolves, found.ede) == (None, None, None)
    found = explain(zone, "db.default.svc.cluster.local", forwards=True)
    assert (found.rcode, found.resolves) == ("NOERROR", None)
    assert found.facts[-1].endswith("the forwarder asks for it")
    found = explain(zone, "10.9.9.9", records.PTR, fallthrough=(parse_name("in-addr.arpa"),))
    assert (found.rcode, found.resolves, found.negative_ttl) == (None, None, None)


# A pod's search list.


def test_search_in_the_same_namespace() -> None:
    found = explain_search(zone_of(DEFAULT, WEB, PAIR), "web", "default")
    assert [one.name for one in found.candidates] == [THE_WEB]
    assert (found.queries, found.answered_by, found.resolves) == (2, THE_WEB, True)
    assert [(one.type, one.rcode, one.record_count) for one in found.candidates[0].outcomes] == [
        ("A", "NOERROR", 1), ("AAAA", "NOERROR", 0),
    ]  # fmt: skip


def test_search_from_another_namespace() -> None:
    zone = zone_of(DEFAULT, Namespace("shop"), WEB, PAIR)
    found = explain_search(zone, "web.default", "shop")
    assert [one.name for one in found.candidates] == ["web.default.shop.svc.cluster.local", THE_WEB]
    assert found.queries == 4
    assert found.search == ("shop.svc.cluster.local", "svc.cluster.local", "cluster.local")


def test_search_that_finds_nothing() -> None:
    found = explain_search(zone_of(DEFAULT, Namespace("shop"), WEB, PAIR), "web", "shop")
    assert (found.queries, found.answered_by, found.resolves) == (10, None, False)
    assert found.explanation.name == "web.shop.svc.cluster.local"
    assert found.explanation.suggestions == (THE_WEB,)
    text = shown(found)
    assert "10 queries" in text
    assert "and no forwarder is configured (sent 2 times)" in text
    assert "no Service shop/web; there is one in namespace default" in text


def test_search_by_ndots() -> None:
    zone = zone_of(DEFAULT, WEB, PAIR)
    assert [one.name for one in explain_search(zone, THE_WEB, "default").candidates] == [
        f"{THE_WEB}.default.svc.cluster.local", f"{THE_WEB}.svc.cluster.local", f"{THE_WEB}.cluster.local", THE_WEB,
    ]  # fmt: skip
    assert explain_search(zone, THE_WEB, "default", ndots=4).queries == 2
    assert explain_search(zone, f"{THE_WEB}.", "default").queries == 2


def test_search_goes_on_to_the_forwarder() -> None:
    found = explain_search(zone_of(DEFAULT), "example.com", "default", forwards=True)
    assert (found.queries, found.answered_by, found.resolves) == (8, None, None)
    assert found.explanation.name == "example.com"


def test_search_with_names_that_are_too_long() -> None:
    long = ".".join(["x" * 60] * 4)
    found = explain_search(zone_of(DEFAULT), long, "default")
    assert [one.name for one in found.candidates] == [long]
    with pytest.raises(ValueError, match="no namespace nnn"):
        explain_search(zone_of(DEFAULT), "web", "n" * 64)


# What people type.


def test_names_as_typed() -> None:
    assert parse_name("Web.Default.") == b"\3web\7default\0"
    assert parse_name(r"a\.b.\032c") == b"\3a.b\2 c\0"
    assert parse_name("") == parse_name(".") == b"\0"
    assert parse_name("10.0.0.1") == b"\x011\x010\x010\x0210\x07in-addr\x04arpa\0"
    for text in "a..b", ".a", "x" * 64, ".".join(["x" * 60] * 5):
        with pytest.raises(ValueError, match="is not a domain name"):
            parse_name(text)
    with pytest.raises(ValueError, match=r"^\\027\[31m\.\.x is not"):
        parse_name("\x1b[31m..x")


def test_usual_types() -> None:
    assert usual_type(parse_name("10.0.0.1")) == usual_type(parse_name("fd00::1")) == records.PTR
    assert usual_type(parse_name("10.in-addr.arpa")) == usual_type(parse_name("web")) == records.A


def test_types_as_typed() -> None:
    assert [parse_type(text) for text in ("a", "SRV", "TYPE65280", "28")] == [1, 33, 65280, 28]
    for text in "WEB", "TYPE65536", "-1", "":
        with pytest.raises(ValueError, match="is not a record type"):
            parse_type(text)


# Text of others.

EVIL = "\x1b]0;x\x07[bold]a[/bold]"


def test_control_characters_and_markup_are_shown_escaped() -> None:
    objects = (
        Service("default", EVIL, external_name=EVIL),
        Service("default", "web", headless=True, ports=(Port(EVIL, EVIL, 80),), selector=((EVIL, EVIL),)),
        EndpointSlice("default", EVIL, "web", (Port(EVIL, EVIL, 80),), (Endpoint((b"\1\2\3\4",), EVIL, EVIL),)),
        EndpointSlice("default", EVIL + "2", "web", (), (Endpoint((b"\1\2\3\5",), EVIL + "2", EVIL, False),)),
        Namespace(EVIL),
    )
    zone = zone_of(DEFAULT, *objects)
    asked = r"\027\]0;x\007[bold]a[\/bold]"
    questions = [f"{asked}.{rest}" for rest in (THE_WEB, f"_tcp.{THE_WEB}", "default.svc.cluster.local", "example.com")]
    questions += [THE_WEB, f"{asked}2.{THE_WEB}", f"a.{THE_WEB}", "1.2.3.4", f"web.{asked}2.svc.cluster.local"]
    for question in questions:
        for type_ in (records.A, records.SRV, records.PTR, records.AAAA):
            found = explain(zone, question, type_)
            for text in shown(found), shown(explain_search(zone, question, "default", [type_])):
                assert all(char.isprintable() or char == "\n" for char in text)
            assert all(text.isprintable() for text in every_text(json.loads(to_json(found))))
    assert "[bold]" in shown(explain(zone, questions[0]))


def every_text(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for one in value.values() for text in every_text(one)]
    if isinstance(value, list):
        return [text for one in value for text in every_text(one)]
    return [value] if isinstance(value, str) else []


def test_colours_on_a_terminal_only() -> None:
    found = about(THE_WEB, WEB, PAIR)
    assert "\x1b[1;32mNOERROR" in shown(found, terminal=True)
    assert "\x1b" not in shown(found)


def test_lines_are_not_wrapped() -> None:
    lines = shown(about(THE_WEB, WEB, PAIR)).splitlines()
    assert "  web.default.svc.cluster.local  5  A  10.244.0.2  from pod web-0 in EndpointSlice default/web-1" in lines


def test_json_is_what_the_schema_says() -> None:
    zone = zone_of(DEFAULT, WEB, PAIR)
    found, search = explain(zone, THE_WEB), explain_search(zone, "web", "default")
    assert msgspec.json.decode(to_json(found), type=Explanation) == found
    assert msgspec.json.decode(to_json(search), type=SearchExplanation) == search
    definitions = json_schema()["$defs"]
    for name, value in ("Explanation", found), ("SearchExplanation", search):
        assert set(definitions[name]["properties"]) == set(json.loads(to_json(value)))
        assert definitions[name]["description"]


# Any name, on any small cluster.


def sliced(owner: str, members: list[str], ports: str) -> EndpointSlice:
    return endpoints(f"{owner}-1", *members, ports=ports)


LABELS = (
    "web",
    "shop",
    "web-0",
    "10-0-0-1",
    "_http",
    "_tcp",
    "default",
    "svc",
    "pod",
    "cluster",
    "local",
    "a.b",
    "\x1b",
)
ORIGINS = ("svc.cluster.local", "default.svc.cluster.local", "cluster.local", ".", "10.0.0.1")
IPS = ("10.96.0.1", "fd00::9")
MEMBERS = ("10.0.0.1", "10.0.0.2 host=web-0", "fd00::1 host=web-0 unready", "10.0.0.1+10.0.0.3 pod=shop-0")
TARGETS = (THE_WEB, "shop.default.svc.cluster.local", "db.example.com", "192.0.2.1")

owners = st.sampled_from(["default/web", "default/shop", "shop/web"])
ports = st.sampled_from(["", "http:80", ":80 http:81/UDP", "http:"])
objects = st.lists(
    st.builds(headless, owners, ports=ports, selector=st.sampled_from(["", "web"]))
    | st.builds(service, owners, st.sampled_from(IPS), ports=ports)
    | st.builds(service, owners, ports=ports)
    | st.builds(external, owners, st.sampled_from(TARGETS))
    | st.builds(sliced, owners, st.lists(st.sampled_from(MEMBERS), max_size=3), ports)
    | st.builds(Namespace, st.sampled_from(["default", "shop"]))
    | st.builds(pod, owners, st.just("10.0.0.1")),
    max_size=8,
)
zone_settings = st.builds(
    ZoneSettings,
    pods=st.sampled_from(PodMode),
    ignore_empty_service=st.booleans(),
    exposed_namespaces_only=st.booleans(),
    endpoint_pod_names=st.booleans(),
)


def wire_name(labels: list[str], origin: str) -> bytes:
    return b"".join(bytes((len(label),)) + label.encode() for label in labels) + parse_name(origin)


asked = st.builds(wire_name, st.lists(st.sampled_from(LABELS), max_size=5), st.sampled_from(ORIGINS))


@given(objects, zone_settings, asked, st.sampled_from([1, 28, 33, 12, 5, 6, 16, 255, 65]), st.booleans())
def test_any_name_on_any_cluster(
    cluster: list[Object], settings: ZoneSettings, name: bytes, type_: int, forwards: bool
) -> None:
    zone = zone_of(*cluster, settings=settings)
    found = explain(zone, name, type_, forwards=forwards)
    packet = b"\0\7\1\0\0\1\0\0\0\0\0\1" + name + bytes((0, type_, 0, 1)) + b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
    reply = Responder(zone, forwards=forwards).respond(packet, Channel("tcp", "1"))
    if isinstance(reply, Forward):
        assert found.resolves is None
    else:
        assert reply
        message = dns.message.from_wire(reply)
        assert found.rcode == dns.rcode.to_text(message.rcode())
        assert explained(message) == ([(found.ede.code, found.ede.text)] if found.ede else [])
        assert found.record_count == sum(map(len, message.answer))
    assert all(text.isprintable() for text in every_text(json.loads(to_json(found))))
    assert all(name in shown(found) for name in found.suggestions)
    assert all(zone.nodes[parse_name(name)] for name in found.suggestions)


@given(objects, zone_settings, asked, st.booleans(), st.booleans())
def test_a_name_that_is_not_there_is_explained_alike_for_every_type(
    cluster: list[Object], settings: ZoneSettings, name: bytes, forwards: bool, away: bool
) -> None:
    """So that a search explains it for one."""
    zone = zone_of(*cluster, settings=settings)
    fallthrough = (settings.origin,) if away else ()
    first, *others = (
        explain(zone, name, type_, forwards=forwards, fallthrough=fallthrough) for type_ in (1, 28, 33, 16)
    )
    if first.rcode in (None, "NXDOMAIN", "REFUSED") and not first.record_count:
        assert others == [msgspec.structs.replace(first, type=one.type) for one in others]


def test_an_explanation_looks_at_each_endpoint_a_few_times() -> None:
    """Of 10,000 it took 27 ms: all were listed twice, and counted five times by calls."""
    members = [f"10.1.{n // 250}.{n % 250 + 1} host=h-{n} pod=p-{n}" for n in range(2000)]
    slices = [endpoints(f"a/db-{n}", *members[n * 100 : n * 100 + 100], ports="sql:3306") for n in range(20)]
    zone = zone_of(headless("a/db", ports="sql:3306"), *slices)
    for type_ in (records.A, records.SRV):
        assert calls(lambda: explain(zone, parse_name("db.a.svc.cluster.local"), type_)) < 10 * len(members)  # noqa: B023
