"""What an answer of another server is, beside what the objects say."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from minidns.compare.differences import Case, with_differences
from minidns.compare.questions import server_names
from minidns.compare.seen import SILENCE, Seen, of_answer, of_rrsets, owner_of, plain, rdata_of, type_of
from minidns.core import answers, names, reasons, records
from minidns.core.model import Namespace
from minidns.core.names import Name
from minidns.core.schema import Exists, namespace_name
from minidns.core.zone import Zone


class Verdict(StrEnum):
    """SAME and ON_PURPOSE are explained. So is ELSEWHERE: a name that we do not have, which that server asks somebody
    else for (`fallthrough`, an alias that leads out); and UNWRITTEN: a name without records and with none below it,
    such as an empty namespace, which no zone file or transfer brings to a secondary. The others are not.

    STALE: other records than the objects give. MISSING: not all of them. INVENTED: records, or a name, that no object
    gives. FAILED: it could not say.
    """

    SAME = "same"
    ON_PURPOSE = "on purpose"
    ELSEWHERE = "elsewhere"
    UNWRITTEN = "unwritten"
    STALE = "stale"
    MISSING = "missing"
    INVENTED = "invented"
    FAILED = "failed"


#: Empty namespaces that tell a secondary from what follows the objects.
_ENOUGH = 20
EXPLAINED = frozenset({Verdict.SAME, Verdict.ON_PURPOSE, Verdict.ELSEWHERE, Verdict.UNWRITTEN})


@dataclass(frozen=True, slots=True)
class Judged:
    """numbers: the differences on purpose that show, those of docs/coredns.md. extra, lacking: records, without TTL,
    that the answer has and should not have, and the other way round. reason: why the objects give what they give, ""
    where that is records."""

    verdict: Verdict
    numbers: tuple[int, ...] = ()
    extra: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    ours: str = ""
    theirs: str = ""
    reason: str = ""


def judge(case: Case) -> Judged:
    """The verdict on what the other server says to a question of a synced zone."""
    expected = answers.answer(case.zone, case.name, case.type)
    ours, theirs = of_answer(expected), case.theirs[case.name, case.type]
    if theirs == SILENCE:
        return Judged(Verdict.FAILED, ours=_state(ours), theirs=theirs.rcode)
    if _agree(case.zone, ours, theirs):
        return Judged(Verdict.SAME)
    if _says_what_lies_outside(case.zone, expected, ours, theirs) or _falls_through(case, ours, theirs):
        return Judged(Verdict.ELSEWHERE)
    if _is_in_no_zone_file(case):
        return Judged(Verdict.UNWRITTEN)
    seen, numbers = with_differences(case)
    if numbers and _agree(case.zone, ours, seen):
        return Judged(Verdict.ON_PURPOSE, tuple(numbers))
    extra, lacking = _plain(seen.answer) - _plain(ours.answer), _plain(ours.answer) - _plain(seen.answer)
    if not extra and not lacking and ours.rcode == seen.rcode:
        extra = _wrong(case.zone, ours, seen)
        lacking = _plain(ours.authority) - _plain(seen.authority)
    extra, lacking = _without_weights(extra, lacking)
    said = tuple(sorted(extra)), tuple(sorted(lacking)), _state(ours), _state(theirs)
    return Judged(_verdict(ours, theirs, extra), (), *said, reasons.sentence(expected.reason))


def _without_weights(extra: frozenset[str], lacking: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    """What is left where SRV records that differ by their weight alone are the same: one record more changes the
    weight of all."""
    left = {_weightless(record): record for record in extra}
    right = {_weightless(record): record for record in lacking}
    less = frozenset(left[key] for key in left.keys() - right), frozenset(right[key] for key in right.keys() - left)
    return less if any(less) else (extra, lacking)


def _weightless(record: str) -> str:
    owner, type_, rdata = record.split(" ", 2)
    return f"{owner} SRV {rdata.split()[2:]}" if type_ == "SRV" else record


def _verdict(ours: Seen, theirs: Seen, extra: Collection[str]) -> Verdict:
    if theirs.rcode not in ("NOERROR", "NXDOMAIN"):
        return Verdict.FAILED
    if ours.answer:
        return Verdict.STALE if extra else Verdict.MISSING
    if theirs.answer or (ours.rcode, theirs.rcode) == ("NXDOMAIN", "NOERROR"):
        return Verdict.INVENTED
    return Verdict.MISSING if theirs.rcode == "NXDOMAIN" else Verdict.STALE


def _state(seen: Seen) -> str:
    """An answer in a word: its rcode, NODATA, or the number of its records."""
    if seen.rcode != "NOERROR":
        return seen.rcode
    return f"{len(seen.answer)} record{'s' * (len(seen.answer) != 1)}" if seen.answer else "NODATA"


def _plain(section: Collection[str]) -> frozenset[str]:
    return frozenset(map(plain, section))


def _agree(zone: Zone, ours: Seen, theirs: Seen) -> bool:
    """Whether two answers say the same. A server may leave out additional records (RFC 2181, 9), and say with an answer
    which servers the zone has (RFC 1034, 4.3.2)."""
    if ours.rcode != theirs.rcode or _plain(ours.answer) != _plain(theirs.answer):
        return False
    if not ours.answer and _plain(ours.authority) != _plain(theirs.authority):
        return False
    return not _wrong(zone, ours, theirs)


def _wrong(zone: Zone, ours: Seen, theirs: Seen) -> frozenset[str]:
    """Records beside the answer that are not ours to give."""
    beside = _plain(theirs.additional) | (_plain(theirs.authority) if ours.answer else frozenset())
    known = _plain(ours.additional) | _plain(ours.authority)
    own = {names.to_text(name) for name in server_names(zone)}
    return frozenset(record for record in beside - known if owner_of(record) not in own and not _holds(zone, record))


def _holds(zone: Zone, record: str) -> bool:
    """Whether the zone has a record, without TTL; what lies outside is not known here."""
    owner, type_, _ = record.split(" ", 2)
    name = _name(owner)
    if name is None or zone.origin(name) is None:
        return True
    number = records.TYPE_NUMBERS.get(type_)
    rrset = answers.rrset_at(zone, name, number) if number and name in zone.nodes else None
    return rrset is not None and record in _plain(of_rrsets((rrset,)))


def _name(text: str) -> Name | None:
    try:
        return names.from_text(text)
    except ValueError:
        return None


def _says_what_lies_outside(zone: Zone, expected: answers.Answer, ours: Seen, theirs: Seen) -> bool:
    """An alias leads out of the zone: our part of the chain is there, and somebody else's behind it."""
    if expected.outside is None:
        return False
    within = {record for record in theirs.answer if _is_within(zone, owner_of(record))}
    return _plain(within) == _plain(ours.answer)


def _is_within(zone: Zone, owner: str) -> bool:
    name = _name(owner)
    return name is not None and zone.origin(name) is not None


def _falls_through(case: Case, ours: Seen, theirs: Seen) -> bool:
    """A reverse name that we do not have, and that the server asks somebody else for: nothing that points into the
    zone."""
    trees = (names.IN_ADDR_ARPA, names.IP6_ARPA)
    if ours.rcode != "NXDOMAIN" or not any(names.is_below(case.name, tree) for tree in trees):
        return False
    pointed = (_name(rdata_of(record)) for record in theirs.answer if type_of(record) == "PTR")
    return not any(name and names.is_below(name, case.zone.settings.origin) for name in pointed)


def _is_in_no_zone_file(case: Case) -> bool:
    """A name without records, nor any below it, at a server that knows no such name: what follows the objects has all
    of them."""
    if case.type != records.A or not _is_empty(case.zone, case.name):
        return False
    others = (case.theirs.get((name, records.A)) for name in _namespaces(case.zone) if _is_empty(case.zone, name))
    return all(seen.rcode == "NXDOMAIN" for seen in islice(filter(None, others), _ENOUGH))


def _namespaces(zone: Zone) -> Iterator[Name]:
    """What namespaces are called below `pod` and `svc`."""
    for namespace in zone.cluster.all(Namespace).values():
        for tree in ("pod", "svc"):
            if isinstance(namespace, Namespace) and (name := namespace_name(zone.settings, namespace.name, tree)):
                yield name


def _is_empty(zone: Zone, name: Name) -> bool:
    node = zone.nodes.get(name)
    if node is None or not all(isinstance(part, Exists) for part in node.parts):
        return False
    if node.children and name == names.child("pod", zone.settings.origin):
        return not any(names.parent(below) == name and zone.nodes[below].children for below in _namespaces(zone))
    return not node.children
