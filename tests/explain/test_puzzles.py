"""What learners ran into and were told wrong, or nothing: each from the objects to the sentence that tells it."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from minidns.core import records
from minidns.core.model import Namespace, Object, Port, Service
from minidns.explain import Explanation, Libc, SearchExplanation, explain, explain_search, render
from tests.support.clusters import address, endpoints, headless, zone_of
from tests.support.explained import CASES, DEFAULT, THE_WEB, WEB, replicas

NGINX = headless("default/nginx", ports="web:80", selector="nginx")
PODS = endpoints(
    "default/nginx-1", "10.244.0.2 host=web-0 pod=web-0", "10.244.0.3 host=web-1 pod=web-1", ports="web:80"
)
BY_ADDRESS = endpoints("default/nginx-1", "10.244.0.2 pod=web-0", ports="web:80")
OTHER = Namespace("other")


def shown(explanation: Explanation | SearchExplanation, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    render(explanation, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def about(question: str, *objects: Object, type_: int = records.A) -> Explanation:
    return explain(zone_of(DEFAULT, OTHER, *objects), question, type_)


def walk(name: str, *objects: Object, namespace: str = "default", **more: object) -> SearchExplanation:
    return explain_search(zone_of(DEFAULT, OTHER, *objects), name, namespace, **more)  # type: ignore[arg-type]


def selecting(*ips: str, ports: tuple[Port, ...] = ()) -> Service:
    """ClusterIP Service `default/shop`, which selects app=shop."""
    return Service("default", "shop", tuple(map(address, ips)), ports=ports, selector=(("app", "shop"),))


# Ports.


@pytest.mark.parametrize("name", ["http._tcp", "_http.tcp", "http.tcp"])
def test_a_port_without_its_underscore_is_not_told_as_not_ready(name: str) -> None:
    found = about(f"{name}.{THE_WEB}", WEB, replicas(""), type_=records.SRV)
    assert found.sentence == "a port of Service default/web is asked for with underscores: _http._tcp"
    assert found.suggestions == (f"_http._tcp.{THE_WEB}",)


def test_a_target_port_that_no_container_has_of_a_headless_service() -> None:
    found = about(f"_http._tcp.{THE_WEB}", WEB, replicas("", ports=""), type_=records.SRV)
    assert found.sentence == "port http of Service default/web is in none of its EndpointSlices"
    assert found.steps[0].startswith("a targetPort that is a name has to be the name of a port of a container")


def test_a_target_port_that_no_container_has_when_srv_is_asked_of_the_service_itself() -> None:
    found = about(THE_WEB, WEB, replicas("", ports=""), type_=records.SRV)
    assert found.facts == ("port http 80/TCP is in none of its EndpointSlices",)
    assert "targetPort" in found.steps[0]


def test_a_target_port_that_no_container_has_behind_a_cluster_ip() -> None:
    shop = selecting("10.96.0.7", ports=(Port("http", "TCP", 80), Port("admin", "TCP", 81)))
    found = about("shop.default.svc.cluster.local", shop, endpoints("default/shop-1", "10.0.0.1", ports="admin:81"))
    assert found.facts == (
        "a cluster IP answers whether or not an endpoint is ready: 1 of 1 is",
        "port http 80/TCP is in none of its EndpointSlices: connections to it fail",
    )
    assert "targetPort" in found.steps[0]


def test_ports_of_slices_written_by_hand() -> None:
    web = headless("default/web", ports="http:80")
    assert about(f"_http._tcp.{THE_WEB}", web, replicas("", ports=""), type_=records.SRV).steps == (
        "it has no selector: the ports of its slices are written by hand",
    )


# Services without endpoints.


def test_a_cluster_ip_whose_selector_matches_nothing() -> None:
    found = about("shop.default.svc.cluster.local", selecting("10.96.0.7"))
    assert found.resolves
    assert found.facts == ("no endpoint is behind it: its selector app=shop matches no running pod; connections fail",)
    assert found.steps[0].endswith("kubectl get pods -n default -l app=shop")


# Pods.


@pytest.mark.parametrize(
    ("name", "namespace"), [("web-0", "default"), ("web-0.default", "default"), ("web-0.default", "other")]
)
def test_the_name_of_a_pod_alone_in_a_search(name: str, namespace: str) -> None:
    found = walk(name, NGINX, PODS, namespace=namespace).explanation
    assert found.facts[0] == "web-0 is a pod, behind headless Service default/nginx"
    assert found.steps == ("a pod is asked for below its Service: web-0.nginx",)
    assert found.suggestions == ("web-0.nginx.default.svc.cluster.local",)


@pytest.mark.parametrize("name", ["web-0", "web-0.default", "web-0.default.svc.cluster.local", "web-0.cluster.local"])
def test_the_name_of_a_pod_alone(name: str) -> None:
    found = about(name, NGINX, PODS)
    assert found.facts[0] == "web-0 is a pod, behind headless Service default/nginx"
    assert found.suggestions == ("web-0.nginx.default.svc.cluster.local",)


def test_a_pod_is_told_of_its_headless_service_first() -> None:
    also = Service("default", "a-virtual-ip", (address("10.96.0.9"),))
    slices = endpoints("default/x", "10.244.0.2 pod=web-0", of="a-virtual-ip")
    assert about("web-0.default.svc.cluster.local", also, slices, NGINX, PODS).suggestions == (
        "web-0.nginx.default.svc.cluster.local",
    )


def test_a_pod_that_is_not_ready() -> None:
    waiting = endpoints("default/nginx-1", "10.244.0.2 host=web-0 pod=web-0 unready")
    found = about("web-0.default.svc.cluster.local", NGINX, waiting)
    assert found.facts[0] == "web-0 is a pod, behind headless Service default/nginx, and not ready"
    assert found.suggestions == ()


def test_a_pod_without_a_hostname() -> None:
    found = about("web-0.default.svc.cluster.local", NGINX, BY_ADDRESS)
    assert found.steps == (
        "a pod is asked for below its Service: 10-244-0-2.nginx, a name that changes with its address",
        "a StatefulSet's serviceName (a pod's spec.subdomain) has to be nginx for web-0.nginx",
    )
    assert found.suggestions == ("10-244-0-2.nginx.default.svc.cluster.local",)


def test_a_service_name_that_names_no_service_while_another_selects_the_pods() -> None:
    found = about("web-0.wrong.default.svc.cluster.local", NGINX, BY_ADDRESS)
    assert found.sentence == "no Service of that name in namespace default"
    assert found.facts[0] == "web-0 is a pod, behind headless Service default/nginx"
    assert found.steps[1] == (
        "there is no Service wrong: a StatefulSet's serviceName (a pod's spec.subdomain) has to be nginx"
        " for web-0.nginx"
    )
    assert found.suggestions == ("10-244-0-2.nginx.default.svc.cluster.local",)


def test_a_name_that_is_no_pods() -> None:
    assert "pod" not in shown(about("web-9.default.svc.cluster.local", NGINX, PODS))
    assert "is a pod" not in shown(about("web-0.a.b", NGINX, PODS))


# The search list.


def test_a_final_dot_ends_the_search_list() -> None:
    found = walk("nginx.default.svc.cluster.local.", NGINX, PODS)
    assert (found.absolute, found.queries, found.resolves) == (True, 2, True)
    assert "  glibc: the final dot ends the search list: asked for as it is\n" in shown(found)
    assert "search list is tried" not in shown(found)


def test_a_final_dot_behind_a_short_name() -> None:
    found = walk("nginx.", NGINX, PODS)
    assert [one.name for one in found.candidates] == ["nginx"]
    assert found.explanation.suggestions == ("nginx.default.svc.cluster.local",)
    assert shown(found).startswith("nginx. in a pod of namespace default\n")


def test_glibc_says_that_it_sends_a_refused_query_twice() -> None:
    found = walk("no.such", NGINX)
    assert found.rules == ("glibc sends a query twice that is answered with REFUSED",)
    assert "(sent 2 times)" in shown(found)


def test_musl_never_falls_back_once_there_are_enough_dots() -> None:
    found = walk("nginx.default", NGINX, PODS, ndots=1, libc=Libc.MUSL)
    assert [one.name for one in found.candidates] == ["nginx.default"]
    assert found.rules[0] == "musl never falls back to the search list once a name has enough dots"
    assert "  musl: 1 dot, ndots 1: tried as it is, and nothing else\n" in shown(found)
    glibc = walk("nginx.default", NGINX, PODS, ndots=1)
    assert glibc.answered_by == "nginx.default.svc.cluster.local"
    assert "  glibc: 1 dot, ndots 1: tried as it is first, then the search list\n" in shown(glibc)


def test_musl_asks_for_other_types_as_they_are() -> None:
    found = walk("nginx", NGINX, PODS, types=(records.SRV,), libc=Libc.MUSL)
    assert found.rules[0] == "musl asks for types other than A and AAAA as they are, without the search list"


def test_musl_ends_at_a_name_without_an_address() -> None:
    empty = Service("default", "shop")
    found = walk("shop", empty, libc=Libc.MUSL)
    assert found.rules == ("musl ends at a name that exists without an address; glibc tries the next one",)


def test_what_the_search_list_costs_an_external_name_and_a_dot_saves() -> None:
    found = walk("www.google.com", NGINX, forwards=True)
    assert (found.queries, found.with_dot) == (8, 2)
    assert "  with a final dot it costs 2 queries instead of 8: www.google.com.\n" in shown(found)
    assert found.explanation.name == "www.google.com"


def test_an_external_name_that_nobody_answers_is_told_as_external() -> None:
    found = walk("www.google.com", NGINX)
    assert found.explanation.sentence == "outside of every zone served here, and no forwarder is configured"
    assert (found.queries, found.with_dot) == (10, 4)


def test_a_dot_that_saves_nothing_is_not_spoken_of() -> None:
    assert walk("nginx", NGINX, PODS).with_dot is None
    assert walk("nginx", NGINX, PODS, namespace="other").with_dot is None
    assert "final dot" not in shown(walk("nginx", NGINX, PODS))


def test_a_wrong_namespace_of_the_pod_is_an_error_that_names_it() -> None:
    with pytest.raises(ValueError, match=r"^no namespace defualt: there is default$"):
        walk("nginx", NGINX, namespace="defualt")


# How it reads.


def test_a_narrow_terminal_gets_rows_of_several_lines_with_whole_cells() -> None:
    console = Console(file=io.StringIO(), width=60, force_terminal=True, color_system=None)
    render(walk("web-0.default", NGINX, PODS), console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert (
        "  web-0.default.default.svc.cluster.local\n"
        "      A NXDOMAIN, AAAA NXDOMAIN\n"
        "      no Service of that name in namespace default\n"
    ) in text
    assert "  web-0.default  A REFUSED, AAAA REFUSED\n" in text


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_no_line_is_printed_twice(case: object) -> None:
    found = explain(case.zone, case.question)  # type: ignore[attr-defined]
    lines = shown(found).splitlines()
    assert len(lines) == len(set(lines))


@pytest.mark.parametrize("name", ["web", "web-0", "web-0.web", "web.other", "no.such", "www.google.com", "web."])
@pytest.mark.parametrize("states", [("",), ("unready",), ("", "unready")])
def test_no_line_of_a_search_is_printed_twice(name: str, states: tuple[str, ...]) -> None:
    lines = shown(walk(name, WEB, replicas(*states))).splitlines()
    assert len(lines) == len(set(lines))


def test_one_is_singular() -> None:
    found = walk("web.", WEB, replicas(""), types=(records.A,), forwards=True)
    assert "\n1 query\n" in shown(found)
    assert "EndpointSlice without endpoints: web-1" in shown(about(THE_WEB, WEB, replicas()))
