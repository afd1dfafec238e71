"""Every lesson that comes with minidns is rehearsed: also wrong answers that the zone gives, such as one address of
several, are told apart."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from minidns.cli.lesson import rehearsal
from minidns.cli.lesson.classroom import cluster
from minidns.lessons import known, read


@pytest.mark.parametrize("path", known(), ids=lambda path: path.stem)
def test_a_rehearsal_finds_nothing(path: Path) -> None:
    printed, lesson = StringIO(), read(path)
    with cluster(lesson) as room:
        assert rehearsal.run(room, Console(file=printed)) == 0, printed.getvalue()
    assert printed.getvalue().count("as it should be") > 2 * len(lesson.steps)
