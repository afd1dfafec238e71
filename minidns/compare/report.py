"""What a comparison found, for programs and for people."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from minidns.compare.differences import REASONS, Question
from minidns.compare.verdicts import Judged
from minidns.core import names, records

#: Unexplained questions, and records of each, that people are shown.
_MOST, _RECORDS = 40, 6


class Asked(msgspec.Struct, frozen=True):
    """A question."""

    name: str
    type: str

    @classmethod
    def of(cls, question: Question) -> Asked:
        return cls(names.to_text(question[0]), records.type_text(question[1]))

    def __str__(self) -> str:
        return f"{self.name} {self.type}"


class OnPurpose(msgspec.Struct, frozen=True):
    """A difference of docs/coredns.md: how many questions show it, and which."""

    reason: str
    asked: tuple[Asked, ...]


class Unexplained(msgspec.Struct, frozen=True):
    """A question that is answered wrongly: see `minidns.compare.verdicts`. records are "owner TYPE rdata"."""

    name: str
    type: str
    verdict: str
    extra: tuple[str, ...]
    lacking: tuple[str, ...]
    objects: str
    server: str
    reason: str

    @classmethod
    def of(cls, question: Question, judged: Judged) -> Unexplained:
        asked = Asked.of(question)
        given = (judged.extra, judged.lacking, judged.ours, judged.theirs, judged.reason)
        return cls(asked.name, asked.type, judged.verdict, *given)


class Report(msgspec.Struct, frozen=True):
    """A server beside the objects.

    asked: questions. elsewhere: those whose answer the server has from somebody else. unwritten: names without
    records, which no zone file brings to it. on_purpose: by number. settled:
    differences that were gone when it was asked again, because objects changed. changing: questions whose objects
    changed each time; they are not compared. seconds: how long it took.
    """

    server: str
    source: str
    asked: int
    same: int
    elsewhere: int
    unwritten: int
    on_purpose: dict[int, OnPurpose]
    settled: int
    changing: tuple[Asked, ...]
    unexplained: tuple[Unexplained, ...]
    seconds: float


def to_json(report: Report) -> bytes:
    return msgspec.json.encode(report)


def render(report: Report, console: Console) -> None:
    """The report for people."""
    _line(console, f"{report.server} beside {report.source}: {report.asked:,} questions in {report.seconds:.1f} s", 0)
    _line(console, f"{report.same:,} answered as the objects say", 2)
    if report.elsewhere:
        _line(console, f"{report.elsewhere:,} that it asks somebody else for", 2)
    if report.unwritten:
        _line(console, f"{report.unwritten:,} without records, which no zone file holds", 2)
    for number, found in report.on_purpose.items():
        what = f"{len(found.asked):,} by difference {number}: {found.reason}, such as {found.asked[0]}"
        _line(console, what, 2)
    if report.settled:
        _line(console, f"{report.settled:,} that changed meanwhile, right when asked again", 2)
    if report.changing:
        _line(console, f"{len(report.changing):,} that change all the time, such as {report.changing[0]}", 2)
    _line(console, f"{len(report.unexplained):,} unexplained" if report.unexplained else "nothing unexplained", 2)
    for wrong in report.unexplained[:_MOST]:
        _line(console, f"{wrong.verdict} {wrong.name} {wrong.type}", 0)
        for text in _why(wrong):
            _line(console, text, 4)
    if len(report.unexplained) > _MOST:
        _line(console, f"... and {len(report.unexplained) - _MOST:,} more: --json has all of them", 0)


def _why(wrong: Unexplained) -> Iterator[str]:
    if wrong.server != wrong.objects:
        yield f"{wrong.server} there, {wrong.objects} by the objects" + (f": {wrong.reason}" if wrong.reason else "")
    for what, some in (("only there:", wrong.extra), ("only in the objects:", wrong.lacking)):
        yield from (f"{what} {record.removeprefix(wrong.name).lstrip()}" for record in some[:_RECORDS])
        if len(some) > _RECORDS:
            yield f"{what} {len(some) - _RECORDS} more"


def _line(console: Console, text: str, indent: int) -> None:
    console.print(Padding(Text(text), (0, 0, 0, indent), expand=False))


def on_purpose(found: dict[Question, Judged]) -> dict[int, OnPurpose]:
    """The questions of each difference."""
    asked: dict[int, list[Asked]] = {}
    for question, judged in found.items():
        for number in judged.numbers:
            asked.setdefault(number, []).append(Asked.of(question))
    return {number: OnPurpose(REASONS[number], tuple(some)) for number, some in sorted(asked.items())}
