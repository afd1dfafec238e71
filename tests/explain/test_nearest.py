"""What may have been meant, among few names and among thousands, at a cost that does not follow their number."""

from __future__ import annotations

import pytest

from minidns.core.model import Namespace, Object, Service, Upserted
from minidns.core.zone import Zone
from minidns.explain import explain, explain_search
from minidns.explain.nearest import nearest
from tests.support.clusters import endpoints, headless, service, zone_of
from tests.support.work import calls

MANY = [f"service-{number}" for number in range(5000)] + ["payments", "orders-redis-master", "mysql", "db"]


@pytest.mark.parametrize("choices", [MANY, MANY[-4:]], ids=["thousands", "few"])
@pytest.mark.parametrize(("word", "wanted"), [
    ("paymnets", "payments"),
    ("payment", "payments"),
    ("xayments", "payments"),
    ("paymentz", "payments"),
    ("redis", "orders-redis-master"),
    ("master", "orders-redis-master"),
    ("mysql-primary", "mysql"),
])  # fmt: skip
def test_a_word_that_is_not_there(word: str, wanted: str, choices: list[str]) -> None:
    assert nearest(word, choices)[0] == wanted


def test_nothing_is_near() -> None:
    assert nearest("zzzzzzzz", MANY) == []
    assert nearest("mysql", MANY) == []
    assert nearest("", MANY) == []


def large(count: int) -> Zone:
    services: list[Object] = [
        service(f"one/app-{n}", f"10.96.{n >> 8}.{n & 255}", ports="http:80") for n in range(count)
    ]
    slices = [
        endpoints(f"one/app-{n}", f"10.1.{n >> 8}.{n & 255}", ports="http:80", of=f"app-{n}") for n in range(count)
    ]
    return zone_of(Namespace("one"), *services, *slices)


@pytest.mark.parametrize("name", ["nobody", "app-99999", "ap-5.one", "x.y.z"])
def test_a_search_list_takes_as_many_calls_at_10000_services_as_at_1000(name: str) -> None:
    few, many = large(1000), large(10_000)
    work = calls(lambda: explain_search(few, name, "one"))
    assert calls(lambda: explain_search(many, name, "one")) < 2 * work + 1000


@pytest.mark.parametrize("name", ["web.one", "nobody.web.one", "host-7.web.one", "10-0-0-1.web.one"])
@pytest.mark.parametrize("state", ["", " unready"], ids=["ready", "none ready"])
def test_what_is_behind_a_service_takes_six_calls_for_each_endpoint_at_most(name: str, state: str) -> None:
    def behind(count: int) -> Zone:
        hosts = [f"10.0.{n >> 8}.{n & 255} host=host-{n}{state}" for n in range(count)]
        slices = [endpoints(f"one/web-{at}", *hosts[at::10], of="web") for at in range(10)]
        return zone_of(Namespace("one"), headless("one/web"), *slices)

    few, many = behind(100), behind(5000)
    work = calls(lambda: explain_search(few, name, "one"))
    assert calls(lambda: explain_search(many, name, "one")) < work + 6 * 4900


def test_an_address_without_a_name_is_looked_up() -> None:
    few, many = large(1000), large(10_000)
    for zone in (few, many):
        zone.apply(Upserted(endpoints("one/lost-1", "10.9.9.9", of="lost")))
        zone.apply(Upserted(endpoints("one/app-1", "10.9.9.8 unready", of="app-1")))
        assert explain(zone, "10.9.9.9", 12).facts == ("10.9.9.9 of Service one/lost has that address, and is ready",)
        assert (
            "10.9.9.8 of Service one/app-1 has that address, and is not ready" in explain(zone, "10.9.9.8", 12).facts[0]
        )
        assert isinstance(zone.cluster.service(("one", "app-1")), Service)
    work = calls(lambda: explain(few, "10.9.9.7", 12))
    assert calls(lambda: explain(many, "10.9.9.7", 12)) < 2 * work
