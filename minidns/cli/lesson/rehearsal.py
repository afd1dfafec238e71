"""A lesson played by itself, for those who write one: every wrong way must be told apart, every right one be right."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from minidns.cli.lesson.classroom import Room
from minidns.lessons import Step, Verdict, attempt
from minidns.lessons.judging import expected, solution
from minidns.lessons.lesson import Answer, Change

#: Seconds that a change may take until it shows.
_PATIENCE, _LOOK = 5.0, 0.05
#: What no lesson expects to be answered.
_NONSENSE = "something else"


def run(room: Room, console: Console) -> int:
    """Print what was tried, and what went otherwise than the lesson says. 0 when nothing did, else 1."""
    problems = 0
    for number, step in enumerate(room.lesson.steps, 1):
        for what, problem in _of(room, step):
            problems += bool(problem)
            console.print(f"step {number}: {what}: {problem or 'as it should be'}", soft_wrap=True, markup=False)
    console.print(f"{problems or 'no'} problem{'s' * (problems != 1)}")
    return 1 if problems else 0


def _of(room: Room, step: Step) -> Iterator[tuple[str, str]]:
    """What was tried, and the problem with it or ""."""
    if step.answer is not None:
        yield from _answers(room, step, step.answer)
    elif step.change is not None:
        yield from _changes(room, step, step.change)


def _answers(room: Room, step: Step, answer: Answer) -> Iterator[tuple[str, str]]:
    def verdict(typed: str) -> Verdict:
        return room.judge(attempt(step, typed))

    for at, wrong in enumerate(answer.wrong):
        given = [room.judge(solution(wrong))] if wrong.give == "records" else room.judge(expected(wrong))
        for typed in given or [""]:
            if not typed:
                yield f"answer.wrong[{at}]", "the zone gives no such answer"
            elif (found := verdict(typed)) != Verdict(False, wrong.say):
                yield f"answer {typed!r}", f"is told {found.said!r}, and not answer.wrong[{at}]"
            else:
                yield f"answer {typed!r}", ""
    found = verdict(_NONSENSE)
    yield "any other answer", "" if found == Verdict(False, answer.otherwise) else f"is told {found.said!r}"
    typed = room.judge(solution(answer.right))
    found = verdict(typed)
    yield f"answer {typed!r}", "" if found.passed else f"should be right, and is told {found.said!r}"


def _changes(room: Room, step: Step, change: Change) -> Iterator[tuple[str, str]]:
    found = room.judge(attempt(step))
    yield "no change", "is enough: `goal` holds before anything is done" if found.passed else ""
    file = Path(room.words.file)
    before = file.read_text()
    for at, mistake in enumerate(change.mistakes):
        yield _change(room, step, mistake.how, Verdict(False, mistake.say), f"change.mistakes[{at}]")
        file.write_text(before)
        room.run(room.words.fill(mistake.undo), quiet=True)
    yield _change(room, step, change.solution, Verdict(True, step.explain), "the explanation")


def _change(room: Room, step: Step, command: str, wanted: Verdict, what: str) -> tuple[str, str]:
    command = room.words.fill(command)
    code = room.run(command, quiet=True)
    deadline = time.monotonic() + _PATIENCE
    while (found := room.judge(attempt(step))) != wanted and time.monotonic() < deadline:
        time.sleep(_LOOK)
    if found == wanted:
        return command, ""
    return command, f"{f'failed with {code}, and ' if code else ''}is told {found.said!r}, and not {what}"
