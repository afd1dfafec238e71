"""Batches of packets: every one answered to where it came from, from the address that it was sent to."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from minidns.server.batch import ANSWER, AVAILABLE, QUERY, SIZE, Batch

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="needs recvmmsg")

HOSTS = [
    (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
    (socket.AF_INET, "0.0.0.0", "127.0.0.2"),
    (socket.AF_INET6, "::1", "::1"),
    (socket.AF_INET6, "::", "::1"),
]
#: Linux's IP_PKTINFO.
PKTINFO = 8


class Pair:
    """A server's socket with its batch, and clients that are connected to it."""

    def __init__(self, family: socket.AddressFamily, bound: str, asked: str) -> None:
        self.server = socket.socket(family, socket.SOCK_DGRAM)
        self.server.setblocking(False)
        wildcard = bound != asked
        if wildcard and family == socket.AF_INET6:
            self.server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        elif wildcard:
            self.server.setsockopt(socket.IPPROTO_IP, PKTINFO, 1)
        self.server.bind((bound, 0))
        self.batch = Batch(self.server, pktinfo=wildcard)
        self.clients = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(2)]
        for client in self.clients:
            client.settimeout(10)
            client.connect((asked, self.server.getsockname()[1]))

    def close(self) -> None:
        for sock in (self.server, *self.clients):
            sock.close()


@pytest.fixture(params=HOSTS, ids=[f"{bound} asked as {asked}" for _, bound, asked in HOSTS])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    made = Pair(*request.param)
    yield made
    made.close()


def test_each_answer_goes_to_where_its_question_came_from(pair: Pair) -> None:
    first, second = pair.clients
    for client, packet in ((first, b"a"), (second, b"bb"), (first, b""), (second, b"d" * QUERY)):
        client.send(packet)
    packets = pair.batch.receive()
    assert packets == [b"a", b"bb", b"", b"d" * QUERY]
    assert pair.batch.send([b"to " + packet[:2] for packet in packets]) == []
    assert [first.recv(99), first.recv(99)] == [b"to a", b"to "]
    assert [second.recv(99), second.recv(99)] == [b"to bb", b"to dd"]
    assert pair.batch.receive() == []


def test_what_is_no_answer_or_too_long_is_left_to_the_caller(pair: Pair) -> None:
    client = pair.clients[0]
    replies = [None, b"one", "text", b"three", bytes(ANSWER + 1), b"five" + bytes(ANSWER - 4), None]
    for _ in replies:
        client.send(b"?")
    assert len(pair.batch.receive()) == len(replies)
    assert pair.batch.send(replies) == [0, 2, 4, 6]
    assert [client.recv(9999)[:5] for _ in range(3)] == [b"one", b"three", b"five\0"]


def test_an_answer_may_be_sent_later_without_the_batch(pair: Pair) -> None:
    for client in pair.clients:
        client.send(b"?")
    pair.batch.receive()
    later = [(pair.batch.ancillary(index), pair.batch.address(index)) for index in range(2)]
    pair.clients[0].send(b"another")
    pair.batch.receive()
    for number, (ancillary, address) in enumerate(later):
        pair.server.sendmsg((b"%d" % number,), ancillary, 0, address)
    assert [client.recv(99) for client in pair.clients] == [b"0", b"1"]


def test_a_batch_is_bounded_and_leaves_the_rest_for_the_next(pair: Pair) -> None:
    for number in range(SIZE + 3):
        pair.clients[0].send(b"%d" % number)
    packets = pair.batch.receive()
    assert packets == [b"%d" % number for number in range(SIZE)]
    assert pair.batch.send(packets) == []
    assert pair.batch.receive() == [b"%d" % number for number in range(SIZE, SIZE + 3)]
    assert [pair.clients[0].recv(99) for _ in packets] == packets


def test_packets_of_any_length_are_whole(pair: Pair) -> None:
    """Once a query with more than 1280 bytes of padding was cut, and malformed then."""
    long = [bytes(range(251)) * 100, bytes(QUERY + 1), b"x" * QUERY, b"", bytes(range(199)) * 300]
    for _ in range(2):
        for packet in long:
            pair.clients[0].send(packet)
        assert pair.batch.receive() == long


def test_an_answer_that_cannot_be_sent_is_lost_and_no_more() -> None:
    made = Pair(socket.AF_INET, "127.0.0.1", "127.0.0.1")
    try:
        for client in made.clients:
            client.send(b"?")
        made.batch.receive()
        # The kernel refuses port 0.
        made.batch._names[2:4] = b"\0\0"
        assert made.batch.send([b"lost", b"sent"]) == []
        assert made.clients[1].recv(99) == b"sent"
    finally:
        made.close()
