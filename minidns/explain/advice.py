"""For each reason of a negative answer: what else the index knows about it, what to do next, and what may have been
meant. Functions of a Service's reasons are here, those of places in the zone in `minidns.explain.places`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from minidns.core import names, records
from minidns.core.names import Name
from minidns.core.reasons import ports
from minidns.core.why import Reason, Why, shown
from minidns.core.zone import Zone
from minidns.explain.behind import Behind, number, port_text
from minidns.explain.nearest import existing, nearest
from minidns.explain.question import name_text

#: Words of a list in a sentence.
LISTED = 10


class Advice(NamedTuple):
    """More sentences, what to do, and names that exist and may have been meant."""

    facts: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A question and its reason. `path`: the labels below the zone's origin, from the right. `behind`: what is behind
    the Service that the labels name, None when they name none."""

    zone: Zone
    name: Name
    type: int
    reason: Reason
    path: list[str]
    behind: Behind | None

    @property
    def origin(self) -> str:
        return name_text(self.zone.settings.origin)


Rule = Callable[[Case, Behind], Advice]


def some(words: Iterable[str]) -> str:
    """A list in a sentence: "a, b and 7 more"; escaped."""
    every = [shown(word) for word in words]
    more = len(every) - LISTED
    return ", ".join(every[:LISTED]) + (f" and {more} more" if more > 0 else "")


def of_service(case: Case, behind: Behind) -> Advice:
    """Advice where the labels of the name lead to a Service, or to one that is missing."""
    rule = _RULES.get(case.reason.why)
    return rule(case, behind) if rule else Advice()


def _no_service(case: Case, behind: Behind) -> Advice:
    namespace, wanted = behind.key
    rest = tuple(case.path[:2:-1])
    facts, steps = [], []
    if behind.slices:
        facts.append(f"EndpointSlice {some(behind.slices)} is there, labelled with Service {shown(wanted)}")
        steps.append("a slice gives names only to a Service that exists: create the Service")
    others = case.zone.namespaces_with(wanted)
    here = case.zone.cluster.services_in(namespace)
    close = nearest(wanted, sorted(here))
    if others:
        steps.append("from a pod of another namespace the short name needs the namespace too: SERVICE.NAMESPACE")
    if close:
        facts.append(f"nearest Services in namespace {shown(namespace)}: {some(close)}")
    elif not others:
        facts.append(f"namespace {shown(namespace)} has {number(len(here), 'Service')}" + _list(sorted(here)))
    places = [(wanted, other, "svc") for other in others] + [(near, namespace, "svc") for near in close]
    suggestions = existing(case.zone, *((*rest, *place) for place in places), *places)
    return Advice(tuple(facts), tuple(steps), tuple(suggestions))


def _no_slices(_: Case, behind: Behind) -> Advice:
    if behind.selector:
        fact = f"it has the selector {behind.selector}, so the cluster makes its slices"
        return Advice((fact,), ("is the cluster's EndpointSlice controller running?",))
    step = f"write an EndpointSlice with the label kubernetes.io/service-name: {shown(behind.key[1])}"
    return Advice(("it has no selector, so nobody makes slices for it",), (step,))


def _no_endpoints(_: Case, behind: Behind) -> Advice:
    facts = (f"EndpointSlices without endpoints: {some(behind.slices)}",)
    if not behind.selector:
        return Advice(facts, ("it has no selector: its slices are filled by hand",))
    get = f"kubectl get pods -n {_argument(behind.key[0])} -l {_argument(behind.selector)}"
    return Advice(facts, (f"compare the selector with the labels of the pods, and see whether one runs: {get}",))


def _none_ready(_: Case, behind: Behind) -> Advice:
    waiting = [f"{row.who} ({row.state})" for row in behind.rows if not row.endpoint.ready]
    return Advice((f"its endpoints: {some(waiting)}",), _until_ready(behind))


def _ignored(case: Case, behind: Behind) -> Advice:
    advice = _none_ready(case, behind) if behind.rows else Advice()
    fact = "`ignore empty_service` is on: a Service without a ready endpoint has no name"
    return advice._replace(facts=(fact, *advice.facts))


def _until_ready(behind: Behind) -> tuple[str, ...]:
    first = next((row.endpoint.pod for row in behind.rows if row.endpoint.pod and not row.endpoint.ready), None)
    steps = ["an endpoint has its names while its conditions.ready is true"]
    if first:
        look = f"kubectl describe pod -n {_argument(behind.key[0])} {_argument(first)}"
        steps = [f"a pod gets its names when its readiness probe passes: {look}"]
    if behind.service and behind.service.headless and not behind.service.publish_not_ready:
        steps.append("spec.publishNotReadyAddresses: true would give them names before that")
    return tuple(steps)


def _host_not_ready(case: Case, behind: Behind) -> Advice:
    label = case.path[3]
    facts = [
        f"{row.who} is {row.state}, with address {', '.join(map(names.address_text, row.endpoint.addresses))}"
        for row in behind.rows
        if not row.endpoint.ready and label in map(str.lower, row.labels)
    ]
    return Advice((some(facts),), _until_ready(behind))


def _no_host(case: Case, behind: Behind) -> Advice:
    wanted, key = case.path[3], behind.key
    ready, waiting = behind.labels(ready=True), behind.labels(ready=False)
    facts = [f"names below it: {some(ready)}"] if ready else []
    facts += [f"would be names if they were ready: {some(waiting)}"] if waiting else []
    steps = []
    if other := next((row for row in behind.rows if row.endpoint.pod == wanted), None):
        facts.insert(0, f"pod {shown(wanted)} is behind it as {some(other.labels)}: its endpoint has no hostname")
        steps.append(
            f"a pod has its own name below a Service when its spec.subdomain (a StatefulSet's serviceName) is"
            f" {shown(key[1])}"
        )
    else:
        steps.append("the name of a pod goes when the pod goes: was it deleted, or scaled away?")
    close = ((near, key[1], key[0], "svc") for near in nearest(wanted, ready))
    return Advice(tuple(facts), tuple(steps), tuple(existing(case.zone, *close)))


def _no_port(case: Case, behind: Behind) -> Advice:
    assert behind.service
    known = ports(case.zone, behind.service)
    namespace, service = behind.key
    paths = [(f"_{port.name}", f"_{port.protocol}", service, namespace, "svc") for port in known if port.name]
    facts = (f"its ports: {some(map(port_text, known))}",) if known else ()
    suggestions = existing(case.zone, *paths)
    steps = ("a port's name is _PORT._PROTOCOL.SERVICE.NAMESPACE.svc, with the port's name, not its number",)
    return Advice(facts, steps, tuple(suggestions[:LISTED]))


def _port_unnamed(case: Case, behind: Behind) -> Advice:
    advice = _no_port(case, behind)
    namespace, service = behind.key
    step = "give the port a name in the Service's spec.ports, or ask for SRV at the Service's own name"
    return advice._replace(steps=(step,), suggestions=tuple(existing(case.zone, (service, namespace, "svc"))))


def _port_not_ready(case: Case, behind: Behind) -> Advice:
    return Advice(_no_port(case, behind).facts, _until_ready(behind))


def _too_deep(case: Case, behind: Behind) -> Advice:
    namespace, service = behind.key
    step = "below a Service there are HOST.SERVICE and _PORT._PROTOCOL.SERVICE, and nothing deeper"
    wanted = [label.removeprefix("_") for label in case.path[4:2:-1]]
    assert behind.service
    meant = [port for port in ports(case.zone, behind.service) if wanted == [port.name.lower(), port.protocol.lower()]]
    paths = [(f"_{port.name}", f"_{port.protocol}", service, namespace, "svc") for port in meant]
    host = (case.path[3], service, namespace, "svc")
    return Advice((), (step,), tuple(existing(case.zone, *paths, host)))


def _no_address(_: Case, behind: Behind) -> Advice:
    return Advice(("its spec.clusterIPs is empty",), (f"the API server assigns one: is {behind.title} stuck?",))


def _other_family(case: Case, _: Behind) -> Advice:
    other = "AAAA" if case.type == records.A else "A"
    step = f"ask for {other}, or give the Service both families (spec.ipFamilyPolicy: PreferDualStack)"
    return Advice((), (step,))


def _argument(text: str) -> str:
    """Text of the cluster in a command that people copy."""
    return shlex.quote(shown(text))


def _list(words: Iterable[str]) -> str:
    text = some(words)
    return f": {text}" if text else ""


_RULES: dict[Why, Rule] = {
    Why.NO_SERVICE: _no_service,
    Why.ELSEWHERE: _no_service,
    Why.NO_SLICES: _no_slices,
    Why.NO_ENDPOINTS: _no_endpoints,
    Why.NONE_READY: _none_ready,
    Why.IGNORED: _ignored,
    Why.HOST_NOT_READY: _host_not_ready,
    Why.NO_HOST: _no_host,
    Why.NO_PORT: _no_port,
    Why.OTHER_PROTOCOL: _no_port,
    Why.PORT_UNNAMED: _port_unnamed,
    Why.PORT_NOT_READY: _port_not_ready,
    Why.PORT_NUMBER: _no_port,
    Why.TOO_DEEP: _too_deep,
    Why.NO_ADDRESS: _no_address,
    Why.OTHER_FAMILY: _other_family,
}
