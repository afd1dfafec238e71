"""A cluster of 10,000 Services, as objects of the Kubernetes API, and names to ask it for.

- 10,000 ClusterIP Services with two named ports each, every fifth with an IPv6 address too;
- 200 headless Services of 10 endpoints with hostnames, as StatefulSets have them;
- 10 headless Services of 100 endpoints;
- 200 headless Services of 10 endpoints that nobody asks for: those that change.

For who means harm there is also a headless Service of 5,000 endpoints with an ExternalName that leads to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Any

JSON = dict[str, Any]

ZONE = "cluster.local"
NAMESPACES = 100
SERVICES = 10_000
#: Headless Services by the first part of their name: how many there are, and their endpoints.
HEADLESS = {"db": (200, 10), "wide": (10, 100), "moving": (200, 10)}
#: The endpoints of the huge one, how many of them are in a slice, its name and that of its alias.
HUGE, HUGE_SLICE = 5000, 1000
HUGE_NAME, ALIAS_NAME = f"huge.team-0.svc.{ZONE}", f"alias.team-0.svc.{ZONE}"

_CLUSTER_IPS, _PODS = int(IPv4Address("10.96.1.0")), int(IPv4Address("10.128.0.0"))
_CLUSTER_IPS_6 = int(IPv6Address("fd00:10:96::1:0"))
_DUAL = 5


def namespace(number: int) -> str:
    """The namespace of a Service by its number."""
    return f"team-{number % NAMESPACES}"


def service_name(number: int) -> str:
    """The name of a ClusterIP Service in DNS."""
    return f"app-{number}.{namespace(number)}.svc.{ZONE}"


def headless_name(kind: str, number: int) -> str:
    """The name of a headless Service in DNS."""
    return f"{kind}-{number}.{namespace(number)}.svc.{ZONE}"


def endpoint_name(kind: str, number: int, endpoint: int) -> str:
    """The name of an endpoint of a headless Service in DNS."""
    return f"{kind}-{number}-{endpoint}.{headless_name(kind, number)}"


def objects() -> dict[str, list[JSON]]:
    """Everything there is, by resource."""
    services = [_service("kube-system", "kube-dns", "10.96.0.10", ports=[_port("dns", 53)])]
    services += [_cluster_ip_service(number) for number in range(SERVICES)]
    slices = []
    for kind, (count, endpoints) in HEADLESS.items():
        for number in range(count):
            services.append(_service(namespace(number), f"{kind}-{number}", "None", ports=[_port("sql", 5432)]))
            slices.append(endpoint_slice(kind, number, [_endpoint(kind, number, one) for one in range(endpoints)]))
    spaces = ["default", "kube-system", *map(namespace, range(NAMESPACES))]
    return {
        "namespaces": [{"metadata": {"name": name}} for name in spaces],
        "services": services,
        "endpointslices": slices,
        "pods": [],
    }


def huge() -> dict[str, list[JSON]]:
    """The headless Service of HUGE endpoints, and its alias."""
    alias = {"metadata": {"name": "alias", "namespace": "team-0"}}
    alias["spec"] = {"type": "ExternalName", "externalName": HUGE_NAME}
    slices = []
    for start in range(0, HUGE, HUGE_SLICE):
        made = endpoint_slice("huge", start, [_huge_endpoint(one) for one in range(start, start + HUGE_SLICE)])
        made["metadata"] |= {"namespace": "team-0", "labels": {"kubernetes.io/service-name": "huge"}}
        slices.append(made)
    return {
        "services": [_service("team-0", "huge", "None", ports=[_port("sql", 5432)]), alias],
        "endpointslices": slices,
    }


def changes() -> Iterator[JSON]:
    """Slices as they change, without end: one endpoint after the other goes, and comes back with another address."""
    count, size = HEADLESS["moving"]
    members = [[_endpoint("moving", number, one) for one in range(size)] for number in range(count)]
    step = 0
    while True:
        for number in range(count):
            one = step % size
            members[number][one] = {**members[number][one], "conditions": {"ready": False}}
            yield endpoint_slice("moving", number, members[number])
            members[number][one] = _endpoint("moving", number, one, move=1 + step)
            yield endpoint_slice("moving", number, members[number])
        step += 1


def endpoint_slice(kind: str, number: int, endpoints: list[JSON]) -> JSON:
    """The slice of a headless Service."""
    name = f"{kind}-{number}"
    labels = {"kubernetes.io/service-name": name}
    return {
        "metadata": {"name": f"{name}-abcde", "namespace": namespace(number), "labels": labels},
        "addressType": "IPv4",
        "ports": [_port("sql", 5432)],
        "endpoints": list(endpoints),
    }


def _cluster_ip_service(number: int) -> JSON:
    addresses = [str(IPv4Address(_CLUSTER_IPS + number))]
    if number % _DUAL == 0:
        addresses.append(str(IPv6Address(_CLUSTER_IPS_6 + number)))
    return _service(namespace(number), f"app-{number}", *addresses, ports=[_port("http", 80), _port("metrics", 9090)])


def _service(space: str, name: str, *addresses: str, ports: list[JSON]) -> JSON:
    return {
        "metadata": {"name": name, "namespace": space},
        "spec": {"type": "ClusterIP", "clusterIP": addresses[0], "clusterIPs": list(addresses), "ports": ports},
    }


def _port(name: str, number: int) -> JSON:
    return {"name": name, "protocol": "TCP", "port": number}


def _huge_endpoint(one: int) -> JSON:
    address = str(IPv4Address(_PODS - HUGE + one))
    return {"addresses": [address], "hostname": f"huge-{one}", "conditions": {"ready": True}}


def _endpoint(kind: str, number: int, one: int, move: int = 0) -> JSON:
    start = sum(count * size for other, (count, size) in HEADLESS.items() if other < kind)
    place = start + number * HEADLESS[kind][1] + one + move % 1000 * 6000
    return {
        "addresses": [str(IPv4Address(_PODS + place))],
        "hostname": f"{kind}-{number}-{one}",
        "conditions": {"ready": True},
    }
