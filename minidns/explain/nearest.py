"""Names that are there and may have been meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from minidns.core import names
from minidns.core.zone import Zone
from minidns.explain.question import name_text

#: Names that are offered at most.
OFFERED = 3
#: Words that are compared letter by letter at most: 2,000 of them take some 20 ms.
_COMPARED = 2000


def nearest(word: str, choices: Collection[str]) -> list[str]:
    """The choices that look like `word`, or hold it, or are held by it; the closest first."""
    held = [choice for choice in choices if _holds(word, choice) or _holds(choice, word)]
    alike = [choice for choice in choices if abs(len(choice) - len(word)) <= max(2, len(word) // 3)]
    close = difflib.get_close_matches(word, alike[:_COMPARED], OFFERED)
    return [choice for choice in dict.fromkeys(close + sorted(held, key=len)) if choice != word][:OFFERED]


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
