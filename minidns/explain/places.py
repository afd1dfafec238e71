"""Advice where the name leads to no Service: namespaces, pods, addresses, aliases, what is outside."""

from __future__ import annotations

from minidns.core import names, records
from minidns.core.answers import Answer, answer
from minidns.core.model import Namespace
from minidns.core.records import Rrset
from minidns.core.why import Why, sentence, shown
from minidns.core.zone import Zone
from minidns.explain.advice import Advice, Case, first, some
from minidns.explain.behind import Behind
from minidns.explain.nearest import existing, nearest
from minidns.explain.question import name_text


def of_place(case: Case) -> Advice:
    """Advice where the reason is about a place in the zone, or about none in it."""
    match case.reason.why:
        case Why.NO_NAMESPACE:
            return _no_namespace(case)
        case Why.NO_NAME | Why.OUTSIDE:
            return _not_here(case)
        case Why.NAMESPACE | Why.EMPTY if case.path[:1] == ["svc"] and len(case.path) == 2:
            here = case.zone.cluster.services_in(case.path[1])
            fact = f"Services in it: {first(here)}" if here else "there is no Service in it"
            return Advice((fact,), ("ask for SERVICE.NAMESPACE.svc",))
        case Why.PODS_DISABLED:
            return Advice((), ("`pods insecure` or `pods verified` in the configuration switches them on",))
        case Why.NO_POINTER:
            return _no_pointer(case)
        case Why.NO_RECORDS if case.behind and case.behind.service:
            external = case.behind.service.external_name or ""
            return Advice(
                (f'its spec.externalName is "{shown(external)}"',), ("write a domain name there, no address",)
            )
        case Why.NOT_SYNCED:
            return Advice((), ("ask again in a moment; if it stays, the server's log says what it waits for",))
        case Why.NO_TYPE:
            return Advice((), (f"ask for {' or '.join(case.reason.elsewhere)}",))
    return Advice()


def _no_namespace(case: Case) -> Advice:
    """The namespace is missing or mistyped, in the place of the Service, or was never meant to be one."""
    known = [name for _, name in case.zone.cluster.all(Namespace)]
    tree, wanted, *below = case.path
    close = nearest(wanted, known)
    facts = [f"nearest namespaces: {some(close)}"] if close else [f"namespaces: {first(known)}"] if known else []
    steps = []
    services = case.zone.namespaces_with(wanted) if tree == "svc" else ()
    if services:
        facts.append(f"{shown(wanted)} is the name of a Service in namespace {some(services)}")
        steps.append("between the Service and svc belongs its namespace: SERVICE.NAMESPACE.svc")
    rest = tuple(below[::-1])
    elsewhere = case.zone.namespaces_with(below[0]) if below and tree == "svc" else ()
    paths = [(*rest, near, tree) for near in close] + [(*rest, other, tree) for other in elsewhere]
    paths += [(wanted, *below[:1], "svc")] + [(wanted, other, "svc") for other in services]
    return Advice(tuple(facts), tuple(steps), tuple(existing(case.zone, *paths)))


def _not_here(case: Case) -> Advice:
    """A name outside of every zone, or beside the trees of one: what it would be with the rest of a search list."""
    labels = tuple(label.decode("utf-8", "surrogateescape") for label in names.labels(case.name))
    if case.reason.why is Why.NO_NAME:
        labels = tuple(case.path[::-1])
    front = labels[: labels.index("svc")] if "svc" in labels else labels
    others = case.zone.namespaces_with(front[-1]) if front else ()
    suggestions = existing(case.zone, (*front, "svc"), *((*front, other, "svc") for other in others)) if front else []
    steps = []
    if suggestions and case.reason.why is Why.OUTSIDE:
        steps.append("a short name works where a search list completes it, as in a pod; here it needs the whole name")
    elif case.reason.why is Why.NO_NAME:
        steps.append(f"Services are SERVICE.NAMESPACE.svc.{case.origin}")
    facts = [f"the cluster's zone is {case.origin}"] if case.zone.origins else ["no zone is served here"]
    return Advice(tuple(facts), tuple(steps), tuple(suggestions))


def _no_pointer(case: Case) -> Advice:
    address = names.reversed_address(case.name)
    if address is None:
        step = "a reverse name has all four numbers of an IPv4 address, or all 32 digits of an IPv6 address, backwards"
        return Advice((), (step,))
    facts = [
        f"{row.who} of {behind.title} has that address, and is {row.state}"
        for behind in (Behind(case.zone, key) for key in case.zone.cluster.without_name(address))
        for row in behind.rows(lambda one: address in one.addresses)
    ]
    if facts:
        return Advice((some(facts),), ("an address has a name when its endpoint is ready and its Service exists",))
    return Advice((), ("a pod that comes back has a new address: ask for its name instead",))


def of_alias(zone: Zone, type_: int, given: Answer, *, forwards: bool) -> tuple[str, ...]:
    """What is known about the end of a chain of aliases."""
    facts = [f"{name_text(link.owner)} is an alias of {name_text(link.rdata[0])}" for link in _aliases(given)]
    if given.outside is not None:
        who = "the forwarder asks for it" if forwards else "no forwarder is configured: the client gets the alias alone"
        return (*facts, f"{name_text(given.outside)} is outside of every zone served here; {who}")
    if given.reason.why is Why.ALIAS_TARGET:
        target = given.answer[-1].rdata[0]
        end = answer(zone, target, type_)
        facts.append(f"{name_text(target)}: {records.RCODES[end.rcode]}, {sentence(end.reason)}")
    return tuple(facts)


def _aliases(given: Answer) -> list[Rrset]:
    return [rrset for rrset in given.answer if rrset.type == records.CNAME]
