"""The cluster's objects by key: what is put in is found in every way, what is dropped in none."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from minidns.core.cluster import Cluster
from minidns.core.model import (
    Endpoint,
    EndpointSlice,
    ImportedSlice,
    Key,
    Kind,
    Namespace,
    Object,
    Pod,
    Service,
    ServiceImport,
)

NAMES = st.sampled_from(["a", "b"])
ADDRESSES = st.sampled_from([b"\n\0\0\1", b"\n\0\0\2"])
OBJECTS = (
    st.builds(Namespace, NAMES)
    | st.builds(Service, NAMES, NAMES, headless=st.booleans())
    | st.builds(
        EndpointSlice,
        NAMES,
        st.sampled_from(["x", "y"]),
        st.sampled_from(["a", "b", ""]),
        st.just(()),
        st.lists(st.builds(Endpoint, ADDRESSES.map(lambda one: (one,)), ready=st.booleans()), max_size=3).map(tuple),
    )
    | st.builds(Pod, NAMES, NAMES)
    | st.builds(ServiceImport, NAMES, NAMES, headless=st.booleans())
    | st.builds(
        ImportedSlice,
        NAMES,
        st.sampled_from(["x", "y"]),
        st.sampled_from(["a", "b", ""]),
        st.just(()),
        st.lists(st.builds(Endpoint, ADDRESSES.map(lambda one: (one,)), ready=st.booleans()), max_size=3).map(tuple),
    )
)
KINDS: tuple[Kind, ...] = (Namespace, Service, EndpointSlice, Pod, ServiceImport, ImportedSlice)


def of(kind: Kind, objects: Iterable[Object]) -> dict[Key, Object]:
    return {obj.key: obj for obj in objects if type(obj) is kind}


@given(st.booleans(), st.lists(st.tuples(st.booleans(), OBJECTS), max_size=20))
def test_any_objects_are_found_in_every_way(imports: bool, steps: list[tuple[bool, Object]]) -> None:
    cluster, held = Cluster(imports=imports), dict[tuple[Kind, Key], Object]()
    for add, obj in steps:
        at = type(obj), obj.key
        if at in held and (not add or isinstance(obj, EndpointSlice)):
            cluster.drop(held.pop(at))
        if add:
            cluster.put(obj)
            held[at] = obj
        for kind in KINDS:
            assert cluster.all(kind) == of(kind, held.values())
        kinds: tuple[Kind, Kind] = (ServiceImport, ImportedSlice) if imports else (Service, EndpointSlice)
        services, slices = (of(kind, held.values()) for kind in kinds)
        own = of(Service, held.values())
        for address in (b"\n\0\0\1", b"\n\0\0\2"):
            nameless = {
                (one.namespace, one.service)
                for one in slices.values()
                if isinstance(one, EndpointSlice)
                for endpoint in one.endpoints
                if address in endpoint.addresses
                if not endpoint.ready or (one.namespace, one.service) not in services
            }
            found = cluster.without_name(address)
            assert set(found) == nameless
            assert len(found) == len(nameless)
        for namespace in ("a", "b"):
            assert cluster.has_namespace(namespace) == ((Namespace, ("", namespace)) in held)
            assert cluster.services_in(namespace) == {name for space, name in services if space == namespace}
            for name in ("a", "b", ""):
                key = namespace, name
                assert cluster.service(key) == services.get(key)
                assert cluster.own_service(key) == own.get(key)
                assert set(cluster.namespaces_with(name)) == {space for space, other in services if other == name}
                assert dict(cluster.slices(key)) == {
                    slice_.key[1]: slice_
                    for slice_ in slices.values()
                    if isinstance(slice_, EndpointSlice) and (slice_.namespace, slice_.service) == key
                }


def test_an_address_that_two_slices_hold_is_without_a_name_until_both_are_gone() -> None:
    cluster, address = Cluster(), b"\n\0\0\1"
    waiting = (Endpoint((address,), ready=False),)
    one, other = (EndpointSlice("a", name, service, (), waiting) for name, service in (("x", "web"), ("y", "db")))
    cluster.put(Service("a", "web"))
    for slice_ in (one, other):
        cluster.put(slice_)
    assert cluster.without_name(address) == [("a", "db"), ("a", "web")]
    cluster.drop(one)
    assert cluster.without_name(address) == [("a", "db")]
    cluster.drop(other)
    assert cluster.without_name(address) == []
