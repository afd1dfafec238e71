"""A pod's search list, walked as the pod's resolver would. The two resolvers that containers have differ:

| | glibc | musl (Alpine) |
|---|---|---|
| with `ndots` dots or more | the name as it is, then the search list | the name as it is, and nothing else |
| a name that exists without an address | the next one is tried | that is the answer: no address |
| SERVFAIL | sent twice, then the next one is tried | sent up to six times within 5 s, then an error |
| REFUSED | sent twice, then the name as it is is tried | sent again after 2.5 s, after 5 s an error |
| other types than A and AAAA | along the search list | as it is, without the search list |

Seen with glibc 2.36 and musl 1.2.3 asking a server, and read in resolv/res_query.c, resolv/res_send.c and
src/network/{lookup_name,res_msend}.c. Both ask for A and AAAA side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from enum import StrEnum
from functools import wraps
from typing import NamedTuple, ParamSpec, TypeVar

import msgspec

from minidns.core import names, records
from minidns.core.model import Namespace
from minidns.core.names import Name
from minidns.core.why import Why, shown
from minidns.core.zone import Zone
from minidns.explain.explanation import explain
from minidns.explain.ground import Ground
from minidns.explain.nearest import nearest
from minidns.explain.question import name_text, parse_name
from minidns.explain.types import Candidate, Explanation, Outcome, SearchExplanation

P = ParamSpec("P")
T = TypeVar("T")

#: What `getaddrinfo` asks for, side by side.
BOTH = (records.A, records.AAAA)
NDOTS = 5
#: More is not to be had: both resolvers take 15 instead.
MOST_NDOTS = 15


class Libc(StrEnum):
    """Whose resolver walks."""

    GLIBC = "glibc"
    MUSL = "musl"


def parse_libc(text: str) -> Libc:
    """`glibc` or `musl`; glibc for "". Raises ValueError."""
    if text not in ("", *Libc):
        raise ValueError(f"{shown(text)} is not a resolver known here: {' or '.join(Libc)}")
    return Libc(text) if text else Libc.GLIBC


def parse_ndots(text: str) -> int:
    """The number of dots, NDOTS for "". Raises ValueError."""
    if text and not (text.isascii() and text.isdigit() and len(text) < 4):
        raise ValueError(f"{shown(text)} is not a number of dots")
    return int(text) if text else NDOTS


class Found(NamedTuple):
    """What a query brought: an rcode, None when another server has to say, and how many records of its type."""

    rcode: int | None
    records: int = 0


class Then(StrEnum):
    """What a resolver does after the answers about one name."""

    FOUND = "found"
    NEXT = "next"
    AS_IT_IS = "as it is"
    FAILED = "failed"
    ELSEWHERE = "elsewhere"


class Search(NamedTuple):
    """What a resolver starts from (resolv.conf(5)). name: as the program gave it, without a final dot that it had
    (`absolute`). tails: the search list. types: what is asked for."""

    name: Name
    tails: tuple[Name, ...]
    ndots: int = NDOTS
    libc: Libc = Libc.GLIBC
    absolute: bool = False
    types: tuple[int, ...] = BOTH

    @property
    def dots(self) -> int:
        return max(0, len(names.labels(self.name)) - 1)

    @property
    def as_it_is_first(self) -> bool:
        """Whether the name is tried as it is before, or instead of, the search list."""
        enough = self.dots >= min(self.ndots, MOST_NDOTS)
        return self.absolute or enough or (self.libc is Libc.MUSL and not set(self.types) <= set(BOTH))

    @property
    def completed(self) -> list[Name]:
        """The name below each name of the search list, but for those that would be too long."""
        tails = [tail for tail in self.tails if len(self.name) - 1 + len(tail) <= names.MAX_NAME]
        return [self.name[:-1] + tail for tail in tails]


def search_of(
    origin: Name, name: str, namespace: str, types: Sequence[int] = BOTH, ndots: int = NDOTS, libc: Libc = Libc.GLIBC
) -> Search:
    """The search for a name in a pod of a namespace, with the list that the kubelet writes (`dnsPolicy: ClusterFirst`):
    NAMESPACE.svc.Z, svc.Z, Z. Without a namespace there is no list. Raises ValueError for what is no name."""
    tails: tuple[Name, ...] = ()
    if namespace:
        tree = names.child("svc", origin)
        own = tree and names.child(namespace, tree)
        if not own or not tree:
            raise ValueError(f"{namespace!r} is not a namespace: it is no label")
        tails = (own, tree, origin)
    return Search(parse_name(name), tails, ndots, libc, name.endswith("."), tuple(types))


def walk(search: Search) -> Generator[Name, Sequence[Found], None]:
    """The names that a resolver tries, in turn; is sent what each of them brought, by type."""
    if search.as_it_is_first:
        then = after(search.libc, (yield search.name))
        if search.absolute or search.libc is Libc.MUSL or then in (Then.FOUND, Then.ELSEWHERE):
            return
    for name in search.completed:
        then = after(search.libc, (yield name))
        if then is Then.AS_IT_IS:
            break
        if then is not Then.NEXT:
            return
    if not search.as_it_is_first:
        yield search.name


def after(libc: Libc, found: Sequence[Found]) -> Then:
    """What comes after these answers about one name; Then.NEXT also where there is no next one."""
    if any(one.rcode is None for one in found):
        return Then.ELSEWHERE
    some = any(one.records for one in found)
    if libc is Libc.GLIBC:
        if some:
            return Then.FOUND
        keeps_on = all(one.rcode in (records.NOERROR, records.NXDOMAIN, records.SERVFAIL) for one in found)
        return Then.NEXT if keeps_on else Then.AS_IT_IS
    # The answers are looked at in turn, and an NXDOMAIN for one type is one for all.
    decisive = next((one.rcode for one in found if one.rcode != records.NOERROR), None)
    if decisive is not None:
        return Then.NEXT if decisive == records.NXDOMAIN else Then.FAILED
    return Then.FOUND if some else Then.FAILED


def sendings(libc: Libc, found: Sequence[Found]) -> int:
    """How many times each query about a name is sent, until its resolver has or gives up on an answer (options
    timeout:5 attempts:2, the defaults)."""
    failed = [one.rcode for one in found if one.rcode not in (None, records.NOERROR, records.NXDOMAIN)]
    if libc is Libc.GLIBC:
        return 2 if len(failed) == len(found) else 1
    return 1 if not failed else 6 if records.SERVFAIL in failed else 2


def search_steps(
    zone: Zone,
    name: str,
    namespace: str,
    types: Sequence[int] = BOTH,
    *,
    ndots: int = NDOTS,
    libc: Libc = Libc.GLIBC,
    forwards: bool = False,
    fallthrough: tuple[Name, ...] = (),
    ground: Ground | None = None,
) -> Generator[None, None, SearchExplanation]:
    """What becomes of `name` in a pod of `namespace` (resolv.conf(5): search, ndots), in steps: one for each question.

    A name with a final dot is tried as it is. One with at least `ndots` dots is tried as it is first, any other last.
    The first candidate that has records of one of the types ends the search. Raises ValueError for what is no name, and
    for a namespace that is not there.
    """
    check_namespace(zone, namespace)
    search = search_of(zone.settings.origin, name, namespace, types, ndots, libc)
    walker = walk(search)
    candidates: list[Candidate] = []
    tried: list[Explanation] = []
    candidate: Name | None = next(walker)
    while candidate is not None:
        explained: list[Explanation] = []
        for type_ in types:
            if explained and _of_any_type(explained[0]):
                explained.append(msgspec.structs.replace(explained[0], type=records.type_text(type_)))
            else:
                explained.append(
                    explain(zone, candidate, type_, forwards=forwards, fallthrough=fallthrough, ground=ground)
                )
                yield
        outcomes = tuple(Outcome(one.type, one.rcode, one.resolves, one.record_count) for one in explained)
        best = next((one for one in explained if one.resolves is not False), explained[0])
        found = [_found(one) for one in explained]
        sent = sendings(libc, found)
        candidates.append(Candidate(best.name, outcomes, best.sentence, sent, after(libc, found).value))
        tried.append(best)
        try:
            candidate = walker.send(found)
        except StopIteration:
            candidate = None
    queries = sum(one.sent for one in candidates) * len(types)
    dotted = candidates[-1].sent * len(types)
    meant = _meant(tried)
    return SearchExplanation(
        name_text(search.name),
        namespace,
        tuple(map(name_text, search.tails)),
        ndots,
        search.dots,
        libc.value,
        search.absolute,
        search.as_it_is_first,
        tuple(_rules(search, candidates)),
        tuple(candidates),
        queries,
        dotted if dotted < queries and _is_whole(search, meant, tried[-1]) else None,
        tried[-1].name if tried[-1].resolves else None,
        tried[-1].resolves,
        meant,
    )


def at_once(steps: Callable[P, Generator[object, None, T]]) -> Callable[P, T]:
    """A function that goes through all steps of what another gives, and returns what these did."""

    @wraps(steps)
    def whole(*args: P.args, **kwargs: P.kwargs) -> T:
        left = steps(*args, **kwargs)
        while True:
            try:
                next(left)
            except StopIteration as end:
                result: T = end.value
                return result

    return whole


explain_search = at_once(search_steps)


def _of_any_type(explanation: Explanation) -> bool:
    """Whether it would be the same for every other type: a name that is not there, or not ours. Half the work."""
    return not explanation.record_count and explanation.rcode in (None, "NXDOMAIN", "REFUSED")


def check_namespace(zone: Zone, namespace: str) -> None:
    """Raises ValueError for a namespace that is not there, with those that may be meant."""
    known = [name for _, name in zone.cluster.all(Namespace)]
    if known and namespace not in known:
        some = nearest(namespace, known) or sorted(known)[:10]
        raise ValueError(f"no namespace {shown(namespace)}: there is {', '.join(map(shown, some))}")


def _rules(search: Search, candidates: Sequence[Candidate]) -> Iterator[str]:
    """What the resolver did that another would not, in a sentence each."""
    rcodes = [outcome.rcode for one in candidates for outcome in one.outcomes]
    both = set(search.types) <= set(BOTH)
    if search.libc is Libc.MUSL:
        if not search.absolute and not both:
            yield "musl asks for types other than A and AAAA as they are, without the search list"
        elif not search.absolute and search.as_it_is_first:
            yield "musl never falls back to the search list once a name has enough dots"
        if candidates[-1].then == Then.FAILED.value and "NOERROR" in rcodes:
            yield "musl ends at a name that exists without an address; glibc tries the next one"
    if failed := next((rcode for rcode in ("REFUSED", "SERVFAIL") if rcode in rcodes), None):
        sent = max(one.sent for one in candidates)
        if search.libc is Libc.MUSL:
            yield f"musl asks again after {failed} for five seconds, and then gives up"
        elif sent > 1:
            yield f"glibc sends a query twice that is answered with {failed}"


def _is_whole(search: Search, meant: Explanation, last: Explanation) -> bool:
    """Whether a final dot would have led to the last name at once: it was found, or is of the world outside."""
    outside = last.why == Why.OUTSIDE.name.lower() and search.dots > 0
    return meant is last and (last.resolves is not False or outside)


def _meant(tried: Sequence[Explanation]) -> Explanation:
    """The explanation to tell: of what was found, or came closest. glibc tries the search list after the name as it is:
    the last one need not be the one that was meant."""
    last = tried[-1]
    best = max(tried, key=_closeness)
    outside = last.why == Why.OUTSIDE.name.lower() and "." in last.name and not any(_closeness(best))
    return last if last.resolves is not False or outside else best


def _found(explanation: Explanation) -> Found:
    if explanation.resolves is None or explanation.rcode is None:
        return Found(None)
    number = next(number for number, text in records.RCODES.items() if text == explanation.rcode)
    return Found(number, explanation.record_count if explanation.resolves else 0)


def _closeness(explanation: Explanation) -> tuple[bool, bool, int]:
    """How much an explanation has to say about what the person may have meant."""
    service = explanation.service
    return service is not None, explanation.why == "elsewhere", len(explanation.suggestions)
