"""A short soak, of each kind of server; `make soak` is a long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.run import soak

SECONDS = 8.0


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_server_holds_against_everything_at_once(tmp_path: Path, workers: int) -> None:
    world = await soak(tmp_path, "short", workers, SECONDS)
    assert not world.findings
    for what in (
        "answers over UDP",
        "answers over TCP",
        "changes",
        "API faults",
        "hostile packets",
        "reloads",
        "transfers",
    ):
        assert world.counts[what], what
    assert world.counts["answers compared"] > 1000
