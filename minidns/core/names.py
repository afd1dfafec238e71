"""Names in wire form, and the grammar of the names that a cluster has.

A `Name` is the uncompressed wire form of RFC 1035, 3.1, in lower case, with the root's zero byte at its end:
`b"\\x03svc\\x07cluster\\x05local\\x00"`. Dotted text is for people and for configuration only: a label can
contain a dot. `bytes.lower()` is safe on the wire form, because a length byte is below 64 and "A" is 65.

The names below a cluster zone Z (Kubernetes DNS specification 1.1.0):

    SVC.NS.svc.Z                  a Service
    _PORT._PROTO.SVC.NS.svc.Z     a named port of it
    HOST.SVC.NS.svc.Z             an endpoint of it
    HOST.CLUSTER.SVC.NS.svc.Z     an endpoint in that cluster, where Z is the zone of a cluster set
    1-2-3-4.NS.pod.Z              a pod, by its address
    dns-version.Z                 the version of the specification
"""

from __future__ import annotations

import ipaddress
import re
import socket
from functools import lru_cache

Name = bytes

ROOT: Name = b"\0"
MAX_NAME = 255
MAX_LABEL = 63

IN_ADDR_ARPA: Name = b"\7in-addr\4arpa\0"
IP6_ARPA: Name = b"\3ip6\4arpa\0"


def child(label: str, parent: Name) -> Name | None:
    """The name of `label` below `parent`; None when DNS has no such name (RFC 1035, 2.3.4: sizes).

    A NUL in a label is refused too: the fast path finds a question's end by its first zero byte.
    """
    try:
        raw = label.encode("utf-8", "surrogateescape").lower()
    except UnicodeEncodeError:  # half a surrogate pair, as YAML's escapes can write it
        return None
    if not 0 < len(raw) <= MAX_LABEL or len(raw) + 1 + len(parent) > MAX_NAME or 0 in raw:
        return None
    return bytes((len(raw),)) + raw + parent


def from_text(text: str) -> Name:
    """The name of a dotted host name such as "cluster.local" or "cluster.local."; no escapes.

    Raises ValueError, with the reason, when it is not a name.
    """
    name = ROOT
    for label in reversed(text.removesuffix(".").split(".") if text not in ("", ".") else []):
        longer = child(label, name)
        if longer is None:
            raise ValueError(f"{text!r} is not a domain name: bad label {label!r}")
        name = longer
    return name


def to_text(name: bytes) -> str:
    """Presentation form with the final dot, escaped as in a zone file (RFC 1035, 5.1), in the letter case given."""
    if len(name) == 1:
        return "."
    first = name[0] + 1
    return label_text(name[1:first]) + _above_text(name[first:])


@lru_cache(maxsize=1024)
def _above_text(name: bytes) -> str:
    """The text behind a first label. Of 500,000 names in a row, as a zone file has them, most share it."""
    return "." + "".join(label_text(label) + "." for label in labels(name))


def label_text(label: bytes) -> str:
    """One label in presentation form: what is not a plain printable character is escaped."""
    if _PLAIN(label):
        return label.decode()
    return "".join(
        ("\\" if byte in b'.\\"();@$' else "") + chr(byte) if 33 <= byte <= 126 else f"\\{byte:03d}" for byte in label
    )


#: Labels without any character to escape: most of them, in a fifth of the time.
_PLAIN = re.compile(rb"[A-Za-z0-9_-]+").fullmatch


def labels(name: bytes) -> list[bytes]:
    """The labels of a name from left to right, without the root."""
    found, position = [], 0
    while length := name[position]:
        found.append(name[position + 1 : position + 1 + length])
        position += length + 1
    return found


def parent(name: Name) -> Name:
    """The name without its leftmost label."""
    return name[name[0] + 1 :]


def is_below(name: Name, origin: Name) -> bool:
    """Whether `name` is `origin` or below it."""
    # The ends of the bytes first: they tell most names apart, however many labels these have.
    if origin == ROOT or not name.endswith(origin):
        return origin == ROOT
    position, start = 0, len(name) - len(origin)
    while position < start:
        position += name[position] + 1
    return position == start


_OCTET_LABELS = tuple(b"%c%d" % (len(str(octet)), octet) for octet in range(256))


def reverse(address: bytes) -> Name:
    """The reverse name of a packed address (RFC 1035, 3.5; RFC 3596, 2.5)."""
    if len(address) == 4:
        a, b, c, d = address
        # Two of these for each of 100,000 endpoints: 0.3 us instead of 1.7.
        return _OCTET_LABELS[d] + _OCTET_LABELS[c] + _OCTET_LABELS[b] + _OCTET_LABELS[a] + IN_ADDR_ARPA
    return b"".join(b"\1%c" % nibble for nibble in reversed(address.hex().encode())) + IP6_ARPA


def reversed_address(name: Name) -> bytes | None:
    """The packed address of a complete reverse name, None for any other name."""
    digits = [label.decode("ascii", "replace") for label in reversed(labels(name)[:-2])]
    if is_below(name, IN_ADDR_ARPA) and len(digits) == 4:
        text = ".".join(digits)
    elif is_below(name, IP6_ARPA) and len(digits) == 32:
        text = ":".join("".join(digits[at : at + 4]) for at in range(0, 32, 4))
    else:
        return None
    try:
        return ipaddress.ip_address(text).packed
    except ValueError:
        return None


def packed_address(text: str) -> bytes:
    """The packed form of an address as people write it. Raises ValueError."""
    return ipaddress.ip_address(text).packed


def address_text(address: bytes) -> str:
    """A packed address as people write it (RFC 5952)."""
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


def address_label(address: bytes) -> str:
    """The label of an address: `1-2-3-4`, `fd00--1`; a trailing `-` is completed: `fd00:2::` is `fd00-2--0`."""
    label = address_text(address).replace(".", "-").replace(":", "-")
    return label + "0" if label.endswith("-") else label


def labelled_address(label: bytes) -> bytes | None:
    """The packed address that a pod's label says, None when it says none. As CoreDNS reads it: three single dashes are
    an IPv4 address, anything else is tried as IPv6."""
    try:
        if label.count(b"-") == 3 and b"--" not in label:
            return ipaddress.IPv4Address(label.decode("ascii").replace("-", ".")).packed
        address = ipaddress.IPv6Address(label.decode("ascii").replace("-", ":"))
        return None if address.scope_id is not None else address.packed
    except ValueError:
        return None
