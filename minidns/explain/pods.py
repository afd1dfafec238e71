"""Advice where a name is that of a pod: a pod has a name below a Service, and no other."""

from __future__ import annotations

from collections.abc import Iterator

from minidns.core import names
from minidns.core.model import Key, Service
from minidns.core.why import Why, shown
from minidns.core.zone import Zone
from minidns.explain.advice import Advice, Case
from minidns.explain.behind import Behind, Row
from minidns.explain.nearest import existing

#: Services and endpoints that are looked at for a pod, one by one, however many there are: half a millisecond.
_LOOKED_AT = 2000


def of_pod(case: Case) -> Advice:
    """Advice where a label that should be a Service's is a pod's, or the first label is, below no Service."""
    namespace, label, service = "", "", ""
    match case.reason.why:
        case Why.NO_SERVICE:
            namespace, label = case.path[1], case.path[2]
            if len(case.path) == 4 and not find(case.zone, label, namespace):
                label, service = case.path[3], label
        case Why.NO_NAME | Why.OUTSIDE:
            words = [one.decode("utf-8", "surrogateescape") for one in names.labels(case.name)]
            words = case.path[::-1] if case.path else words
            words = words[: words.index("svc")] if "svc" in words else words
            if not 1 <= len(words) <= 2 or case.zone.namespaces_with(words[-1]):
                return Advice()
            label, namespace = words[0], words[1] if len(words) > 1 else ""
    found = find(case.zone, label, namespace) if label else None
    return _told(case, *found, service) if found else Advice()


def _told(case: Case, behind: Behind, row: Row, missing: str) -> Advice:
    """missing: the Service that the name has instead of one that is there."""
    namespace, service = behind.key
    pod, own = shown(row.endpoint.pod or row.labels[0]), shown(service)
    fact = f"{pod} is a pod, behind {behind.title}" + ("" if row.endpoint.ready else f", and {row.state}")
    steps = [f"a pod is asked for below its Service: {shown(row.labels[0])}.{own}"]
    if not row.endpoint.hostname and row.labels[0] != row.endpoint.pod:
        there = f"there is no Service {shown(missing)}: " if missing else ""
        steps[0] += ", a name that changes with its address"
        steps.append(f"{there}a StatefulSet's serviceName (a pod's spec.subdomain) has to be {own} for {pod}.{own}")
    suggestions = existing(case.zone, *((label, service, namespace, "svc") for label in row.labels))
    return Advice((fact,), tuple(steps), tuple(suggestions))


def find(zone: Zone, pod: str, namespace: str = "") -> tuple[Behind, Row] | None:
    """A pod of that name (in lower case) behind a Service, in one namespace or, for "", in any; a headless Service is
    preferred. Only the first so many endpoints are looked at."""
    holders = list(_holders(zone, pod, namespace))
    services = (zone.cluster.service(key) for key in holders)
    best = next((service.key for service in services if service and service.headless), holders[0] if holders else None)
    behind = Behind(zone, best) if best else None
    rows = behind.rows(lambda one: pod in ((one.pod or "").lower(), (one.hostname or "").lower())) if behind else ()
    return next(((behind, row) for row in rows if behind and row.labels), None)


def _holders(zone: Zone, pod: str, namespace: str) -> Iterator[Key]:
    inside = ((namespace, name) for name in sorted(zone.cluster.services_in(namespace)))
    left = _LOOKED_AT
    for key in inside if namespace else zone.cluster.all(Service):
        slices = zone.cluster.slices(key)
        # Lists, not generators, and none for nothing: a third of the time.
        endpoints = [one for slice_ in slices.values() for one in slice_.endpoints] if slices else ()
        left -= 1 + len(endpoints)
        if left < 0:
            return
        if endpoints and (pod in [one.pod for one in endpoints] or pod in [one.hostname for one in endpoints]):
            yield key
