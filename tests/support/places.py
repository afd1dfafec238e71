"""Where things are that many tests read."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
DEMO = ROOT / "config" / "demo"
#: What a real API server said: lists, watches, and the state that CoreDNS answered from.
RECORDINGS = Path(__file__).parent / "recordings"
#: The manifests that those lists were recorded from.
MANIFESTS = ROOT / "tests" / "source" / "manifests" / "data"
#: Corefiles as distributions ship them.
COREFILES = ROOT / "tests" / "config" / "corefiles"
