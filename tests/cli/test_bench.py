"""Benchmarks: what dnsperf and the kernel report is read right; works ask what they say; `minidns bench` measures."""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from random import Random

import msgspec
import pytest

from benchmarks import cluster, processes
from benchmarks.measuring import Figures, Latency, Round, latencies
from benchmarks.tables import markdown
from benchmarks.works import WORKS
from minidns.app import App
from minidns.cli import bench
from minidns.cli.bench import BenchError
from minidns.config.settings import Config, Kubernetes, Listen, Manifests, ServerBlock
from minidns.core import names, records
from minidns.core.answers import answer
from minidns.core.model import Replaced, Upserted
from minidns.core.zone import Zone
from minidns.source.kubernetes.decode import DECODE
from minidns.views import zonefile
from tests.support.clusters import LISTS, endpoints, headless, service, zone_of
from tests.support.neighbours import free_port

REPORT = """\
DNS Performance Testing Tool
Version 2.10.0

[Status] Command line: dnsperf -s 127.0.0.1 -p 11053 -d q -l 2
[Status] Sending queries (to 127.0.0.1:11053)
[Status] Testing complete (time limit)

Statistics:

  Queries sent:         137900
  Queries completed:    137789 (99.92%)
  Queries lost:         111 (0.08%)

  Response codes:       NOERROR 137000 (99.43%), NXDOMAIN 789 (0.57%)
  Average packet size:  request 49, response 81
  Run time (s):         2.000000
  Queries per second:   68894.500000

  Average Latency (s):  0.001127 (min 0.000015, max 0.020929)
  Latency StdDev (s):   0.001072
"""
SILENCE = """\
Statistics:

  Queries sent:         1
  Queries completed:    0 (0.00%)
  Queries lost:         1 (100.00%)

  Response codes:       
  Average packet size:  request 49, response 0
  Run time (s):         0.004444
  Queries per second:   0.000000

  Average Latency (s):  0.000000 (min 0.000000, max 0.000000)
"""  # noqa: W291
MANIFEST = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  clusterIP: 10.96.0.5
  ports: [{name: http, port: 80}]
"""


def test_a_report_of_dnsperf_is_read() -> None:
    result = bench.parse(REPORT)
    assert (result.sent, result.completed, result.lost) == (137900, 137789, 111)
    assert (result.mean, result.worst, result.rate) == (0.001127, 0.020929, 68894.5)
    assert result.rcodes == {"NOERROR": 137000, "NXDOMAIN": 789}


def test_a_report_without_answers_is_read() -> None:
    result = bench.parse(SILENCE)
    assert (result.sent, result.completed, result.lost, result.rcodes) == (1, 0, 1, {})


def test_what_dnsperf_says_instead_of_a_report_is_told() -> None:
    with pytest.raises(BenchError, match="unable to open file: /none"):
        bench.parse("DNS Performance Testing Tool\nVersion 2.10.0\n\nError: unable to open file: /none\n")


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ("127.0.0.1:1053", "-s 127.0.0.1 -p 1053"),
        ("[::1]:1053", "-s ::1 -p 1053"),
        ("dns.example.com", "-s dns.example.com -p 53"),
    ],
)
def test_a_server_is_named_with_or_without_a_port(server: str, words: str) -> None:
    assert words in " ".join(bench.command(server, Path("q"), 1.5))


def test_questions_are_the_names_and_types_of_the_zone_each_once() -> None:
    zone = zone_of(
        service("default/web", "10.96.0.5", ports="http:80"),
        headless("default/db", ports="sql:5432"),
        endpoints("default/db-1", "10.0.0.1 host=db-0", "10.0.0.2 host=db-1", ports="sql:5432"),
    )
    origin = zone.settings.origin
    questions = bench.questions("".join(zonefile.pieces(zone, origin)).splitlines())
    assert len(questions) == len(set(questions))
    expected = {
        "web.default.svc.cluster.local. A", "_http._tcp.web.default.svc.cluster.local. SRV",
        "db.default.svc.cluster.local. A", "db-1.db.default.svc.cluster.local. A", "cluster.local. SOA",
    }  # fmt: skip
    assert expected < set(questions)


def test_latencies_are_those_of_answers_alone() -> None:
    lines = ["> NOERROR a.example A 0.000143\n", "> T b.example A 2.000000\n", "[Status] Testing complete\n"]
    assert latencies(lines) == [0.000143]


def test_cpu_time_is_of_a_process_and_all_below_it(tmp_path: Path) -> None:
    tick = os.sysconf("SC_CLK_TCK")
    for pid, parent, user, system in ((1, 0, 5, 5), (7, 1, 100, 20), (8, 7, 10, 2), (9, 8, 1, 0), (10, 1, 9, 9)):
        folder = tmp_path / str(pid)
        folder.mkdir()
        fields = f"S {parent} 1 1 0 -1 4194304 1 0 0 0 {user} {system} 77 88 20 0 1 0"
        (folder / "stat").write_text(f"{pid} (dns (1) \n) {fields}\n")
    (tmp_path / "11").mkdir()
    (tmp_path / "self").mkdir()
    assert processes.cpu_time(7, tmp_path) == (111 / tick, 22 / tick)


def test_the_kernel_counts_the_cpu_time_of_this_process() -> None:
    before, mine = processes.cpu_time(os.getpid()), os.times()
    assert sum(before) <= mine.user + mine.system + 1 / os.sysconf("SC_CLK_TCK")
    assert sum(before) > 0


def benched() -> Zone:
    """A zone of the cluster that the benchmarks serve."""
    zone = zone_of()
    for name, items in cluster.objects().items():
        zone.apply(Replaced(LISTS[name], tuple(DECODE[LISTS[name]](msgspec.json.encode(item)) for item in items)))
    return zone


def rcodes_of(zone: Zone, lines: Sequence[str]) -> list[int]:
    found = []
    for line in lines:
        name, type_ = line.split()
        reply = answer(zone, names.from_text(name.lower()), getattr(records, type_))
        found.append(reply.rcode if reply.answer or reply.rcode else -1)
    return found


def test_each_work_asks_for_what_it_says() -> None:
    zone = benched()
    asked = {name: list(islice(work.lines(Random(1)), 4000)) for name, work in WORKS.items()}
    found = {name: rcodes_of(zone, lines) for name, lines in asked.items()}
    for name in ("hot", "case", "headless100", "srv100", "churn", "tcp"):
        assert set(found[name]) == {records.NOERROR}, name
    assert set(found["unknown"]) == {records.NXDOMAIN}
    assert len(set(asked["unknown"])) == len(asked["unknown"])
    shares = [found["mix"].count(rcode) / len(found["mix"]) for rcode in (records.NXDOMAIN, -1, records.NOERROR)]
    # 40% and 5% do not exist; of 35% half ask for AAAA, which four of five do not have.
    assert shares == pytest.approx([0.45, 0.14, 0.41], abs=0.03)


def test_changes_touch_names_that_nobody_asks_for() -> None:
    zone = benched()
    lines = [line for work in WORKS.values() for line in islice(work.lines(Random(1)), 4000)]
    asked = {names.from_text(line.split()[0].lower()) for line in lines}
    touched = []
    for item in islice(cluster.changes(), 900):
        change = zone.apply(Upserted(DECODE[LISTS["endpointslices"]](msgspec.json.encode(item))))
        assert change
        touched += change
    assert not asked.intersection(touched)


def test_the_table_compares_with_knot() -> None:
    def figures(user: float, system: float) -> Figures:
        return Figures([Round(1e5, user, system, {}, None)], [Latency(8e4, 0.0001, 0.0015, 80_000, 2)])

    lines = markdown({"hot": {"minidns": figures(4, 3), "knot": figures(1, 4)}}).splitlines()
    assert lines[2] == "| hot | minidns | 100,000 | 7.00 | 4.0 + 3.0 | 1.40 | 1.15 | 0.10 | 1.50 | 2 of 80,000 |"
    assert lines[3] == "| hot | knot | 100,000 | 5.00 | 1.0 + 4.0 | 1.00 |  | 0.10 | 1.50 | 2 of 80,000 |"


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    return parser.parse_args(words)


async def test_a_running_minidns_is_measured(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "web.yaml").write_text(MANIFEST)
    port, admin = free_port(), free_port()
    block = ServerBlock(listen=(Listen("127.0.0.1", port),), kubernetes=Kubernetes())
    config = Config(servers=(block,), source=Manifests(path=tmp_path), admin=Listen("127.0.0.1", admin))
    where = ("--server", f"127.0.0.1:{port}", "--admin", f"http://127.0.0.1:{admin}/", "--seconds", "1")
    async with App(config).running():
        assert await asyncio.to_thread(bench.run, parsed(*where)) == 0
    out = capfd.readouterr().out
    assert f"127.0.0.1:{port}" in out
    assert "NOERROR" in out
    assert "NXDOMAIN" not in out


def test_without_dnsperf_the_reader_is_told_how_to_install_it(tmp_path: Path) -> None:
    code = "import sys, argparse; from minidns.cli import bench; sys.exit(bench.run(argparse.Namespace()))"
    ended = subprocess.run([sys.executable, "-c", code], env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert ended.returncode == 2
    assert "apt install dnsperf" in ended.stderr
    assert "brew install dnsperf" in ended.stderr


def test_without_a_zone_the_reader_is_told_where_to_get_one(capfd: pytest.CaptureFixture[str]) -> None:
    assert bench.run(parsed("--admin", f"http://127.0.0.1:{free_port()}")) == 1
    assert "--manifests" in capfd.readouterr().err


def test_a_server_that_is_not_there_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "web.yaml").write_text(MANIFEST)
    server = f"127.0.0.1:{free_port()}"
    assert bench.run(parsed("--manifests", str(tmp_path), "--server", server, "--seconds", "0.1")) == 1
    assert f"no answer from {server}" in capfd.readouterr().err
