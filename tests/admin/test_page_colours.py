"""Text on the page can be read in both colour schemes (WCAG 2.2, 1.4.3: a contrast of 4.5 to 1)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from minidns.admin import page

STYLE = (Path(page.__path__[0]) / "style.css").read_text()
PARTS = STYLE.split("@media (prefers-color-scheme: dark)")[:2]
LIGHT, DARK = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", part)) for part in PARTS)
#: What is written, and what it is written on.
TEXTS = ("ink", "muted", "accent", "good", "some", "bad")
PAIRS = [
    *((text, ground) for text in TEXTS for ground in ("ground", "surface", "raised")),
    *(("ink", f"part{number}") for number in range(6)),
    *(("ink", "lit"), ("on-accent", "accent"), ("good", "lit"), ("bad", "lit"), ("muted", "lit")),
]  # fmt: skip


def luminance(colour: str) -> float:
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_both_schemes_have_every_colour() -> None:
    assert len(LIGHT) > 15
    assert LIGHT.keys() == DARK.keys()


@pytest.mark.parametrize(("scheme", "colours"), [("light", LIGHT), ("dark", DARK)], ids=["light", "dark"])
def test_text_stands_out(scheme: str, colours: dict[str, str]) -> None:
    weak = {pair: contrast(*(colours[name] for name in pair)) for pair in PAIRS}
    assert {pair: round(ratio, 2) for pair, ratio in weak.items() if ratio < 4.5} == {}, scheme
