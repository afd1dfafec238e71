"""A lesson, played with somebody at a terminal, or with a file of lines."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator

from rich.console import Console

from minidns.cli.lesson.classroom import Room
from minidns.cli.lesson.show import show, show_command
from minidns.lessons import Step, Verdict, attempt
from minidns.lessons.judging import solution

#: Seconds: until an edit of a file shows in the zone, between two looks at it, and between two when nobody types.
_SHOWS, _LOOK, _IDLE = 1.5, 0.2, 1.0
#: A line that begins with one of these is a command for the shell; any other needs "$ " before it.
_PROGRAMS = ("dig", "minidns", "sed", "cat", "grep", "ls", "vi", "vim", "nano")
_HELP = (
    "At the prompt: an answer, or only Enter to have the cluster looked at. `hint` helps, `solution` shows how, `task`"
    " says it again, `quit` ends. A line that begins with `dig`, `minidns`, `sed`, `cat` or `$` runs as a command here;"
    " a second terminal is as good."
)


class _LeftError(Exception):
    """The learner has gone, or there are no more lines."""


def play(room: Room, console: Console, typed: int) -> int:
    """Play it with the lines that come in from a file descriptor. 0 when it was played to its end, else 1."""
    lesson, lines = room.lesson, _Lines(typed)
    console.print(lesson.title, style="bold")
    show(console, f"{lesson.about}\n\n{_HELP}")
    show(console, f"The cluster is in\n{room.words.file}\nand its page is http://{room.admin}/#lessons")
    tries = 0
    try:
        for number, step in enumerate(lesson.steps, 1):
            console.print(f"\nStep {number} of {len(lesson.steps)}", style="bold")
            show(console, room.words.fill(step.task))
            tries += _Task(room, console, lines, step).until_done()
    except (_LeftError, KeyboardInterrupt):
        console.print("\nLeft before the end.")
        return 1
    console.print("\nDone", style="bold green")
    show(console, room.words.fill(lesson.end))
    missed = tries - len(lesson.steps)
    console.print(f"{len(lesson.steps)} steps, {missed or 'no'} wrong {'try' if missed == 1 else 'tries'}.")
    return 0


class _Task:
    """One step, and the learner's way through it."""

    def __init__(self, room: Room, console: Console, lines: _Lines, step: Step) -> None:
        self._room, self._console, self._lines, self._step = room, console, lines, step
        self._hints = iter(step.hints)

    def until_done(self) -> int:
        """How many tries it took."""
        tries = 0
        while True:
            verdict, line = self._line()
            if verdict is None:
                if self._order(line):
                    continue
                verdict = self._try(line)
            tries += 1
            self._console.print("Right." if verdict.passed else "Not yet.", style="green" if verdict.passed else "red")
            show(self._console, self._room.words.fill(verdict.said))
            if verdict.passed:
                return tries

    def _line(self) -> tuple[Verdict | None, str]:
        """What the learner types; or the verdict, when a change is seen to be done meanwhile."""
        self._console.print("> ", end="")
        while (line := self._lines.next(_IDLE if self._step.change else None)) is None:
            verdict = self._room.judge(attempt(self._step))
            if verdict.passed:
                self._console.print()
                return verdict, ""
        return None, line

    def _order(self, line: str) -> bool:
        """Do what is no attempt."""
        match line.split():
            case ["quit" | "exit"]:
                raise _LeftError
            case ["hint"]:
                hint = next(self._hints, "There is no other hint: `solution` shows how.")
                show(self._console, self._room.words.fill(hint))
            case ["task"]:
                show(self._console, self._room.words.fill(self._step.task))
            case ["help" | "?"]:
                show(self._console, _HELP)
            case ["solution"]:
                self._solution()
            case ["$", *_]:
                self._room.run(line.strip().removeprefix("$"))
            case [program, *_] if program in _PROGRAMS:
                self._room.run(line)
            case [] if self._step.answer:
                return True
            case _:
                return False
        return True

    def _solution(self) -> None:
        if self._step.change:
            show_command(self._console, self._room.words.fill(self._step.change.solution))
        elif self._step.answer:
            show_command(self._console, self._room.judge(solution(self._step.answer.right)))

    def _try(self, line: str) -> Verdict:
        deadline = time.monotonic() + _SHOWS
        verdict = self._room.judge(attempt(self._step, line))
        while self._step.change and not verdict.passed and time.monotonic() < deadline:
            time.sleep(_LOOK)
            verdict = self._room.judge(attempt(self._step, line))
        return verdict


class _Lines:
    """Lines from a file descriptor, which can be waited for: a file object would hold back what it has read."""

    def __init__(self, typed: int) -> None:
        self._typed = typed
        self._pieces = self._read()
        self._rest = ""
        self._ready: list[str] = []

    def next(self, seconds: float | None) -> str | None:
        """The next line, None when none came in time. Raises _LeftError at the end."""
        while not self._ready:
            if not select.select([self._typed], [], [], seconds)[0]:
                return None
            *self._ready, self._rest = (self._rest + next(self._pieces)).split("\n")
        return self._ready.pop(0)

    def _read(self) -> Iterator[str]:
        while piece := os.read(self._typed, 4096):
            yield piece.decode(errors="replace")
        if self._rest:
            yield "\n"
        raise _LeftError
