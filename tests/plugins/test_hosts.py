"""Names from a hosts file and from lines of the configuration."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest

from minidns.config.settings import ConfigError, Hosts
from minidns.config.values import hosts_line
from minidns.core import names
from minidns.core.records import AAAA, PTR, TXT, A
from minidns.plugins.hosts import HostsAnswer, HostsFile, HostsTable, parse_file

FOUR, SIX = bytes([192, 0, 2, 1]), bytes.fromhex("20010db8" + "0" * 23 + "1")
OTHER = bytes([192, 0, 2, 2])
ENTRIES = ((FOUR, ("a.example", "alias")), (SIX, ("a.example",)), (OTHER, ("a.example", "b.example")))


def table(**options: Any) -> HostsTable:
    return HostsTable(Hosts(**options), ENTRIES)


def look(found: HostsTable, name: str, type_: int = A) -> HostsAnswer | None:
    return found.lookup(names.from_text(name), type_)


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ("192.0.2.1 A.example alias", (FOUR, ("a.example", "alias"))),
        ("\t2001:db8::1\ta.example.  # comment", (SIX, ("a.example",))),
        ("fe80::1%eth0 a", (bytes.fromhex("fe80" + "0" * 27 + "1"), ("a",))),
        ("", None),
        ("# 192.0.2.1 a", None),
        ("fallthrough a", None),
    ],
)
def test_line(line: str, entry: Any) -> None:
    assert hosts_line(line) == entry


def test_a_line_keeps_the_names_that_are_some() -> None:
    assert hosts_line("192.0.2.1 b\u00fccher.example a..b a.example") == (FOUR, ("a.example",))


def test_line_without_a_name_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1 has no name"):
        hosts_line("192.0.2.1 # nothing")


def test_lines_that_are_none_are_left_out_and_named(caplog: pytest.LogCaptureFixture) -> None:
    text = "# comment\n\n192.0.2.1 a.example alias\nnonsense\n192.0.2.2\n192.0.2.3 a..b\n"
    assert parse_file(text, "f") == ((FOUR, ("a.example", "alias")),)
    assert [record.getMessage().split(":")[1] for record in caplog.records] == ["4", "5", "6"]


@pytest.mark.parametrize(
    ("name", "type_", "rcode", "rdata"),
    [
        ("a.example", A, 0, (FOUR, OTHER)),
        ("a.example", AAAA, 0, (SIX,)),
        ("b.example", AAAA, 0, ()),
        ("b.example", TXT, 0, ()),
        ("none.example", A, 2, ()),
        ("1.2.0.192.in-addr.arpa", PTR, 0, (b"\1a\7example\0", b"\5alias\0")),
        ("1.2.0.192.in-addr.arpa", A, 2, ()),
    ],
)
def test_lookup(name: str, type_: int, rcode: int, rdata: tuple[bytes, ...]) -> None:
    assert look(table(ttl=60), name, type_) == HostsAnswer(rcode, 60, rdata)


def test_what_is_not_there_goes_on_when_told_to() -> None:
    found = table(fallthrough=("example.",))
    assert look(found, "none.example") is None
    assert look(found, "none.other") == HostsAnswer(2, 3600)
    assert look(found, "b.example", AAAA) == HostsAnswer(0, 3600)


def test_names_outside_the_zones_and_unknown_addresses_go_on() -> None:
    found = table(zones=("example.",))
    assert look(found, "alias") is None
    assert look(found, "b.example") == HostsAnswer(0, 3600, (OTHER,))
    assert look(found, "1.2.0.192.in-addr.arpa", PTR) == HostsAnswer(0, 3600, (b"\1a\7example\0",))
    assert look(found, "b.example", PTR) is None
    assert look(table(), "9.2.0.192.in-addr.arpa", PTR) is None


def test_no_reverse() -> None:
    assert look(table(reverse=False), "1.2.0.192.in-addr.arpa", PTR) is None


def test_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("192.0.2.1 a\n")
    hosts = HostsFile(Hosts(path=path, inline=((OTHER, ("b",)),)))
    assert [look(hosts.table, name) for name in "ab"] == [HostsAnswer(0, 3600, (one,)) for one in (FOUR, OTHER)]
    assert hosts.refresh() is False
    path.write_text("192.0.2.2 a.new\n")
    assert hosts.refresh() is True
    assert [look(hosts.table, name) for name in ("a", "a.new")] == [
        HostsAnswer(2, 3600),
        HostsAnswer(0, 3600, (OTHER,)),
    ]


def test_file_behind_a_swapped_link_is_read_again(tmp_path: Path) -> None:
    """As a ConfigMap volume does it: the same size and time, another file."""
    for name, text in (("one", "192.0.2.1 a"), ("two", "192.0.2.2 a")):
        (tmp_path / name).write_text(text)
        os.utime(tmp_path / name, ns=(1, 1))
    link = tmp_path / "hosts"
    link.symlink_to("one")
    hosts = HostsFile(Hosts(path=link))
    (tmp_path / "new").symlink_to("two")
    (tmp_path / "new").replace(link)
    assert hosts.refresh() is True
    assert look(hosts.table, "a") == HostsAnswer(0, 3600, (OTHER,))


def test_missing_file_is_logged_once_and_lines_are_served(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "hosts"
    hosts = HostsFile(Hosts(path=path, inline=((OTHER, ("b",)),)))
    assert hosts.refresh() is False
    assert len(caplog.records) == 1
    assert look(hosts.table, "b") == HostsAnswer(0, 3600, (OTHER,))
    path.write_text("192.0.2.1 a\n")
    assert hosts.refresh() is True
    path.unlink()
    assert hosts.refresh() is True
    assert hosts.refresh() is False
    assert hosts.table.size == 1
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 2


def test_file_is_looked_at_when_the_interval_is_over(tmp_path: Path) -> None:
    path, now = tmp_path / "hosts", [0.0]
    path.write_text("192.0.2.1 a\n")
    hosts = HostsFile(Hosts(path=path, reload=5), lambda: now[0])
    never = HostsFile(Hosts(path=path, reload=0), lambda: now[0])
    path.write_text("192.0.2.1 a b c\n")
    sizes = []
    for now[0] in (4.9, 5.0):
        sizes.append((hosts.table.size, never.table.size))
    assert sizes == [(1, 1), (3, 1)]


def test_a_wildcard_answers_for_what_has_no_entry_of_its_own() -> None:
    lines = "192.0.2.1 *.example\n192.0.2.2 a.example\n::1 v6.example\n192.0.2.3 *.b.example"
    options = Hosts(inline=parse_file(lines, "hosts"), fallthrough=(".",))
    table = HostsTable(options, options.inline)

    def found(text: str, qtype: int = A) -> tuple[bytes, ...] | None:
        name = names.from_text(text)
        answer = table.lookup(name, qtype)
        assert answer is None or not table.passes(name)
        return answer.rdata if answer else None

    assert found("x.example") == found("y.x.example") == found("*.example") == (bytes((192, 0, 2, 1)),)
    assert found("a.example") == (bytes((192, 0, 2, 2)),)
    assert found("x.b.example") == (bytes((192, 0, 2, 3)),)
    assert found("v6.example") == ()
    assert found("example") is None
    assert found("1.2.0.192.in-addr.arpa", PTR) is None
