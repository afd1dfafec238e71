"""The words in a lesson's texts that depend on where it is played."""

from __future__ import annotations

from typing import NamedTuple


class Words(NamedTuple):
    """What stands for `{dig}` and so on.

    dig: asks the zone's server. cache: asks the second one. file: the manifests that are edited. admin: an option of
    minidns's commands, with a blank before it, or nothing.
    """

    dig: str
    cache: str
    file: str
    admin: str

    def fill(self, text: str) -> str:
        """The text with these words in it; other braces stay."""
        for name, word in self._asdict().items():
            text = text.replace(f"{{{name}}}", word)
        return text.strip()
