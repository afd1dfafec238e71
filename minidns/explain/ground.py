"""What the objects of the index come from, where somebody knows: the manifests that minidns plays a cluster on.

An explanation is made from the index alone. What is behind that is given in, so that its steps name a file and a line
instead of a kubectl command that nobody would answer.
"""

from __future__ import annotations

from typing import Protocol


class Ground(Protocol):
    """Text that comes from here is escaped, as everything in an explanation is."""

    def written(self, kind: str, namespace: str, name: str) -> str:
        """Where an object is written, FILE:LINE; "" for one that is written nowhere."""

    def unready(self, namespace: str, pod: str) -> str:
        """Why a pod is not ready, where that is written, and what makes it ready, in a sentence; "" when nobody
        knows."""
