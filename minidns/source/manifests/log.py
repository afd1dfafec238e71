"""What manifests bring, in a line each, for the people who wrote them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from itertools import islice

from minidns.core import model
from minidns.source.manifests.controllers.manager import Controllers
from minidns.source.manifests.controllers.services import text
from minidns.source.manifests.controllers.space import Edit, Written
from minidns.source.manifests.objects import Service, ServiceImport
from minidns.source.manifests.pods import Pod, StatefulSet, Workload
from minidns.source.manifests.slices import Endpoints, EndpointSlice

log = logging.getLogger("minidns.manifests")

#: Lines logged at most for one start or one edit.
LINES = 30


def log_some(level: int, lines: Iterable[str], total: int | None = None) -> None:
    """At most LINES of them, and how many there were more."""
    lines = iter(lines)
    for line in islice(lines, LINES):
        log.log(level, "%s", line)
    more = sum(1 for _ in lines) if total is None else total - LINES
    if more > 0:
        log.log(level, "... and %d more", more)


def describe(written: Written, cluster: Controllers) -> str:
    """Which names an object brings, or why it brings none."""
    what = f"{type(written).__name__} {written.namespace}/{written.name}"
    match written:
        case Service():
            return _service(written, cluster)
        case Pod() | Workload():
            pods = cluster.pods(written)
            names = " ".join(pod.name for pod in pods[:3]) + (" ..." if len(pods) > 3 else "")
            if isinstance(written, Pod):
                return f"{what}: {_addresses(pods[0]) if pods else 'has ended, is no endpoint'}"
            return f"{what}: {count(len(pods), 'pod')}{', ' if names else ''}{names}{_behind(written, cluster)}"
        case EndpointSlice():
            service, labels = written.slice.service, written.labels
            of = f"of Service {service}" if service else "of no Service: label kubernetes.io/service-name is missing"
            if labels.imported:
                of = f"of ServiceImport {labels.imported} in cluster {labels.cluster or 'without a name'}"
            return f"{what}: {count(len(written.slice.endpoints), 'endpoint')} {of}"
        case ServiceImport():
            address = "headless" if written.spec.type == "Headless" else " ".join(written.spec.ips) or "no address"
            return f"{what}: {address}, for a zone of `multicluster`"
        case Endpoints():
            return f"{what}: mirrored to EndpointSlices of Service {written.name}"
        case _:
            return f"Namespace {written.name}"


def _service(service: Service, cluster: Controllers) -> str:
    made = cluster.find(model.Service, service.namespace, service.name)
    what = f"Service {service.namespace}/{service.name}"
    if not isinstance(made, model.Service):
        return what
    if made.external_name is not None:
        return f"{what}: an alias of {made.external_name}"
    endpoints = [e for each in cluster.slices(service.namespace, service.name) for e in each.endpoints]
    found, ready = len(endpoints), sum(e.ready for e in endpoints)
    told = (
        count(found, "endpoint") + (f", {ready or 'none'} ready" if ready < found else "") if found else "no endpoints"
    )
    selector = ",".join(f"{key}={value}" for key, value in made.selector)
    how = f"selects {selector}: " if selector else "no selector: "
    address = "headless" if made.headless else " ".join(map(text, made.cluster_ips)) or "no address"
    return f"{what}: {address}, {how}{told}"


def _behind(workload: Workload, cluster: Controllers) -> str:
    if not isinstance(workload, StatefulSet):
        return ""
    name = workload.spec.service_name
    if not name:
        return ", no serviceName: they have no names of their own"
    service = cluster.find(model.Service, workload.namespace, name)
    if not isinstance(service, model.Service):
        return f" behind Service {name}, which does not exist"
    return f" behind headless Service {name}" if service.headless else f" behind Service {name}, which is not headless"


def changes(edits: Iterable[Edit]) -> Iterator[str]:
    """A line for each thing that came, went or changed: "+pod web-2 10.244.0.9 in slice default/nginx-x7"."""
    told: set[model.Key] = set()
    for old, new in edits:
        some = new or old
        match some:
            case model.ImportedSlice():
                pass  # it is an EndpointSlice too
            case model.EndpointSlice():
                before = {_who(e): e for e in old.endpoints} if isinstance(old, model.EndpointSlice) else {}
                after = {_who(e): e for e in new.endpoints} if isinstance(new, model.EndpointSlice) else {}
                told |= {(some.namespace, each.pod) for each in (*before.values(), *after.values()) if each.pod}
                yield from _endpoints(before, after, f"in slice {some.namespace}/{some.name}")
            case model.Pod():
                if some.key not in told and (old is None or new is None):
                    yield f"{'-' if new is None else '+'}pod {some.namespace}/{some.name} {_addresses(some)}"
            case model.Service():
                address = some.external_name or ("headless" if some.headless else " ".join(map(text, some.cluster_ips)))
                sign = "-" if new is None else "+" if old is None else "changed: "
                yield f"{sign}{type(some).__name__} {some.namespace}/{some.name} {address}"
            case model.Namespace():
                yield f"{'-' if new is None else '+'}Namespace {some.name}"


def _endpoints(before: dict[str, model.Endpoint], after: dict[str, model.Endpoint], where: str) -> Iterator[str]:
    for who, endpoint in after.items():
        old = before.get(who)
        if old is None:
            yield f"+{who} {_addresses(endpoint)} {where}{'' if endpoint.ready else ', not ready'}"
        elif old != endpoint:
            moved = "" if old.addresses == endpoint.addresses else f" {_addresses(old)} -> {_addresses(endpoint)}"
            ready = "" if old.ready == endpoint.ready else ": ready" if endpoint.ready else ": not ready"
            yield f"{who}{moved}{ready or ('' if moved else ': changed')} {where}"
    yield from (f"-{who} {_addresses(old)} {where}" for who, old in before.items() if who not in after)


def _who(endpoint: model.Endpoint) -> str:
    return f"pod {endpoint.pod}" if endpoint.pod else f"endpoint {endpoint.hostname or _addresses(endpoint)}"


def _addresses(of: model.Endpoint | model.Pod) -> str:
    return " ".join(map(text, of.addresses)) or "without address"


def count(number: int, noun: str) -> str:
    """A number of things: "1 pod", "2 pods"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
