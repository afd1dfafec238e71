"""What a cluster makes of manifests: every rule as a case, with the objects written as YAML."""

from __future__ import annotations

import re
from collections import Counter
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidns.core import model
from minidns.core.model import Endpoint, EndpointSlice, Namespace, Pod, Port, Service
from tests.support.clusters import recorded_objects
from tests.support.manifested import V4, V6, World, headless, pod, service, texts, workload
from tests.support.places import MANIFESTS, RECORDINGS


def by_hand(name: str, rest: str, service_name: str = "web", labels: str = "") -> str:
    return (
        "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
        f"metadata: {{name: {name}, labels: {{kubernetes.io/service-name: {service_name}, {labels}}}}}\n{rest}\n"
    )


# What every cluster has


def test_an_empty_cluster_has_its_namespaces_and_two_services() -> None:
    world = World()
    assert {each.name for each in world.all(Namespace)} == {"default", "kube-system", "kube-public", "kube-node-lease"}
    assert world.ips("kubernetes") == ["10.96.0.1"]
    assert world.ips("kube-dns", "kube-system") == ["10.96.0.10"]
    assert world.service("kubernetes").ports == (Port("https", "TCP", 443),)
    (api,) = world.slices("kubernetes")
    assert api.ports == (Port("https", "TCP", 6443),)
    assert texts(api.endpoints[0].addresses) == ["172.18.0.2"]
    assert world.service("kube-dns", "kube-system").ports == (
        Port("dns", "UDP", 53), Port("dns-tcp", "TCP", 53), Port("metrics", "TCP", 9153),
    )  # fmt: skip


def test_written_services_of_the_system_take_the_place_of_the_made_ones() -> None:
    world = World()
    world.write(
        service("kubernetes", "ports: [{name: https, port: 444}]")
        + service("kube-dns", "clusterIP: 10.96.0.53, ports: [{port: 53}]", "kube-system")
        + by_hand("api", "addressType: IPv4\nendpoints: [{addresses: [192.0.2.1]}]", "kubernetes")
    )
    assert world.ips("kubernetes") == ["10.96.0.1"]
    assert world.service("kubernetes").ports == (Port("https", "TCP", 444),)
    assert world.ips("kube-dns", "kube-system") == ["10.96.0.53"]
    assert [each.name for each in world.slices("kubernetes")] == ["api"]
    world.write("")
    assert world.state == World().state


def test_missing_namespaces_are_made_and_leave_with_their_last_object() -> None:
    world = World()
    world.write(service(namespace="shop"))
    assert (Namespace, ("", "shop")) in world.state
    world.write("")
    assert world.state == World().state
    world.write("{apiVersion: v1, kind: Namespace, metadata: {name: shop}}")
    assert (Namespace, ("", "shop")) in world.state


# ClusterIPs


def test_a_cluster_ip_is_from_the_range_and_the_same_in_every_run() -> None:
    first, second = World(), World()
    first.write(service("web"))
    second.write(service("other") + service("web") + service("more", namespace="shop"))
    assert first.ips("web") == second.ips("web")
    assert ip_address(first.ips("web")[0]) in ip_network(V4[0])
    # Chosen by hand, an address is rarely above the first 256.
    assert int(ip_address(first.ips("web")[0])) - int(ip_address("10.96.0.0")) > 256


def test_no_edit_moves_the_address_of_another_service() -> None:
    names = [f"s{number}" for number in range(200)]
    world = World(("10.96.0.0/24", V4[1]))  # crowded: most names meet another at their place
    world.write("".join(map(service, names[:100])))
    before = {name: world.ips(name) for name in names[:100]}
    world.write("".join(map(service, names)))
    assert {name: world.ips(name) for name in names[:100]} == before
    world.write("".join(map(service, names[50:])))
    assert {name: world.ips(name) for name in names[50:100]} == {name: before[name] for name in names[50:100]}
    every = [ip for each in world.all(Service) for ip in each.cluster_ips]
    assert len(set(every)) == len(every)


def test_a_full_range_leaves_services_without_address_until_one_is_free() -> None:
    world = World(("10.96.0.0/28", V4[1]))  # 14 addresses, 2 of them taken by the system
    world.write("".join(service(f"s{number}") for number in range(13)))
    without = [each.name for each in world.all(Service) if not each.cluster_ips]
    assert len(without) == 1
    assert world.cluster.problems() == [
        f"Service default/{without[0]}: has no address: the service CIDR 10.96.0.0/28 is full"
    ]
    kept = next(number for number in range(13) if f"s{number}" != without[0])
    world.write("".join(service(f"s{number}") for number in range(13) if number != kept))
    assert world.ips(without[0])
    assert world.cluster.problems() == []


def test_a_written_address_is_taken_from_whoever_was_given_it() -> None:
    world = World()
    world.write(service("web", namespace="shop"))
    ip = world.ips("web", "shop")[0]
    world.write(service("other", f"clusterIP: {ip}"), "b.yaml")
    assert world.ips("other") == [ip]
    assert world.ips("web", "shop") != [ip]
    assert world.ips("web", "shop")


def test_an_address_written_twice_belongs_to_the_first_name() -> None:
    world = World()
    world.write(service("b", "clusterIP: 10.96.7.7"))
    assert world.ips("b") == ["10.96.7.7"]
    world.write(service("a", "clusterIP: 10.96.7.7"), "b.yaml")
    assert world.ips("a") == ["10.96.7.7"]
    assert world.ips("b") not in ([], ["10.96.7.7"])
    assert world.cluster.problems() == [
        "Service default/b: spec.clusterIP 10.96.7.7 belongs to Service default/a: another is given"
    ]
    world.write("", "b.yaml")
    assert world.ips("b") == ["10.96.7.7"]
    assert world.cluster.problems() == []


@pytest.mark.parametrize(
    ("cidrs", "spec", "families"),
    [
        ((V4,), "", [4]),
        ((V6,), "", [6]),
        ((V4, V6), "", [4]),
        ((V6, V4), "", [6]),
        ((V4, V6), "ipFamilyPolicy: SingleStack, ipFamilies: [IPv6]", [6]),
        ((V4, V6), "ipFamilies: [IPv6]", [6]),
        ((V4, V6), "ipFamilies: [IPv6, IPv4]", [6, 4]),
        ((V4, V6), "ipFamilyPolicy: PreferDualStack", [4, 6]),
        ((V4,), "ipFamilyPolicy: PreferDualStack", [4]),
        ((V4, V6), "ipFamilyPolicy: RequireDualStack", [4, 6]),
        ((V4, V6), "ipFamilyPolicy: RequireDualStack, ipFamilies: [IPv6]", [6, 4]),
        ((V4, V6), "ipFamilyPolicy: RequireDualStack, clusterIP: 'fd00:10:96::7'", [6, 4]),
        ((V4, V6), "clusterIP: 10.96.1.1, clusterIPs: [10.96.1.1, 'fd00:10:96::7']", [4, 6]),
        ((V4, V6), "ipFamilyPolicy: PreferDualStack, clusterIP: 10.96.1.1, ipFamilies: [IPv4, IPv6]", [4, 6]),
        ((V4, V6), "type: LoadBalancer", [4]),
        ((V4, V6), "type: NodePort", [4]),
        ((V4, V6), "clusterIP: None", []),
        ((V4, V6), "type: ExternalName, externalName: example.com", []),
        ((V4,), "clusterIP: 192.0.2.9", [4]),
    ],
)
def test_address_families_of_a_service(cidrs: tuple[tuple[str, str], ...], spec: str, families: list[int]) -> None:
    world = World(*cidrs)
    world.write(service("web", spec))
    assert [ip_address(ip).version for ip in world.ips("web")] == families
    for written in re.findall(r"clusterIPs?: \[?'?([0-9a-f:.]+)", spec):
        assert written in world.ips("web")
    assert world.cluster.problems() == []


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("ipFamilies: [IPv6]", "has no IPv6 address: there is no IPv6 service CIDR"),
        (
            "ipFamilyPolicy: RequireDualStack",
            "spec.ipFamilyPolicy: RequireDualStack needs a service CIDR of each family",
        ),
    ],
)
def test_a_family_that_the_cluster_lacks_is_a_problem(spec: str, problem: str) -> None:
    world = World(V4)
    world.write(service("web", spec))
    assert world.cluster.problems() == [f"Service default/web: {problem}"]


def test_a_service_changes_its_shape_and_back() -> None:
    world = World()
    world.write(service())
    before = world.ips("web")
    world.write(headless())
    assert world.service("web").headless
    assert world.ips("web") == []
    world.write(service("web", "type: ExternalName, externalName: db.example.com, selector: {app: web}"))
    assert world.service("web") == Service("default", "web", external_name="db.example.com")
    assert world.slices("web") == []
    world.write(service())
    assert world.ips("web") == before


# Pods


def test_pods_of_a_stateful_set_are_numbered_and_named_behind_their_service() -> None:
    world = World()
    world.write(headless() + workload())
    assert list(world.pods()) == ["web-0", "web-1"]
    assert [(e.hostname, e.pod) for e in world.endpoints("web")] == [("web-0", "web-0"), ("web-1", "web-1")]


def test_ordinals_start_where_they_are_told_to() -> None:
    world = World()
    world.write(workload(spec="serviceName: web, ordinals: {start: 5}"))
    assert list(world.pods()) == ["web-5", "web-6"]


def test_a_stateful_set_behind_another_service_gives_no_hostnames() -> None:
    world = World()
    world.write(headless() + workload(spec="serviceName: elsewhere"))
    assert [e.hostname for e in world.endpoints("web")] == [None, None]


@pytest.mark.parametrize(
    ("kind", "pattern", "count"),
    [
        ("Deployment", r"web-[bcdf4-9]{1,10}-[b-df-hj-np-tv-xz2456789]{5}", 3),
        ("ReplicaSet", r"web-[b-df-hj-np-tv-xz2456789]{5}", 3),
        ("DaemonSet", r"web-[b-df-hj-np-tv-xz2456789]{5}", 1),
    ],
)
def test_pods_of_other_workloads_have_names_as_good_as_random_that_stay(kind: str, pattern: str, count: int) -> None:
    world = World()
    world.write(workload(kind, replicas=3, spec=""))
    names = list(world.pods())
    assert len(names) == count
    assert all(re.fullmatch(pattern, name) for name in names)
    world.write(workload(kind, replicas=2, spec=""))
    assert list(world.pods()) == names[:2]
    again = World()
    again.write(workload(kind, replicas=2, spec=""))
    assert again.pods() == world.pods()


def test_a_generated_name_has_63_characters_at_most() -> None:
    world = World()
    world.write(workload("ReplicaSet", "x" * 80, spec="", replicas=500))
    assert {len(name) for name in world.pods()} == {63}
    assert len(world.pods()) == 500


def test_another_template_makes_other_pods_of_a_deployment_but_readiness_does_not() -> None:
    world = World()
    world.write(workload("Deployment", spec=""))
    before = world.pods()
    world.write(workload("Deployment", spec="", annotations='minidns.dev/ready: "false"'))
    assert world.pods() == before
    world.write(workload("Deployment", spec="", pod="containers: [{name: c, ports: [{name: x, containerPort: 1}]}]"))
    assert not before.keys() & world.pods().keys()


def test_replicas_default_to_one() -> None:
    world = World()
    world.write(workload(replicas=None))
    assert list(world.pods()) == ["web-0"]


def test_scaling_touches_the_pods_that_come_and_go_only() -> None:
    world = World()
    world.write(headless() + workload(replicas=3))
    before = world.pods()
    world.write(headless() + workload(replicas=1))
    assert world.pods() == {"web-0": before["web-0"]}
    world.write(headless() + workload(replicas=4))
    assert world.pods() | before == world.pods()


def test_pods_have_an_address_of_each_range() -> None:
    world = World(V4, V6)
    world.write(workload())
    for addresses in world.pods().values():
        assert [
            ip_address(address) in ip_network(cidr) for address, cidr in zip(addresses, (V4[1], V6[1]), strict=True)
        ]
    assert len({address for addresses in world.pods().values() for address in addresses}) == 4


def test_written_addresses_are_kept_and_not_given_to_others() -> None:
    world = World(V4, V6)
    world.write(workload(replicas=1))
    taken = world.pods()["web-0"]
    world.write(pod("p", status=f"podIP: 192.0.2.1, podIPs: [{{ip: {taken[0]}}}, {{ip: 'fd00::5'}}]"), "b.yaml")
    assert world.pods()["p"] == [taken[0], "fd00::5"]
    assert world.pods()["web-0"][0] not in (taken[0], "192.0.2.1")
    assert world.pods()["web-0"][1] == taken[1]
    world.write(pod("p", status="podIP: 10.244.9.9"), "b.yaml")
    assert world.pods()["p"] == ["10.244.9.9"]


def test_pods_may_share_a_written_address() -> None:
    world = World()
    world.write(pod("a", status="podIP: 10.244.9.9") + pod("b", status="podIP: 10.244.9.9"))
    assert world.pods() == {"a": ["10.244.9.9"], "b": ["10.244.9.9"]}
    assert world.cluster.problems() == []


def test_a_pod_on_the_host_network_has_the_address_of_the_node() -> None:
    world = World(V4, V6)
    world.write(workload("DaemonSet", spec="", pod="hostNetwork: true"))
    assert list(world.pods().values()) == [["172.18.0.2", "fc00:f853:ccd:e793::2"]]


def test_a_full_pod_range_is_a_problem_until_there_is_room() -> None:
    world = World((V4[0], "10.244.0.0/29"))  # 5 addresses beside the node's
    world.write(workload(replicas=7))
    assert sum(not addresses for addresses in world.pods().values()) == 2 - 1  # .1 is given when nothing else is left
    problem = "StatefulSet default/web: 1 of 7 pods have no address: pod CIDR 10.244.0.0/29 is full"
    assert world.cluster.problems() == [problem]
    world.write(workload(replicas=6))
    assert all(world.pods().values())
    assert world.cluster.problems() == []


def test_a_range_without_room_for_one_pod() -> None:
    world = World((V4[0], "10.244.0.0/31"))
    world.write(pod())
    assert world.pods() == {"p": []}


@pytest.mark.parametrize(
    ("written", "ready"),
    [
        (pod(), True),
        (pod(meta='labels: {app: web}, annotations: {minidns.dev/ready: "false"}'), False),
        (pod(status="conditions: [{type: Ready, status: 'False'}]"), False),
        (pod(status="conditions: [{type: Ready, status: 'True'}, {type: Other, status: 'False'}]"), True),
        (pod(status="conditions: [{type: Ready, status: Unknown}]"), False),
        (
            pod(
                meta='labels: {app: web}, annotations: {minidns.dev/ready: "true"}',
                status="conditions: [{type: Ready, status: 'False'}]",
            ),
            True,
        ),
        (pod(status="phase: Running"), True),
        (pod(status="phase: Pending, podIP: 10.244.0.9"), False),
        (pod(status="phase: Pending"), None),
        (pod(status="phase: Succeeded, podIP: 10.244.0.9"), None),
        (pod(status="phase: Failed"), None),
        (workload(replicas=1), True),
        (workload(replicas=1, annotations='minidns.dev/ready: "false"'), False),
        (workload(replicas=1, annotations='minidns.dev/ready: "False"'), False),
        (workload("Deployment", spec="", replicas=1, annotations='minidns.dev/ready: "false"'), False),
    ],
)
def test_readiness(written: str, ready: bool | None) -> None:
    world = World()
    world.write(headless() + headless("all", "selector: {app: web}, publishNotReadyAddresses: true") + written)
    assert [e.ready for e in world.endpoints("web")] == ([] if ready is None else [ready])
    assert [(e.ready, e.serving) for e in world.endpoints("all")] == ([] if ready is None else [(True, ready)])


def test_a_pod_that_is_being_deleted_serves_but_is_not_ready() -> None:
    world = World()
    written = pod(meta="labels: {app: web}, deletionTimestamp: 2026-11-21T02:47:15Z")
    world.write(headless() + headless("all", "selector: {app: web}, publishNotReadyAddresses: true") + written)
    assert [(e.ready, e.serving, e.terminating) for e in world.endpoints("web")] == [(False, True, True)]
    assert [(e.ready, e.serving, e.terminating) for e in world.endpoints("all")] == [(True, True, True)]


@pytest.mark.parametrize(
    ("spec", "hostname"),
    [
        ("hostname: db, subdomain: web", "db"),
        ("hostname: db, subdomain: other", None),
        ("hostname: db", None),
        ("subdomain: web", None),
    ],
)
def test_a_hostname_needs_the_subdomain_of_the_service(spec: str, hostname: str | None) -> None:
    world = World()
    world.write(headless() + pod(spec=spec))
    assert [e.hostname for e in world.endpoints("web")] == [hostname]
    world.write(headless() + workload("ReplicaSet", spec="", pod=spec))
    assert [e.hostname for e in world.endpoints("web")] == [hostname, hostname]


def test_a_written_pod_takes_the_place_of_the_one_that_a_workload_would_make() -> None:
    world = World()
    world.write(workload(replicas=3) + pod("web-1", spec="hostname: web-1, subdomain: web", status="podIP: 10.9.9.9"))
    assert world.pods()["web-1"] == ["10.9.9.9"]
    assert sorted(world.pods()) == ["web-0", "web-1", "web-2"]
    world.write(workload(replicas=3))
    assert ip_address(world.pods()["web-1"][0]) in ip_network(V4[1])


def test_what_kubectl_get_shows_of_a_deployment_makes_each_pod_once() -> None:
    owned = "labels: {app: web}, ownerReferences: [{kind: %s, name: %s, controller: true}]"
    exported = (
        workload("Deployment", "web", 2, spec="")
        + workload("ReplicaSet", "web-5d89", 2, spec="").replace(
            "namespace: default", "ownerReferences: [{kind: Deployment, name: web}]"
        )
        + pod("web-5d89-aaaaa", meta=owned % ("ReplicaSet", "web-5d89"))
        + pod("web-5d89-bbbbb", meta=owned % ("ReplicaSet", "web-5d89"))
    )
    world = World()
    world.write(exported)
    assert list(world.pods()) == ["web-5d89-aaaaa", "web-5d89-bbbbb"]


# Selectors and ports


@pytest.mark.parametrize(
    ("selector", "pods"),
    [
        ("app: web", ["both", "one", "set-0", "set-1"]),
        ("app: web, tier: front", ["both"]),
        ("tier: front", ["both", "front"]),
        ("app: other", []),
        ("statefulset.kubernetes.io/pod-name: set-1", ["set-1"]),
        ("app: web, apps.kubernetes.io/pod-index: '0'", ["set-0"]),
        ("app: other, statefulset.kubernetes.io/pod-name: set-1", []),
        ("statefulset.kubernetes.io/pod-name: by-label", ["both"]),
    ],
)
def test_a_selector_takes_the_pods_with_all_its_labels(selector: str, pods: list[str]) -> None:
    world = World()
    world.write(
        headless("web", f"selector: {{{selector}}}")
        + pod("one")
        + pod("both", meta="labels: {app: web, tier: front, statefulset.kubernetes.io/pod-name: by-label}")
        + pod("front", meta="labels: {tier: front}")
        + pod("bare", meta="labels: {}")
        + pod("elsewhere", meta="namespace: shop, labels: {app: web, tier: front}")
        + workload(name="set")
    )
    assert sorted(e.pod or "" for e in world.endpoints("web")) == pods


def test_a_selector_that_matches_nothing_has_an_empty_slice_and_one_without_selector_none() -> None:
    world = World(V4, V6)
    world.write(headless(spec="selector: {app: web}, ipFamilyPolicy: PreferDualStack") + headless("bare", "ports: []"))
    assert [(each.ports, each.endpoints) for each in world.slices("web")] == [((), ()), ((), ())]
    assert world.slices("bare") == []
    assert world.write(headless(spec="selector: {app: web}, ipFamilyPolicy: PreferDualStack")) != []
    (first, second) = world.slices("web")
    assert first.name != second.name


def test_a_changed_selector_or_label_moves_the_endpoints() -> None:
    world = World()
    world.write(headless() + pod())
    world.write(headless(spec="selector: {app: other}") + pod())
    assert world.endpoints("web") == []
    world.write(headless(spec="selector: {app: other}") + pod(meta="labels: {app: other}"))
    assert [e.pod for e in world.endpoints("web")] == ["p"]


def test_target_ports_are_resolved_pod_by_pod() -> None:
    ports = "containers: [{name: c, ports: [{name: http, containerPort: %d}]}]"
    world = World()
    world.write(
        service(
            spec="selector: {app: web}, ports: [{name: a, port: 80, targetPort: http}, "
            "{name: b, port: 81, targetPort: 8081}, {name: c, port: 82}]"
        )
        + pod("one", spec=ports % 8080)
        + pod("two", spec=ports % 9090)
        + pod("too", spec=ports % 9090)
        + pod("none")
        + pod("udp", spec="containers: [{name: c, ports: [{name: http, containerPort: 1, protocol: UDP}]}]")
    )
    common = (Port("b", "TCP", 8081), Port("c", "TCP", 82))
    assert {each.ports: [e.pod for e in each.endpoints] for each in world.slices("web")} == {
        (Port("a", "TCP", 8080), *common): ["one"],
        (Port("a", "TCP", 9090), *common): ["two", "too"],
        common: ["none", "udp"],
    }
    assert world.service("web").ports == (Port("a", "TCP", 80), Port("b", "TCP", 81), Port("c", "TCP", 82))


def test_a_target_port_may_be_a_sidecars_but_not_one_of_a_container_that_ends() -> None:
    init = "initContainers: [{name: i, %sports: [{name: http, containerPort: 8080}]}]"
    world = World()
    world.write(
        service(spec="selector: {app: web}, ports: [{port: 80, targetPort: http}]")
        + pod("sidecar", spec=init % "restartPolicy: Always, ")
        + pod("init", spec=init % "")
    )
    assert {each.ports: [e.pod for e in each.endpoints] for each in world.slices("web")} == {
        (Port("", "TCP", 8080),): ["sidecar"],
        (): ["init"],
    }


def test_each_family_has_slices_of_its_own() -> None:
    world = World(V4, V6)
    families = "selector: {app: web}, ipFamilyPolicy: RequireDualStack"
    world.write(headless(spec=families) + workload() + pod("old", status="podIP: 10.244.0.9"))
    found = {tuple(len(a) for e in each.endpoints for a in e.addresses): each for each in world.slices("web")}
    assert found.keys() == {(4, 4, 4), (16, 16)}
    world.write(headless(spec="selector: {app: web}, ipFamilies: [IPv6]") + workload())
    assert [len(a) for e in world.endpoints("web") for a in e.addresses] == [16, 16]


# Slices


def big(replicas: int) -> str:
    return headless() + workload(replicas=replicas)


def test_a_slice_has_a_hundred_endpoints_at_most() -> None:
    world = World()
    world.write(big(250))
    assert [len(each.endpoints) for each in world.slices("web")] == [100, 100, 50]
    assert len({each.name for each in world.slices("web")}) == 3
    assert all(re.fullmatch(r"web-[b-df-hj-np-tv-xz2456789]{5}", each.name) for each in world.slices("web"))


def test_one_pod_of_a_thousand_changes_one_slice() -> None:
    world = World()
    world.write(big(1000))
    edits = world.write(big(999))
    assert Counter(type(edit.old) for edit in edits) == {EndpointSlice: 1, Pod: 1}
    edits = world.write(big(1001))  # fills the gap, then begins a slice
    assert Counter(type(edit.new) for edit in edits) == {EndpointSlice: 2, Pod: 2}
    assert [len(each.endpoints) for each in world.slices("web")] == [100] * 10 + [1]


def test_gaps_are_filled_and_an_empty_slice_goes() -> None:
    world = World()
    gone = [0, 100, 101, 102]
    pods = [pod(f"p{number}", status=f"podIP: 10.244.1.{number}") for number in range(205)]
    world.write(headless() + "".join(pods))
    assert [len(each.endpoints) for each in world.slices("web")] == [100, 100, 5]
    world.write(headless() + "".join(each for number, each in enumerate(pods) if number not in gone))
    assert [len(each.endpoints) for each in world.slices("web")] == [99, 97, 5]
    edits = world.write(headless() + "".join(pods[1:100] + pods[102:205]) + pod("new"))
    # The slices that lost or got one change; the new pods go to the fullest of them first.
    assert [len(each.endpoints) for each in world.slices("web")] == [100, 98, 5]
    assert sum(isinstance(edit.new, EndpointSlice) for edit in edits) == 2
    world.write(headless() + "".join(pods[:200]))
    assert [len(each.endpoints) for each in world.slices("web")] == [100, 100]


def test_an_edit_elsewhere_changes_nothing_here() -> None:
    world = World()
    world.write(big(150))
    before = {id(each) for each in world.all(EndpointSlice)}
    edits = world.write(service("other") + workload("Deployment", "other", 1, spec="", labels="app: other"), "b.yaml")
    assert {(edit.new or edit.old).name for edit in edits if isinstance(edit.new, Service)} == {"other"}  # type: ignore[union-attr]
    assert before <= {id(each) for each in world.all(EndpointSlice)}
    assert world.write(big(150)) == []


def test_readiness_keeps_the_endpoints_in_their_slices() -> None:
    world = World()
    world.write(big(150))
    before = [(each.name, [e.pod for e in each.endpoints]) for each in world.slices("web")]
    world.write(headless() + workload(replicas=150, annotations='minidns.dev/ready: "false"'))
    assert [(each.name, [e.pod for e in each.endpoints]) for each in world.slices("web")] == before
    assert not any(e.ready for e in world.endpoints("web"))


# Written slices


SLICE = """
addressType: IPv4
ports: [{name: db, port: 5432}, {}]
endpoints:
- {addresses: [192.0.2.1, 192.0.2.2], hostname: a}
- addresses: [192.0.2.3]
  targetRef: {kind: Pod, name: p}
  conditions: {ready: false, serving: true, terminating: true}
- {addresses: [192.0.2.4], conditions: {ready: true}, targetRef: {kind: Node, name: n}}
"""


def test_a_written_slice_is_taken_as_it_is() -> None:
    world = World()
    world.write(headless(spec="ports: []") + by_hand("web-1", SLICE))
    (found,) = world.slices("web")
    assert found.ports == (Port("db", "TCP", 5432), Port("", "TCP", None))
    assert found.endpoints == (
        Endpoint((bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))), "a"),
        Endpoint((bytes((192, 0, 2, 3)),), None, "p", False, True, True),
        Endpoint((bytes((192, 0, 2, 4)),)),
    )


def test_a_written_slice_is_added_to_those_of_the_selector() -> None:
    world = World()
    world.write(headless() + pod() + by_hand("extra", "addressType: IPv6\nendpoints: [{addresses: ['fd00::1']}]"))
    assert sorted(texts(e.addresses)[0] for e in world.endpoints("web")) == [*world.pods()["p"], "fd00::1"]


def test_a_written_copy_of_what_the_controllers_make_is_left_out() -> None:
    copy = "endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io"
    written = by_hand("web-x", "addressType: IPv4\nendpoints: [{addresses: [192.0.2.1]}]", labels=copy)
    world = World()
    world.write(headless() + pod() + written)
    assert [e.pod for e in world.endpoints("web")] == ["p"]
    world.write(headless(spec="ports: []") + written)
    assert [texts(e.addresses) for e in world.endpoints("web")] == [["192.0.2.1"]]


def test_slices_without_service_or_label_and_of_names_instead_of_addresses() -> None:
    world = World()
    world.write(
        by_hand("orphan", "addressType: IPv4\nendpoints: [{addresses: [192.0.2.1]}]", "nobody")
        + "---\n{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: bare}, addressType: IPv4}\n"
        + by_hand("fqdn", "addressType: FQDN\nendpoints: [{addresses: [www.example.com]}]")
    )
    assert [texts(e.addresses) for e in world.endpoints("nobody")] == [["192.0.2.1"]]
    assert [each.name for each in world.slices("")] == ["bare"]
    assert world.endpoints("web") == []


def endpoints(rest: str, meta: str = "name: web") -> str:
    return f"---\napiVersion: v1\nkind: Endpoints\nmetadata: {{{meta}}}\n{rest}\n"


SUBSETS = """
subsets:
- addresses:
  - {ip: 192.0.2.1, hostname: a, targetRef: {kind: Pod, name: p}}
  - {ip: 'fd00::1'}
  - {ip: 192.0.2.1, hostname: a}
  notReadyAddresses: [{ip: 192.0.2.2}]
  ports: [{name: db, port: 5432}]
- addresses: [{ip: 192.0.2.3}]
  ports: [{name: db, port: 9999, protocol: UDP}]
"""


def test_endpoints_are_mirrored_for_a_service_without_selector() -> None:
    world = World()
    world.write(headless(spec="ports: []") + endpoints(SUBSETS))
    found = {(each.ports, each.endpoints) for each in world.slices("web")}
    db = (Port("db", "TCP", 5432),)
    assert found == {
        (db, (Endpoint((bytes((192, 0, 2, 1)),), "a", "p"),
              Endpoint((bytes((192, 0, 2, 2)),), ready=False, serving=False))),
        (db, (Endpoint((ip_address("fd00::1").packed,)),)),
        ((Port("db", "UDP", 9999),), (Endpoint((bytes((192, 0, 2, 3)),)),)),
    }  # fmt: skip


@pytest.mark.parametrize(
    "written",
    [
        headless() + endpoints(SUBSETS),  # the endpoints controller overwrites them
        endpoints(SUBSETS),  # no Service
        headless(spec="ports: []")
        + endpoints(SUBSETS, 'name: web, labels: {endpointslice.kubernetes.io/skip-mirror: "true"}'),
    ],
)  # fmt: skip
def test_endpoints_that_are_not_mirrored(written: str) -> None:
    world = World()
    world.write(written)
    assert world.endpoints("web") == []


def test_a_written_mirror_is_left_out_beside_its_endpoints() -> None:
    managed = "endpointslice.kubernetes.io/managed-by: endpointslicemirroring-controller.k8s.io"
    mirror = by_hand("web-x", "addressType: IPv4\nendpoints: [{addresses: [192.0.2.9]}]", labels=managed)
    world = World()
    world.write(headless(spec="ports: []") + mirror + endpoints("subsets: [{addresses: [{ip: 192.0.2.1}]}]"))
    assert [texts(e.addresses) for e in world.endpoints("web")] == [["192.0.2.1"]]
    world.write(headless(spec="ports: []") + mirror)
    assert [texts(e.addresses) for e in world.endpoints("web")] == [["192.0.2.9"]]


# The whole, against a real cluster and against itself


def shape(slices: list[EndpointSlice]) -> Counter[object]:
    """What slices say, however the endpoints are spread over them, without given addresses and random names."""

    def pod_name(name: str | None) -> str | None:
        return re.sub(r"-[a-z0-9]+-[a-z0-9]{5}$", "", name) if name else None

    return Counter(
        (each.namespace, each.service, each.ports,
         e and (e.hostname, pod_name(e.pod), e.ready, e.serving, e.terminating),
         e and tuple(a if e.pod is None else len(a) for a in e.addresses))
        for each in slices for e in each.endpoints or (None,)
    )  # fmt: skip


def test_the_cluster_is_the_one_that_kubernetes_made_of_the_same_manifests() -> None:
    """The lists were recorded from Kubernetes 1.36 with its own controllers."""
    world = World(V4, V6)
    for file in ("tutorials.yaml", "edges.yaml"):
        world.write((MANIFESTS / file).read_text(), file)
    slices = [each for each in recorded_objects(RECORDINGS, "endpointslices") if isinstance(each, EndpointSlice)]
    ours = [each for each in world.all(EndpointSlice) if each.service not in ("kubernetes", "kube-dns")]
    assert shape(ours) == shape([each for each in slices if each.service != "kubernetes"])

    def plain(each: Service) -> object:
        sizes = tuple(len(ip) for ip in each.cluster_ips)
        return each.key, sizes, each.headless, each.external_name, each.ports, each.selector, each.publish_not_ready

    services = [each for each in recorded_objects(RECORDINGS, "services") if isinstance(each, Service)]
    assert {plain(each) for each in world.all(Service) if each.name != "kube-dns"} == {plain(each) for each in services}


NAMES = st.sampled_from(["web", "db"])
LABELS = st.sampled_from(["app: web", "app: db"])
SPACES = st.sampled_from(["default", "shop"])
READY = st.sampled_from(["", 'minidns.dev/ready: "false"'])
SERVICE_SPECS = st.sampled_from([
    "selector: {app: web}, ports: [{port: 80, targetPort: http}]",
    "selector: {app: web}, clusterIP: None, ipFamilyPolicy: PreferDualStack",
    "selector: {app: db}, clusterIP: None, publishNotReadyAddresses: true",
    "selector: {app: db}, clusterIP: 10.96.3.3, ports: [{port: 80}]",
    "ports: [{port: 1}]",
    "type: ExternalName, externalName: example.com",
])  # fmt: skip
PORTS = st.sampled_from(["", "containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]"])
OBJECTS = st.one_of(
    st.builds(service, NAMES, SERVICE_SPECS, SPACES),
    st.builds(
        lambda kind, name, replicas, labels, ready, ports, space: workload(
            kind, name, replicas, labels=labels, annotations=ready, pod=ports, namespace=space
        ),
        st.sampled_from(["StatefulSet", "Deployment", "ReplicaSet", "DaemonSet"]),
        NAMES, st.sampled_from([0, 1, 3, 130]), LABELS, READY, PORTS, SPACES,
    ),
    st.builds(
        lambda name, labels, status: pod(name, meta=f"labels: {{{labels}}}", status=status),
        st.sampled_from(["web-0", "single"]), LABELS,
        st.sampled_from(["", "podIP: 10.244.3.3", "phase: Failed", "phase: Pending"]),
    ),
    st.builds(lambda name, of: by_hand(name, SLICE, of), st.sampled_from(["web-1", "other"]), NAMES),
    st.builds(lambda name: endpoints(SUBSETS, f"name: {name}"), NAMES),
)  # fmt: skip
FILES = st.dictionaries(st.sampled_from("abc"), st.lists(OBJECTS, max_size=6), min_size=1, max_size=3)


def once(objects: list[str]) -> str:
    """One object of a kind and name in a file."""
    kept = {
        tuple(re.findall(r"kind: (\w+)\nmetadata: \{name: ([\w-]+)(?:, namespace: (\w+))?", each)[0]): each
        for each in objects
    }
    return "".join(kept.values())


def summary(world: World) -> object:
    pinned = bytes((10, 96, 3, 3))
    return (
        {each.name for each in world.all(Namespace)},
        {(each.key, len(each.cluster_ips), pinned in each.cluster_ips, each.external_name, each.ports, each.selector)
         for each in world.all(Service)},
        shape(world.all(EndpointSlice)),
        {(each.key, len(each.addresses)) for each in world.all(Pod)},
    )  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(FILES, min_size=1, max_size=6))
def test_any_edits_end_where_a_fresh_start_ends(history: list[dict[str, list[str]]]) -> None:
    world = World(V4, V6)
    end: dict[str, str] = {}
    for files in history:
        for file, objects in files.items():
            end[file] = once(objects)
            world.write(end[file], file)
    fresh = World(V4, V6)
    for file, text in end.items():
        fresh.write(text, file)
    assert summary(world) == summary(fresh)
    for kind in (Namespace, Service, EndpointSlice, Pod):
        assert list(world.cluster.objects(kind)) == list(
            {each.key: each for each in world.cluster.objects(kind)}.values()
        )
        assert {each.key: each for each in world.cluster.objects(kind)} == {each.key: each for each in world.all(kind)}
    given_ips = [ip for each in world.all(Service) for ip in each.cluster_ips]
    assert len(set(given_ips)) == len(given_ips)
    pods = Counter(a for each in world.all(Pod) for a in each.addresses)
    assert {address for address, count in pods.items() if count > 1} <= {bytes((10, 244, 3, 3))}
    assert all(len(each.endpoints) <= 100 for each in world.all(EndpointSlice))


def test_a_model_service_tells_what_explanations_need() -> None:
    world = World()
    world.write(headless(spec="selector: {b: '2', a: '1'}, publishNotReadyAddresses: true"))
    assert world.service("web") == model.Service(
        "default", "web", headless=True, selector=(("a", "1"), ("b", "2")), publish_not_ready=True
    )
