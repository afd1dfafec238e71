"""Names in wire form: their text, their sizes, reverse names, and the labels of addresses."""

from __future__ import annotations

from ipaddress import ip_address

import dns.name
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidns.core import names
from tests.support.clusters import address

addresses = st.ip_addresses().map(lambda ip: ip.packed)


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        ("", b"\0"),
        (".", b"\0"),
        ("a", b"\1a\0"),
        ("Cluster.LOCAL", b"\7cluster\5local\0"),
        ("cluster.local.", b"\7cluster\5local\0"),
        ("_tcp.a", b"\4_tcp\1a\0"),
        ("ü.a", b"\2\xc3\xbc\1a\0"),
    ],
)
def test_from_text(text: str, wire: bytes) -> None:
    assert names.from_text(text) == wire


@pytest.mark.parametrize("text", ["a..b", ".a", "..", "a" * 64, ".".join(["a" * 63] * 4), "a\0b", "\ud800"])
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(ValueError, match="is not a domain name: bad label"):
        names.from_text(text)


def test_the_longest_label_and_the_longest_name() -> None:
    longest = names.from_text(".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61]))
    assert len(longest) == 255
    assert names.child("x", longest) is None
    assert names.child("x" * 63, names.ROOT) == b"\x3f" + b"x" * 63 + b"\0"
    assert names.child("x" * 64, names.ROOT) is None
    assert names.child("ü" * 32, names.ROOT) is None  # 64 bytes
    assert names.child("", names.ROOT) is None


@given(st.lists(st.binary(min_size=1, max_size=20), max_size=8))
def test_text_is_read_by_others_as_the_same_name(labels: list[bytes]) -> None:
    wire = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    assert names.labels(wire) == labels
    assert dns.name.from_text(names.to_text(wire)).to_wire() == wire


@given(
    st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=6),
    st.lists(st.binary(min_size=1, max_size=20), max_size=3),
)
def test_parents(labels: list[bytes], other: list[bytes]) -> None:
    def wire(some: list[bytes]) -> bytes:
        return b"".join(bytes((len(label),)) + label for label in some) + b"\0"

    name = wire(labels)
    assert names.parent(name) == wire(labels[1:])
    assert all(names.is_below(name, wire(labels[at:])) for at in range(len(labels) + 1))
    assert names.is_below(name, wire(other)) == (
        labels[len(labels) - len(other) :] == other if len(other) <= len(labels) else False
    )


def test_a_name_that_only_looks_as_if_it_were_below() -> None:
    """The bytes of the origin within a label."""
    origin = names.from_text("in-addr.arpa")
    strange = b"\x0e" + b"1" + origin[:-1] + b"\0"
    assert strange.endswith(origin)
    assert not names.is_below(strange, origin)
    assert names.reversed_address(b"\0011\0012\0013\0014" + b"\x01x" + strange) is None


@given(addresses)
def test_reverse_names(packed: bytes) -> None:
    reverse = names.reverse(packed)
    assert reverse == names.from_text(ip_address(packed).reverse_pointer)
    assert names.reversed_address(reverse) == packed


@pytest.mark.parametrize(
    "text",
    [
        "3.2.1.in-addr.arpa",
        "5.4.3.2.1.in-addr.arpa",
        "256.0.0.1.in-addr.arpa",
        "01.0.0.1.in-addr.arpa",
        "x.0.0.1.in-addr.arpa",
        "ü.0.0.1.in-addr.arpa",
        "g." + "0." * 31 + "ip6.arpa",
        "00." + "0." * 31 + "ip6.arpa",
        "0." * 31 + "ip6.arpa",
        "in-addr.arpa",
        "4.3.2.1.cluster.local",
        "",
    ],
)
def test_what_is_no_reverse_name_of_an_address(text: str) -> None:
    assert names.reversed_address(names.from_text(text)) is None


@given(addresses)
def test_labels_of_addresses(packed: bytes) -> None:
    label = names.address_label(packed)
    assert names.child(label, names.ROOT) is not None
    assert not label.endswith("-")
    if not (len(packed) == 16 and "." in names.address_text(packed)):
        assert names.labelled_address(label.encode()) == packed


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("1.2.3.4", "1-2-3-4"),
        ("fd00::1", "fd00--1"),
        ("fd00:2::", "fd00-2--0"),
        ("::", "--0"),
        ("::1", "--1"),
        ("1:2:3:4:5:6:7:8", "1-2-3-4-5-6-7-8"),
        ("::ffff:1.2.3.4", "--ffff-1-2-3-4"),
    ],
)
def test_label_of(text: str, label: str) -> None:
    assert names.address_label(address(text)) == label
    assert names.address_text(address(text)) == text
    assert names.packed_address(text) == address(text)


@pytest.mark.parametrize(
    "label",
    [
        "1-2-3",
        "1-2-3-400",
        "1-2-3-4-5",
        "x",
        "",
        "-",
        "1-2-3-",
        "01-2-3-4",
        "fd00",
        "fd00-1",
        "\xff",
        "fe80--1%eth0",
        "fe80--1%",
    ],
)
def test_what_says_no_address(label: str) -> None:
    """A scope, which Python reads as part of an address, is none."""
    assert names.labelled_address(label.encode("latin-1")) is None


def test_a_label_with_a_dot_and_with_quotes() -> None:
    name = names.child('a.b"c\\ d;$@()', names.ROOT)
    assert name is not None
    assert names.to_text(name) == r"a\.b\"c\\\032d\;\$\@\(\)."
    assert names.labels(name) == [b'a.b"c\\ d;$@()']
