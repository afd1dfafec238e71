"""The map: what it counts while the cluster changes, its pages, and what is found on it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidns.core.model import Change, Deleted, Namespace, Object, Replaced, Upserted
from minidns.core.schema import PodMode, ZoneSettings
from minidns.core.zone import Zone
from minidns.explain import parse_name
from minidns.views import changes
from minidns.views import map as map_
from minidns.views.map import Index
from minidns.views.map.pages import PAGE
from minidns.views.map.records import LISTED
from tests.support.clusters import endpoints, external, headless, pod, recorded_zone, service, zone_of
from tests.support.explained import DEFAULT

T = TypeVar("T")
WEB = headless("default/web", ports="http:80", selector="web")
DB = external("default/db", "db.example.com")
API = service("shop/api", "10.96.0.7", ports="http:80 :9000")
LOST = endpoints("shop/lost-1", "10.244.9.9")
PAIR = endpoints(
    "default/web-1", "10.244.0.2 host=web-0 pod=web-0", "10.244.0.3 host=web-1 pod=web-1 unready", ports="http:80"
)


def whole(zone: Zone) -> Index:
    index = Index(zone)
    caught_up(index)
    return index


def caught_up(index: Index) -> int:
    """Catch up; how many steps it took."""
    return sum(1 for _ in index.catch_up())


def run(steps: Generator[None, None, T]) -> T:
    try:
        while True:
            next(steps)
    except StopIteration as end:
        found: T = end.value
        return found


def found(index: Index, text: str) -> dict[str, str]:
    """Services that a search finds, with what was matched behind them."""
    page = run(map_.search(index, text))
    return {f"{one.namespace}/{one.name}": by for one, by in zip(page.services, page.matched, strict=True)}


def test_namespaces_and_their_counts() -> None:
    page = map_.namespaces(whole(zone_of(DEFAULT, Namespace("empty"), WEB, PAIR, DB, API, LOST)))
    assert page.namespaces[0].names == ("default.svc.cluster.local.", "default.pod.cluster.local.")
    assert [msgspec.structs.astuple(line)[:-1] for line in page.namespaces] == [
        ("default", True, 1, 0, 1, 0, 2, 1),
        ("empty", True, 0, 0, 0, 0, 0, 0),
        ("shop", False, 0, 1, 0, 1, 1, 1),
    ]
    assert (page.total, page.next, page.services, page.endpoints, page.ready) == (3, None, 4, 3, 2)


def test_services_of_a_namespace_are_recognizable() -> None:
    index = whole(zone_of(DEFAULT, WEB, PAIR, DB, API, LOST))
    lines = map_.services(index, "default").services + map_.services(index, "shop").services
    assert [(one.name, one.shape, one.endpoints, one.ready) for one in lines] == [
        ("db", "ExternalName", 0, 0), ("web", "headless", 2, 1), ("api", "virtual IP", 0, 0), ("lost", "missing", 1, 1),
    ]  # fmt: skip
    assert lines[0].external_name == "db.example.com"
    assert (lines[2].addresses, lines[2].ports) == (("10.96.0.7",), ("http 80/TCP", "9000/TCP"))
    with pytest.raises(KeyError):
        map_.services(index, "none")


def test_a_service_shows_its_endpoints_and_the_names_they_give() -> None:
    page = map_.behind(whole(zone_of(DEFAULT, WEB, PAIR)), ("default", "web"))
    owner = "web.default.svc.cluster.local."
    assert page.names == (owner, f"_http._tcp.{owner}")
    assert page.selector == "app=web"
    assert [(one.pod, one.state, one.names) for one in page.endpoints] == [
        ("web-0", "ready", (f"web-0.{owner}", "2.0.244.10.in-addr.arpa.")),
        ("web-1", "not ready", (f"web-1.{owner}", "3.0.244.10.in-addr.arpa.")),
    ]
    assert [(one.name, one.ports, one.endpoints, one.ready) for one in page.slices] == [
        ("web-1", ("http 80/TCP",), 2, 1)
    ]


def test_pods_have_names_by_address_where_these_are_switched_on() -> None:
    zone = zone_of(DEFAULT, WEB, PAIR, settings=ZoneSettings(pods=PodMode.INSECURE))
    names_of_first = map_.behind(whole(zone), ("default", "web")).endpoints[0].names
    assert names_of_first[1] == "10-244-0-2.default.pod.cluster.local."
    at = map_.at_name(zone, parse_name(names_of_first[1]))
    assert at.records == ("10-244-0-2.default.pod.cluster.local. 5 IN A 10.244.0.2",)


def test_virtual_ips_and_aliases_show_their_own_names() -> None:
    index = whole(zone_of(API, DB, LOST))
    assert map_.behind(index, ("shop", "api")).names == (
        "api.shop.svc.cluster.local.", "_http._tcp.api.shop.svc.cluster.local.", "7.0.96.10.in-addr.arpa.",
    )  # fmt: skip
    assert map_.behind(index, ("default", "db")).names == ("db.default.svc.cluster.local.",)
    missing = map_.behind(index, ("shop", "lost"))
    assert (missing.names, missing.endpoints[0].names) == ((), ())
    with pytest.raises(KeyError):
        map_.behind(index, ("shop", "none"))


def test_pages_end_and_go_on() -> None:
    many = [service(f"default/s{number:03}", f"10.96.1.{number}") for number in range(PAGE + 3)]
    members = [f"10.0.0.{number} pod=p{number}" for number in range(150)]
    slices = [endpoints(f"default/s000-{part}", *members[part * 50 : part * 50 + 50]) for part in range(3)]
    index = whole(zone_of(*many, *slices))
    first = map_.services(index, "default")
    assert (len(first.services), first.total, first.next) == (PAGE, PAGE + 3, "s099")
    rest = map_.services(index, "default", "s099")
    assert ([one.name for one in rest.services], rest.next) == (["s100", "s101", "s102"], None)
    one, two = (map_.behind(index, ("default", "s000"), after) for after in (0, PAGE))
    assert (len(one.endpoints), one.next, one.endpoint_total) == (PAGE, str(PAGE), 150)
    assert [line.pod for line in two.endpoints] == [f"p{number}" for number in range(100, 150)]
    assert two.next is None
    spaces = whole(zone_of(*(Namespace(f"n{number:03}") for number in range(PAGE + 1))))
    assert map_.namespaces(spaces).next == "n099"
    assert [line.namespace for line in map_.namespaces(spaces, "n099").namespaces] == ["n100"]


def test_dual_stack_pods_are_one_endpoint() -> None:
    six = endpoints("default/web-6", "fd00::2 pod=web-0", "fd00::3 pod=web-1 unready")
    assert whole(zone_of(WEB, PAIR, six)).lines["default", "web"] == ("headless", 2, 1)


def test_search_by_name_pod_and_address() -> None:
    index = whole(zone_of(DEFAULT, WEB, PAIR, DB, API, LOST))
    assert found(index, "WEB") == {"default/web": ""}
    assert found(index, "default/") == {"default/db": "", "default/web": ""}
    assert found(index, "web-1") == {"default/web": "web-1"}
    assert found(index, "10.244.0.3") == {"default/web": "10.244.0.3"}
    assert found(index, "10.96.") == {"shop/api": "10.96.0.7"}
    assert found(index, "nothing of that kind") == {}


def test_a_search_for_much_gives_a_page() -> None:
    index = whole(zone_of(*(service(f"default/s{number:03}") for number in range(PAGE + 3))))
    page = run(map_.search(index, "s"))
    assert (len(page.services), page.total) == (PAGE, None)


def test_a_change_costs_the_size_of_the_change() -> None:
    zone = zone_of(*(service(f"default/s{number}") for number in range(300)), WEB, PAIR)
    index = Index(zone)
    assert caught_up(index) == 302
    change = Upserted(endpoints("default/web-1", "10.244.0.2 host=web-0"))
    zone.apply(change)
    index.changed(type(change.object), change.object.key)
    assert caught_up(index) == 1
    assert index.lines["default", "web"] == ("headless", 1, 1)
    assert caught_up(index) == 0


OBJECTS: list[Object] = [
    DEFAULT, Namespace("shop"), WEB, headless("shop/web"), DB, service("default/db", "10.96.0.1"), API, LOST, PAIR,
    endpoints("default/web-1", "10.244.0.2"), endpoints("default/web-1", "10.244.0.2", of="db"),
    endpoints("default/web-1", of="web"), endpoints("shop/lost-1", "10.244.9.9", of=""), pod("default/p", "10.0.0.1"),
]  # fmt: skip


@st.composite
def random_changes(draw: st.DrawFn) -> Change:
    obj = draw(st.sampled_from(OBJECTS))
    if draw(st.booleans()):
        return Upserted(obj)
    if draw(st.booleans()):
        return Deleted(type(obj), obj.key)
    some = draw(
        st.lists(st.sampled_from([one for one in OBJECTS if type(one) is type(obj)]), unique_by=lambda o: o.key)
    )
    return Replaced(type(obj), tuple(some))


@given(st.lists(random_changes(), max_size=12), st.data())
def test_an_index_that_follows_is_one_that_begins_now(steps: list[Change], data: st.DataObject) -> None:
    zone = zone_of()
    index = Index(zone)
    catching = index.catch_up()
    for change in steps:
        for version in changes.versions(zone.cluster, change):
            some = version.new or version.old
            assert some is not None
            index.changed(type(some), some.key)
        zone.apply(change)
        # Changes come in between two steps of it, too.
        if data.draw(st.booleans()) and next(catching, "end") == "end":
            catching = index.catch_up()
    for _ in catching:
        pass
    caught_up(index)
    fresh = whole(zone)
    assert index.lines == fresh.lines
    assert index.namespaces == fresh.namespaces
    assert map_.namespaces(index) == map_.namespaces(fresh)
    for namespace in index.namespaces:
        assert map_.services(index, namespace) == map_.services(fresh, namespace)
        assert [one.name for one in map_.services(index, namespace).services] == sorted(
            index.services.get(namespace, [])
        )


def test_records_at_a_name() -> None:
    zone = zone_of(DEFAULT, WEB, PAIR)
    page = map_.at_name(zone, parse_name("web.default.svc.cluster.local"))
    assert page.records == (
        "web.default.svc.cluster.local. 5 IN A 10.244.0.2",
        "web.default.svc.cluster.local. 5 IN SRV 0 100 80 web-0.web.default.svc.cluster.local.",
    )
    assert (page.type, page.rcode, page.more, page.reason) == ("A", "NOERROR", 0, "")


@pytest.mark.parametrize(
    ("name", "rcode", "reason"),
    [
        (
            "web-1.web.default.svc.cluster.local",
            "NXDOMAIN",
            "endpoint web-1 of Service default/web is not ready",
        ),
        ("none.default.svc.cluster.local", "NXDOMAIN", "no Service of that name in namespace default"),
        ("default.svc.cluster.local", "NOERROR", "default is a namespace: ask for a name below it"),
        ("9.9.244.10.in-addr.arpa", "NXDOMAIN", "no Service or ready endpoint has that address"),
    ],
)
def test_a_name_without_records_says_why(name: str, rcode: str, reason: str) -> None:
    page = map_.at_name(zone_of(DEFAULT, WEB, PAIR), parse_name(name))
    assert (page.rcode, page.records, page.reason) == (rcode, (), reason)


def test_a_large_set_is_cut_and_counted() -> None:
    members = [f"10.1.{number // 200}.{number % 200 + 1} host=p{number}" for number in range(500)]
    slices = [
        endpoints(f"default/web-{part}", *members[part * 60 : part * 60 + 60], ports="http:80") for part in range(9)
    ]
    page = map_.at_name(zone_of(WEB, *slices), parse_name("web.default.svc.cluster.local"))
    assert len(page.records) == 2 * LISTED
    assert page.more == 2 * (500 - LISTED)
    assert page.records[LISTED].split()[3:6] == ["SRV", "0", "1"]


def test_every_name_of_a_recorded_cluster_tells_what_the_zone_file_has() -> None:
    zone = recorded_zone(ZoneSettings())
    index = whole(zone)

    def shown_names() -> Iterator[str]:
        for namespace, name in index.lines:
            page = map_.behind(index, (namespace, name))
            yield from page.names
            yield from (one for line in page.endpoints if line.ready for one in line.names)

    every = list(shown_names())
    assert len(every) > 100
    for text in every:
        page = map_.at_name(zone, parse_name(text))
        if not page.records:
            assert page.reason
        assert all(line.startswith(text) for line in page.records)
