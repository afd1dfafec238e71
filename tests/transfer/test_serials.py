"""Serial numbers never go back: over restarts, busy hours, clock steps, and with nothing but a file."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import dns.serial
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidns.transfer.serials import PER_SECOND, Serials, following, is_ahead, latest
from tests.support.running import eventually

numbers = st.integers(0, 2**32 - 1)


@given(numbers, numbers)
def test_the_arithmetic_of_rfc_1982(one: int, other: int) -> None:
    assert latest(one, other) in (one, other)
    if (one - other) % 2**32 != 2**31:  # of two that are half of all apart, none is said to be ahead
        assert is_ahead(one, other) == (dns.serial.Serial(one) > dns.serial.Serial(other))
        assert not is_ahead(other, latest(one, other))
        assert is_ahead(following(one, other), one)


class Clocks:
    def __init__(self, wall: float = 1.8e9) -> None:
        self.wall, self.steady = wall, 5.0

    def serials(self, path: Path | None = None) -> Serials:
        return Serials(path, wall=lambda: self.wall, steady=lambda: self.steady)

    def goes(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


@pytest.mark.parametrize("rate", [1, 278, 1000])
def test_a_restart_after_a_busy_hour_is_ahead(rate: int) -> None:
    clocks = Clocks()
    serials = clocks.serials()
    serial = serials.now()
    for _ in range(3600):
        clocks.goes(1)
        serial = (following(serial, serials.now()) + rate - 1) % 2**32
    clocks.goes(1)
    assert is_ahead(clocks.serials().now(), serial)


@pytest.mark.parametrize("step", [-1e6, 1e6])
def test_a_step_of_the_wall_clock_moves_nothing_while_running(step: float) -> None:
    clocks = Clocks()
    serials = clocks.serials()
    before = serials.now()
    clocks.wall += step
    assert serials.now() == before
    clocks.goes(1)
    assert serials.now() == before + PER_SECOND


def test_over_the_end_of_all_numbers() -> None:
    clocks = Clocks(wall=(2**32 - 1000) / PER_SECOND)
    serials = clocks.serials()
    before = serials.now()
    clocks.goes(10)
    assert serials.now() < before
    assert is_ahead(serials.now(), before)


async def test_a_file_keeps_them_whatever_the_clock_says(tmp_path: Path) -> None:
    clocks, path = Clocks(), tmp_path / "serial"
    serials = clocks.serials(path)
    used = serials.now() + 5000
    keeping = asyncio.create_task(serials.keep(lambda: used))
    await asyncio.to_thread(eventually, path.exists)
    clocks.wall -= 1e6
    killed = clocks.serials(path).now()
    assert is_ahead(killed, used)
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping
    ended = clocks.serials(path).now()
    assert is_ahead(ended, used)
    assert is_ahead(killed, ended), "an orderly end gives back what was reserved"


def test_a_damaged_file_is_ignored(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "serial"
    path.write_text("12x")
    clocks = Clocks()
    assert clocks.serials(path).now() == clocks.serials().now()
    assert "12x" in caplog.text


async def test_a_file_that_cannot_be_written_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keeping = asyncio.create_task(Clocks().serials(tmp_path / "none" / "serial").keep(lambda: 1))
    await asyncio.to_thread(eventually, lambda: "cannot keep" in caplog.text)
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping
    assert caplog.text.count("cannot keep") == 1
