"""Names that are there and may have been meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from minidns.core import names
from minidns.core.zone import Zone
from minidns.explain.question import name_text

#: Names that are offered at most.
OFFERED = 3
#: Words that are compared letter by letter: all of so few; of more, so many for each piece that they share.
_FEW, _SHARING = 100, 50


def nearest(word: str, choices: Collection[str]) -> list[str]:
    """The choices that look like `word`, or hold it, or are held by it; the closest first.

    Among many are found those that share a half of the word with it, as each does that has one letter wrong, and those
    between whose dashes it is: 10,000 take half a millisecond, and the comparison of what is found two.
    """
    some = sorted(choices if len(choices) <= _FEW else _sharing(word, choices))
    held = [choice for choice in some if _holds(word, choice) or _holds(choice, word)]
    alike = [choice for choice in some if abs(len(choice) - len(word)) <= max(2, len(word) // 3)]
    close = difflib.get_close_matches(word, alike, OFFERED)
    return [choice for choice in dict.fromkeys(close + sorted(held, key=len)) if choice != word][:OFFERED]


def _sharing(word: str, choices: Collection[str]) -> set[str]:
    # One search of C's in one long text, instead of a comparison for each choice. No choice has a line break in it.
    text = "\n" + "\n".join(choices) + "\n"
    half = len(word) // 2
    found = {piece for piece in word.split("-") if f"\n{piece}\n" in text}
    for piece in (f"\n{word}", f"-{word}", f"\n{word[:half]}", f"{word[half:]}\n"):
        at = text.find(piece)
        for _ in range(_SHARING):
            if at < 0:
                break
            start = text.rindex("\n", 0, at + 1) + 1
            end = text.index("\n", start)
            found.add(text[start:end])
            at = text.find(piece, end)
    found.discard("")
    return found


def _holds(whole: str, part: str) -> bool:
    return len(part) > 2 and part in whole.split("-")


def below_zone(zone: Zone, *labels: str) -> str | None:
    """The name of these labels (the leftmost first) in the zone, when it exists there."""
    name: names.Name | None = zone.settings.origin
    for label in reversed(labels):
        name = name and names.child(label, name)
    return name_text(name) if name in zone.nodes else None


def existing(zone: Zone, *paths: tuple[str, ...]) -> list[str]:
    """Those of these names that exist in the zone, each once."""
    return list(dict.fromkeys(text for labels in paths if (text := below_zone(zone, *labels))))
