"""Why a name of a cluster set has no answer, and what to do."""

from __future__ import annotations

import pytest

from minidns.explain import Explanation, explain
from tests.core.test_multicluster import OBJECTS, SET
from tests.support.clusters import zone_of


def told(name: str, type_: int = 1) -> Explanation:
    return explain(zone_of(*OBJECTS, settings=SET), f"{name}.shop.svc.clusterset.local", type_)


@pytest.mark.parametrize(
    ("name", "fact", "step", "suggestions"),
    [
        ("local", "Service shop/local of this cluster is in its own zone", "kubectl get serviceexports", ()),
        ("wep", "namespace shop has 7 ServiceImports", "a cluster of the set exports", ("web.shop",)),
        ("gone", "multicluster.kubernetes.io/service-name: gone", "bring endpoints over", ()),
        ("empty", "without endpoints: EndpointSlice empty-1", "clusters east", ()),
        ("sad", "not ready: s in cluster east (not ready)", "ready in its own cluster", ()),
        ("db-9.south.db", "not ready: db-9 in cluster south (not ready)", "ready in its own cluster", ()),
        ("db-0.db", "names below it: db-0.east, 10-1-0-2.east", "HOST.CLUSTER.SERVICE", ("db-0.west.db.shop",)),
        ("pending", "its spec.ips is empty", "assigns them", ()),
        ("web", "a ClusterSetIP answers whether or not", "", ()),
    ],
)
def test_what_is_known_and_what_to_do(name: str, fact: str, step: str, suggestions: tuple[str, ...]) -> None:
    found = told(name)
    assert fact in " ".join(found.facts)
    assert step in " ".join(found.steps)
    for one in suggestions:
        assert f"{one}.svc.clusterset.local" in found.suggestions


def test_labels_records_and_what_is_behind() -> None:
    found = told("db-0.west.db")
    roles = [(label.text, label.role) for label in found.labels]
    assert roles[:3] == [("db-0", "host"), ("west", "cluster"), ("db", "service")]
    assert found.sentence == "1 A record of endpoint db-0.west of headless ServiceImport shop/db"
    assert [one.source for one in found.records] == ["db-0 in EndpointSlice shop/db-west"]
    assert found.service is not None
    assert found.service.type == "headless import"
    virtual = told("web")
    assert [one.source for one in virtual.records] == ["a ClusterSetIP of ServiceImport shop/web"]
    sources = [one.source for one in told("_sql._tcp.db", 33).records]
    assert "port sql 5432/TCP of db-0 in EndpointSlice shop/db-west" in sources
