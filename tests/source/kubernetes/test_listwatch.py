"""The state machine of list and watch, driven without a socket or a clock."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidns.config.settings import Cluster
from minidns.core.model import Change, Deleted, EndpointSlice, Key, Namespace, Object, Pod, Replaced, Service, Upserted
from minidns.source.kubernetes.lines import LONGEST_LINE, Lines
from minidns.source.kubernetes.listwatch import STUCK, Reflector
from minidns.source.kubernetes.requests import Pause, Request, Resource, resources
from tests.support.apiserver import JSON, PATHS, recorded_events
from tests.support.clusters import recorded_objects
from tests.support.places import RECORDINGS

SERVICES = Resource(Service, "services", PATHS["services"])


def item(name: str, ip: str = "10.0.0.1", version: int = 0, **more: Any) -> JSON:
    meta = {"name": name, "namespace": "shop", "resourceVersion": str(version)}
    return {"metadata": meta, "spec": {"clusterIP": ip, **more}}


class Server:
    """What an API server would answer, as bytes. Versions are words on purpose: nothing may count with them."""

    def __init__(self, items: list[JSON], *, streaming: bool = True) -> None:
        self.objects = {key(thing): json.dumps(thing).encode() for thing in items}
        self.history: list[tuple[int, bytes]] = []
        self.version, self.floor = 1, 1
        self.streaming = streaming
        self.pages: dict[str, tuple[int, list[bytes]]] = {}
        self.asked: list[dict[str, str]] = []

    def happen(self, type_: str, thing: JSON) -> None:
        self.version += 1
        thing = {**thing, "metadata": {**thing["metadata"], "resourceVersion": word(self.version)}}
        if type_ == "DELETED":
            self.objects.pop(key(thing), None)
        elif type_ != "BOOKMARK":
            self.objects[key(thing)] = json.dumps(thing).encode()
        self.history.append((self.version, jsonl([{"type": type_, "object": thing}])))

    def expire(self) -> None:
        self.floor = self.version
        self.history.clear()
        self.pages.clear()

    def respond(self, request: Request) -> tuple[int, bytes]:
        query = dict(request.query)
        self.asked.append(query)
        if "watch" not in query:
            return self._page(query)
        if "sendInitialEvents" in query:
            if not self.streaming:
                return 422, b'{"kind":"Status","message":"sendInitialEvents is forbidden","code":422}'
            events = b"".join(b'{"type":"ADDED","object":%b}\n' % thing for thing in self.objects.values())
            meta = {"resourceVersion": word(self.version), "annotations": {"k8s.io/initial-events-end": "true"}}
            return 200, events + jsonl([{"type": "BOOKMARK", "object": {"metadata": meta}}])
        since = number(query["resourceVersion"])
        if since < self.floor:
            return 200, (RECORDINGS / "services.expired.jsonl").read_bytes()
        return 200, b"".join(line for version, line in self.history if version > since)

    def _page(self, query: dict[str, str]) -> tuple[int, bytes]:
        version, items = self.version, list(self.objects.values())
        if "continue" in query:
            if query["continue"] not in self.pages:
                return 410, b'{"kind":"Status","message":"too old","reason":"Expired","code":410}'
            version, items = self.pages[query["continue"]]
        limit = int(query.get("limit", 0)) or len(items)
        meta = {"resourceVersion": word(version)}
        if items[limit:]:
            meta["continue"] = f"{word(version)}-{len(items)}"
            self.pages[meta["continue"]] = version, items[limit:]
        return 200, b'{"metadata":%b,"items":[%b]}' % (json.dumps(meta).encode(), b",".join(items[:limit]))


def key(thing: JSON) -> tuple[str, str]:
    return thing["metadata"].get("namespace", ""), thing["metadata"]["name"]


def word(version: int) -> str:
    return f"v{version}"


def number(word_: str) -> int:
    return int(word_[1:])


def jsonl(events: list[JSON]) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


class Client:
    """Drives a reflector against a server, and keeps what it publishes as any consumer would."""

    def __init__(self, server: Server, resource: Resource = SERVICES) -> None:
        self.server = server
        self.reflector = Reflector(resource, Random(1).random)
        self.now = 1000.0
        self.view: dict[Key, Object] = {}
        self.published: list[Change] = []
        self.paused: list[Pause] = []

    def next(self) -> Request:
        while isinstance(action := self.reflector.next(self.now), Pause):
            self.paused.append(action)
            self.now += action.seconds
        return action

    def publish(self, changes: list[Change]) -> None:
        self.published += changes
        for change in changes:
            match change:
                case Upserted(obj):
                    self.view[obj.key] = obj
                case Deleted(_, key):
                    del self.view[key]
                case Replaced(_, objects):
                    self.view = {obj.key: obj for obj in objects}

    def exchange(self, cut: int | None = None, chunk: int = 1 << 20) -> None:
        """One request, whose body ends after `cut` bytes, in chunks."""
        self.answer(*self.server.respond(self.next()), cut=cut, chunk=chunk)

    def answer(
        self, code: int, body: bytes, *, retry: str | None = None, cut: int | None = None, chunk: int = 1 << 20
    ) -> None:
        self.reflector.head(code, retry, self.now)
        received = body[:cut]
        for start in range(0, len(received), chunk):
            self.publish(self.reflector.data(received[start : start + chunk], self.now))
            if self.reflector.done:
                return
        if cut is not None and cut < len(body):
            self.reflector.failed("connection reset", self.now)
        else:
            for changes in self.reflector.end(self.now):
                self.publish(changes)

    def settle(self) -> None:
        """Exchange until a watch brings nothing new."""
        for _ in range(50):
            request = self.next()
            code, body = self.server.respond(request)
            self.answer(code, body)
            if "resourceVersion" in dict(request.query) and not body:
                return
        pytest.fail("no watch after 50 requests")

    @property
    def names(self) -> list[str]:
        return sorted(name for _, name in self.view)


def converged(client: Client) -> bool:
    fresh = Client(client.server, client.reflector.resource)
    fresh.settle()
    return client.view == fresh.view == {obj.key: obj for obj in client.reflector.store.objects.values()}


@pytest.mark.parametrize("streaming", [True, False], ids=["streaming", "pages"])
@pytest.mark.parametrize("chunk", [1, 7, 4096])
def test_list_then_watch(streaming: bool, chunk: int) -> None:
    server = Server([item(f"s{n}") for n in range(40)], streaming=streaming)
    client = Client(server)
    while not client.published:
        client.exchange(chunk=chunk)
    assert isinstance(client.published[0], Replaced)
    assert client.reflector.link.synced
    server.happen("ADDED", item("new"))
    server.happen("MODIFIED", item("s1", "10.0.0.2"))
    server.happen("DELETED", item("s2"))
    client.exchange(chunk=chunk)
    assert [type(change) for change in client.published[1:]] == [Upserted, Upserted, Deleted]
    assert converged(client)


def test_pages_are_as_large_as_the_objects_allow() -> None:
    server = Server([item(f"s{n}", padding="x" * 4000) for n in range(400)], streaming=False)
    client = Client(server)
    client.settle()
    limits = [int(query["limit"]) for query in server.asked if "limit" in query]
    assert limits[0] == 16
    assert 100 < limits[1] < 140
    assert len(client.view) == 400


def test_a_streaming_list_that_is_refused_is_not_tried_again() -> None:
    client = Client(Server([item("a")], streaming=False))
    client.exchange()
    client.exchange()
    assert client.names == ["a"]
    assert client.paused == [], "falling back costs no time"
    assert client.reflector.link.status.reason == ""
    client.server.happen("ADDED", item("b"))
    client.server.expire()
    client.settle()
    assert client.names == ["a", "b"]
    assert sum("sendInitialEvents" in query for query in client.server.asked) == 1


def test_a_streaming_list_that_breaks_is_tried_as_pages_next_and_streamed_again_later() -> None:
    client = Client(Server([item("a"), item("b")]))
    client.exchange(cut=10)
    client.exchange()
    assert "limit" in client.server.asked[-1]
    assert client.names == ["a", "b"]
    client.server.happen("ADDED", item("c"))
    client.server.expire()
    client.settle()
    assert "sendInitialEvents" in client.server.asked[3]


def test_a_stream_of_events_without_the_end_of_the_list_is_no_list() -> None:
    """What a server or proxy sends that ignores sendInitialEvents."""
    client = Client(Server([item("a")]))
    client.next()
    events = [{"type": "ADDED", "object": item("a")}, {"type": "BOOKMARK", "object": {"metadata": {}}}]
    client.answer(200, jsonl(events))
    assert client.published == []
    client.exchange()
    assert "limit" in client.server.asked[-1]
    assert client.names == ["a"]


def test_what_is_deleted_while_it_is_listed_is_not_in_the_list() -> None:
    client = Client(Server([]))
    client.next()
    meta = {"resourceVersion": "v9", "annotations": {"k8s.io/initial-events-end": "true"}}
    events: list[JSON] = [
        {"type": "ADDED", "object": item("a")},
        {"type": "ADDED", "object": item("b")},
        {"type": "DELETED", "object": item("a")},
        {"type": "BOOKMARK", "object": {"metadata": meta}},
    ]
    client.answer(200, jsonl(events))
    assert client.names == ["b"]


def test_a_continue_token_that_expires_midway() -> None:
    server = Server([item(f"s{n}") for n in range(40)], streaming=False)
    client = Client(server)
    client.exchange()
    client.exchange()
    server.happen("DELETED", item("s1"))
    server.expire()
    client.settle()
    assert [("limit" in query, "continue" in query) for query in server.asked if "watch" not in query] == [
        (True, False),
        (True, True),
        (False, False),
    ], "from the start, in one page that cannot expire"
    assert "s1" not in client.names
    assert converged(client)


def test_a_page_that_breaks_is_asked_for_again() -> None:
    server = Server([item(f"s{n}") for n in range(40)], streaming=False)
    client = Client(server)
    client.exchange()
    client.exchange()
    client.exchange(cut=100)
    client.settle()
    assert len(client.view) == 40
    assert sum("limit" in query and "continue" not in query for query in server.asked) == 1


@pytest.mark.parametrize("as_status", [True, False], ids=["HTTP status", "ERROR event"])
def test_an_expired_version_is_listed_again_and_what_vanished_is_gone(as_status: bool) -> None:
    server = Server([item("stays"), item("goes"), item("changes")])
    client = Client(server)
    client.settle()
    before = dict(client.view)
    server.happen("DELETED", item("goes"))
    server.happen("MODIFIED", item("changes", "10.0.0.9"))
    server.happen("MODIFIED", item("stays", labels="new"))
    server.expire()
    if as_status:
        client.next()
        client.answer(410, b'{"kind":"Status","reason":"Expired","code":410}')
    client.settle()
    assert [type(change) for change in client.published] == [Replaced, Replaced]
    assert client.names == ["changes", "stays"]
    assert client.view["shop", "stays"] is before["shop", "stays"], "the very object, untouched"
    assert client.view["shop", "changes"] != before["shop", "changes"]
    assert client.reflector.link.status.lost_since is None, "an expired version is no outage"


def test_a_change_that_dns_cannot_see_is_not_published() -> None:
    client = Client(Server([item("a")]))
    client.settle()
    client.server.happen("MODIFIED", item("a", sessionAffinity="ClientIP"))
    client.server.happen("DELETED", item("never was here"))
    client.settle()
    assert len(client.published) == 1


def test_bookmarks_move_the_version() -> None:
    client = Client(Server([item("a")]))
    client.settle()
    client.server.happen("BOOKMARK", {"metadata": {}})
    client.exchange()
    client.server.expire()
    client.settle()
    assert len(client.published) == 1, "nothing expired: the bookmark was newer"


def test_versions_are_opaque() -> None:
    client = Client(Server([item("a")]))
    client.settle()
    client.next()
    thing = item("b")
    thing["metadata"]["resourceVersion"] = "höher/9 &=x"
    client.answer(200, jsonl([{"type": "ADDED", "object": thing}]))
    assert ("resourceVersion", "höher/9 &=x") in client.next().query


@pytest.mark.parametrize(
    ("code", "message", "reason"),
    [
        (401, "Unauthorized", "401 unauthorized: the credentials are missing, wrong or expired"),
        (
            403,
            'services is forbidden: User "system:serviceaccount:kube-system:minidns" cannot list resource "services"',
            "403 forbidden for system:serviceaccount:kube-system:minidns: apply config/kubernetes/rbac.yaml",
        ),
        (404, "the server could not find the resource", "404 not found: this is no API server"),
        (429, "too many requests", "429 too many requests"),
        (500, "etcdserver: leader changed", "500 etcdserver: leader changed"),
        (503, "", "503 without a reason"),
    ],
)
@pytest.mark.parametrize("streaming", [True, False])
def test_refusals_are_told_and_passed(code: int, message: str, reason: str, streaming: bool) -> None:
    client = Client(Server([item("a")], streaming=streaming))
    body = json.dumps({"kind": "Status", "message": message, "code": code}).encode()
    for _ in range(4):
        client.next()
        client.answer(code, body)
    status = client.reflector.link.status
    assert status.reason.startswith(f"cannot list services: {reason}")
    assert status.lost_since is not None
    assert not status.synced
    assert client.paused[-1].unauthorized is (code == 401)
    assert client.paused[-1].seconds > client.paused[0].seconds
    client.settle()
    assert client.names == ["a"]
    assert client.reflector.link.status.reason == ""


def test_a_refused_watch_keeps_what_is_known() -> None:
    client = Client(Server([item("a")]))
    client.settle()
    client.next()
    client.answer(403, b"not even JSON \xff")
    assert "cannot watch services: 403 forbidden: apply" in client.reflector.link.status.reason
    client.server.happen("ADDED", item("b"))
    client.settle()
    assert [type(change) for change in client.published] == [Replaced, Upserted], "no new list"


def test_retry_after_is_obeyed_within_reason() -> None:
    client = Client(Server([item("a")]))
    for retry in ("7", "100000", "Fri, 31 Dec 1999 23:59:59 GMT"):
        client.next()
        client.answer(429, b"{}", retry=retry)
    client.next()
    assert client.paused[0].seconds == 7
    assert client.paused[1].seconds == 60
    assert 0 < client.paused[2].seconds < 30


def test_backoff_grows_to_its_cap_and_is_reset_by_progress() -> None:
    client = Client(Server([item("a")]))
    client.settle()
    client.paused.clear()
    for _ in range(20):
        client.next()
        client.reflector.failed("no connection", client.now)
    client.next()
    waits = [pause.seconds for pause in client.paused]
    assert waits[0] < 1
    assert 15 <= min(waits[8:]) <= max(waits) <= 30
    client.reflector.failed("no connection", client.now)
    client.server.happen("ADDED", item("b"))
    client.exchange()
    client.paused.clear()
    client.next()
    assert client.paused == [], "a watch that brought something is resumed at once"


def test_a_server_that_ends_every_watch_at_once_is_not_asked_without_end() -> None:
    client = Client(Server([item("a")]))
    client.settle()
    start = client.now
    for _ in range(20):
        client.exchange()
    assert client.now - start > 100


def test_a_server_that_calls_every_version_expired_is_not_listed_without_end() -> None:
    client = Client(Server([item("a")]))
    client.exchange()
    start = client.now
    for _ in range(20):
        client.next()
        client.answer(410, b"{}")
        client.exchange()
    assert client.now - start > 100


def test_a_stuck_watch_lists_again() -> None:
    client = Client(Server([item("a")]))
    client.settle()
    while client.now < 1000 + STUCK:
        client.next()
        client.reflector.head(200, None, client.now)
        client.now += 100
        client.reflector.failed("fell silent", client.now)
    client.server.happen("DELETED", item("a"))
    client.server.history.clear()  # what a watch with a hole in it has missed
    client.settle()
    assert client.view == {}


@pytest.mark.parametrize(
    "damage",
    [
        b'{"type":"ADDED","object":{"metadata"',
        b"<html>502</html>\n",
        b'{"type":"ADDED"}\n',
        b'{"type":"BOOKMARK","object":3}\n',
    ],
    ids=["truncated", "not JSON", "no object", "no metadata"],
)
def test_a_damaged_stream_is_resumed_where_it_was_good(damage: bytes) -> None:
    client = Client(Server([item("a")]))
    client.settle()
    client.server.happen("ADDED", item("b"))
    code, body = client.server.respond(client.next())
    client.answer(code, body + damage)
    client.server.happen("ADDED", item("c"))
    client.settle()
    assert client.names == ["a", "b", "c"]
    assert [type(change) for change in client.published] == [Replaced, Upserted, Upserted]


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"items":[]}', b'{"metadata":{},"items":[]}'])
def test_a_damaged_list_is_no_list(body: bytes) -> None:
    client = Client(Server([item("a")], streaming=False))
    client.exchange()
    client.next()
    client.answer(200, body)
    assert client.published == []
    assert "cannot list services: the list" in client.reflector.link.status.reason
    client.settle()
    assert client.names == ["a"]


def test_an_object_that_does_not_decode_keeps_its_last_good_version(caplog: pytest.LogCaptureFixture) -> None:
    client = Client(Server([item("a"), item("b")]))
    client.settle()
    client.server.happen("MODIFIED", item("a", ports="eighty"))
    client.server.happen("ADDED", item("new", ports="eighty"))
    client.server.happen("MODIFIED", item("b", "10.0.0.7"))
    with caplog.at_level(logging.WARNING):
        client.settle()
    assert "cannot read Service shop/a, its last good version stays: " in caplog.text
    assert "cannot read Service shop/new, it is left out: " in caplog.text
    assert "`$.spec.ports`" in caplog.text
    client.server.expire()
    client.settle()
    assert client.names == ["a", "b"], "also after a list"
    assert "resourceVersion" in client.server.asked[-1]
    client.server.happen("DELETED", item("a", ports="eighty"))
    client.settle()
    assert client.names == ["b"]


def test_an_object_without_a_name_is_skipped(caplog: pytest.LogCaptureFixture) -> None:
    client = Client(Server([item("a")], streaming=False))
    client.exchange()
    client.next()
    listed = {"metadata": {"resourceVersion": "v1"}, "items": [{"metadata": 7}, item("a")]}
    client.answer(200, json.dumps(listed).encode())
    assert client.names == ["a"]
    assert "skipped a Service without a readable name" in caplog.text


def test_an_event_of_an_unknown_type_only_moves_the_version() -> None:
    client = Client(Server([item("a")]))
    client.settle()
    client.server.happen("SPLIT", item("a"))
    client.settle()
    assert len(client.published) == 1


def test_a_line_of_several_mebibytes() -> None:
    client = Client(Server([item("a")]))
    client.settle()
    client.server.happen("ADDED", item("big", padding="x" * 5_000_000))
    client.exchange(chunk=1 << 16)
    assert client.names == ["a", "big"]


def test_lines() -> None:
    lines = Lines()
    assert lines.feed(b"one\ntw") == [b"one"]
    assert lines.feed(b"") == []
    assert lines.feed(b"o") == []
    assert lines.feed(b"\n\r\n\nthree\n") == [b"two", b"three"]
    with pytest.raises(ValueError, match="more than 67108864 bytes"):
        lines.feed(b"x" * (LONGEST_LINE + 1))


def test_an_outage_of_an_hour_with_a_thousand_changes() -> None:
    server = Server([item(f"s{n}") for n in range(300)])
    client = Client(server)
    client.settle()
    start, random = client.now, Random(2)
    while client.now < start + 3600:
        client.next()
        client.reflector.failed("no connection: Connection refused", client.now)
        assert len(client.view) == 300, "the last known state stays"
        for _ in range(random.randrange(16)):
            name = f"s{random.randrange(400)}"
            gone = random.random() < 0.4 and ("shop", name) in server.objects
            server.happen("DELETED" if gone else "ADDED", item(name, f"10.0.{random.randrange(256)}.1"))
    assert server.version > 1000
    status = client.reflector.link.status
    assert status.lost_since is not None
    assert status.lost_since - start < 60
    server.expire()
    client.settle()
    assert converged(client)
    assert [type(change) for change in client.published] == [Replaced, Replaced]
    assert client.reflector.link.status.lost_since is None


RECORDED = {resource.name: resource for resource in resources(Cluster(), pods=True)}


def replay(resource: Resource, between: Callable[[Client, int], None], *, streaming: bool) -> Client:
    """The recorded list and events of a resource; `between` exchanges after each event."""
    listed = json.loads((RECORDINGS / f"{resource.name}.list.json").read_text())
    server = Server(listed["items"], streaming=streaming)
    client = Client(server, resource)
    events = [event for name, event in recorded_events() if name == resource.name]
    for count, event in enumerate(events):
        server.happen(event["type"], event["object"])
        between(client, count)
    client.settle()
    return client


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_list_and_watch_give_the_recorded_end(name: str) -> None:
    client = replay(RECORDED[name], lambda client, _: client.exchange(), streaming=True)
    after = recorded_objects(RECORDINGS / "after", name)
    assert client.view == {obj.key: obj for obj in after}


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(list(RECORDED)), st.booleans(), st.randoms(use_true_random=False))
def test_ten_thousand_cuts_make_no_difference(name: str, streaming: bool, random: Random) -> None:
    """After each event the connection is cut several times, at any byte; versions and continue tokens expire."""

    def between(client: Client, _: int) -> None:
        for _ in range(random.randrange(15)):
            code, body = client.server.respond(client.next())
            cut, chunk = random.randrange(len(body) + 1), random.choice((1 << 16, 4096, 331))
            client.answer(code, body, cut=cut, chunk=chunk)
        if random.random() < 0.1:
            client.server.expire()

    client = replay(RECORDED[name], between, streaming=streaming)
    after = recorded_objects(RECORDINGS / "after", name)
    assert client.view == {obj.key: obj for obj in after}


def test_selections() -> None:
    def queries(cluster: Cluster, *, pods: bool = True) -> dict[str, dict[str, str]]:
        return {found.name: dict(found.selectors) for found in resources(cluster, pods=pods)}

    phases = {"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown"}
    assert queries(Cluster(), pods=False) == {"namespaces": {}, "services": {}, "endpointslices": {}}
    assert queries(Cluster(labels="a=b", namespace_labels="c in (d)")) == {
        "namespaces": {"labelSelector": "c in (d)"},
        "services": {"labelSelector": "a=b"},
        "endpointslices": {"labelSelector": "a=b"},
        "pods": {**phases, "labelSelector": "a=b"},
    }
    name = "multicluster.kubernetes.io/service-name"
    imports = [
        {found.name: dict(found.selectors) for found in resources(cluster, pods=False, imports=True)[3:]}
        for cluster in (Cluster(), Cluster(labels="a=b", namespace_labels="c"))
    ]
    assert imports == [
        {"serviceimports": {}, "endpointslices of serviceimports": {"labelSelector": selector}}
        for selector in (name, f"a=b,{name}")
    ]
    some = resources(Cluster(namespaces=("shop",)), pods=True)
    objects: list[Object] = [Namespace("shop"), Service("shop", "a"), EndpointSlice("shop", "a", "a"), Pod("shop", "a")]
    others: list[Object] = [Namespace("x"), Service("x", "a"), EndpointSlice("x", "a", "a"), Pod("x", "a")]
    assert all(resource.selects(obj) for resource, obj in zip(some, objects, strict=True))
    assert not any(resource.selects(obj) for resource, obj in zip(some, others, strict=True))
