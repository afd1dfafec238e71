"""An attempt and its verdict, with answers as packets."""

from __future__ import annotations

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import msgspec
import pytest

from minidns.lessons import Step, Verdict, Walked, attempt
from minidns.lessons.judging import Judging, Question, Seen, solution
from minidns.lessons.lesson import Condition, Look, Value

SOA = "ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5"


def step(**given: object) -> Step:
    return msgspec.convert({"task": "Do it.", "hints": ["So."], "explain": "That is why.", **given}, Step)


def served(question: Question | Look) -> Seen:
    """web has two addresses over TCP, one and a cut answer over UDP; db is a CNAME; a walk of `web` takes 2 queries."""
    if isinstance(question, Look):
        return Walked(2, "web.default.svc.cluster.local") if question.walk == "web" else Walked(10, None)
    query = dns.message.from_wire(question.packet)
    if query.question[0].name.to_text() == "silent.":
        return None
    answer = dns.message.make_response(query)
    match query.question[0].name.to_text():
        case "web.":
            addresses = ["10.0.0.1", "10.0.0.2"][: 2 if question.transport == "tcp" else 1]
            answer.answer.append(dns.rrset.from_text("web.", 30, "IN", "A", *addresses))
            answer.flags |= 0 if question.transport == "tcp" else dns.flags.TC
        case "db.":
            answer.answer.append(dns.rrset.from_text("db.", 30, "IN", "CNAME", "db.example.com."))
        case "empty.":
            answer.authority.append(dns.rrset.from_text("cluster.local.", 30, "IN", "SOA", SOA))
        case _:
            answer.set_rcode(dns.rcode.NXDOMAIN)
            answer.use_edns(0, options=[dns.edns.EDEOption("OTHER", "no Service default/x")])
    return answer.to_wire()


def judged(judging: Judging) -> Verdict:
    seen: Seen = None
    while True:
        try:
            seen = served(judging.send(seen))
        except StopIteration as end:
            verdict: Verdict = end.value
            return verdict


@pytest.mark.parametrize(
    ("right", "typed", "passed"),
    [
        ({"text": ["web.default"]}, "  Web.Default. ", True),
        ({"text": ["web."], "exact": True}, "web", False),
        ({"text": ["web."], "exact": True}, "'WEB.'", True),
        ({"ask": "web", "give": "count", "over": "tcp"}, "2 addresses", True),
        ({"ask": "web", "give": "count"}, "1 of 2", False),
        ({"ask": "web", "give": "records", "over": "tcp"}, "10.0.0.2,10.0.0.1", True),
        ({"ask": "web", "give": "records", "over": "tcp"}, "10.0.0.2", False),
        ({"ask": "web", "give": "one record", "over": "tcp"}, "10.0.0.2", True),
        ({"ask": "web", "give": "ttl"}, "30 s", True),
        ({"ask": "empty", "give": "negative ttl"}, "5", True),
        ({"ask": "empty", "give": "rcode"}, "nodata", True),
        ({"ask": "db", "give": "rcode"}, "noerror", True),
        ({"ask": "gone", "give": "rcode"}, "NXDOMAIN", True),
        ({"ask": "gone", "give": "records"}, "", False),
        ({"ask": "silent", "give": "rcode"}, "NOERROR", False),
        ({"walk": "web", "give": "queries"}, "2", True),
        ({"walk": "web", "give": "found"}, "web.default.svc.cluster.local.", True),
        ({"walk": "gone", "give": "found"}, "", False),
    ],
)
def test_what_is_typed(right: dict[str, object], typed: str, passed: bool) -> None:
    verdict = judged(attempt(step(answer={"right": right, "otherwise": "No."}), typed))
    assert verdict == Verdict(passed, "That is why." if passed else "No.")


def test_the_first_wrong_answer_that_fits_speaks() -> None:
    wrong = [{"text": ["a"], "say": "Not a."}, {"ask": "web", "give": "count", "say": "That is one."}]
    one = step(answer={"right": {"text": ["b"]}, "wrong": wrong, "otherwise": "No."})
    assert [judged(attempt(one, typed)).said for typed in ("a", "1", "c", "b")] == [
        "Not a.", "That is one.", "No.", "That is why.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"ask": "web", "truncated": True, "count": 1}, True),
        ({"ask": "web", "over": "tcp", "truncated": False, "at_least": 2, "at_most": 2}, True),
        ({"ask": "web", "at_least": 2}, False),
        ({"ask": "web", "over": "tcp", "at_most": 1}, False),
        ({"ask": "web", "over": "tcp", "records": ["10.0.0.2"]}, True),
        ({"ask": "web", "records": ["10.0.0.2"]}, False),
        ({"ask": "db CNAME", "records": ["DB.example.com"]}, True),
        ({"ask": "gone", "rcode": "nxdomain", "reason": "no Service"}, True),
        ({"ask": "gone", "reason": "not ready"}, False),
        ({"ask": "empty", "rcode": "NOERROR"}, False),
        ({"ask": "silent", "count": 0}, False),
        ({"walk": "web", "queries": 2, "found": "web.default.svc.cluster.local"}, True),
        ({"walk": "web", "queries": 4}, False),
        ({"walk": "gone", "found": "gone.default.svc.cluster.local"}, False),
    ],
)
def test_what_is_seen(condition: dict[str, object], holds: bool) -> None:
    change = {"goal": [{**condition, "say": "Not so."}], "solution": "true"}
    assert judged(attempt(step(change=change))) == Verdict(holds, "That is why." if holds else "Not so.")


def test_a_mistake_speaks_before_the_goal() -> None:
    goal = [{"ask": "web", "count": 1, "say": "a"}, {"ask": "web", "count": 2, "say": "b"}]
    mistakes = [
        {"when": [{"ask": "gone", "count": 1}], "say": "c", "how": "true"},
        {"when": [{"ask": "web", "count": 1}, {"ask": "gone", "count": 0}], "say": "d", "how": "true"},
    ]
    change = {"goal": goal, "solution": "true"}
    assert judged(attempt(step(change=change))).said == "b"
    assert judged(attempt(step(change={**change, "mistakes": mistakes}))).said == "d"


def test_a_question_is_asked_as_the_lesson_says() -> None:
    asked = next(attempt(step(change={"goal": [CONDITION], "solution": "true"})))
    assert isinstance(asked, Question)
    query = dns.message.from_wire(asked.packet)
    assert (query.question[0].to_text(), query.edns) == ("web. IN SRV", -1)
    assert (asked.transport, asked.at) == ("tcp", "cache")


CONDITION = Condition(ask="web SRV", over="tcp", edns=False, at="cache", count=1, say="No.")


def test_a_solution_is_what_one_would_type() -> None:
    found = solution(Value(ask="web", over="tcp", give="records"))
    asked = next(found)
    with pytest.raises(StopIteration) as end:
        found.send(served(asked))
    assert sorted(end.value.value.split(" ")) == ["10.0.0.1", "10.0.0.2"]
