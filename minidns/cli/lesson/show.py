"""A lesson's texts on a terminal: paragraphs are wrapped, commands can be copied whole."""

from __future__ import annotations

import re

from rich.console import Console
from rich.text import Text


def show(console: Console, text: str) -> None:
    """Paragraphs have empty lines between them. A line with `$ ` at its start is a command, one with a blank a sample;
    backquotes are around words to be typed."""
    for at, paragraph in enumerate(re.split(r"\n\s*\n", text.strip("\n"))):
        if at:
            console.print()
        prose: list[str] = []
        for line in paragraph.splitlines():
            if line.startswith(("$ ", " ", "/")):
                _prose(console, prose)
                show_command(console, line)
            else:
                prose.append(line)
        _prose(console, prose)


def show_command(console: Console, line: str) -> None:
    """A line as it is, however long."""
    console.print(Text(f"  {line.strip()}", "cyan"), soft_wrap=True)


def _prose(console: Console, lines: list[str]) -> None:
    if lines:
        text = Text()
        for at, piece in enumerate(re.split(r"`([^`]*)`", " ".join(lines))):
            text.append(piece, "bold cyan" if at % 2 else "")
        console.print(text)
        lines.clear()
