"""Lessons for the page: which there are, what one says, and what becomes of an attempt on the zone that is served."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from minidns import lessons
from minidns.admin.asking import Asking, walked
from minidns.admin.mapping import terminal
from minidns.admin.running import Running
from minidns.lessons import Judging, Lesson, Look, Question, Verdict, Walked, Words, attempt, holds
from minidns.lessons.judging import Seen
from minidns.server.http.endpoint import JSON, Asked, Endpoint, RefusedError, Reply

_NAME = {"name": "of the lesson"}
_ATTEMPT = {**_NAME, "step": "its number, from 1", "answer": "what the learner typed; nothing for a change"}


class Listed(msgspec.Struct, frozen=True):
    """A lesson in the list."""

    name: str
    title: str
    minutes: int
    about: str


class Task(msgspec.Struct, frozen=True):
    """A step, without its solution. answer: whether the learner types something, or changes the cluster."""

    task: str
    answer: bool
    hints: tuple[str, ...]


class Shown(msgspec.Struct, frozen=True):
    """A lesson to be played. here: whether the cluster that is served is as the lesson has it at its start."""

    title: str
    about: str
    here: bool
    steps: tuple[Task, ...]
    end: str


def endpoints(running: Running, first: Asking) -> tuple[Endpoint, ...]:
    desk = _Desk(running, first)
    return (
        Endpoint(path="/lessons", doc="the lessons that check themselves", handler=desk.on_list),
        Endpoint(path="/lessons/{name}", doc="a lesson, step by step", parameters=_NAME, handler=desk.on_lesson),
        Endpoint(
            path="/lessons/{name}/attempt",
            doc="whether a step is done, seen by real questions to the zone",
            parameters=_ATTEMPT,
            handler=desk.on_attempt,
        ),
    )


class _Desk:
    def __init__(self, running: Running, first: Asking) -> None:
        self._running = running
        self._asking = {"zone": first, "cache": Asking(running, 1)}
        self._lessons: dict[str, Lesson] = {}

    async def on_list(self, _: Asked) -> Reply:
        found = ((path.stem, self._lesson(path.stem)) for path in lessons.known())
        return _json([Listed(name, one.title, one.minutes, one.about) for name, one in found])

    async def on_lesson(self, asked: Asked) -> Reply:
        lesson = self._lesson(asked.query["name"])
        fill = self._words().fill
        steps = tuple(
            Task(fill(step.task), step.answer is not None, tuple(map(fill, step.hints))) for step in lesson.steps
        )
        here = (await self._judge(holds(lesson.starts))).passed
        return _json(Shown(lesson.title, lesson.about, here, steps, fill(lesson.end)))

    async def on_attempt(self, asked: Asked) -> Reply:
        lesson = self._lesson(asked.query["name"])
        step = lesson.steps[_number(asked.query, len(lesson.steps)) - 1]
        verdict = await self._judge(attempt(step, asked.query.get("answer", "")))
        return _json({"passed": verdict.passed, "said": self._words().fill(verdict.said)})

    def _lesson(self, name: str) -> Lesson:
        """Read once: a lesson takes some milliseconds."""
        if name not in self._lessons:
            path = next((path for path in lessons.FOLDER.glob("*.yaml") if path.stem == name), None)
            if path is None:
                raise RefusedError(404, f"no lesson {name!r}")
            self._lessons[name] = lessons.read(path)
        return self._lessons[name]

    def _words(self) -> Words:
        digs, admin = terminal(self._running)
        source = self._running.generation.source
        file = source.origin.removeprefix("manifests in ") if source else "the manifests"
        return Words(digs[0], digs[-1], file, admin)

    async def _judge(self, judging: Judging) -> Verdict:
        seen: Seen = None
        while True:
            try:
                wanted = judging.send(seen)
            except StopIteration as end:
                verdict: Verdict = end.value
                return verdict
            seen = await (self._walk(wanted) if isinstance(wanted, Look) else self._ask(wanted))

    async def _walk(self, look: Look) -> Walked:
        query = {"name": look.walk or "", "from": look.from_, "ndots": str(look.ndots), "libc": look.libc}
        found = await walked(self._asking["zone"], self._running.generation.site, query)
        return Walked(found.cost, found.found)

    async def _ask(self, question: Question) -> bytes | None:
        return await self._asking[question.at].ask(question.packet, question.transport)


def _number(query: Mapping[str, str], most: int) -> int:
    text = query.get("step", "")
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= most):
        raise ValueError(f"step is a number from 1 to {most}, not {text!r}")
    return int(text)


def _json(answer: object) -> Reply:
    return Reply(msgspec.json.encode(answer), JSON)
