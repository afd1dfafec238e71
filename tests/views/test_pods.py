"""Which pod has an address."""

from __future__ import annotations

from minidns.core.model import Deleted, EndpointSlice, Pod, Upserted
from minidns.views.pods import KEPT, PodNames
from tests.support.clusters import address, zone_of
from tests.support.explained import DEFAULT, WEB, replicas


class Clock:
    """Goes on by `step` each time that it is read."""

    def __init__(self) -> None:
        self.now, self.step = 0.0, 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def test_endpoints_name_their_pods_ready_or_not() -> None:
    zone = zone_of(DEFAULT, WEB, replicas("", "unready"))
    pods = PodNames()
    found = {
        endpoint.pod: pods.find(zone.cluster, endpoint.addresses[0])
        for slice_ in zone.cluster.all(EndpointSlice).values()
        if isinstance(slice_, EndpointSlice)
        for endpoint in slice_.endpoints
    }
    assert found == {name: ("default", name) for name in found}
    assert len(found) == 2
    assert pods.find(zone.cluster, address("192.0.2.1")) is None


def test_pods_name_themselves_and_an_address_of_several_is_a_nodes() -> None:
    zone = zone_of(
        DEFAULT,
        Pod("default", "a", (address("10.0.0.1"), address("fd00::1"))),
        Pod("kube-system", "proxy", (address("192.0.2.1"),)),
        Pod("kube-system", "agent", (address("192.0.2.1"),)),
    )
    pods = PodNames()
    assert (
        pods.find(zone.cluster, address("fd00::1")) == pods.find(zone.cluster, address("10.0.0.1")) == ("default", "a")
    )
    assert pods.find(zone.cluster, address("192.0.2.1")) is None


def test_changes_are_followed_but_a_large_table_is_not_made_all_the_time() -> None:
    zone, clock = zone_of(DEFAULT, Pod("default", "a", (address("10.0.0.1"),))), Clock()
    pods = PodNames(clock)
    clock.step = 1.0  # a table takes a second here
    assert pods.find(zone.cluster, address("10.0.0.1")) == ("default", "a")
    clock.step = 0.0
    zone.apply(Deleted(Pod, ("default", "a")))
    zone.apply(Upserted(Pod("default", "b", (address("10.0.0.1"),))))
    assert pods.find(zone.cluster, address("10.0.0.1")) == ("default", "a")
    clock.now += KEPT
    assert pods.find(zone.cluster, address("10.0.0.1")) == ("default", "b")
