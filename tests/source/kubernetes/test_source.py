"""The cluster source over real HTTP: the recorded scenario, every fault of a connection, and all ways to connect."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minidns.config.settings import Cluster
from minidns.core.model import (
    Change,
    ImportedSlice,
    Key,
    Kind,
    Namespace,
    Object,
    Replaced,
    Service,
    ServiceImport,
    Upserted,
)
from minidns.core.zone import Zone
from minidns.source.kubernetes.connect import Connection, NoClusterError, connect
from minidns.source.kubernetes.kubeconfig import ConnectError, Credentials
from minidns.source.kubernetes.requests import Request, Resource, resources
from minidns.source.kubernetes.source import KubernetesSource
from tests.support.apiserver import JSON, ApiServer, Fault, How, Verb, recorded_events
from tests.support.clusters import LISTS, recorded_objects, recorded_zone
from tests.support.places import RECORDINGS
from tests.whole.test_parity import SETTINGS, ask, recorded

DEADLINE = 10.0
TLS = Path(__file__).parent / "tls"


class Follower:
    """Follows a server with a source, and keeps what it publishes as any consumer would."""

    def __init__(self, source: KubernetesSource, zone: Zone | None = None) -> None:
        self.source = source
        self.zone = zone
        self.view: dict[Kind, dict[Key, Object]] = {}
        self.published: list[Change] = []
        self.naps: list[float] = []
        self.bug: Exception | None = None
        self._news = asyncio.Event()

    def publish(self, changes: Sequence[Change]) -> None:
        if self.bug is not None:
            bug, self.bug = self.bug, None
            self.view.clear()
            raise bug
        for change in changes:
            self.published.append(change)
            if self.zone is not None:
                self.zone.apply(change)
            if isinstance(change, Replaced):
                self.view[change.kind] = {obj.key: obj for obj in change.objects}
            elif isinstance(change, Upserted):
                self.view.setdefault(type(change.object), {})[change.object.key] = change.object
            else:
                del self.view[change.kind][change.key]
        self._news.set()

    async def sleep(self, seconds: float) -> None:
        """Time flies: an attempt follows an attempt at once."""
        self.naps.append(seconds)
        self._news.set()
        await asyncio.sleep(0)

    async def until(self, condition: Callable[[], bool], deadline: float = DEADLINE) -> None:
        """Waits for something that a change or an attempt brings about."""
        async with asyncio.timeout(deadline):
            while not condition():
                self._news.clear()
                await self._news.wait()

    def names(self, kind: Kind) -> list[str]:
        return sorted(name for _, name in self.view.get(kind, ()))


@asynccontextmanager
async def following(
    server: ApiServer,
    which: Iterable[Resource] | None = None,
    *,
    zone: Zone | None = None,
    initial: Iterable[Replaced] = (),
    connection: Connection | None = None,
) -> AsyncIterator[Follower]:
    followed = tuple(which or resources(Cluster(), pods=True))
    async with connection or await connect(Cluster(endpoint=server.url)) as connected:

        async def nap(seconds: float) -> None:
            await follower.sleep(seconds)

        source = KubernetesSource(connected, followed, initial=initial, sleep=nap)
        follower = Follower(source, zone)
        task = asyncio.create_task(source.run(follower.publish))
        try:
            yield follower
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def after() -> dict[Kind, dict[Key, Object]]:
    return {
        kind: {obj.key: obj for obj in recorded_objects(RECORDINGS / "after", name)} for name, kind in LISTS.items()
    }


def namespaces() -> list[Resource]:
    return [resource for resource in resources(Cluster(), pods=False) if resource.kind is Namespace]


def namespace(name: str) -> JSON:
    return {"metadata": {"name": name}}


def a_set() -> list[Resource]:
    return list(resources(Cluster(), pods=False, imports=True))


def an_import(name: str) -> JSON:
    spec = {"type": "ClusterSetIP", "ips": ["10.9.0.1"], "ports": [{"name": "http", "port": 80}]}
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": spec}


async def test_a_cluster_set_is_followed_with_the_slices_that_have_its_label() -> None:
    async with ApiServer() as server, following(server, a_set()) as follower:
        await asyncio.wait_for(follower.source.complete.wait(), DEADLINE)
        labels = {f"multicluster.kubernetes.io/{key}": "web" for key in ("service-name", "source-cluster")}
        for name, own in (("web-1", labels), ("web-2", {"kubernetes.io/service-name": "web"})):
            server.put("endpointslices", {"metadata": {"name": name, "namespace": "shop", "labels": own}})
        server.put("serviceimports", an_import("web"))
        await follower.until(lambda: follower.names(ServiceImport) == ["web"])
        await follower.until(lambda: follower.names(ImportedSlice) == ["web-1"])
        assert follower.source.missing == frozenset()


async def test_a_cluster_without_the_multi_cluster_api_has_no_imports(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with ApiServer() as server:
        server.put("serviceimports", an_import("web"))
        server.faults.append(Fault("serviceimports", status=404, times=3))
        async with following(server, a_set()) as follower:
            await asyncio.wait_for(follower.source.complete.wait(), DEADLINE)
            assert follower.names(ServiceImport) == []
            assert follower.source.status.reason == ""
            await follower.until(lambda: follower.names(ServiceImport) == ["web"])
            assert follower.naps.count(60.0) == 3
            server.faults.append(Fault("serviceimports", status=404))
            server.cut()
            await follower.until(lambda: follower.naps.count(60.0) == 4)
            await follower.until(lambda: follower.names(ServiceImport) == ["web"])
    assert [line for line in caplog.messages if "the API server has none" in line] == [
        "serviceimports: the API server has none, looked for every 60 s"
    ] * 2


async def test_imports_that_a_role_does_not_allow_keep_nothing_else_waiting() -> None:
    async with ApiServer() as server:
        server.put("serviceimports", an_import("web"))
        refusal = Fault("serviceimports", status=403, message='User "dns" cannot list', times=10**9)
        server.faults.append(refusal)
        async with following(server, a_set()) as follower:
            await asyncio.wait_for(follower.source.synced.wait(), DEADLINE)
            assert not follower.source.complete.is_set()
            assert follower.source.missing == {ServiceImport}
            reason = "cannot list serviceimports: 403 forbidden for dns: apply config/kubernetes/rbac.yaml"
            assert follower.source.status.reason == reason
            server.faults.clear()
            await asyncio.wait_for(follower.source.complete.wait(), DEADLINE)
            assert follower.names(ServiceImport) == ["web"]
            assert follower.source.missing == frozenset()


class Impatient(Connection):
    """A connection whose requests are given up after a short silence."""

    def __init__(self, server: ApiServer) -> None:
        super().__init__(self.load, Credentials(server.url), "the test")

    async def load(self) -> Credentials:
        return self.credentials

    def get(self, request: Request) -> Any:
        return super().get(Request(request.path, request.query, 0.2))


@pytest.mark.parametrize("streaming", [True, False], ids=["streaming", "pages"])
async def test_list_and_watch_give_the_recorded_end(streaming: bool) -> None:
    async with ApiServer() as server:
        server.load_recording()
        server.streaming = streaming
        async with following(server) as follower:
            await asyncio.wait_for(follower.source.synced.wait(), DEADLINE)
            for resource, event in recorded_events():
                server.replay(resource, event)
            await follower.until(lambda: follower.view == after())
            assert follower.source.status.reason == ""
            held = follower.source.objects()
            assert {kind: {obj.key: obj for obj in held[kind]} for kind in held} == after()


@pytest.mark.parametrize("mode", SETTINGS)
async def test_a_followed_cluster_answers_as_the_recorded_one(mode: str) -> None:
    zone, expected = Zone(SETTINGS[mode]), recorded_zone(SETTINGS[mode])
    zone.synced = True
    async with ApiServer() as server:
        server.load_recording()
        async with following(server, zone=zone) as follower:
            await asyncio.wait_for(follower.source.synced.wait(), DEADLINE)
            for resource, event in recorded_events():
                server.replay(resource, event)
            await follower.until(lambda: follower.view == after())
    for name, type_ in recorded(mode):
        assert ask(zone, name, type_) == ask(expected, name, type_)


@pytest.mark.parametrize("away", [False, True], ids=["cut", "changes while it is cut"])
async def test_a_cut_after_every_single_event(away: bool) -> None:
    async with ApiServer() as server:
        server.load_recording()
        async with following(server) as follower:
            await asyncio.wait_for(follower.source.synced.wait(), DEADLINE)
            for count, (resource, event) in enumerate(recorded_events()):
                if away and count % 5 == 0:
                    await server.stop()
                server.replay(resource, event)
                if away and count % 5 == 4:
                    await server.start(server.port)
                if not away:
                    server.cut()
                await asyncio.sleep(0)
            if not server.running:
                await server.start(server.port)
            await follower.until(lambda: follower.view == after())


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=False))
async def test_cuts_and_faults_anywhere_make_no_difference(random: Random) -> None:
    async with ApiServer() as server:
        server.load_recording()
        async with following(server) as follower:
            for resource, event in recorded_events():
                server.replay(resource, event)
                match random.choice(["cut", "expire", "tokens", "refuse", "half", "end"]):
                    case "expire":
                        server.expire()
                    case "tokens":
                        server.streaming = not server.streaming
                        server.expire_tokens()
                    case "refuse":
                        server.faults.append(Fault(status=500))
                    case "half":
                        server.faults.append(Fault(after=1, extra=b'{"type":"ADD'))
                    case "end":
                        server.faults.append(Fault(verb="watch", after=1, how="end"))
                server.cut()
                await asyncio.sleep(0.001)
            server.faults.clear()
            server.cut()
            await follower.until(lambda: follower.view == after())


@pytest.mark.parametrize("verb", ["list", "stream", "watch"])
@pytest.mark.parametrize("how", ["cut", "end", "stall"])
async def test_a_body_that_goes_wrong(verb: Verb, how: How) -> None:
    async with ApiServer() as server:
        for name in "abc":
            server.put("namespaces", namespace(name))
        server.streaming = verb == "stream"
        server.faults.append(Fault(verb=verb, how=how, after=2))
        async with following(server, namespaces(), connection=Impatient(server)) as follower:
            await asyncio.wait_for(follower.source.synced.wait(), DEADLINE)
            server.put("namespaces", namespace("d"))
            server.put("namespaces", namespace("e"))
            server.delete("namespaces", "", "a")
            await follower.until(lambda: follower.names(Namespace) == ["b", "c", "d", "e"])
            assert server.faults == []


async def test_a_silent_connection_is_given_up_and_told() -> None:
    async with ApiServer() as server:
        server.put("namespaces", namespace("a"))
        server.faults.append(Fault(verb="stream", how="stall"))
        server.faults.append(Fault(verb="list", status=503))
        reasons = []
        async with following(server, namespaces(), connection=Impatient(server)) as follower:
            await follower.until(lambda: len(follower.naps) == 1)
            reasons.append(follower.source.status.reason)
            assert not follower.source.status.synced
            await follower.until(lambda: follower.names(Namespace) == ["a"])
        assert reasons == [f"cannot list namespaces: {server.url} fell silent"]
        assert follower.source.status.reason == ""


@pytest.mark.parametrize("expired_status", [True, False], ids=["HTTP status", "ERROR event"])
async def test_expired_versions(expired_status: bool) -> None:
    async with ApiServer() as server:
        server.expired_status = expired_status
        for name in "abc":
            server.put("namespaces", namespace(name))
        async with following(server, namespaces()) as follower:
            await asyncio.wait_for(follower.source.synced.wait(), DEADLINE)
            kept = follower.view[Namespace]["", "a"]
            await server.stop()
            server.delete("namespaces", "", "b")
            server.put("namespaces", namespace("d"))
            server.expire()
            await server.start(server.port)
            await follower.until(lambda: follower.names(Namespace) == ["a", "c", "d"])
            assert follower.view[Namespace]["", "a"] is kept


async def test_a_token_that_expires_midway() -> None:
    async with ApiServer() as server:
        server.streaming = False
        for n in range(50):
            server.put("namespaces", namespace(f"n{n}"))
        server.faults.append(Fault(verb="list", status=410, message="too old", skip=1))
        async with following(server, namespaces()) as follower:
            await follower.until(lambda: len(follower.view.get(Namespace, ())) == 50)
        pages = [("limit" in query, "continue" in query) for _, verb, query in server.requests if verb == "list"]
        assert pages == [(True, False), (True, True), (False, False)]


async def test_an_outage_and_back(caplog: pytest.LogCaptureFixture) -> None:
    async with ApiServer() as server:
        server.put("namespaces", namespace("a"))
        async with following(server, namespaces()) as follower:
            await asyncio.wait_for(follower.source.synced.wait(), DEADLINE)
            assert follower.source.status.lost_since is None
            await server.stop()
            with caplog.at_level(logging.INFO):
                await follower.until(lambda: len(follower.naps) > 20)
                status = follower.source.status
                assert status.synced, "it was, and what is known stays"
                assert status.lost_since is not None
                assert status.reason == f"cannot watch namespaces: no connection to {server.url}: Connection refused"
                server.put("namespaces", namespace("b"))
                await server.start(server.port)
                await follower.until(lambda: follower.names(Namespace) == ["a", "b"])
            assert caplog.text.count("cannot watch namespaces: no connection") == 1, "said once, not at each attempt"
            assert "namespaces: followed again after" in caplog.text
            assert follower.source.status.reason == ""


def synced(source: KubernetesSource) -> int:
    return sum(resource.synced for resource in source.status.resources)


async def test_synced_is_what_has_been_brought_in_to_the_last_batch() -> None:
    """A long list goes on in batches after short ones are done: once the first answers were NXDOMAIN for its end."""
    async with ApiServer() as server:
        server.put("namespaces", namespace("a"))
        for number in range(3000):
            server.put(
                "services", {"metadata": {"name": f"s{number}", "namespace": "a"}, "spec": {"clusterIP": "None"}}
            )
        async with following(server) as follower:
            await asyncio.wait_for(follower.source.synced.wait(), DEADLINE)
            assert len(follower.view[Service]) == 3000


async def test_a_refusal_names_who_and_what_to_do() -> None:
    async with ApiServer() as server:
        message = 'User "system:serviceaccount:dns:minidns" cannot list resource "endpointslices" in API group'
        for verb in ("stream", "list"):
            server.faults.append(Fault("endpointslices", verb, status=403, message=message, times=1000))
        async with following(server) as follower:
            await follower.until(lambda: len(follower.naps) > 3 and synced(follower.source) == 3)
            status = follower.source.status
            assert not status.synced
            assert not follower.source.synced.is_set()
            assert status.reason == (
                "cannot list endpointslices: 403 forbidden for system:serviceaccount:dns:minidns: "
                "apply config/kubernetes/rbac.yaml"
            )
            server.faults.clear()
            await asyncio.wait_for(follower.source.synced.wait(), DEADLINE)


async def test_retry_after_comes_from_the_header() -> None:
    async with ApiServer() as server:
        server.faults.append(Fault(status=429, retry_after="17"))
        async with following(server, namespaces()) as follower:
            await asyncio.wait_for(follower.source.synced.wait(), DEADLINE)
            assert follower.naps == [17]


async def test_an_error_in_the_consumer_is_healed_by_a_new_list(caplog: pytest.LogCaptureFixture) -> None:
    async with ApiServer() as server:
        server.put("namespaces", namespace("a"))
        async with following(server, namespaces()) as follower:
            await asyncio.wait_for(follower.source.synced.wait(), DEADLINE)
            follower.bug = KeyError("a bug of the consumer's, which forgets all besides")
            server.put("namespaces", namespace("b"))
            await follower.until(lambda: follower.names(Namespace) == ["a", "b"])
            assert "a change could not be brought in, listing again" in caplog.text


async def test_what_a_state_file_had_is_not_touched_when_it_is_still_so() -> None:
    async with ApiServer() as server:
        server.put("namespaces", namespace("a"))
        known = Namespace("a")
        async with following(
            server, namespaces(), initial=[Replaced(Namespace, (known, Namespace("gone")))]
        ) as follower:
            await asyncio.wait_for(follower.source.synced.wait(), DEADLINE)
            assert follower.view == {Namespace: {("", "a"): known}}
            assert follower.view[Namespace]["", "a"] is known


async def test_only_what_is_selected_is_asked_for_and_kept() -> None:
    cluster = Cluster(namespaces=("shop",), labels="dns=yes")
    async with ApiServer() as server:
        for name in ("shop", "other"):
            server.put("namespaces", namespace(name))
            server.put("services", {"metadata": {"name": "web", "namespace": name}, "spec": {}})
        async with following(server, resources(cluster, pods=False)) as follower:
            await asyncio.wait_for(follower.source.synced.wait(), DEADLINE)
            assert follower.names(Namespace) == ["shop"]
            assert list(follower.view[Service]) == [("shop", "web")]
        asked = {resource: query.get("labelSelector") for resource, _, query in server.requests}
        assert asked == {"namespaces": None, "services": "dns=yes", "endpointslices": "dns=yes"}


def kubeconfig(path: Path, server: str, user: JSON, **cluster: Any) -> Path:
    """A kubeconfig file of one context."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "main",
        "contexts": [{"name": "main", "context": {"cluster": "here", "user": "me"}}],
        "clusters": [{"name": "here", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "me", "user": user}],
    }
    path.write_text(yaml.safe_dump(content))
    return path


async def synced_with(cluster: Cluster, server: ApiServer, **more: Any) -> Connection:
    """Connects and waits for a sync."""
    connection = await connect(cluster, **more)
    async with following(server, namespaces(), connection=connection) as follower:
        await asyncio.wait_for(follower.source.synced.wait(), DEADLINE)
    return connection


async def test_the_first_of_in_cluster_environment_and_home(tmp_path: Path) -> None:
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text("t")
    (account / "ca.crt").write_text((TLS / "ca.crt").read_text())
    (tmp_path / ".kube").mkdir()
    kubeconfig(tmp_path / ".kube" / "config", "http://127.0.0.1:1", {})
    named = kubeconfig(tmp_path / "named", "http://127.0.0.1:2", {})
    pod = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}
    home = {"HOME": str(tmp_path)}
    environment = {"KUBECONFIG": f"{tmp_path}/missing:{named}", **home}
    expected = [
        (Cluster(), {**pod, **environment}, "https://[fd00::1]:6443", "the pod's service account"),
        (Cluster(), environment, "http://127.0.0.1:2", f"kubeconfig {named}"),
        (Cluster(), home, "http://127.0.0.1:1", f"kubeconfig {tmp_path}/.kube/config"),
        (Cluster(kubeconfig=named), {**pod, **home}, "http://127.0.0.1:2", f"kubeconfig {named}"),
        (Cluster(endpoint="http://127.0.0.1:3"), {**pod, **home}, "http://127.0.0.1:3", "the configuration"),
    ]
    for cluster, environ, server, origin in expected:
        async with await connect(cluster, environ, account) as connection:
            assert (connection.server, connection.origin) == (server, origin)


async def test_without_any_cluster_one_line_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoClusterError) as caught:
        await connect(Cluster(), {"HOME": str(tmp_path)})
    assert str(caught.value) == (
        f"no cluster found (not in a pod, nothing at {tmp_path}/.kube/config): "
        "name one with --kubeconfig FILE, or serve a folder with --manifests DIR"
    )


@pytest.mark.parametrize(
    ("content", "context", "complaint"),
    [
        (None, None, "there is no such file"),
        ("current-context: [", None, "while parsing"),
        ("{}", None, "current-context"),
        ("hello", None, ""),
        (yaml.safe_dump({"current-context": "x", "contexts": []}), None, "with name x"),
        (
            yaml.safe_dump(
                {
                    "current-context": "x",
                    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                    "clusters": [{"name": "c", "cluster": {"tls-server-name": "x"}}],
                }
            ),
            None,
            "the context's cluster has no server",
        ),
    ],
)
async def test_a_kubeconfig_that_is_wrong(
    tmp_path: Path, content: str | None, context: str | None, complaint: str
) -> None:
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConnectError, match="kubeconfig") as caught:
        await connect(Cluster(kubeconfig=path, context=context))
    assert str(path) in str(caught.value)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_the_context_that_is_named(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", "http://127.0.0.1:1", {})
    content = yaml.safe_load(path.read_text())
    content["contexts"].append({"name": "other", "context": {"cluster": "there", "user": "me"}})
    content["clusters"].append({"name": "there", "cluster": {"server": "http://127.0.0.1:2/prefix/"}})
    path.write_text(yaml.safe_dump(content))
    async with await connect(Cluster(kubeconfig=path, context="other")) as connection:
        assert connection.server == "http://127.0.0.1:2/prefix"


@asynccontextmanager
async def tls_server(*, client_certs: bool) -> AsyncIterator[ApiServer]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # as API servers, which are written in Go
    context.load_cert_chain(TLS / "server.crt", TLS / "server.key")
    if client_certs:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(TLS / "ca.crt")
    server = ApiServer()
    await server.start(tls=context)
    try:
        yield server
    finally:
        await server.stop()


def encoded(name: str) -> str:
    return base64.b64encode((TLS / name).read_bytes()).decode()


async def test_client_certificates_of_a_kubeconfig(tmp_path: Path) -> None:
    inline = {"client-certificate-data": encoded("client.crt"), "client-key-data": encoded("client.key")}
    files = {"client-certificate": "client.crt", "client-key": "client.key"}
    for name in ("client.crt", "client.key", "ca.crt"):
        (tmp_path / name).write_bytes((TLS / name).read_bytes())
    async with tls_server(client_certs=True) as server:
        first = kubeconfig(tmp_path / "1", server.url, inline, **{"certificate-authority-data": encoded("ca.crt")})
        await synced_with(Cluster(kubeconfig=first), server)
        second = kubeconfig(tmp_path / "2", server.url, files, **{"certificate-authority": "ca.crt"})
        await synced_with(Cluster(kubeconfig=second), server)


async def test_an_endpoint_with_certificates_as_a_corefile_has_it() -> None:
    async with tls_server(client_certs=True) as server:
        cluster = Cluster(
            endpoint=server.url,
            client_cert=TLS / "client.crt",
            client_key=TLS / "client.key",
            ca_cert=TLS / "ca.crt",
        )
        await synced_with(cluster, server)


async def test_certificates_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("no certificate")
    for path in (tmp_path / "missing", tmp_path / "empty"):
        with pytest.raises(ConnectError, match="the configuration: "):
            await connect(Cluster(endpoint="https://127.0.0.1:1", ca_cert=path))


@pytest.mark.parametrize("options", [{"insecure-skip-tls-verify": True}, {"tls-server-name": "kubernetes"}])
async def test_how_the_servers_certificate_is_checked(tmp_path: Path, options: dict[str, Any]) -> None:
    if "tls-server-name" in options:
        options = {**options, "certificate-authority-data": encoded("ca.crt")}
    async with tls_server(client_certs=False) as server:
        await synced_with(Cluster(kubeconfig=kubeconfig(tmp_path / "1", server.url, {}, **options)), server)


async def test_an_untrusted_server_is_told(tmp_path: Path) -> None:
    async with tls_server(client_certs=False) as server:
        cluster = Cluster(kubeconfig=kubeconfig(tmp_path / "1", server.url, {}))
        async with following(server, namespaces(), connection=await connect(cluster)) as follower:
            await follower.until(lambda: len(follower.naps) == 1)
            assert "certificate" in follower.source.status.reason
            assert "\n" not in follower.source.status.reason


async def test_a_service_account_token_that_rotates(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text((TLS / "ca.crt").read_text())
    (tmp_path / "token").write_text("first\n")
    async with tls_server(client_certs=False) as server:
        server.tokens = {"first"}
        environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(server.port)}
        connection = await connect(Cluster(), environ, tmp_path)
        async with following(server, namespaces(), connection=connection) as follower:
            await asyncio.wait_for(follower.source.synced.wait(), DEADLINE)
            (tmp_path / "token").write_text("second\n")
            server.tokens = {"second"}
            server.cut()
            server.put("namespaces", namespace("new"))
            await follower.until(lambda: follower.names(Namespace) == ["new"])
            assert "401" not in follower.source.status.reason


PLUGIN = """
import json, os, pathlib, sys
assert json.loads(os.environ["KUBERNETES_EXEC_INFO"])["kind"] == "ExecCredential"
token = pathlib.Path(sys.argv[1]).read_text()
if not token:
    sys.exit("log in first")
version = "client.authentication.k8s.io/v1"
print(json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": {"token": token}}))
"""


async def test_an_exec_plugin_is_run_again_when_its_token_is_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first")
    command = ["-c", PLUGIN, str(tmp_path / "token")]
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable, "args": command}}
    async with ApiServer() as server:
        server.tokens = {"first"}
        cluster = Cluster(kubeconfig=kubeconfig(tmp_path / "config", server.url, user))
        async with following(server, connection=await connect(cluster)) as follower:
            await asyncio.wait_for(follower.source.synced.wait(), DEADLINE)
            (tmp_path / "token").write_text("")
            server.tokens = {"second"}
            server.cut()
            await follower.until(lambda: "log in first" in follower.source.status.reason)
            (tmp_path / "token").write_text("second")
            server.put("namespaces", namespace("new"))
            await follower.until(lambda: follower.names(Namespace) == ["new"])


async def test_a_plugin_that_fails_at_the_start(tmp_path: Path) -> None:
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "/does/not/exist"}}
    with pytest.raises(ConnectError, match="/does/not/exist"):
        await connect(Cluster(kubeconfig=kubeconfig(tmp_path / "config", "http://127.0.0.1:1", user)))


async def test_bearer_tokens_of_a_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    async with ApiServer() as server:
        server.tokens = {"secret"}
        for user in ({"token": "secret"}, {"tokenFile": str(tmp_path / "token")}):
            await synced_with(Cluster(kubeconfig=kubeconfig(tmp_path / "config", server.url, user)), server)


STATEFUL = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {clusterIP: None, selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  replicas: 2
  serviceName: web
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: pause, image: "registry.k8s.io/pause:3.10"}]
"""


@pytest.mark.skipif("MINIDNS_TEST_KUBECONFIG" not in os.environ, reason="MINIDNS_TEST_KUBECONFIG names no cluster")
async def test_a_real_cluster() -> None:
    """kubectl creates, scales and deletes in a namespace of its own, and the answers follow."""
    config, space = Path(os.environ["MINIDNS_TEST_KUBECONFIG"]), f"minidns-test-{os.getpid()}"
    zone = Zone(SETTINGS["insecure"])
    zone.synced = True

    async def kubectl(*arguments: str, text: str = "") -> None:
        command = ["kubectl", "--kubeconfig", str(config), "--namespace", space, *arguments]
        done = await asyncio.to_thread(subprocess.run, command, input=text, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr

    def addresses(name: str) -> int:
        return len(ask(zone, f"{name}.{space}.svc.cluster.local.", "A").answer)

    async with following(ApiServer(), connection=await connect(Cluster(kubeconfig=config)), zone=zone) as follower:
        async with asyncio.timeout(60):
            await follower.source.synced.wait()
        await kubectl("create", "namespace", space)
        try:
            await kubectl("apply", "--filename", "-", text=STATEFUL)
            await follower.until(lambda: addresses("web") == 2, 120)
            await kubectl("scale", "statefulset/web", "--replicas=3")
            await follower.until(lambda: addresses("web") == 3 and addresses("web-2.web") == 1, 120)
            await kubectl("delete", "service", "web")
            await follower.until(lambda: addresses("web") == 0, 120)
        finally:
            await kubectl("delete", "namespace", space, "--wait=false")
