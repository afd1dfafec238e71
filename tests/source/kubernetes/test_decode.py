"""JSON of the API server to model objects."""

from __future__ import annotations

import json
from ipaddress import ip_address
from typing import Any

import msgspec
import pytest

from minidns.core.model import Endpoint, EndpointSlice, ImportedSlice, Namespace, Pod, Port, Service, ServiceImport
from minidns.source.kubernetes.decode import DECODE, decode_event, decode_identity, decode_list, decode_status
from tests.support.places import RECORDINGS

IP = ip_address("10.0.0.1").packed
IP6 = ip_address("fd00::1").packed
META = {"name": "web", "namespace": "shop"}


def service(**spec: Any) -> Service:
    obj = DECODE[Service](json.dumps({"metadata": META, "spec": spec}).encode())
    assert isinstance(obj, Service)
    return obj


def slice_(*endpoints: object, **fields: Any) -> EndpointSlice:
    item = {"metadata": {**META, "labels": {"kubernetes.io/service-name": "web"}}, "endpoints": endpoints, **fields}
    obj = DECODE[EndpointSlice](json.dumps(item).encode())
    assert isinstance(obj, EndpointSlice)
    return obj


def endpoint(**fields: Any) -> Endpoint:
    return slice_({"addresses": ["10.0.0.1"], **fields}).endpoints[0]


def test_a_service_with_two_addresses() -> None:
    ports = [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": "web", "nodePort": 30080}]
    found = service(
        type="NodePort",
        clusterIP="10.0.0.1",
        clusterIPs=["10.0.0.1", "fd00::1"],
        ports=ports,
        selector={"b": "2", "a": "1"},
        publishNotReadyAddresses=True,
        somethingNew={"deep": [1, {}]},
    )
    assert found == Service(
        namespace="shop",
        name="web",
        cluster_ips=(IP, IP6),
        ports=(Port("http", "TCP", 80),),
        selector=(("a", "1"), ("b", "2")),
        publish_not_ready=True,
    )


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, Service("shop", "web")),
        ({"clusterIP": "", "ports": None, "selector": None}, Service("shop", "web")),
        ({"clusterIP": "10.0.0.1"}, Service("shop", "web", (IP,))),
        ({"clusterIP": "None"}, Service("shop", "web", headless=True)),
        ({"clusterIP": "None", "clusterIPs": ["None"]}, Service("shop", "web", headless=True)),
        ({"type": "ExternalName", "externalName": "a.example"}, Service("shop", "web", external_name="a.example")),
        ({"type": "ClusterIP", "clusterIP": "10.0.0.1", "externalName": "a.example"}, Service("shop", "web", (IP,))),
        ({"ports": [{"port": 53}]}, Service("shop", "web", ports=(Port("", "TCP", 53),))),
        ({"clusterIPs": ["010.0.0.1", "not an address", "fd00::1"]}, Service("shop", "web", (IP6,))),
    ],
)
def test_the_shapes_of_a_service(spec: dict[str, Any], expected: Service) -> None:
    assert service(**spec) == expected


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (None, (True, True, False)),
        ({}, (True, True, False)),
        ({"ready": None, "serving": None, "terminating": None}, (True, True, False)),
        ({"ready": False}, (False, False, False)),
        ({"ready": False, "serving": True, "terminating": True}, (False, True, True)),
        ({"ready": True, "serving": False}, (True, False, False)),
    ],
)
def test_conditions(conditions: object, expected: tuple[bool, bool, bool]) -> None:
    found = endpoint(conditions=conditions)
    assert (found.ready, found.serving, found.terminating) == expected


def test_the_name_of_an_endpoint() -> None:
    pod = {"kind": "Pod", "name": "web-0", "uid": "1"}
    assert endpoint(targetRef=pod) == Endpoint((IP,), pod="web-0")
    assert endpoint(targetRef={**pod, "kind": "Node"}) == Endpoint((IP,))
    assert endpoint(hostname="", targetRef=None) == Endpoint((IP,))
    both = endpoint(hostname="web-0", targetRef=pod)
    assert both == Endpoint((IP,), "web-0", "web-0")
    assert both.pod is both.hostname, "one string in memory for the two"


def test_a_slice_without_ports_endpoints_or_labels() -> None:
    assert DECODE[EndpointSlice](json.dumps({"metadata": META}).encode()) == EndpointSlice("shop", "web", "")
    assert slice_(endpoints=None, ports=None) == EndpointSlice("shop", "web", "web")
    assert slice_(ports=[{"name": None, "port": None}]).ports == (Port("", "TCP", None),)


def test_slices_with_equal_ports_share_them() -> None:
    ports = [{"name": "http", "protocol": "TCP", "port": 80}]
    assert slice_(ports=ports).ports is slice_(ports=ports).ports


def test_what_is_no_address_is_left_out() -> None:
    bad, good = {"addresses": ["fe80::1%eth0"]}, {"addresses": ["fd00::1", "x"]}
    assert slice_(bad, {"addresses": None}, good).endpoints == (Endpoint((IP6,)),)
    assert slice_({"addresses": ["a.example"]}, addressType="FQDN").endpoints == ()


def test_pods_and_namespaces() -> None:
    def pod(**status: Any) -> object:
        return DECODE[Pod](json.dumps({"metadata": META, "status": status}).encode())

    assert pod(podIP="10.0.0.1", podIPs=[{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]) == Pod("shop", "web", (IP, IP6))
    assert pod(podIP="10.0.0.1") == Pod("shop", "web", (IP,))
    assert pod(phase="Pending") == Pod("shop", "web")
    assert DECODE[Pod](json.dumps({"metadata": META}).encode()) == Pod("shop", "web")
    assert DECODE[Namespace](b'{"metadata":{"name":"shop"},"status":{"phase":"Active"}}') == Namespace("shop")


@pytest.mark.parametrize(
    ("kind", "item"),
    [
        (Service, {"metadata": META}),
        (Service, {"metadata": META, "spec": {"ports": "80"}}),
        (Service, {"metadata": {"name": "web"}, "spec": {}}),
        (EndpointSlice, {"metadata": META, "endpoints": [{"addresses": [1]}]}),
        (Namespace, {"metadata": {}}),
        (Pod, {}),
    ],
)
def test_an_object_that_cannot_be_right_is_refused(kind: type, item: object) -> None:
    with pytest.raises(msgspec.MsgspecError):
        DECODE[kind](json.dumps(item).encode())


def test_the_envelopes() -> None:
    (expired,) = (RECORDINGS / "services.expired.jsonl").read_bytes().splitlines()
    event = decode_event(expired)
    assert (event.type, decode_status(event.object).code) == ("ERROR", 410)
    page = decode_list((RECORDINGS / "endpointslices.page1.json").read_bytes())
    assert page.metadata.continue_.startswith("eyJ2")
    assert decode_identity((page.items or [])[0]).metadata.name == "headless-service-2w4gp"
    assert decode_list(b'{"metadata":{"resourceVersion":"1"},"items":null}').items is None


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"type": "ClusterSetIP", "ips": ["10.0.0.1", "x", "fd00::1"], "ports": [{"name": "http", "port": 80}]},
            ServiceImport("shop", "web", (IP, IP6), ports=(Port("http", "TCP", 80),)),
        ),
        ({"type": "Headless", "ips": None, "ports": []}, ServiceImport("shop", "web", headless=True)),
        ({"type": "ClusterSetIP"}, ServiceImport("shop", "web")),
    ],
)
def test_a_service_import(spec: dict[str, Any], expected: ServiceImport) -> None:
    assert DECODE[ServiceImport](json.dumps({"metadata": META, "spec": spec}).encode()) == expected


def test_a_slice_behind_a_service_import() -> None:
    labels = {
        "kubernetes.io/service-name": "derived-x",
        "multicluster.kubernetes.io/service-name": "web",
        "multicluster.kubernetes.io/source-cluster": "east",
    }
    item: dict[str, Any] = {"metadata": {**META, "labels": labels}, "endpoints": [{"addresses": ["10.0.0.1"]}]}
    expected = ImportedSlice("shop", "web", "web", (), (Endpoint((IP,)),), "east")
    assert DECODE[ImportedSlice](json.dumps(item).encode()) == expected
    del item["metadata"]["labels"]
    assert DECODE[ImportedSlice](json.dumps(item).encode()) == ImportedSlice("shop", "web", "", (), (Endpoint((IP,)),))
