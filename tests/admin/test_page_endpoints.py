"""What the page asks for, of a real server: its files, the map, the records at names, questions and messages."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import dns.flags
import dns.message
import pytest

from minidns.admin import page
from tests.support.manifested import headless, service, workload
from tests.support.running import Running, eventually, minidns

BASE = headless("nginx", "selector: {app: web}, ports: [{name: http, port: 80}]") + service("api")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    (folder / "services.yaml").write_text(BASE)
    (folder / "shop.yaml").write_text("{apiVersion: v1, kind: Namespace, metadata: {name: shop}}")
    (folder / "web.yaml").write_text(workload(spec="serviceName: nginx"))
    (folder / "big.yaml").write_text(
        headless("big", "selector: {app: big}")
        + workload(name="big", replicas=120, spec="serviceName: big", labels="app: big")
    )
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Running]:
    with minidns("--manifests", str(folder), "--ttl", "30") as running:
        yield running


def ask(server: Running, path: str, **parameters: str) -> Any:
    return json.loads(server.get(f"{path}?{urlencode(parameters)}"))


def post(server: Running, path: str, body: bytes, type_: str = "application/dns-message") -> tuple[int, bytes]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.admin}{path}", data=body, headers={"Content-Type": type_}
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_the_start_line_tells_where_the_page_is(server: Running) -> None:
    eventually(lambda: server.said(f"see the cluster as DNS sees it: http://127.0.0.1:{server.admin}/"))


def test_browsers_get_the_page_and_programs_a_list(server: Running) -> None:
    listing = server.get("/")
    assert "GET /walk?name=&type=&from=&ndots=&libc=&edns=  a pod's search list, walked with real queries" in listing
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.admin}/", headers={"Accept": "text/html,application/xhtml+xml;q=0.9"}
    )
    with urllib.request.urlopen(request, timeout=5) as response:
        text, headers = response.read().decode(), response.headers
    assert text.startswith("<!doctype html>")
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert "*" not in policy
    for line in text.splitlines():
        assert "http" not in line or "minidns tells over HTTP" in line, "nothing comes from elsewhere"


def test_every_file_of_the_page_is_served_with_its_type(server: Running) -> None:
    assert page.__file__
    files = [file for file in Path(page.__file__).parent.iterdir() if file.suffix in (".js", ".css", ".svg")]
    assert len(files) > 8
    for file in files:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.admin}/page/{file.name}", timeout=5) as response:
            assert response.read() == file.read_bytes()
            assert response.headers.get_content_type() in ("text/javascript", "text/css", "image/svg+xml")
    assert server.status("/page/__init__.py")[0] == 404
    assert server.status("/page/..%2ftable.py") == (404, "the page has no file '../table.py'\n")


def test_the_map_from_namespaces_to_endpoints(server: Running) -> None:
    (namespace,) = [one for one in ask(server, "/map")["namespaces"] if one["namespace"] == "default"]
    assert (namespace["headless"], namespace["virtual"], namespace["endpoints"]) == (2, 2, 125)
    services = ask(server, "/map", namespace="default")["services"]
    assert [one["name"] for one in services] == ["api", "big", "kubernetes", "nginx"]
    behind = ask(server, "/map", namespace="default", service="nginx")
    assert [one["pod"] for one in behind["endpoints"]] == ["web-0", "web-1"]
    first, rest = (ask(server, "/map", namespace="default", service="big", after=after) for after in ("", "100"))
    assert (len(first["endpoints"]), first["next"], len(rest["endpoints"]), rest["next"]) == (100, "100", 20, None)
    assert [one["name"] for one in ask(server, "/map", search="web-1")["services"]] == ["api", "nginx"]


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/map?namespace=none", 404, "none is not there\n"),
        ("/map?namespace=default&service=none", 404, "default/none is not there\n"),
        ("/map?namespace=default&service=nginx&after=x", 400, "after='x' is not a number\n"),
        ("/records", 400, "1 to 24 names, with blanks between them: ?name=\n"),
        ("/records?name=" + "+".join(["a"] * 25), 400, "1 to 24 names, with blanks between them: ?name=\n"),
        ("/walk", 400, "name what is to be asked for: ?name=\n"),
        ("/walk?name=web&libc=uclibc", 400, "uclibc is not a resolver known here: glibc or musl\n"),
        ("/walk?name=web&ndots=x", 400, "x is not a number of dots\n"),
        ("/walk?name=web&from=shoo", 400, "no namespace shoo: there is shop\n"),
        ("/walk?name=a..b", 400, "a..b is not a domain name: a label has 1 to 63 bytes\n"),
        ("/map?where=x", 400, "unknown parameter 'where'; known: namespace, service, search, after\n"),
    ],
)
def test_what_makes_no_sense_is_said(server: Running, path: str, status: int, text: str) -> None:
    assert server.status(path) == (status, text)


def test_records_with_the_commands_that_show_the_same(server: Running) -> None:
    one, none = ask(server, "/records", name="nginx.default.svc.cluster.local. gone.default.svc.cluster.local")
    assert one["dig"] == f"dig @127.0.0.1 -p {server.port} nginx.default.svc.cluster.local. A"
    assert one["explain"] == f"minidns explain nginx.default.svc.cluster.local. A --admin 127.0.0.1:{server.admin}"
    shown = server.dig("nginx.default.svc.cluster.local.", "A", "+noall", "+answer")
    assert sorted(" ".join(line.split()) for line in shown.splitlines()) == sorted(one["at"]["records"][:2])
    assert (none["at"]["rcode"], none["at"]["reason"]) == ("NXDOMAIN", "no Service of that name in namespace default")


def test_the_map_follows_changes(server: Running, folder: Path) -> None:
    assert len(ask(server, "/map", namespace="default", service="nginx")["endpoints"]) == 2
    file = folder / "web.yaml"
    before = file.read_text()
    file.write_text(before.replace("replicas: 2", "replicas: 4"))
    eventually(lambda: len(ask(server, "/map", namespace="default", service="nginx")["endpoints"]) == 4)
    assert ask(server, "/map")["ready"] == 129
    file.write_text(before)
    eventually(lambda: ask(server, "/map")["ready"] == 125)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_packet_is_answered_as_on_the_socket(server: Running, transport: str) -> None:
    query = dns.message.make_query("big.default.svc.cluster.local", "A", use_edns=0)
    status, body = post(server, f"/dns-query?transport={transport}", query.to_wire())
    answer, asked = dns.message.from_wire(body), server.ask("big.default.svc.cluster.local", tcp=transport == "tcp")
    assert status == 200
    assert bool(answer.flags & dns.flags.TC) is bool(asked.flags & dns.flags.TC) is (transport == "udp")
    assert len(answer.answer[0]) == len(asked.answer[0])


def test_packets_over_http_are_counted_apart(server: Running) -> None:
    def counts(metric: str) -> float:
        lines = [line for line in server.get("/metrics").splitlines() if line.startswith(metric)]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    apart, answered = counts("minidns_admin_answers_total"), counts("coredns_dns_responses_total")
    query = dns.message.make_query("nginx.default.svc.cluster.local", "A")
    assert post(server, "/dns-query", query.to_wire())[0] == 200
    assert counts("minidns_admin_answers_total") == apart + 1
    assert counts("coredns_dns_responses_total") == answered


def test_what_is_no_query_is_refused(server: Running) -> None:
    assert post(server, "/dns-query", b"")[0] == 400
    assert post(server, "/dns-query", bytes(2) + b"\x80" + bytes(9))[0] == 400
    assert post(server, "/dns-query", b"{}", "application/json")[0] == 415
    assert post(server, "/dns-query?transport=quic", bytes(12)) == (400, b"transport='quic': udp or tcp\n")
    transfer = dns.message.make_query("cluster.local", "AXFR")
    status, body = post(server, "/dns-query", transfer.to_wire())
    assert (status, dns.message.from_wire(body).rcode()) == (200, dns.rcode.REFUSED)


def test_a_walk_with_real_answers(server: Running) -> None:
    walk = ask(server, "/walk", name="nginx.default.svc", **{"from": "shop"})
    assert [(step["name"], step["then"]) for step in walk["steps"]] == [
        ("nginx.default.svc.shop.svc.cluster.local", "next"),
        ("nginx.default.svc.svc.cluster.local", "next"),
        ("nginx.default.svc.cluster.local", "found"),
    ]
    assert (walk["cost"], walk["with_dot"], walk["found"]) == (6, 2, "nginx.default.svc.cluster.local")
    assert walk["steps"][0]["sentence"] == "no Service of that name in namespace shop"
    query = walk["steps"][2]["queries"][0]
    answer = dns.message.from_wire(bytes.fromhex(query["answer"]))
    assert (query["rcode"], query["records"], len(answer.answer[0]), answer.edns) == ("NOERROR", 2, 2, -1)
    assert dns.message.from_wire(bytes.fromhex(query["packet"])).id == answer.id


def test_a_walk_as_musl_does_it_and_with_edns(server: Running) -> None:
    glibc, musl = (
        ask(server, "/walk", name="default.svc", libc=libc, edns="1", **{"from": "default"})
        for libc in ("glibc", "musl")
    )
    assert [len(walk["steps"]) for walk in (glibc, musl)] == [4, 3]
    assert (musl["steps"][-1]["then"], musl["found"]) == ("failed", None)
    answer = dns.message.from_wire(bytes.fromhex(musl["steps"][-1]["queries"][0]["answer"]))
    assert answer.options[0].to_text() == "EDE 0 (Other): default is a namespace: ask for a name below it"
    assert glibc["steps"][-1]["sent"] == 2
    assert glibc["cost"] == 2 * 3 + 2 * 2


def test_a_truncated_answer_costs_a_connection(server: Running) -> None:
    walk = ask(server, "/walk", name="big", **{"from": "default"})
    (step,) = walk["steps"]
    assert [(one["type"], one["transport"], one["truncated"]) for one in step["queries"]] == [
        ("A", "udp", True), ("AAAA", "udp", False), ("A", "tcp", False), ("AAAA", "tcp", False),
    ]  # fmt: skip
    assert step["queries"][2]["records"] == 120
    assert (walk["connections"], walk["cost"]) == (1, 4)
    musl = ask(server, "/walk", name="big", libc="musl", **{"from": "default"})
    assert [one["type"] for one in musl["steps"][0]["queries"]] == ["A", "AAAA", "A"]


def test_a_walk_without_a_pod(server: Running) -> None:
    walk = ask(server, "/walk", name="nginx.default.svc.cluster.local", type="SRV")
    assert (walk["search"], len(walk["steps"]), walk["cost"], walk["with_dot"]) == ([], 1, 1, 1)


def test_a_message_is_taken_apart(server: Running) -> None:
    query = dns.message.make_query("nginx.default.svc.cluster.local", "A")
    status, body = post(server, "/dissect", query.to_wire())
    found = json.loads(body)
    assert (status, found["size"], found["problem"]) == (200, len(query.to_wire()), "")
    assert [part["title"] for part in found["parts"]][:2] == ["Header", "Question"]


def test_the_state_in_figures(server: Running) -> None:
    figures = json.loads(server.get("/state"))
    assert (figures["ready"], figures["lost"], figures["source"].startswith("manifests in ")) == (True, None, True)
    assert figures["objects"]["Services"] == 5
    assert figures["played"] is True
    assert figures["listening"] == [f"127.0.0.1:{server.port}"]
    (process,) = figures["processes"]
    assert process["pid"] == server.process.pid
    assert process["resident"] > 10_000_000


def test_with_workers_each_process_is_listed_and_answers_come_from_here(folder: Path) -> None:
    with minidns("--manifests", str(folder), "--workers", "2", "--forward", "127.0.0.1:1") as running:
        figures = json.loads(running.get("/state"))
        assert [one["role"] for one in figures["processes"]] == ["watches", "answers", "answers"]
        assert figures["upstreams"] == [{"address": "127.0.0.1:1", "healthy": None}]
        walk = ask(running, "/walk", name="nginx", **{"from": "default"})
        assert walk["found"] == "nginx.default.svc.cluster.local"
        gone = ask(running, "/walk", name="example.com.", type="A")
        assert (gone["steps"][0]["queries"][0]["rcode"], gone["steps"][0]["sent"]) == ("SERVFAIL", 2)
