"""A line per query, in CoreDNS's format."""

from __future__ import annotations

from typing import Any

import dns.message
import pytest

from minidns.config.settings import Log
from minidns.core.responder import Client, Exchange
from minidns.plugins.log import QueryLog
from tests.support.neighbours import answer_to

A = "a.example.org. 5 A 192.0.2.1"


def exchange(
    *answers: str, rcode: int = 0, name: str = "A.example.org.", seconds: float = 0.25, **options: Any
) -> Exchange:
    transport, remote = options.pop("transport", "udp"), options.pop("remote", "::1")
    query = dns.message.make_query(name, "A", id=29008, **options).to_wire()
    return Exchange(
        query, answer_to(query, *answers, rcode=rcode), Client(remote, 50759), "127.0.0.1", transport, seconds
    )


def test_common_format_is_coredns() -> None:
    line = QueryLog((Log(),)).line(exchange(A, use_edns=0, payload=4096, seconds=0.037990251))
    assert line == ('[::1]:50759 - 29008 "A IN a.example.org. udp 42 false 4096" NOERROR qr,rd,ra 58 0.037990251s')


def test_other_placeholders_and_unknown_ones() -> None:
    log = QueryLog((Log(format="{local} {>opcode} {>do} {>bufsize} {proto} {remote} {nonsense} {}"),))
    line = log.line(exchange(A, want_dnssec=True, transport="tcp", remote="192.0.2.9"))
    assert line == "127.0.0.1 0 true 65535 tcp 192.0.2.9 - -"


@pytest.mark.parametrize(
    ("made", "class_"),
    [
        (exchange(A), "success"),
        (exchange(), "denial"),
        (exchange(rcode=3), "denial"),
        (exchange(rcode=2), "error"),
        (exchange(rcode=5), "error"),
    ],
)
def test_classes(made: Exchange, class_: str) -> None:
    written = {
        name: QueryLog((Log(classes=frozenset({name})),)).line(made) is not None
        for name in ("all", "success", "denial", "error")
    }
    assert written == {name: name in ("all", class_) for name in written}


def test_slow_answers_are_written_whatever_their_class() -> None:
    log = QueryLog((Log(classes=frozenset({"error"}), min_duration=0.2),))
    assert log.line(exchange(A, seconds=0.2)) is not None
    assert log.line(exchange(A, seconds=0.1)) is None


def test_first_log_whose_zones_hold_the_name_writes() -> None:
    log = QueryLog((Log(zones=("b.", "example.org."), format="one"), Log(format="two")))
    assert [log.line(exchange(name=name)) for name in ("a.example.org.", "c.")] == ["one", "two"]
    assert QueryLog((Log(zones=("b.",)),)).line(exchange()) is None


def test_name_from_the_network_is_escaped() -> None:
    line = QueryLog((Log(format="{name}"),)).line(exchange(name='a\\010b\\"c.org.'))
    assert line == 'a\\010b\\"c.org.'


def test_packet_that_is_no_question_is_not_written() -> None:
    assert QueryLog((Log(),)).line(Exchange(b"\0" * 12, b"\0" * 12, Client("::1", 1), "::1", "udp", 0.0)) is None
