"""Advice about the names of ports: _PORT._PROTOCOL.SERVICE.NAMESPACE.svc, and SRV at a Service's own name."""

from __future__ import annotations

from minidns.core import records
from minidns.core.model import Port
from minidns.core.reasons import nowhere_ports, ports
from minidns.core.why import Why
from minidns.explain.advice import LISTED, Advice, Case, Rule, argument, some, until_ready
from minidns.explain.behind import Behind, port_text
from minidns.explain.nearest import existing


def of_port(case: Case, behind: Behind) -> Advice:
    """Advice where the reason is about a port of a Service that is there."""
    rule = _RULES.get(case.reason.why)
    if rule is None and case.reason.why is Why.NO_TYPE and case.type == records.SRV and len(case.path) == 3:
        rule = _nowhere
    return rule(case, behind) if rule else Advice()


def without_slices(case: Case, behind: Behind) -> Advice:
    """What to say about ports of a cluster IP that lead to no pod: the address and SRV answer all the same."""
    missing = nowhere_ports(case.zone, behind.service) if behind.service else []
    facts = tuple(f"{fact}: connections to it fail" for fact in map(_in_no_slice, missing))
    return Advice(facts, _to_be_listed(case, behind) if missing else ())


def _in_no_slice(port: Port) -> str:
    return f"port {port_text(port)} is in none of its EndpointSlices"


def _to_be_listed(case: Case, behind: Behind) -> tuple[str, ...]:
    if not behind.selector:
        return ("it has no selector: the ports of its slices are written by hand",)
    written = case.ground.written("Service", *behind.key) if case.ground else ""
    where = f" ({written})" if written else ""
    step = f"a targetPort that is a name{where} has to be the name of a port of a container"
    look = f"kubectl get pods -n {argument(behind.key[0])} -l {argument(behind.selector)} -o yaml"
    return (step,) if case.ground else (f"{step}: {look}",)


def _nowhere(case: Case, behind: Behind) -> Advice:
    missing = nowhere_ports(case.zone, behind.service) if behind.service else []
    return Advice(tuple(map(_in_no_slice, missing)), _to_be_listed(case, behind)) if missing else Advice()


def _no_port(case: Case, behind: Behind) -> Advice:
    assert behind.service
    known = ports(case.zone, behind.service)
    namespace, service = behind.key
    paths = [(f"_{port.name}", f"_{port.protocol}", service, namespace, "svc") for port in known if port.name]
    facts = (f"its ports: {some(known, port_text)}",) if known else ()
    suggestions = existing(case.zone, *paths)
    steps = ("a port's name is _PORT._PROTOCOL.SERVICE.NAMESPACE.svc, with the port's name, not its number",)
    return Advice(facts, steps, tuple(suggestions[:LISTED]))


def _no_underscore(case: Case, behind: Behind) -> Advice:
    namespace, service = behind.key
    labels = case.reason.place.split("._")
    path = (labels[0], f"_{labels[-1]}", service, namespace, "svc")
    step = "underscores keep the names of ports apart from the names of hosts (RFC 2782)"
    return Advice((), (step,), tuple(existing(case.zone, path)))


def _port_unnamed(case: Case, behind: Behind) -> Advice:
    advice = _no_port(case, behind)
    namespace, service = behind.key
    written = case.ground.written("Service", *behind.key) if case.ground else ""
    where = f" ({written})" if written else ""
    step = f"give the port a name in the Service's spec.ports{where}, or ask for SRV at the Service's own name"
    return advice._replace(steps=(step,), suggestions=tuple(existing(case.zone, (service, namespace, "svc"))))


def _port_not_ready(case: Case, behind: Behind) -> Advice:
    return Advice(_no_port(case, behind).facts, until_ready(case, behind))


def _too_deep(case: Case, behind: Behind) -> Advice:
    namespace, service = behind.key
    step = "below a Service there are HOST.SERVICE and _PORT._PROTOCOL.SERVICE, and nothing deeper"
    return Advice((), (step,), tuple(existing(case.zone, (case.path[3], service, namespace, "svc"))))


_RULES: dict[Why, Rule] = {
    Why.NO_PORT: _no_port,
    Why.OTHER_PROTOCOL: _no_port,
    Why.NO_UNDERSCORE: _no_underscore,
    Why.PORT_UNNAMED: _port_unnamed,
    Why.PORT_NOT_READY: _port_not_ready,
    Why.PORT_NOWHERE: _nowhere,
    Why.PORT_NUMBER: _no_port,
    Why.TOO_DEEP: _too_deep,
}
