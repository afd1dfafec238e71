"""Where the plugins of a Corefile answer otherwise than CoreDNS's on purpose: what `check` warns of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from minidns.config.corefile.tree import Block, Line
from minidns.config.plugins.coredns import BY_NAME, DOCUMENT


def differences(blocks: Sequence[Block]) -> Iterator[str]:
    """A line for each plugin that shows some: "FILE:LINE: TEXT", where it stands first."""
    first: dict[str, Line] = {}
    for line in (line for block in blocks for line in block.lines):
        first.setdefault(line.name, line)
    for name, line in first.items():
        plugin = BY_NAME.get(name)
        if plugin is not None and plugin.numbers:
            numbers = ", ".join(map(str, plugin.numbers))
            yield f"{line.head.file}:{line.head.line}: {name} differs from CoreDNS on purpose: {numbers} of {DOCUMENT}"
