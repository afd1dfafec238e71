"""What becomes of an attempt: a generator that asks the zone real questions, and ends with a verdict."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from typing import NamedTuple

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
from dns.rdtypes.ANY.SOA import SOA

from minidns.lessons.lesson import Answer, Change, Condition, Look, Step, Value


class Question(NamedTuple):
    """To be sent as it is. at: "zone" or "cache"."""

    packet: bytes
    transport: str
    at: str


class Walked(NamedTuple):
    """What a walk down a pod's search list came to. found: the whole name, None when nothing was."""

    queries: int
    found: str | None


class Verdict(NamedTuple):
    """Whether the step is done, and what to tell the learner."""

    passed: bool
    said: str


#: Yields a Question, and is sent the packet of its answer (None for silence); or a Look at a walk, and is sent Walked.
Seen = bytes | Walked | None
Judging = Generator[Question | Look, Seen, Verdict]
_Asking = Generator[Question | Look, Seen, bool]


def attempt(step: Step, typed: str = "") -> Judging:
    """Judge what the learner typed, or the cluster as it is now."""
    if step.answer is not None:
        right, said = yield from _judge_answer(step.answer, typed)
    else:
        assert step.change is not None
        right, said = yield from _judge_change(step.change)
    return Verdict(right, step.explain if right else said)


def holds(conditions: Sequence[Condition]) -> Judging:
    """Whether all of them hold; what is said is of the first that does not."""
    for condition in conditions:
        if not (yield from _holds(condition)):
            return Verdict(False, condition.say)
    return Verdict(True, "")


def expected(value: Value) -> Generator[Question | Look, Seen, list[str]]:
    """The answers that are right by now; none while the zone has none."""
    if value.give is None:
        return list(value.text)
    if value.walk is not None:
        walked = yield value
        assert isinstance(walked, Walked)
        return [str(walked.queries)] if value.give == "queries" else [walked.found] if walked.found else []
    answer = yield from _asked(value)
    return [] if answer is None else _given(answer, value.give)


def solution(value: Value) -> Generator[Question | Look, Seen, str]:
    """One answer that is right by now, as a learner would type it; "" while the zone has none."""
    answers = yield from expected(value)
    return " ".join(answers if value.give == "records" else answers[:1])


def _judge_answer(answer: Answer, typed: str) -> Generator[Question | Look, Seen, tuple[bool, str]]:
    if (yield from _fits(answer.right, typed)):
        return True, ""
    for wrong in answer.wrong:
        if (yield from _fits(wrong, typed)):
            return False, wrong.say
    return False, answer.otherwise


def _judge_change(change: Change) -> Generator[Question | Look, Seen, tuple[bool, str]]:
    reached = yield from holds(change.goal)
    if reached.passed:
        return True, ""
    for mistake in change.mistakes:
        if (yield from holds(mistake.when)).passed:
            return False, mistake.say
    return False, reached.said


def _fits(value: Value, typed: str) -> _Asking:
    answers = yield from expected(value)
    if value.give == "records":
        return bool(answers) and sorted(map(_plain, typed.replace(",", " ").split())) == sorted(map(_plain, answers))
    if value.give in ("count", "ttl", "negative ttl", "queries"):
        # "10 queries" is an answer too.
        numbers = re.findall(r"\d+", typed)
        return len(numbers) == 1 and numbers[0] in answers
    return _plain(typed, exact=value.exact) in [_plain(one, exact=value.exact) for one in answers]


def _plain(text: str, *, exact: bool = False) -> str:
    text = " ".join(text.split()).casefold().strip("\"'`")
    return text if exact else text.rstrip(".")


def _holds(condition: Condition) -> _Asking:
    if condition.walk is not None:
        walked = yield condition
        assert isinstance(walked, Walked)
        return (condition.queries is None or walked.queries == condition.queries) and (
            condition.found is None or _plain(walked.found or "nothing") == _plain(condition.found)
        )
    answer = yield from _asked(condition)
    if answer is None:
        return False
    data = _data(answer)
    least, most = condition.at_least or 0, condition.at_most
    return (
        (condition.rcode is None or condition.rcode.upper() == _rcode(answer))
        and (condition.count is None or condition.count == len(data))
        and least <= len(data)
        and (most is None or len(data) <= most)
        and {*map(_plain, condition.records or ())} <= {*map(_plain, data)}
        and condition.truncated in (None, bool(answer.flags & dns.flags.TC))
        and (condition.reason is None or condition.reason in _reason(answer))
    )


def _asked(look: Look) -> Generator[Question | Look, Seen, dns.message.Message | None]:
    name, type_ = look.question
    query = dns.message.make_query(name, type_, use_edns=0 if look.edns else -1, payload=1232)
    reply = yield Question(query.to_wire(), look.over, look.at)
    return dns.message.from_wire(reply) if isinstance(reply, bytes) else None


def _given(answer: dns.message.Message, give: str) -> list[str]:
    if give in ("records", "one record"):
        return _data(answer)
    if give == "count":
        return [str(len(_data(answer)))]
    if give == "rcode":
        return [_rcode(answer)]
    if give == "ttl":
        return [str(rrset.ttl) for rrset in answer.answer[:1]]
    soas = [rdata for rrset in answer.authority for rdata in rrset if isinstance(rdata, SOA)]
    # RFC 2308, 5: the smaller of the two.
    return [str(min(answer.authority[0].ttl, soa.minimum)) for soa in soas]


def _data(answer: dns.message.Message) -> list[str]:
    """The data of the records of the type that was asked for."""
    type_ = answer.question[0].rdtype
    return [str(rdata) for rrset in answer.answer if rrset.rdtype == type_ for rdata in rrset]


def _rcode(answer: dns.message.Message) -> str:
    """NODATA is what people call NOERROR without a record of the type."""
    text = dns.rcode.to_text(answer.rcode())
    return "NODATA" if text == "NOERROR" and not answer.answer else text


def _reason(answer: dns.message.Message) -> str:
    return " ".join(option.text or "" for option in answer.options if isinstance(option, dns.edns.EDEOption))
