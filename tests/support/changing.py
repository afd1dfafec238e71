"""Any change of a small cluster, whose objects meet: hypothesis strategies."""

from __future__ import annotations

from hypothesis import strategies as st

from minidns.core.model import Change, Deleted, EndpointSlice, Kind, Namespace, Object, Replaced, Service, Upserted
from tests.support.clusters import endpoints, external, headless, pod, service

IPS = ("10.0.0.1", "10.0.0.2", "fd00::1")
PORTS = ("", "http:80", "http:80 admin:81")
owners = st.sampled_from(["a/web", "a/shop", "b/web"])


def sliced(owner: str, number: int, members: list[str], ports: str) -> EndpointSlice:
    return endpoints(f"{owner}-{number}", *members, ports=ports)


members = st.lists(st.sampled_from([f"{ip} {more}" for ip in IPS for more in ("", "host=x", "unready")]), max_size=3)
objects: st.SearchStrategy[Object] = (
    st.builds(headless, owners, ports=st.sampled_from(PORTS))
    | st.builds(service, owners, st.sampled_from(IPS), ports=st.sampled_from(PORTS))
    | st.builds(external, owners, st.sampled_from(["example.com", "web.a.svc.cluster.local"]))
    | st.builds(sliced, owners, st.integers(1, 2), members, st.sampled_from(PORTS))
    | st.builds(Namespace, st.sampled_from("ab"))
    | st.builds(pod, owners, st.sampled_from(IPS))
)


def deleted(obj: Object) -> Change:
    return Deleted(type(obj), obj.key)


def listed(kind: Kind, some: list[Object]) -> Change:
    return Replaced(kind, tuple({obj.key: obj for obj in some if isinstance(obj, kind)}.values()))


kinds = st.sampled_from([Service, EndpointSlice, Namespace])
lists = st.builds(listed, kinds, st.lists(objects, max_size=4))
changes = st.builds(Upserted, objects) | st.builds(deleted, objects) | lists
