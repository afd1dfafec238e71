"""A folder of manifests on disk: read, checked, followed while it is edited."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidns.core import model
from minidns.core.model import Change, Deleted, EndpointSlice, Pod, Replaced, Service, Upserted
from minidns.source.manifests.files import parse
from minidns.source.manifests.source import ManifestError, ManifestSource
from tests.support.manifested import V4, V6, headless, pod, pod_cidrs, service, service_cidrs, texts, workload
from tests.support.places import DEMO

#: A regular file whose first byte nobody can read, not even root.
UNREADABLE = Path("/proc/self/mem")


class Follower:
    """Applies what a source publishes, as a zone would."""

    def __init__(self, path: Path) -> None:
        self.source = ManifestSource(path, service_cidrs(V4, V6), pod_cidrs(V4, V6))
        self.state: dict[tuple[model.Kind, model.Key], model.Object] = {}
        self.batches: list[Sequence[Change]] = []
        self.apply(self.source.load())

    def apply(self, changes: Sequence[Change]) -> None:
        self.batches.append(changes)
        for change in changes:
            match change:
                case Replaced(kind, objects):
                    self.state = {place: obj for place, obj in self.state.items() if place[0] is not kind}
                    self.state |= {(kind, obj.key): obj for obj in objects}
                case Upserted(obj):
                    assert self.state.get((type(obj), obj.key)) != obj
                    self.state[type(obj), obj.key] = obj
                case Deleted(kind, key):
                    del self.state[kind, key]

    def services(self) -> set[str]:
        return {obj.name for obj in self.state.values() if isinstance(obj, Service)} - {"kubernetes", "kube-dns"}

    def pods(self) -> set[str]:
        return {obj.name for obj in self.state.values() if isinstance(obj, Pod)}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.source.run(self.apply))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110 (files have no event to wait for)
                await asyncio.sleep(0.01)


def write(path: Path, text: str) -> None:
    """As a careful editor does: a new file takes the place of the old one in one step."""
    other = path.with_name(f".{path.name}.swp")
    other.write_text(text)
    other.rename(path)


# Reading


def test_the_first_read_gives_each_kind_once(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", headless() + workload())
    changes = ManifestSource(tmp_path, service_cidrs(V4), pod_cidrs(V4)).load()
    assert [change.kind for change in changes if isinstance(change, Replaced)] == [
        model.Namespace, model.Service, model.EndpointSlice, model.Pod,
    ]  # fmt: skip
    assert len(changes) == 4


def test_files_of_every_sort_are_found(tmp_path: Path) -> None:
    (tmp_path / "sub" / "deeper").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (tmp_path / "sub" / "back").symlink_to(tmp_path)  # a circle
    (tmp_path / "nowhere.yaml").symlink_to(tmp_path / "missing")
    (tmp_path / "folder.yaml").mkdir()
    for name in ("a.yaml", "sub/b.yml", "sub/deeper/c.json", "d.txt", ".e.yaml", ".git/f.yaml", "g.yaml~"):
        named = Path(name).name.strip(".")[0]
        kind = f'{{"apiVersion": "v1", "kind": "Service", "metadata": {{"name": "{named}"}}}}'
        (tmp_path / name).write_text(kind)
    assert Follower(tmp_path).services() == {"a", "b", "c"}
    assert Follower(tmp_path / "d.txt").services() == {"d"}


def test_documents_lists_and_empty_ones(tmp_path: Path) -> None:
    items = "\n".join(f"- {{apiVersion: v1, kind: Service, metadata: {{name: {name}}}}}" for name in "bc")
    (tmp_path / "a.yaml").write_text(
        f"---\n# nothing\n---\n{service('a')}---\napiVersion: v1\nkind: List\nitems:\n{items}\n"
        "---\n{apiVersion: v1, kind: ServiceList, items: [{metadata: {name: d}}]}\n"
        "---\n{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: PodList, items: [{metadata: {name: p}}]}]}\n"
        "---\n{apiVersion: v1, kind: List, items: null}\n"
    )
    (tmp_path / "b.json").write_text(
        '{"apiVersion": "v1", "kind": "List", "items": '
        '[{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "e"}}]}'
    )
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "empty.json").write_text("")
    follower = Follower(tmp_path)
    assert follower.services() == set("abcde")
    assert follower.pods() == {"p"}


def test_null_is_absent_as_for_the_api_server() -> None:
    text = (
        "{apiVersion: v1, kind: Service, metadata: {name: a, labels: null, creationTimestamp: null}, "
        "spec: {selector: null, ports: [{port: 80, name: null, targetPort: null}]}}"
    )
    assert parse(text.encode()).problems == ()


def test_kinds_without_names_are_skipped_counted_and_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    config = "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n"
    (tmp_path / "a.yaml").write_text(config)
    (tmp_path / "b.yaml").write_text(
        config + "---\n{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: k}}\n" + service("a")
    )
    assert Follower(tmp_path).services() == {"a"}
    assert "skipped, they make no names: 2 ConfigMap (v1), 1 Service (serving.knative.dev/v1)" in caplog.messages


SERVICE = "---\n{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {%s}}"
WORKLOAD = "---\n{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: a}, spec: {%s}}"
POD = "---\n{apiVersion: v1, kind: Pod, metadata: {name: a}, %s}"
SLICE = "---\n{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: a}, %s}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("hello", "1: document 1: not an object with apiVersion and kind"),
        ("{kind: Service}", "1: document 1: apiVersion and kind must both be given"),
        ("{apiVersion: v1, kind: Service}", "(Service without a name): object missing required field `metadata`"),
        ("{apiVersion: v1, kind: Service, metadata: {}}", "metadata: object missing required field `name`"),
        ("{apiVersion: v1, kind: Service, metadata: {name: A_b}}", "metadata: name 'A_b' is not a DNS name"),
        ("{apiVersion: v1, kind: Service, metadata: {name: a.b}}", "metadata.name 'a.b' is not a DNS label"),
        ("{apiVersion: v1, kind: Service, metadata: {name: a, namespace: x.y}}", "namespace 'x.y' is not a DNS label"),
        ("{apiVersion: v1, kind: Namespace, metadata: {name: x.y}}", "metadata.name 'x.y' is not a DNS label"),
        ("{apiVersion: v1, kind: Service, metadata: {name: 5}}", "metadata.name: expected `str`, got `int` (write it"),
        ("{apiVersion: v1, kind: Pod, metadata: {name: a, labels: {v: 1}}}", "metadata.labels[...]: expected `str`,"),
        (SERVICE % "ports: [{port: 80, name: a}, {port: 0, name: b}]", "spec.ports[1].port: expected `int` >= 1"),
        (SERVICE % "ports: [{port: 65536}]", "spec.ports[0].port: expected `int` <= 65535"),
        (SERVICE % "ports: [{port: '80'}]", "spec.ports[0].port: expected `int`, got `str`"),
        (SERVICE % "ports: [{port: 80, protocol: tcp}]", "spec.ports[0].protocol: invalid enum value 'tcp'"),
        (SERVICE % "ports: [{port: 80, name: Web}]", "spec.ports[0]: name 'Web' is not a DNS label"),
        (SERVICE % "ports: [{port: 80, targetPort: 70000}]", "spec.ports[0]: targetPort 70000 is not within"),
        (SERVICE % "ports: [{port: 80}, {port: 81}]", "spec: ports: each of several ports needs"),
        (SERVICE % "ports: [{port: 80, name: a}, {port: 81, name: a}]", "spec: ports: each of several ports needs"),
        (SERVICE % "clusterIP: 10.96.0.300", "spec: '10.96.0.300' is not an IP address"),
        (SERVICE % "clusterIP: 10.96.0.1, clusterIPs: [10.96.0.2]", "spec: clusterIPs starts with 10.96.0.2"),
        (SERVICE % "clusterIPs: [10.96.0.1, 10.96.0.2]", "spec: clusterIPs: at most one address per family"),
        (SERVICE % "clusterIP: 10.96.0.1, ipFamilies: [IPv6]", "spec: clusterIPs: at most one address per family"),
        (SERVICE % "ipFamilies: [IPv6, IPv6]", "spec: ipFamilies names a family twice"),
        (SERVICE % "type: Headless", "spec.type: invalid enum value 'Headless'"),
        (SERVICE % "type: ExternalName", "spec: externalName '' is not a DNS name"),
        (SERVICE % f"type: ExternalName, externalName: {'x' * 64}.com", "has a label of more than 63 characters"),
        (WORKLOAD % "replicas: 2", "spec: object missing required field `template`"),
        (WORKLOAD % "template: {}, replicas: -1", "spec.replicas: expected `int` >= 0"),
        (WORKLOAD % "template: {}, replicas: 1000000000", "spec.replicas: expected `int` <= 150000"),
        (WORKLOAD % "template: {}, replicas: 1.5", "spec.replicas: expected `int`, got `float`"),
        (WORKLOAD % "template: {}, selector: {matchLabels: {a: b}}", "spec: selector.matchLabels a=b is not"),
        (WORKLOAD.replace("name: a", f"name: {'x' * 62}") % "template: {}", "xx-0' is not a DNS label"),
        (POD % "spec: {hostname: a.b}", "spec: hostname 'a.b' is not a DNS label"),
        (POD % "spec: {subdomain: A}", "spec: subdomain 'A' is not a DNS label"),
        (POD % "status: {podIP: x}", "status: 'x' is not an IP address"),
        (POD % "status: {podIPs: [{ip: '::g'}]}", "status.podIPs[0]: '::g' is not an IP address"),
        (POD % "spec: {containers: [{ports: [{containerPort: 0}]}]}", "spec.containers[0].ports[0].containerPort"),
        (SLICE % "endpoints: []", "object missing required field `addressType`"),
        (SLICE % "addressType: IPv4, endpoints: [{addresses: ['fd00::1']}]", "endpoints[0]: fd00::1 is not an IPv4"),
        (SLICE % "addressType: IPv4, endpoints: [{addresses: [1.2.3]}]", "'1.2.3' is not an IP address"),
        (SLICE % "addressType: IPv4, endpoints: [{addresses: []}]", "endpoints[0].addresses: expected `array`"),
        (SLICE % "addressType: IPv4, endpoints: [{addresses: [1.2.3.4], hostname: A}]", "endpoints[0]: hostname 'A'"),
        (SLICE % "addressType: IPv4, ports: [{name: A}]", "ports[0]: name 'A' is not a DNS label"),
        ("{apiVersion: v1, kind: Endpoints, metadata: {name: a}, subsets: [{addresses: [{ip: x}]}]}", "'x' is not"),
        ("{apiVersion: v1, kind: List, items: [1]}", "document 1, items[0]: not an object with apiVersion"),
        ("a: b: c", "1: not YAML: mapping values are not allowed"),
        ("a: 1\na: 2", "2: not YAML: 'a' is there twice (a line of --- before it may be missing)"),
        ("a: [1", "not YAML: did not find expected ',' or ']'"),
        ("[" * 200, "not YAML: nested more than 100 levels deep"),
        ("[" * 100_000, "not YAML: "),  # libyaml 0.2.6 has a limit of its own
        ("a: !!bool x", "not YAML:"),
        ("a: !!python/object:os.system x", "not YAML: could not determine a constructor"),
        ("\0", "not YAML: "),
        ("&a {apiVersion: v1, kind: List, items: [*a]}", "not YAML: "),
    ],
)  # fmt: skip
def test_a_problem_names_line_document_and_field(text: str, problem: str) -> None:
    (found,) = parse(text.encode()).problems
    assert problem in f"{found.line}: {found.text}"


def test_a_problem_has_the_line_of_its_field() -> None:
    text = "---\n# a comment\nkind: Service\napiVersion: v1\nmetadata:\n  name: a\nspec:\n  ports:\n  - name: no\n"
    (found,) = parse((service("ok") + text).encode()).problems
    assert found == (
        14,
        "document 2 (Service default/a): spec.ports[0].name: expected `str`, got `bool` (write it in quotes)",
    )


def test_json_has_problems_too() -> None:
    (found,) = parse(b'{"a": }', json=True).problems
    assert found.text.startswith("not JSON: ")
    (found,) = parse(b'{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "A"}}', json=True).problems
    assert "metadata: name 'A'" in found.text


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.binary(), st.text("abk:[]{}-&*!|>'\"#, \n\t?0123.Service").map(str.encode)))
def test_any_bytes_give_objects_or_problems(text: bytes) -> None:
    for json in (False, True):
        content = parse(text, json=json)
        assert all(problem.text for problem in content.problems)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("None"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(
        st.sampled_from(["spec", "metadata", "name", "ports", "port", "labels", "template", "addresses", "endpoints",
                         "addressType", "clusterIP", "subsets", "ip", "replicas", "items", "status", "podIP"]),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(["Service", "Pod", "Namespace", "Endpoints", "List"]),
    st.dictionaries(st.sampled_from(["spec", "metadata", "subsets", "status", "items"]), JSON_VALUES),
)
def test_any_values_give_objects_or_problems(kind: str, value: dict[str, object]) -> None:
    parse(msgspec.json.encode({"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}, **value}), json=True)


def test_nothing_to_start_from(tmp_path: Path) -> None:
    def load(path: Path) -> list[Change]:
        return ManifestSource(path, service_cidrs(V4), pod_cidrs(V4)).load()

    with pytest.raises(ManifestError, match=r"missing: No such file or directory: --manifests needs a folder"):
        load(tmp_path / "missing")
    assert len(load(tmp_path)) == 4  # an empty folder may be filled later
    (tmp_path / "a.yaml").symlink_to(UNREADABLE)
    with pytest.raises(ManifestError, match="no file in it can be read"):
        load(tmp_path)


def test_a_first_read_takes_what_is_right_in_a_wrong_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.yaml").write_text(service("a") + SERVICE % "ports: 1" + "\n" + service("b") + "---\na: b: c\n")
    (tmp_path / "b.yaml").write_text(service("c"))
    assert Follower(tmp_path).services() == {"a", "b", "c"}
    assert [message for message in caplog.messages if message.startswith("a.yaml:")] != []


def test_an_object_in_two_files_counts_in_the_last(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "b.yaml").write_text(service("web", "type: ExternalName, externalName: b.example.com"))
    (tmp_path / "a.yaml").write_text(service("web", "type: ExternalName, externalName: a.example.com"))
    web = Follower(tmp_path).state[Service, ("default", "web")]
    assert isinstance(web, Service)
    assert web.external_name == "b.example.com"
    told = "Service default/web is in a.yaml and in b.yaml: b.yaml counts, as with kubectl apply"
    assert told in caplog.messages


def test_of_an_object_twice_in_a_file_the_later_counts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.yaml").write_text(service("web") + headless("web"))
    web = Follower(tmp_path).state[Service, ("default", "web")]
    assert isinstance(web, Service)
    assert web.headless
    told = "a.yaml:7: document 2: Service default/web is in this file before: this one counts, as with kubectl apply"
    assert told in caplog.messages


# Logs


def test_a_start_tells_which_object_brought_which_names(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    Follower(DEMO)
    assert {
        "mysql.yaml: StatefulSet default/mysql: 3 pods, mysql-0 mysql-1 mysql-2 behind headless Service mysql-svc",
        "mysql.yaml: Service default/mysql-svc: headless, selects app=mysql: 3 endpoints",
        "my-headless-service.yaml: Service default/my-headless-service: headless, selects app=myapp: no endpoints",
        "by-hand.yaml: Service default/by-hand: headless, no selector: 3 endpoints, 2 ready",
        "external-db.yaml: Service default/external-db: an alias of db.example.com",
        f"{DEMO}: 10 files make 5 Namespaces, 12 Services, 11 EndpointSlices, 15 Pods",
    } <= set(caplog.messages)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (workload(), "StatefulSet default/web: 2 pods, web-0 web-1 behind Service web, which does not exist"),
        (workload() + service(), "2 pods, web-0 web-1 behind Service web, which is not headless"),
        (workload(spec="podManagementPolicy: Parallel"), "2 pods, web-0 web-1, no serviceName: they have no names"),
        (workload("Deployment", replicas=0, spec=""), "Deployment default/web: 0 pods"),
        (workload(replicas=5), "5 pods, web-0 web-1 web-2 ... behind"),
        (pod(status="phase: Failed"), "Pod default/p: has ended, is no endpoint"),
        (pod(status="podIP: 10.244.0.9"), "Pod default/p: 10.244.0.9"),
        (SLICE % "addressType: IPv4", "EndpointSlice default/a: 0 endpoints of no Service: label kubernetes"),
        ("{apiVersion: v1, kind: Endpoints, metadata: {name: a}}", "Endpoints default/a: mirrored to EndpointSlices"),
        ("{apiVersion: v1, kind: Namespace, metadata: {name: shop}}", "Namespace shop"),
        (service("web", "clusterIP: 10.96.1.1"), "Service default/web: 10.96.1.1, no selector: no endpoints"),
        (headless() + pod(status="conditions: [{type: Ready, status: 'False'}]"), "1 endpoint, none ready"),
    ],
)  # fmt: skip
def test_a_line_for_each_object(tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, message: str) -> None:
    caplog.set_level(logging.INFO)
    (tmp_path / "a.yaml").write_text(text)
    Follower(tmp_path)
    assert any(message in each for each in caplog.messages)


def test_a_big_folder_has_a_short_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    (tmp_path / "a.yaml").write_text("".join(service(f"s{number}", "ports: [{port: 80}]") for number in range(500)))
    Follower(tmp_path)
    assert len(caplog.messages) == 32
    assert caplog.messages[30] == "... and 470 more"


# Following edits


async def test_an_edit_is_one_batch_of_its_differences(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="minidns")
    write(tmp_path / "web.yaml", headless() + workload())
    write(tmp_path / "other.yaml", service("other", "ports: [{port: 80}]"))
    follower = Follower(tmp_path)
    async with follower.running():
        write(tmp_path / "web.yaml", headless() + workload(replicas=3))
        await follower.until(lambda: "web-2" in follower.pods())
        (batch,) = follower.batches[1:]
        assert [type(change.object).__name__ for change in batch if isinstance(change, Upserted)] == [
            "EndpointSlice",
            "Pod",
        ]
        assert len(batch) == 2
        (found,) = (
            each for each in follower.state.values() if isinstance(each, EndpointSlice) and each.service == "web"
        )
        where = f"{texts(found.endpoints[2].addresses)[0]} in slice default/{found.name}"
        assert f"web.yaml changed: +pod web-2 {where}" in caplog.messages
        write(tmp_path / "web.yaml", headless() + workload(replicas=3, annotations='minidns.dev/ready: "false"'))
        await follower.until(lambda: len(follower.batches) == 3)
        assert f"web.yaml changed: pod web-0: not ready in slice default/{found.name}" in caplog.messages
        write(tmp_path / "web.yaml", headless())
        await follower.until(lambda: not follower.pods())
        assert f"web.yaml changed: -pod web-2 {where}" in caplog.messages


async def test_a_broken_file_keeps_its_last_state_and_the_others_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "a.yaml", service("a"))
    follower = Follower(tmp_path)
    async with follower.running():
        write(tmp_path / "a.yaml", service("new") + SERVICE % "ports: [{port: 0}]")
        write(tmp_path / "b.yaml", service("b"))
        await follower.until(lambda: follower.services() == {"a", "b"})
        expected = (
            "a.yaml:7: document 2 (Service default/a): spec.ports[0].port: expected `int` >= 1: "
            "the file's last good state stays"
        )
        await follower.until(lambda: expected in caplog.messages)
        write(tmp_path / "a.yaml", service("new"))
        await follower.until(lambda: follower.services() == {"new", "b"})


async def test_an_unreadable_file_keeps_its_last_state(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "a.yaml", service("a"))
    write(tmp_path / "b.yaml", service("b"))
    follower = Follower(tmp_path)
    async with follower.running():
        (tmp_path / ".a").symlink_to(UNREADABLE)
        (tmp_path / ".a").rename(tmp_path / "a.yaml")
        await follower.until(lambda: "a.yaml: cannot be read: Input/output error" in caplog.messages)
        write(tmp_path / "b.yaml", service("c"))
        await follower.until(lambda: follower.services() == {"a", "c"})


async def test_a_line_for_each_change(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="minidns")
    follower = Follower(tmp_path)
    external = "type: ExternalName, externalName: %s"
    bare = headless(spec="selector: {app: web}")
    steps = {
        service("x", external % "a.example.com", "shop"): {"+Namespace shop", "+Service shop/x a.example.com"},
        service("x", external % "b.example.com", "shop"): {"changed: Service shop/x b.example.com"},
        service("x", "clusterIP: None", "shop"): {"changed: Service shop/x headless"},
        service("x", "clusterIP: 10.96.1.1", "shop"): {"changed: Service shop/x 10.96.1.1"},
        pod("p", status="podIP: 10.244.1.1"): {
            "-Service shop/x 10.96.1.1", "-Namespace shop", "+pod default/p 10.244.1.1",
        },
        bare + pod("p", status="podIP: 10.244.1.1"): {"+Service default/web headless"},
        bare + pod("p", status="podIP: 10.244.1.2"): {
            "pod p 10.244.1.1 -> 10.244.1.2 in slice default/SLICE",
        },
        bare + pod("p", spec="subdomain: web, hostname: h", status="podIP: 10.244.1.2"): {
            "pod p: changed in slice default/SLICE",
        },
    }  # fmt: skip
    async with follower.running():
        for number, (text, expected) in enumerate(steps.items(), 2):
            caplog.clear()
            write(tmp_path / "a.yaml", text)
            await follower.until(lambda number=number: len(follower.batches) == number)  # type: ignore[misc]
            lines = {re.sub(r"web-[a-z0-9]{5}", "SLICE", message) for message in caplog.messages}
            assert {f"a.yaml changed: {line}" for line in expected} <= lines


async def test_files_come_go_and_move(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "a.yaml", service("a") + service("shared", "clusterIP: 10.96.1.1"))
    write(tmp_path / "b.yaml", service("shared", "clusterIP: 10.96.2.2"))
    follower = Follower(tmp_path)
    async with follower.running():
        (tmp_path / "a.yaml").unlink()
        await follower.until(lambda: follower.services() == {"shared"})
        shared = follower.state[Service, ("default", "shared")]
        assert isinstance(shared, Service)
        assert texts(shared.cluster_ips) == ["10.96.2.2"]
        (tmp_path / "sub").mkdir()
        write(tmp_path / "sub" / "c.yaml", service("c"))
        await follower.until(lambda: "c" in follower.services())
        before = len(follower.batches)
        (tmp_path / "sub").rename(tmp_path / "renamed")
        write(tmp_path / "d.yaml", service("d"))
        await follower.until(lambda: "d" in follower.services())
        assert {type(change) for batch in follower.batches[before:] for change in batch} == {Upserted}
        assert [m for m in caplog.messages if " is in " in m] == [
            "Service default/shared is in a.yaml and in b.yaml: b.yaml counts, as with kubectl apply"
        ]
        shutil.rmtree(tmp_path / "renamed")
        await follower.until(lambda: follower.services() == {"shared", "d"})


async def test_a_file_that_is_rewritten_in_place_never_loses_its_objects(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(service("a"))
    follower = Follower(tmp_path)
    async with follower.running():
        for number in range(5):
            path.write_text("")  # truncated, as most programs do before they write
            await asyncio.sleep(0)
            path.write_text(service("a") + service(f"b{number}"))
            await follower.until(lambda number=number: f"b{number}" in follower.services())  # type: ignore[misc]
        assert not [
            change for batch in follower.batches for change in batch if change == Deleted(Service, ("default", "a"))
        ]
        path.write_text("")
        await follower.until(lambda: follower.services() == set())


async def test_a_config_map_volume_is_swapped_at_once(tmp_path: Path) -> None:
    def fill(version: str, names: str) -> None:
        (tmp_path / f"..{version}").mkdir()
        (tmp_path / f"..{version}" / "a.yaml").write_text("".join(map(service, names)))
        (tmp_path / "..data_tmp").symlink_to(f"..{version}")
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")

    fill("1", "ab")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    follower, single = Follower(tmp_path), Follower(tmp_path / "a.yaml")
    assert follower.services() == {"a", "b"}
    async with follower.running(), single.running():
        fill("2", "bc")
        shutil.rmtree(tmp_path / "..1")
        await follower.until(lambda: follower.services() == {"b", "c"})
        await follower.until(lambda: single.services() == {"b", "c"})
    assert len(follower.batches) == 2


async def test_a_single_file_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    write(path, service("a"))
    write(tmp_path / "b.yaml", service("b"))
    follower = Follower(path)
    async with follower.running():
        write(path, service("c"))
        await follower.until(lambda: follower.services() == {"c"})
        path.unlink()
        write(tmp_path / "b.yaml", service("d"))
        write(path, service("e"))
        await follower.until(lambda: follower.services() == {"e"})


async def test_a_folder_that_vanishes_keeps_its_state_until_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, other = tmp_path / "m", tmp_path / "new"
    folder.mkdir()
    other.mkdir()
    write(folder / "a.yaml", service("a"))
    write(other / "a.yaml", service("b"))
    follower = Follower(folder)
    async with follower.running():
        folder.rename(tmp_path / "old")
        await follower.until(lambda: any("its last state stays" in message for message in caplog.messages))
        assert follower.services() == {"a"}
        other.rename(folder)
        await follower.until(lambda: follower.services() == {"b"})
        write(folder / "a.yaml", service("c"))
        await follower.until(lambda: follower.services() == {"c"})


async def test_edits_before_the_watch_are_not_missed(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", service("a"))
    follower = Follower(tmp_path)
    write(tmp_path / "a.yaml", service("b"))
    async with follower.running():
        await follower.until(lambda: follower.services() == {"b"})


async def test_many_edits_end_in_the_state_of_a_fresh_start(tmp_path: Path) -> None:
    write(tmp_path / "web.yaml", headless())
    follower = Follower(tmp_path)
    async with follower.running():
        for number in range(30):
            write(tmp_path / "web.yaml", headless() + workload(replicas=number * 7 % 11))
            write(tmp_path / f"s{number % 4}.yaml", service(f"s{number}") + pod(f"p{number}"))
            await asyncio.sleep(number % 3 / 100)
        fresh = Follower(tmp_path)
        await follower.until(lambda: (follower.services(), follower.pods()) == (fresh.services(), fresh.pods()))
    assert follower.services() == {"web", "s26", "s27", "s28", "s29"}
