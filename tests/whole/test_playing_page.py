"""docs/playing.md is true: its commands are run in order, and print what it shows."""

from __future__ import annotations

from pathlib import Path

from tests.support.pages import play
from tests.support.places import ROOT


def test_the_page(tmp_path: Path) -> None:
    assert play((ROOT / "docs" / "playing.md").read_text(), tmp_path) > 10
