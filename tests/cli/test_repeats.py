"""What repeats in the log is counted, by the time that records carry, and told even when nothing follows."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import socket
from pathlib import Path

import dns.message
import pytest

from minidns.cli.repeats import BURST, SECONDS, Repeats
from tests.support.running import PATIENCE, eventually, minidns


class Written(io.StringIO):
    """A log, and an event for a count in it."""

    def __init__(self) -> None:
        super().__init__()
        self.counted = asyncio.Event()

    def write(self, text: str) -> int:
        if "more like this" in text:
            self.counted.set()
        return super().write(text)


def record(text: str, *values: object, name: str = "minidns.server.tcp", at: float = 0.0) -> logging.LogRecord:
    made = logging.LogRecord(name, logging.WARNING, "", 0, text, values, None)
    made.created = at
    return made


def written(*records: logging.LogRecord, closed: bool = False) -> list[str]:
    """The lines of a log with these records."""
    log = io.StringIO()
    repeats = Repeats(log)
    for one in records:
        repeats.handle(one)
    if closed:
        repeats.close()
    return log.getvalue().splitlines()


def test_a_flood_is_its_first_lines_and_a_count() -> None:
    flood = [record("no room for %s", number, at=number / 1000) for number in range(5000)]
    assert written(*flood) == [f"no room for {number}" for number in range(BURST)]
    later = [record("no room for %s", "one", at=SECONDS + 2), record("no room for %s", "two", at=SECONDS + 2)]
    told = ["no room for 10 (and 4,989 more like this)", "no room for one", "no room for two"]
    assert written(*flood, *later)[BURST:] == told


def test_a_flood_that_goes_on_is_told_of_again_and_again() -> None:
    lines = written(*(record("again", at=number / 100) for number in range(int(SECONDS * 100) * 3)))
    assert [line for line in lines if line != "again"] == ["again (and 989 more like this)"] * 2
    assert len(lines) == 3 * BURST + 2


@pytest.mark.parametrize(("more", "told"), [(0, []), (1, ["again"]), (2, ["again (and 1 more like this)"])])
def test_a_log_that_ends_tells_what_it_held_back(more: int, told: list[str]) -> None:
    assert written(*[record("again")] * (BURST + more), closed=True)[BURST:] == told


async def test_a_flood_that_is_over_is_told_of_when_nothing_follows() -> None:
    log = Written()
    repeats = Repeats(log, seconds=0.01)
    for number in range(100):
        repeats.handle(record("no room for %d", number))
    await asyncio.wait_for(log.counted.wait(), PATIENCE)
    assert log.getvalue().splitlines()[BURST:] == ["no room for 10 (and 89 more like this)"]
    repeats.close()
    assert len(log.getvalue().splitlines()) == BURST + 1


def test_another_process_tells_of_its_own_alone(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log:
        repeats = Repeats(log)
        for _ in range(100):
            repeats.handle(record("again"))
        child = os.fork()
        if child == 0:
            repeats.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        repeats.close()
    assert (tmp_path / "log").read_text().count("more like this") == 1


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_tells_of_a_flood_at_its_end(workers: str) -> None:
    """Zone transfers that are refused."""
    options = ("--manifests", "config/demo", "--transfer", "127.0.0.9", "--workers", workers)
    packet = dns.message.make_query("cluster.local", "AXFR", use_edns=False).to_wire()
    with minidns(*options) as running:
        with socket.create_connection(("127.0.0.1", running.port), PATIENCE) as client, client.makefile("rb") as stream:
            client.sendall((len(packet).to_bytes(2, "big") + packet) * 3 * BURST)
            for _ in range(3 * BURST):
                dns.message.from_wire(stream.read(int.from_bytes(stream.read(2), "big")))
        assert running.stop() == 0
        eventually(lambda: running.said(f"refused (and {2 * BURST - 1} more like this)"))
    assert sum("refused" in line for line in running.lines) == BURST + 1


@pytest.mark.parametrize("name", ["minidns.transfer.answering", "aiohttp.server"])
def test_what_peers_can_provoke_is_counted_whoever_tells_it(name: str) -> None:
    assert len(written(*[record("refused", name=name)] * 100)) == BURST


def test_other_messages_have_their_own_count() -> None:
    others = record("two"), record("one", name="minidns.plugins.resolver")
    assert written(*[record("one")] * 100, *others)[BURST:] == ["two", "one"]


def test_what_nobody_outside_provokes_is_told_always() -> None:
    for name in ("minidns.queries", "minidns.source.manifests.log"):
        assert len(written(*[record("%s", 1, name=name)] * 100)) == 100


def test_a_clock_that_is_set_back_silences_nothing() -> None:
    flood = [record("again", at=1e9)] * 100
    assert written(*flood, record("again", at=5.0))[BURST:] == ["again (and 89 more like this)", "again"]


def test_messages_of_asyncio_differ_by_their_objects_alone() -> None:
    text = "socket.accept() out of system resource\nsocket: <socket fd={}>"
    floods = [record(text.format(number), name="asyncio") for number in range(50)]
    assert len(written(*floods)) == 2 * BURST


def test_exceptions_as_messages_are_one_kind() -> None:
    floods = [logging.LogRecord("asyncio", logging.ERROR, "", 0, ValueError(number), (), None) for number in range(50)]
    assert len(written(*floods)) == BURST
