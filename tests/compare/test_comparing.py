"""A comparison while objects change, and what it asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from minidns.compare.comparing import AT_ONCE, Comparison, SilentError
from minidns.compare.differences import Question
from minidns.compare.questions import questions
from minidns.compare.report import Report
from minidns.compare.seen import SILENCE, Seen, of_answer
from minidns.config.values import network
from minidns.core import answers, names, records
from minidns.core.model import Deleted, Service, Upserted
from minidns.core.schema import PodMode, ZoneSettings
from minidns.core.zone import Zone
from tests.support.clusters import endpoints, external, headless, service, zone_of

LABEL = "nobody"


def a_zone(*more: str, pods: PodMode = PodMode.DISABLED) -> Zone:
    members = ("10.1.0.1 host=web-0", "10.1.0.2 host=web-1 unready", *more)
    return zone_of(
        service("default/api", "10.96.0.7", ports="http:80"),
        headless("default/web", ports="http:80"),
        endpoints("default/web-a", *members, ports="http:80"),
        external("other/inside", "api.default.svc.cluster.local"),
        settings=ZoneSettings(pods=pods),
    )


def said(zone: Zone, question: Question) -> Seen:
    return of_answer(answers.answer(zone, *question))


def compared(zone: Zone, ask: Callable[[Question], Seen], **options: object) -> Report:
    async def asked(question: Question) -> Seen:
        await asyncio.sleep(0)
        return ask(question)

    async def refresh() -> None:
        pass

    comparison = Comparison(
        [zone],
        asked,
        label=LABEL,
        qps=1e6,
        refresh=refresh,
        tell=lambda *_: None,
        pause=0,
        **options,  # type: ignore[arg-type]
    )
    return asyncio.run(comparison.run("there", "here"))


def asked(zone: Zone, *sweep: str) -> set[str]:
    found = questions(zone, LABEL, [network(text) for text in sweep])
    assert len(found) == len(set(found))
    return {f"{names.to_text(name)} {records.type_text(type_)}" for name, type_ in found}


def test_every_name_and_type_is_asked() -> None:
    zone = a_zone()
    found = asked(zone)
    for name, node in zone.nodes.items():
        text = names.to_text(name)
        if node.parts and not text.startswith("ns.dns."):
            assert any(one.startswith(text + " ") for one in found), text
    assert found >= {
        "cluster.local. SOA", "cluster.local. NS", "cluster.local. ANY", "dns-version.cluster.local. TXT",
        "api.default.svc.cluster.local. A", "api.default.svc.cluster.local. AAAA", "api.default.svc.cluster.local. SRV",
        "_http._tcp.api.default.svc.cluster.local. SRV", "_tcp.api.default.svc.cluster.local. A",
        "web-0.web.default.svc.cluster.local. A", "1.0.1.10.in-addr.arpa. PTR",
        "inside.other.svc.cluster.local. CNAME", "inside.other.svc.cluster.local. A",
    }  # fmt: skip


def test_names_that_must_not_be_there_are_asked_too() -> None:
    assert asked(a_zone()) >= {
        "nobody.default.svc.cluster.local. A", "nobody.cluster.local. A", "*.default.svc.cluster.local. A",
        "web-1.web.default.svc.cluster.local. A",  # not ready
        "web-2.web.default.svc.cluster.local. A",  # before a StatefulSet was scaled down
        "api.other.svc.cluster.local. A",
        "2.0.1.10.in-addr.arpa. PTR", "8.0.96.10.in-addr.arpa. PTR", "6.0.96.10.in-addr.arpa. PTR",
    }  # fmt: skip


def test_names_by_pod_address_only_where_they_are_answered() -> None:
    assert "10-1-0-1.default.pod.cluster.local. A" in asked(a_zone(pods=PodMode.INSECURE))
    assert "10-1-0-1.default.pod.cluster.local. A" not in asked(a_zone())


def test_own_name_of_a_server_is_its_own_affair() -> None:
    assert not any(one.startswith("ns.dns.") for one in asked(a_zone()))
    zone = a_zone()
    zone.apply(Upserted(service("kube-system/kube-dns", "10.96.0.10")))
    assert "ns.dns.cluster.local. A" in asked(zone)


def test_sweep_asks_for_every_address() -> None:
    found = asked(a_zone(), "10.2.0.0/24") - asked(a_zone())
    assert found == {f"{last}.0.2.10.in-addr.arpa. PTR" for last in range(256)}


def test_the_same_objects_have_nothing_unexplained() -> None:
    zone = a_zone()
    found = compared(zone, lambda question: said(a_zone(), question))
    assert (found.unexplained, found.changing, found.settled) == ((), (), 0)
    assert found.asked == found.same == len(questions(zone, LABEL))


def test_other_objects_are_found_with_the_names_that_only_the_server_has() -> None:
    """A pod and a Service that are gone: the answers there lead to names that nobody would ask for."""
    theirs = a_zone("10.1.0.77 host=db")
    theirs.apply(Upserted(service("default/old", "10.96.9.9")))
    found = compared(a_zone(), lambda question: said(theirs, question), sweep=[network("10.96.9.0/24")])
    wrong = {
        f"{one.name.removesuffix('.default.svc.cluster.local.')} {one.type} {one.verdict}" for one in found.unexplained
    }
    assert wrong == {
        "web A stale", "web SRV stale", "_http._tcp.web SRV stale",
        "77.0.1.10.in-addr.arpa. PTR invented", "db.web A invented", "db.web AAAA invented", "db.web SRV invented",
        "9.9.96.10.in-addr.arpa. PTR invented", "old A invented", "old AAAA invented", "old SRV invented",
    }  # fmt: skip


def test_objects_that_change_are_asked_again() -> None:
    """The server hears of a change later than we do."""
    zone, theirs = a_zone(), a_zone()
    count = 0

    def ask(question: Question) -> Seen:
        nonlocal count
        count += 1
        if count == 5:
            zone.apply(Upserted(service("default/api", "10.96.0.8", ports="http:80")))
        if count > len(questions(zone, LABEL)):
            theirs.apply(Upserted(service("default/api", "10.96.0.8", ports="http:80")))
        return said(theirs, question)

    found = compared(zone, ask)
    assert found.unexplained == ()
    assert found.settled > 0


def test_what_changes_all_the_time_is_not_reported_as_wrong() -> None:
    zone, theirs = a_zone(), a_zone()
    turn = 0

    def ask(question: Question) -> Seen:
        nonlocal turn
        turn += 1
        seen = said(theirs, question)
        zone.apply(Upserted(service("default/api", f"10.96.{turn % 250}.9", ports="http:80")))
        return seen

    found = compared(zone, ask)
    assert "api.default.svc.cluster.local. A" in map(str, found.changing)
    assert not any(one.name.startswith("api.default") and one.type == "A" for one in found.unexplained)


def test_object_that_is_deleted_meanwhile() -> None:
    zone, theirs = a_zone(), a_zone()

    def ask(question: Question) -> Seen:
        zone.apply(Deleted(Service, ("default", "api")))
        theirs.apply(Deleted(Service, ("default", "api")))
        return said(theirs, question)

    assert compared(zone, ask).unexplained == ()


def test_server_that_falls_silent_ends_it() -> None:
    zone = a_zone()
    for number in range(AT_ONCE):
        zone.apply(Upserted(service(f"default/s{number}", f"10.96.1.{number}")))
    with pytest.raises(SilentError):
        compared(zone, lambda _: SILENCE)


def test_a_silent_answer_is_a_failure() -> None:
    api = names.from_text("api.default.svc.cluster.local"), records.A
    zone = a_zone()
    found = compared(zone, lambda question: SILENCE if question == api else said(zone, question))
    assert [(str(one.name), one.verdict) for one in found.unexplained] == [("api.default.svc.cluster.local.", "failed")]
