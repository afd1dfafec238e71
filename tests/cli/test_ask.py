"""`minidns ask`, as people run it: a real server, a real terminal's text."""

from __future__ import annotations

import re
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from minidns.cli.arguments import main
from tests.support.neighbours import free_port
from tests.support.running import Running, minidns

MANIFEST = """\
apiVersion: v1
kind: Service
metadata: {name: big}
spec: {clusterIP: None, selector: {app: big}, ports: [{name: http, port: 80}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: big}
spec:
  serviceName: big
  replicas: 60
  selector: {matchLabels: {app: big}}
  template: {metadata: {labels: {app: big}}}
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {clusterIP: 10.96.0.7, ports: [{port: 80}]}
"""
SHOP = "shop.default.svc.cluster.local"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("manifests")
    (folder / "all.yaml").write_text(MANIFEST)
    with minidns("--manifests", str(folder)) as running:
        yield running


def asked(server: Running, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    code = main(["ask", *arguments, "--server", f"127.0.0.1:{server.port}"])
    return code, capsys.readouterr().out.splitlines()


def test_an_answer(server: Running, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = asked(server, capsys, SHOP)
    assert code == 0
    assert lines[0] == f"{SHOP} A asked of 127.0.0.1:{server.port} over UDP"
    assert re.fullmatch(r"  59 bytes there, 75 bytes back, \d+\.\d ms", lines[1])
    assert lines[2:] == [
        "NOERROR: 1 A record",
        "flags",
        "  AA  authoritative: from the zone itself",
        "  RD  recursion asked for",
        "answer",
        f"  {SHOP}  5 s  A  10.96.0.7",
        "a resolver may keep this answer for 5 s (the lowest TTL)",
    ]


def test_a_type_behind_options(server: Running, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["ask", SHOP, "--server", f"127.0.0.1:{server.port}", "AAAA"])
    lines = capsys.readouterr().out.splitlines()
    assert code == 1
    assert lines[2] == "NOERROR: no record of that type (NODATA): the name exists"
    assert "  EDE 0 (Other): Service default/shop has IPv4 addresses only" in lines
    assert lines[-1] == "a resolver may keep this no for 5 s (the SOA record's TTL and minimum, RFC 2308, 5)"


def test_an_answer_that_is_cut_off_is_asked_for_again(server: Running, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = asked(server, capsys, "big.default.svc.cluster.local", "SRV", "--no-edns")
    assert code == 0
    cut = next(line for line in lines if "cut off (TC)" in line)
    assert re.fullmatch(r"  cut off \(TC\) behind (no|\d+) records?: the whole answer is to be had over TCP", cut)
    assert any(line.endswith("over TCP, because the answer over UDP was cut off") for line in lines)
    assert "NOERROR: 60 SRV records" in lines
    assert sum("  SRV  0 1 80 big-" in line for line in lines) == 60


def test_over_tcp_from_the_start(server: Running, capsys: pytest.CaptureFixture[str]) -> None:
    lines = asked(server, capsys, "big.default.svc.cluster.local", "--tcp")[1]
    assert lines[0].endswith("over TCP")
    assert "NOERROR: 60 A records" in lines


def test_an_address(server: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"  7.0.96.10.in-addr.arpa  5 s  PTR  {SHOP}." in asked(server, capsys, "10.96.0.7")[1]


def test_a_short_name_is_told_of_the_search_list(server: Running, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = asked(server, capsys, "shop")
    assert code == 1
    assert lines[2] == "REFUSED: the server does not answer that, or not to you"
    assert lines[-1] == "  minidns explain shop --from default"


def test_the_dig_line_asks_the_same(server: Running, capsys: pytest.CaptureFixture[str]) -> None:
    line = asked(server, capsys, SHOP, "--dig", "--tcp")[1][0]
    assert line == f"dig @127.0.0.1 -p {server.port} +nocookie +tcp {SHOP} A"
    printed = subprocess.run(line.split(), capture_output=True, text=True, timeout=20, check=True).stdout
    assert "10.96.0.7" in printed
    assert "MSG SIZE  rcvd: 75" in printed


def test_every_byte_is_named_once(server: Running, capsys: pytest.CaptureFixture[str]) -> None:
    lines = asked(server, capsys, SHOP, "--bytes")[1]
    shown = [re.match(r"  ([0-9a-f]{4})  ((?:[0-9a-f]{2} ?)+)", line) for line in lines]
    dumped = [(int(found[1], 16), len(found[2].split())) for found in shown if found]
    at = 0
    for offset, size in dumped:
        assert offset == at
        at += size
    assert at == 75
    assert any(line.split()[:2] == ["AA", "1:"] for line in lines)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((""), "NAME is empty"),
        (("a..b"), "is not a domain name"),
        (("shop", "XYZ"), "XYZ is not a record type"),
        (("shop", "AXFR"), "a zone transfer is many messages"),
        (("shop", "--server", ":53"), "--server :53: neither HOST nor HOST:PORT"),
        (("shop", "--server", "127.0.0.1:0"), "the port of --server must be a whole number from 1 to 65535"),
    ],
)
def test_what_makes_no_sense(arguments: tuple[str, ...] | str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = [arguments] if isinstance(arguments, str) else list(arguments)
    assert main(["ask", *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("option", [(), ("--tcp",)])
def test_nobody_there(option: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    assert main(["ask", "shop", "--server", f"127.0.0.1:{port}", *option]) == 2
    assert f"no DNS server at 127.0.0.1:{port}" in capsys.readouterr().err


@contextmanager
def answering(*answers: bytes) -> Iterator[int]:
    """A UDP server that sends these for a query, the query's ID in front of those that begin with "..."."""
    with socket.socket(type=socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))

        def answer() -> None:
            packet, client = listening.recvfrom(512)
            for raw in answers:
                listening.sendto(raw.replace(b"...", packet[:2], 1), client)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(5)


def test_an_answer_of_another_id_is_not_taken_and_one_that_cannot_be_read_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    head = struct.pack("!5H", 0x8180, 1, 1, 0, 0)
    with answering(b"\0\0" + head, b"..." + head + b"\1a\0\0\1\0\1" + b"\xc0\xff") as port:
        assert main(["ask", "a", "--server", f"127.0.0.1:{port}"]) == 1
    assert "it cannot be read to its end" in capsys.readouterr().out
