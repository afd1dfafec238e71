"""Every lesson that comes with minidns is played on a terminal, from its start to its end, with every wrong way told
apart; and rehearsed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from minidns.config.settings import ADMIN
from minidns.lessons import Step, known, read
from tests.support.learner import Learner, learner


@pytest.mark.parametrize("path", known(), ids=lambda path: path.stem)
def test_it_is_played_to_its_end(path: Path) -> None:
    lesson = read(path)
    with learner(path.stem) as one:
        one.until(lesson.title)
        cluster = Path(one.until("cluster.yaml").split()[-1])
        admin = one.until("#lessons").split()[-1].removeprefix("http://").removesuffix("/#lessons")
        words = {"{file}": str(cluster), "{admin}": "" if admin == str(ADMIN) else f" --admin {admin}"}
        wrong = 0
        for number, step in enumerate(lesson.steps, 1):
            one.until(f"Step {number} of {len(lesson.steps)}")
            one.until("> ")
            for line, said, undo in wrong_ways(step):
                before = cluster.read_text()
                one.type(filled(line, words))
                if step.change:
                    one.until("> ")
                    one.type("")
                one.until("Not yet.")
                one.until(plain(said, words))
                one.until("> ")
                cluster.write_text(before)
                if undo:
                    one.type(f"$ {undo}")
                    one.until("> ")
                wrong += 1
            solve(one, step)
            one.until("Right.")
        one.until("Done")
        assert one.end() == 0
        assert f"{len(lesson.steps)} steps, {wrong} wrong tries." in " ".join(one.screen.split())


def wrong_ways(step: Step) -> Iterator[tuple[str, str, str]]:
    """What is typed, what is told then, and what takes it back."""
    if step.answer:
        for wrong in step.answer.wrong:
            for text in wrong.text:
                yield text, wrong.say, ""
        yield "something else", step.answer.otherwise, ""
    if step.change:
        for mistake in step.change.mistakes:
            yield f"$ {mistake.how}", mistake.say, mistake.undo


def solve(one: Learner, step: Step) -> None:
    """Ask for the solution, as a learner may, and do what it says."""
    one.type("hint")
    one.until("> ")
    one.type("solution")
    one.until("solution")
    said = one.until("> ").removesuffix(">").strip()
    one.type(f"$ {said}" if step.change else said)


def filled(text: str, words: dict[str, str]) -> str:
    for name, word in words.items():
        text = text.replace(name, word)
    return text


def plain(said: str, words: dict[str, str]) -> str:
    """The beginning of a sentence, without the marks of words to be typed."""
    return " ".join(filled(said, words).replace("`", "").split()[:8])


def test_the_list_names_them_all(capfd: pytest.CaptureFixture[str]) -> None:
    with learner() as one:
        assert one.end() == 0
    for path in known():
        assert path.stem in one.screen
        assert read(path).title in one.screen
    assert capfd.readouterr().err == ""
