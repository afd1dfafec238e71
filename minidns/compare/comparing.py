"""A comparison: ask everything, judge it, and ask again what differs, because objects change meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

from minidns.compare.differences import Case, Question
from minidns.compare.questions import Network, leads, questions
from minidns.compare.report import Asked, Report, Unexplained, on_purpose
from minidns.compare.seen import SILENCE, Seen, of_answer, plain
from minidns.compare.verdicts import EXPLAINED, Judged, Verdict, judge
from minidns.core import answers
from minidns.core.zone import Zone

#: Questions under way at once; as many without an answer, one behind the other, end it.
AT_ONCE = 100
#: Seconds in which another server hears of a change, and how often what differs is asked again while objects change.
PAUSE, ROUNDS = 1.0, 5

Ask = Callable[[Question], Awaitable[Seen]]


class SilentError(Exception):
    """The server does not answer any more."""


class Comparison:
    """One server beside the zones of one cluster."""

    def __init__(
        self,
        zones: Sequence[Zone],
        ask: Ask,
        *,
        label: str,
        qps: float,
        refresh: Callable[[], Awaitable[None]],
        tell: Callable[[int, int], None],
        sweep: Sequence[Network] = (),
        pause: float = PAUSE,
    ) -> None:
        """ask: asks the server. label, sweep: as for `questions`. qps: questions a second. refresh: brings the zones up
        to date, where nothing else does. tell: is told how many questions are answered, and of how many."""
        self._zones, self._ask, self._label, self._qps = zones, ask, label, qps
        self._sweep = sweep
        self._refresh, self._tell, self._pause = refresh, tell, pause
        self._zone_of: dict[Question, Zone] = {}
        self._theirs: dict[Question, Seen] = {}
        self._found: dict[Question, Judged] = {}
        self._answered = self._silent = 0

    async def run(self, server: str, source: str) -> Report:
        """Compare everything once. Raises SilentError. server, source: what they are called."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        for zone in self._zones:
            self._zone_of.update(dict.fromkeys(questions(zone, self._label, self._sweep), zone))
        await self._ask_all(self._zone_of)
        doubtful = await self._judged_wrong(self._zone_of)
        wrong: list[Question] = []
        settled = 0
        for left in reversed(range(ROUNDS)):
            if not doubtful:
                break
            await self._refresh()
            before = {question: self._expected(question) for question in doubtful}
            seen_before = [question for question in doubtful if question in self._found]
            await asyncio.sleep(self._pause)
            await self._ask_all(doubtful)
            await self._refresh()
            still = await self._judged_wrong(doubtful)
            settled += len(set(seen_before) - set(still))
            certain = [question for question in still if self._expected(question) == before[question]]
            wrong += certain
            doubtful = [question for question in still if question not in certain]
            doubtful += self._leads(certain) if left else []
        return self._report(server, source, settled, wrong, doubtful, loop.time() - started)

    async def _ask_all(self, asked: Iterable[Question]) -> None:
        loop, places = asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE)
        at = loop.time()
        try:
            async with asyncio.TaskGroup() as tasks:
                for question in tuple(asked):
                    at = max(at, loop.time()) + 1 / self._qps
                    await asyncio.sleep(at - loop.time())
                    await places.acquire()
                    tasks.create_task(self._ask_one(question, places))
        except* SilentError as group:
            raise group.exceptions[0] from None

    async def _ask_one(self, question: Question, places: asyncio.Semaphore) -> None:
        try:
            seen = self._theirs[question] = await self._ask(question)
        finally:
            places.release()
        self._silent = self._silent + 1 if seen == SILENCE else 0
        if self._silent >= AT_ONCE:
            raise SilentError("it does not answer any more")
        self._answered += 1
        self._tell(self._answered, max(len(self._zone_of), self._answered))

    async def _judged_wrong(self, asked: Collection[Question]) -> list[Question]:
        """Judge the answers; the questions whose answer is not explained. Changes come in meanwhile."""
        for number, question in enumerate(asked):
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
            self._found[question] = judge(Case(*question, self._zone_of[question], self._theirs))
        return [question for question in asked if self._found[question].verdict not in EXPLAINED]

    def _expected(self, question: Question) -> tuple[str, frozenset[str]]:
        ours = of_answer(answers.answer(self._zone_of[question], *question))
        return ours.rcode, frozenset(map(plain, ours.answer))

    def _leads(self, wrong: Iterable[Question]) -> list[Question]:
        """Questions that nobody would ask but for the answers to these."""
        found = []
        for question in wrong:
            zone = self._zone_of[question]
            for lead in leads(zone, self._theirs[question]):
                if lead not in self._zone_of:
                    self._zone_of[lead] = zone
                    found.append(lead)
        return found

    def _report(
        self,
        server: str,
        source: str,
        settled: int,
        wrong: list[Question],
        changing: list[Question],
        seconds: float,
    ) -> Report:
        counts = Counter(judged.verdict for judged in self._found.values())
        return Report(
            server,
            source,
            len(self._found),
            counts[Verdict.SAME],
            counts[Verdict.ELSEWHERE],
            counts[Verdict.UNWRITTEN],
            on_purpose(self._found),
            settled,
            tuple(map(Asked.of, changing)),
            tuple(Unexplained.of(question, self._found[question]) for question in wrong),
            seconds,
        )
