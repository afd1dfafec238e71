"""A lesson's file: what is in it, and what is said of one that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidns.lessons import LessonError, find, known, read

GOOD = """\
title: A title
minutes: 5
about: What it is about.
manifests: ""
starts: [{ask: web.default.svc.cluster.local, count: 1}]
steps:
- task: Do it.
  answer:
    right: {text: ["yes"]}
    otherwise: No.
  hints: [Say it.]
  explain: That is why.
end: All of it.
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def test_a_lesson_is_read(tmp_path: Path) -> None:
    lesson = read(written(tmp_path, GOOD))
    assert lesson.title == "A title"
    assert lesson.steps[0].answer is not None
    assert lesson.steps[0].answer.right.text == ("yes",)


def test_those_that_come_with_it_are_in_order() -> None:
    orders = [read(path).order for path in known()]
    assert orders == sorted(set(orders))
    assert sum(read(path).minutes for path in known()) <= 60


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("title: A title\n", "", ":1: Object missing required field `title`"),
        ("minutes: 5", "minutes: five", ":2: minutes: Expected `int`, got `str`"),
        ("end:", "ende: x\nend:", ":13: Object contains unknown field `ende`"),
        ("  hints: [Say it.]\n", "", ":7: steps[0]: Object missing required field `hints`"),
        ("[Say it.]", "[]", ":7: steps[0]: a step has at least one hint"),
        ("otherwise:", "otherwhise: a\n    otherwise:", ":10: ANSWER: Object contains unknown field `otherwhise`"),
        ('{text: ["yes"]}', "{text: [yes]}", ":9: RIGHT.text[0]: Expected `str`, got `bool`"),
        ('{text: ["yes"]}', "{}", ":9: RIGHT: either `text`, or `give` with something to look at"),
        ('{text: ["yes"]}', "{give: count}", ":9: RIGHT: nothing to look at: `ask: NAME TYPE`, or `walk: NAME`"),
        ('{text: ["yes"]}', "{give: queries, ask: a}", ":9: RIGHT: `give: queries` is seen by `walk` alone"),
        ('{text: ["yes"]}', "{give: size, ask: a}", ":9: RIGHT.give: Invalid enum value 'size'"),
        ('{text: ["yes"]}', "{give: count, ask: a B C}", ":9: RIGHT: ask: 'a B C' is not NAME or NAME TYPE"),
        ('{text: ["yes"]}', "{give: count, ask: a B}", ":9: RIGHT: "),
        ("count: 1", "", ":5: starts[0]: nothing is expected: "),
        ("count: 1", "queries: 1", ":5: starts[0]: `queries` is seen by `walk` alone"),
        ("[{ask: web.default.svc.cluster.local, count: 1}]", "[]", ":1: `starts` says by which answers"),
        ("  answer:\n", "  change: {goal: [], solution: a}\n  answer:\n", ":8: steps[0].change: a change is seen"),
        ("title: A title", "title: [", ":3: expected"),
        ("title: A title", "title: &a [*a]", ":1: "),
    ],
)  # fmt: skip
def test_a_wrong_one_is_told_with_file_line_and_field(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in GOOD
    path = written(tmp_path, GOOD.replace(old, new))
    with pytest.raises(LessonError) as caught:
        read(path)
    told = told.replace("RIGHT", "ANSWER.right").replace("ANSWER", "steps[0].answer")
    assert str(caught.value).startswith(f"{path}{told}")


def test_a_step_is_either_an_answer_or_a_change(tmp_path: Path) -> None:
    goal = "{goal: [{ask: a, count: 1, say: No.}], solution: ls}"
    path = written(tmp_path, GOOD.replace("  answer:\n", f"  change: {goal}\n  answer:\n"))
    with pytest.raises(LessonError, match=r":7: steps\[0\]: a step has either an `answer` or a `change`"):
        read(path)


def test_a_name_that_is_no_lesson_is_told_with_those_that_are(tmp_path: Path) -> None:
    assert find("readiness").is_file()
    with pytest.raises(LessonError, match=r"no lesson 'readyness', did you mean readiness\? known: virtual-ip, .*path"):
        find("readyness")
    assert find("./mine.yaml") == Path("mine.yaml")
    with pytest.raises(LessonError, match=r"mine\.yaml: No such file"):
        read(tmp_path / "mine.yaml")


@given(st.binary(max_size=200))
def test_any_file_is_a_lesson_or_an_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "any.yaml"
    path.write_bytes(content)
    with pytest.raises(LessonError, match=r"any\.yaml"):
        read(path)
