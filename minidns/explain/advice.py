"""For each reason of a negative answer: what else the index knows about it, what to do next, and what may have been
meant. Functions of a Service's reasons are here, those of its ports in `minidns.explain.ports`, of pods in
`minidns.explain.pods`, of places in the zone in `minidns.explain.places`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection
from dataclasses import dataclass
from heapq import nsmallest
from itertools import chain, islice
from typing import Any, NamedTuple

from minidns.core import names, records
from minidns.core.names import Name
from minidns.core.why import Reason, Why, shown
from minidns.core.zone import Zone
from minidns.explain.behind import Behind, number
from minidns.explain.ground import Ground
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
    the Service that the labels name, None when they name none. `ground`: where the objects are written, if that is
    known."""

    zone: Zone
    name: Name
    type: int
    reason: Reason
    path: list[str]
    behind: Behind | None
    ground: Ground | None = None

    @property
    def origin(self) -> str:
        return name_text(self.zone.settings.origin)


Rule = Callable[[Case, Behind], Advice]


def some(words: Collection[Any], text: Callable[[Any], str] = str) -> str:
    """A list in a sentence: "a, b and 7 more"; escaped. text: what is said of each."""
    more = len(words) - LISTED
    return ", ".join(shown(text(word)) for word in islice(words, LISTED)) + (f" and {more} more" if more > 0 else "")


def first(words: Collection[str]) -> str:
    """The first words of many by the alphabet, as `some` has them."""
    listed = [shown(word) for word in nsmallest(LISTED, words)]
    more = len(words) - len(listed)
    return ", ".join(listed) + (f" and {more} more" if more else "")


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
    close = nearest(wanted, here)
    if others:
        steps.append("from a pod of another namespace the short name needs the namespace too: SERVICE.NAMESPACE")
    if close:
        facts.append(f"nearest Services in namespace {shown(namespace)}: {some(close)}")
    elif not others:
        facts.append(
            f"namespace {shown(namespace)} has {number(len(here), 'Service')}" + (f": {first(here)}" if here else "")
        )
    places = [(wanted, other, "svc") for other in others] + [(near, namespace, "svc") for near in close]
    suggestions = existing(case.zone, *((*rest, *place) for place in places), *places)
    return Advice(tuple(facts), tuple(steps), tuple(suggestions))


def _no_slices(_: Case, behind: Behind) -> Advice:
    if behind.selector:
        fact = f"it has the selector {behind.selector}, so the cluster makes its slices"
        return Advice((fact,), ("is the cluster's EndpointSlice controller running?",))
    step = f"write an EndpointSlice with the label kubernetes.io/service-name: {shown(behind.key[1])}"
    return Advice(("it has no selector, so nobody makes slices for it",), (step,))


def _no_endpoints(case: Case, behind: Behind) -> Advice:
    return Advice((f"{_slices(behind)} without endpoints: {some(behind.slices)}",), to_be_selected(case, behind))


def _slices(behind: Behind) -> str:
    return "EndpointSlice" if len(behind.slices) == 1 else "EndpointSlices"


def to_be_selected(case: Case, behind: Behind) -> tuple[str, ...]:
    """What to do when a Service has no endpoint, ready or not."""
    if not behind.selector:
        return ("it has no selector: its slices are filled by hand",)
    if case.ground:
        written = case.ground.written("Service", *behind.key)
        where = f" ({written})" if written else ""
        return (f"compare its selector{where} with the labels in the templates of pods: minidns lint tells more",)
    get = f"kubectl get pods -n {argument(behind.key[0])} -l {argument(behind.selector)}"
    return (f"compare the selector with the labels of the pods, and see whether one runs: {get}",)


def _none_ready(case: Case, behind: Behind) -> Advice:
    return Advice(steps=until_ready(case, behind))  # which they are is told with the Service


def _ignored(case: Case, behind: Behind) -> Advice:
    advice = _none_ready(case, behind) if behind.total else Advice()
    fact = "`ignore empty_service` is on: a Service without a ready endpoint has no name"
    return advice._replace(facts=(fact, *advice.facts))


def until_ready(case: Case, behind: Behind, label: str | None = None) -> tuple[str, ...]:
    """What makes an endpoint ready: that of a label, or the first that is not."""
    waiting = [row for row in behind.waiting if row.endpoint.pod]
    meant = (row for row in waiting if label is None or label in map(str.lower, row.labels))
    pod = next((row.endpoint.pod for row in chain(meant, waiting)), None)
    steps = ["an endpoint has its names while its conditions.ready is true"]
    if pod:
        known = case.ground.unready(behind.key[0], pod) if case.ground else ""
        look = f"kubectl describe pod -n {argument(behind.key[0])} {argument(pod)}"
        steps = [known or f"a pod gets its names when its readiness probe passes: {look}"]
    if behind.service and behind.service.headless and not behind.service.publish_not_ready:
        written = case.ground.written("Service", *behind.key) if case.ground else ""
        where = f" in {written}" if written else ""
        steps.append(f"spec.publishNotReadyAddresses: true{where} would give them names before that")
    return tuple(steps)


def _host_not_ready(case: Case, behind: Behind) -> Advice:
    label = case.path[3]
    facts = [
        f"{row.who} is {row.state}, with address {', '.join(map(names.address_text, row.endpoint.addresses))}"
        for row in behind.waiting
        if label in map(str.lower, row.labels)
    ]
    return Advice((some(facts),), until_ready(case, behind, label))


def _no_host(case: Case, behind: Behind) -> Advice:
    wanted, key = case.path[3], behind.key
    ready, waiting = behind.labels(ready=True), behind.labels(ready=False)
    facts = [f"names below it: {some(ready)}"] if ready else []
    facts += [f"would be names if they were ready: {some(waiting)}"] if waiting else []
    steps = []
    if other := behind.of_pod(wanted):
        facts.insert(0, f"pod {shown(wanted)} is behind it as {some(other.labels)}: its endpoint has no hostname")
        steps.append(
            f"a pod has its own name below a Service when its spec.subdomain (a StatefulSet's serviceName) is"
            f" {shown(key[1])}"
        )
    else:
        steps.append("the name of a pod goes when the pod goes: was it deleted, or scaled away?")
    close = ((near, key[1], key[0], "svc") for near in nearest(wanted, ready))
    return Advice(tuple(facts), tuple(steps), tuple(existing(case.zone, *close)))


def _no_address(case: Case, behind: Behind) -> Advice:
    step = f"the API server assigns one: is {behind.title} stuck?"
    if case.ground:
        step = "minidns gives it one of --service-cidr, as the API server would: the log says why there is none"
    return Advice(("its spec.clusterIPs is empty",), (step,))


def _other_family(case: Case, _: Behind) -> Advice:
    other = "AAAA" if case.type == records.A else "A"
    step = f"ask for {other}, or give the Service both families (spec.ipFamilyPolicy: PreferDualStack)"
    return Advice((), (step,))


def argument(text: str) -> str:
    """Text of the cluster in a command that people copy."""
    return shlex.quote(shown(text))


def _list(words: Collection[str]) -> str:
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
    Why.NO_ADDRESS: _no_address,
    Why.OTHER_FAMILY: _other_family,
}
