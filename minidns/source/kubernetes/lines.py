"""The lines of a stream of chunks."""

from __future__ import annotations

#: Bytes of one event, far above what etcd stores (1.5 MiB).
LONGEST_LINE = 64 * 1024 * 1024


class Lines:
    """Splits a stream of chunks into lines, in time linear in their bytes however long a line is."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that are complete now, without empty ones. Raises ValueError for an endless line."""
        first, *rest = chunk.split(b"\n")
        self._parts.append(first)
        self._length += len(first)
        if self._length > LONGEST_LINE:
            raise ValueError(f"an event of more than {LONGEST_LINE} bytes")
        if not rest:
            return []
        lines = [b"".join(self._parts), *rest[:-1]]
        self._parts, self._length = [rest[-1]], len(rest[-1])
        return [line for line in lines if line and not line.isspace()]
