"""docs/lessons/ is true: each text's commands are run in order on the lesson's cluster, and print what it shows; the
timetable is the lessons', and every question has its answer."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from minidns.cli.lesson.classroom import cluster
from minidns.config.values import Listen
from minidns.lessons import find, known, read
from tests.support.pages import Ports, follow
from tests.support.places import ROOT

FOLDER = ROOT / "docs" / "lessons"


@pytest.mark.parametrize("name", [path.stem for path in known()])
def test_the_text_of_a_lesson(name: str) -> None:
    text = (FOLDER / f"{name}.md").read_text()
    assert text.startswith(f"# {read(find(name)).title}\n")
    assert text.count("```mermaid\n") == 1
    with cluster(read(find(name))) as room:
        ports = Ports(room.servers["zone"].port, Listen.parse(room.admin).port, room.servers["cache"].port)
        assert follow(text, Path(room.words.file).parent, ports) >= 4


def test_the_timetable_is_an_hour() -> None:
    rows = re.findall(r"^\| (\d+)-(\d+) \| (?:\[(\S+)\]\(\3\.md\))?", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert [(int(begin), int(end)) for begin, end, _ in rows][-1][1] == 60
    assert all(before[1] == after[0] for before, after in pairwise(rows))
    taught = [(name, int(end) - int(begin)) for begin, end, name in rows if name]
    assert taught == [(path.stem, read(path).minutes) for path in known()]


def test_every_question_has_an_answer_and_a_lesson() -> None:
    questions = re.findall(r"^(\d+)\. ", (FOLDER / "questions.md").read_text(), re.MULTILINE)
    answers = re.findall(r"^(\d+)\. (.*?)\[([\w-]+)\]\(\3\.md\)", (FOLDER / "answers.md").read_text(), re.M | re.S)
    assert [number for number, _, _ in answers] == questions
    assert {lesson for _, _, lesson in answers} == {path.stem for path in known()}
