"""`chaos`: what a server says about itself in class CH."""

from __future__ import annotations

from dataclasses import dataclass

from minidns import __version__


@dataclass(frozen=True, slots=True, kw_only=True)
class Chaos:
    """version: the text at version.bind and version.server. authors: the texts at authors.bind."""

    version: str = f"minidns-{__version__}"
    authors: tuple[str, ...] = ("the authors of minidns",)
