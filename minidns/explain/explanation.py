"""A question and the zone index give an Explanation."""

from __future__ import annotations

from minidns.core import answers, names, reasons, records
from minidns.core.answers import Answer
from minidns.core.names import Name
from minidns.core.why import Why, sentence, shown
from minidns.core.zone import Zone
from minidns.explain.advice import Advice, Case, of_service, some, to_be_selected
from minidns.explain.behind import Behind, number
from minidns.explain.ground import Ground
from minidns.explain.imports import of_import
from minidns.explain.places import of_alias, of_place
from minidns.explain.pods import of_pod
from minidns.explain.ports import of_port, without_slices
from minidns.explain.question import host, name_text, parse_name, path, read
from minidns.explain.sources import listed
from minidns.explain.types import Ede, Explanation


def explain(
    zone: Zone,
    name: Name | str,
    type_: int = records.A,
    *,
    forwards: bool = False,
    fallthrough: tuple[Name, ...] = (),
    ground: Ground | None = None,
) -> Explanation:
    """Why `zone` answers a question of class IN as it does.

    name: a Name, or text for `parse_name`, which raises ValueError for what is no name.
    forwards, fallthrough: as the zone's responder has them: what is answered by somebody else.
    ground: what the objects come from, where that is known.
    """
    name = parse_name(name) if isinstance(name, str) else name.lower()
    given = answers.answer(zone, name, type_)
    away = _is_away(given, name, forwards, fallthrough)
    text = "" if away else sentence(given.reason)
    below = path(zone, name)
    behind = _behind(zone, name, below)
    advice = _advice(Case(zone, name, type_, given.reason, below, behind, ground), given, forwards=forwards)
    origin = zone.origin(name)
    negative = not given.answer and bool(given.authority)
    return Explanation(
        name_text(name),
        records.type_text(type_),
        None if away else records.RCODES[given.rcode],
        None if away or given.outside else _resolves(given, type_),
        given.reason.why.name.lower(),
        text or _summary(given, behind, below, away=away),
        Ede(given.reason.code, text) if text else None,
        None if origin is None else name_text(origin),
        read(zone, name),
        behind.facts(host(zone, below)) if behind else None,
        listed(zone, given.answer, behind),
        sum(len(rrset.rdata) for rrset in given.answer),
        zone.settings.negative_ttl if negative and not away else None,
        advice.facts,
        advice.steps,
        advice.suggestions,
    )


def _is_away(given: Answer, name: Name, forwards: bool, fallthrough: tuple[Name, ...]) -> bool:
    """Whether the responder hands the question to somebody else."""
    if given.reason.why is Why.OUTSIDE:
        return forwards
    missing = given.rcode == records.NXDOMAIN and not given.answer
    return missing and any(names.is_below(name, origin) for origin in fallthrough)


def _resolves(given: Answer, type_: int) -> bool:
    return any(rrset.type == type_ or type_ == records.ANY for rrset in given.answer)


def _behind(zone: Zone, name: Name, below: list[str]) -> Behind | None:
    """What is behind the Service that the labels name, or that a reverse name points at."""
    if len(below) > 2 and below[0] == "svc":
        return Behind(zone, (below[1], below[2]))
    pointers = answers.rrset_at(zone, name, records.PTR) if name in zone.nodes else None
    services = (reasons.service_at(zone, target) for target in (pointers.rdata if pointers else ()))
    return next((Behind(zone, service.key) for service in services if service), None)


def _advice(case: Case, given: Answer, *, forwards: bool) -> Advice:
    of_a_set = case.zone.settings.multicluster
    advice = of_import(case, case.behind) if of_a_set and case.behind and case.path else of_pod(case)
    if advice == Advice() and case.behind and case.path:
        advice = of_port(case, case.behind)
    if advice == Advice():
        advice = of_place(case)
    if advice == Advice() and case.behind and case.path and not of_a_set:
        advice = of_service(case, case.behind)
    if not of_a_set and given.reason.why is Why.RECORDS and case.behind and len(case.path) == 3:
        advice = _about(case, case.behind)
    facts = (*of_alias(case.zone, case.type, given, forwards=forwards), *advice.facts)
    if case.behind and (odd := case.behind.left_out()):
        facts += (f"left out, because no record can hold it: {some(odd)}",)
    return advice._replace(facts=facts)


def _about(case: Case, behind: Behind) -> Advice:
    """What a person should know about the endpoints behind a Service whose name has records."""
    if behind.service and behind.service.headless:
        told = some(behind.waiting, lambda row: f"{row.who} ({row.state})")
        return Advice((f"left out, because it is not ready: {told}",) if told else ())
    total, ready = behind.total, behind.ready_total
    if not total:
        why = f": its selector {behind.selector} matches no running pod" if behind.selector else ""
        return Advice((f"no endpoint is behind it{why}; connections fail",), to_be_selected(case, behind))
    advice = without_slices(case, behind)
    one = "1 of 1 is" if total == 1 and ready else f"{ready} of {total} {'is' if ready == 1 else 'are'}"
    fact = f"a cluster IP answers whether or not an endpoint is ready: {one}"
    return advice._replace(facts=(fact, *advice.facts))


def _summary(given: Answer, behind: Behind | None, below: list[str], *, away: bool) -> str:
    """The sentence of an answer that has no Extended DNS Error."""
    if away:
        return "not answered here: the next server that is configured for such names is asked"
    counts = {rrset.type: len(rrset.rdata) for rrset in given.answer}
    what = " and ".join(number(n, records.type_text(type_) + " record") for type_, n in counts.items())
    if behind is None or behind.service is None:
        return what
    if len(below) > 4 and below[3].startswith("_"):
        return f"{what} of port {shown(below[4][1:])}/{shown(below[3][1:])} of {behind.title}"
    if len(below) > 3:
        return f"{what} of endpoint {shown('.'.join(below[:2:-1]))} of {behind.title}"
    if below and behind.service.headless:
        return f"{what} of {behind.title}: {behind.ready_total} of {number(behind.total, 'endpoint')} ready"
    return f"{what} of {behind.title}"
