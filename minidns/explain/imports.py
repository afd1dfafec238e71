"""Advice in the zone of a cluster set: who makes ServiceImports and their slices, what their endpoints are named."""

from __future__ import annotations

from minidns.core import records
from minidns.core.reasons import clusters_of
from minidns.core.why import Why, shown
from minidns.explain.advice import Advice, Case, Rule, argument, first, some
from minidns.explain.behind import Behind, number
from minidns.explain.nearest import existing, nearest


def of_import(case: Case, behind: Behind) -> Advice:
    """Advice where the labels of the name lead to a ServiceImport, or to one that is missing."""
    if case.reason.why is Why.RECORDS and len(case.path) == 3:
        return _about(behind)
    rule = _RULES.get(case.reason.why)
    return rule(case, behind) if rule else Advice()


def _about(behind: Behind) -> Advice:
    """What a person should know about the endpoints behind a ServiceImport whose name has records."""
    if behind.service and behind.service.headless:
        waiting = _waiting(behind)
        return Advice((f"left out, because it is not ready: {some(waiting)}",) if waiting else ())
    return Advice(("a ClusterSetIP answers whether or not an endpoint is ready, in any cluster",))


def _no_import(case: Case, behind: Behind) -> Advice:
    namespace, wanted = behind.key
    facts = []
    if case.zone.cluster.own_service(behind.key):
        facts.append(f"Service {shown('/'.join(behind.key))} of this cluster is in its own zone, and is not imported")
    if behind.slices:
        facts.append(f"EndpointSlice {some(behind.slices)} is there, labelled with ServiceImport {shown(wanted)}")
    here, others = case.zone.cluster.services_in(namespace), case.zone.namespaces_with(wanted)
    count = number(len(here), "ServiceImport")
    facts.append(f"namespace {shown(namespace)} has {count}" + (f": {first(here)}" if here else ""))
    look = f"kubectl get serviceexports,serviceimports -n {argument(namespace)}"
    steps = (f"a ServiceImport comes when a cluster of the set exports the Service: {look}",)
    rest = tuple(case.path[:2:-1])
    places = [(wanted, other, "svc") for other in others]
    places += [(near, namespace, "svc") for near in nearest(wanted, here)]
    return Advice(tuple(facts), steps, tuple(existing(case.zone, *((*rest, *place) for place in places), *places)))


def _no_slices(_: Case, behind: Behind) -> Advice:
    label = f"multicluster.kubernetes.io/service-name: {shown(behind.key[1])}"
    step = (
        "what connects the clusters makes them: does it bring endpoints over (Cilium: EndpointSlice synchronization)?"
    )
    return Advice((f"its endpoints come in EndpointSlices with the label {label}",), (step,))


def _no_endpoints(case: Case, behind: Behind) -> Advice:
    assert behind.service
    where = some(clusters_of(case.zone, behind.service)) or "that export it"
    return Advice(
        (f"without endpoints: EndpointSlice {some(behind.slices)}",),
        (f"look at its endpoints where it is exported: clusters {where}",),
    )


def _not_ready(case: Case, behind: Behind) -> Advice:
    wanted = case.path[4] + "." + case.path[3] if len(case.path) == 5 else ""
    waiting = _waiting(behind, wanted)
    facts = (f"not ready: {some(waiting)}",) if waiting else ()
    return Advice(facts, ("an endpoint has its names while it is ready in its own cluster",))


def _ignored(case: Case, behind: Behind) -> Advice:
    advice = _not_ready(case, behind)
    fact = "`ignore empty_service` is on: a ServiceImport without a ready endpoint has no name"
    return advice._replace(facts=(fact, *advice.facts))


def _waiting(behind: Behind, name: str = "") -> list[str]:
    """The endpoints that are not ready, or those of them that would have that name."""
    return [
        f"{row.who}{f' in cluster {row.slice.cluster}' if row.slice.cluster else ''} ({row.state})"
        for row in behind.waiting
        if not name or name in map(str.lower, row.names)
    ]


def _no_name(case: Case, behind: Behind) -> Advice:
    """A host without its cluster, or one that is not there."""
    assert behind.service
    namespace, service = behind.key
    ready, waiting = behind.labels(ready=True), behind.labels(ready=False)
    facts = [f"names below it: {some(ready)}"] if ready else []
    facts += [f"would be names if they were ready: {some(waiting)}"] if waiting else []
    clusters = clusters_of(case.zone, behind.service)
    hosts = case.path[3:5]
    meant = [(host, cluster, service, namespace, "svc") for host in hosts for cluster in clusters]
    step = "in a cluster set the name of an endpoint is HOST.CLUSTER.SERVICE.NAMESPACE.svc"
    return Advice(tuple(facts), (step,), tuple(existing(case.zone, *meant)))


def _too_deep(case: Case, behind: Behind) -> Advice:
    step = "below a ServiceImport there are HOST.CLUSTER.SERVICE and _PORT._PROTOCOL.SERVICE, and nothing deeper"
    return Advice((), (step,), _no_name(case, behind).suggestions)


def _no_address(_: Case, __: Behind) -> Advice:
    return Advice(("its spec.ips is empty",), ("what implements the Multi-Cluster Services API assigns them",))


def _other_family(case: Case, _: Behind) -> Advice:
    return Advice((), (f"ask for {'AAAA' if case.type == records.A else 'A'}",))


_RULES: dict[Why, Rule] = {
    Why.NO_SERVICE: _no_import,
    Why.ELSEWHERE: _no_import,
    Why.NO_SLICES: _no_slices,
    Why.NO_ENDPOINTS: _no_endpoints,
    Why.NONE_READY: _not_ready,
    Why.CLUSTER_NOT_READY: _not_ready,
    Why.HOST_NOT_READY: _not_ready,
    Why.IGNORED: _ignored,
    Why.NO_CLUSTER: _no_name,
    Why.NO_HOST: _no_name,
    Why.TOO_DEEP: _too_deep,
    Why.NO_ADDRESS: _no_address,
    Why.OTHER_FAMILY: _other_family,
}
