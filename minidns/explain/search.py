"""A pod's search list, walked as the pod's resolver would."""

from __future__ import annotations

from collections.abc import Sequence

from minidns.core import names, records
from minidns.core.names import Name
from minidns.core.zone import Zone
from minidns.explain.explanation import explain
from minidns.explain.question import name_text, parse_name
from minidns.explain.types import Candidate, Explanation, Outcome, SearchExplanation

#: What `getaddrinfo` asks for, side by side.
BOTH = (records.A, records.AAAA)
NDOTS = 5


def explain_search(
    zone: Zone,
    name: str,
    namespace: str,
    types: Sequence[int] = BOTH,
    *,
    ndots: int = NDOTS,
    forwards: bool = False,
    fallthrough: tuple[Name, ...] = (),
) -> SearchExplanation:
    """What becomes of `name` in a pod of `namespace` (resolv.conf(5): search, ndots).

    A name with a final dot is tried as it is. One with at least `ndots` dots is tried as it is first, any other last.
    The first candidate that has records of one of the types ends the search. Raises ValueError for what is no name.
    """
    short = parse_name(name)
    tails = _search_list(zone, namespace)
    dots = max(0, len(names.labels(short)) - 1)
    candidates: list[Candidate] = []
    tried: list[Explanation] = []
    for candidate in _candidates(short, tails, as_it_is_first=dots >= ndots, absolute=name.endswith(".")):
        found = [explain(zone, candidate, type_, forwards=forwards, fallthrough=fallthrough) for type_ in types]
        outcomes = tuple(Outcome(one.type, one.rcode, one.resolves, one.record_count) for one in found)
        best = next((one for one in found if one.resolves is not False), found[0])
        candidates.append(Candidate(best.name, outcomes, best.sentence))
        tried.append(best)
        if best.resolves is not False:
            break
    end = tried[-1]
    return SearchExplanation(
        name_text(short),
        namespace,
        tuple(map(name_text, tails)),
        ndots,
        dots,
        tuple(candidates),
        len(candidates) * len(types),
        end.name if end.resolves else None,
        end.resolves,
        end if end.resolves is not False else max(tried, key=_closeness),
    )


def _search_list(zone: Zone, namespace: str) -> list[Name]:
    """As the kubelet writes it (`dnsPolicy: ClusterFirst`): NAMESPACE.svc.Z, svc.Z, Z."""
    origin = zone.settings.origin
    tree = names.child("svc", origin)
    own = tree and names.child(namespace, tree)
    if not own or not tree:
        raise ValueError(f"{namespace!r} is not a namespace: it is no label")
    return [own, tree, origin]


def _candidates(short: Name, tails: list[Name], *, as_it_is_first: bool, absolute: bool) -> list[Name]:
    if absolute:
        return [short]
    completed = [short[:-1] + tail for tail in tails if len(short) - 1 + len(tail) <= names.MAX_NAME]
    return [short, *completed] if as_it_is_first else [*completed, short]


def _closeness(explanation: Explanation) -> tuple[bool, bool, int]:
    """How much an explanation has to say about what the person may have meant."""
    service = explanation.service
    return service is not None, explanation.why == "elsewhere", len(explanation.suggestions)
