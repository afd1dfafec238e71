"""The small values a configuration is made of: zone names, networks, durations, addresses to listen on.

Each function takes what a person wrote and returns one normal form, or raises `ConfigError` in words for that
person.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

#: A zone in a configuration: lowercase, absolute, with the final dot ("cluster.local.", "."). The core speaks
#: wire form; presentation text lives in the configuration alone.
ZoneName = str
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
#: A hosts line: a packed address and the names that have it, in lower case without a final dot.
HostsLine = tuple[bytes, tuple[str, ...]]


class UsageError(Exception):
    """What was asked for on the command line makes no sense; the text says why."""


class ConfigError(Exception):
    """A configuration that cannot be used. The text is one message for the person who wrote it."""


def zone_name(text: str) -> ZoneName:
    """The normal form of a domain name, the final dot optional: "Cluster.Local" becomes "cluster.local."."""
    if text == ".":
        return text
    name = text.removesuffix(".").lower()
    labels = name.split(".")
    if not text or "" in labels:
        raise ConfigError(f"{text!r} is not a domain name: it has an empty label")
    if not re.fullmatch(r"[!-\[\]-~]+", name):
        raise ConfigError(f"{text!r} is not a domain name: only printable ASCII without escapes is understood")
    if max(map(len, labels)) > 63 or len(name) > 253:
        raise ConfigError(f"{text!r} is not a domain name: labels have at most 63 characters, names 253")
    return name + "."


def zone_names(text: str) -> tuple[ZoneName, ...]:
    """The zones that a name or a network stands for.

    A network becomes its reverse zones; one off an octet (IPv4) or nibble (IPv6) boundary becomes several, as
    RFC 4183 and CoreDNS do not delegate within a label: "10.0.0.0/15" is 0.10.in-addr.arpa. and
    1.10.in-addr.arpa.
    """
    if "/" not in text:
        return (zone_name(text),)
    return reverse_zones(network(text, strict=False))


def reverse_zones(net: Network) -> tuple[ZoneName, ...]:
    """The reverse zones that together cover exactly that network, in the network's order."""
    bits, tree = (8, "in-addr.arpa.") if net.version == 4 else (4, "ip6.arpa.")
    labels = -(-net.prefixlen // bits)
    zones = []
    for part in net.subnets(new_prefix=labels * bits):
        packed = part.network_address.packed
        digits = map(str, packed) if net.version == 4 else iter(packed.hex())
        zones.append(".".join([*reversed([digit for digit, _ in zip(digits, range(labels), strict=False)]), tree]))
    return tuple(zones)


def network(text: str, *, strict: bool = True) -> Network:
    """An IPv4 or IPv6 network in CIDR notation; `strict` refuses set host bits."""
    try:
        return ipaddress.ip_network(text, strict=strict)
    except ValueError as error:
        raise ConfigError(f"{text!r} is not a network: {error}") from None


def duration(text: str) -> float:
    """Seconds, from Go's notation: "300ms", "1m30s", "1.5h", "0"."""
    rest, seconds = text, 0.0
    while part := _DURATION_PART.match(rest):
        seconds += float(part[1]) * _SECONDS[part[2]]
        rest = rest[part.end() :]
    if text == "0" or (text and not rest and seconds < 1e9):
        return seconds
    raise ConfigError(f"{text!r} is not a duration: write a number and a unit, such as 500ms, 30s, 5m or 1h30m")


_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_KEY = rf"(?:[a-z0-9](?:[a-z0-9.-]{{0,251}}[a-z0-9])?/)?{_LABEL}"
_VALUES = rf"\(\s*(?:{_LABEL})?\s*(?:,\s*(?:{_LABEL})?\s*)*\)"
#: A term of a label selector, as Kubernetes's API reads it.
_TERM = re.compile(rf"\s*(?:!\s*{_KEY}|{_KEY}(?:\s*(?:==?|!=)\s*(?:{_LABEL})?|\s+(?:in|notin)\s*{_VALUES})?)\s*")


def selector(text: str) -> str:
    """A label selector: terms like a=b, a!=b, a, !a, a in (b, c) with commas between them."""
    rest = text
    # Up to the first comma that is not in a list of values, term by term.
    while match := _TERM.match(rest):
        if match.end() == len(rest):
            return text
        if rest[match.end()] != ",":
            break
        rest = rest[match.end() + 1 :]
    raise ConfigError(
        f"{text!r} is not a label selector: {rest.strip()!r} is no term such as a=b, a, !a or a in (b, c)"
    )


def number(text: str, what: str, low: int, high: int) -> int:
    """A whole number within `low` and `high`, both included."""
    if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
        raise ConfigError(f"{what} must be a whole number from {low} to {high}, not {text!r}")
    return int(text)


@dataclass(frozen=True, slots=True)
class Listen:
    """An address to listen on: an IP address, "localhost", or "" for every address of both families.

    Port 0 asks the system for a free port.
    """

    host: str
    port: int

    def __post_init__(self) -> None:
        if self.host not in ("", "localhost") and not is_address(self.host):
            raise ConfigError(f"{self.host!r} is not an address to listen on: write an IP address or localhost")
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port {self.port} is not within 0 and 65535")

    @classmethod
    def parse(cls, text: str, default_port: int = 53) -> Listen:
        """From "127.0.0.1:1053", "[::1]:1053", ":1053", "1053", "localhost:1053", "127.0.0.1" or "::1"."""
        host, port = split_port(text)
        if port is None and text.isascii() and text.isdigit():
            host, port = "", text
        return cls(host, default_port if port is None else number(port, "a port", 0, 65535))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def split_port(text: str) -> tuple[str, str | None]:
    """Host and port of "host:port", "[v6]:port", "[v6]", "v6" or "host"; the port is None when there is
    none.
    """
    if match := re.fullmatch(r"\[([^\[\]]*)\](?::(.*))?", text):
        return match[1], match[2]
    if text.count(":") == 1:
        host, port = text.split(":")
        return host, port
    return text, None


def hosts_line(text: str) -> HostsLine | None:
    """A line of a hosts file, without what is no name in it; None when it does not begin with an address. Raises
    `ConfigError` when no name is left.
    """
    address, *hosts = text.partition("#")[0].split() or [""]
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    bad = no_names(hosts)
    if len(bad) == len(hosts):
        raise ConfigError(f"{address} has no name: write an address and the names that have it")
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).packed, tuple(zone_name(host).rstrip(".") for host in hosts if host not in bad)


def no_names(texts: Iterable[str]) -> list[str]:
    """Those of some texts that are no domain names."""
    bad = []
    for text in texts:
        try:
            zone_name(text)
        except ConfigError:
            bad.append(text)
    return bad


def is_address(text: str) -> bool:
    """An IPv4 or IPv6 address, a zone index ("fe80::1%eth0") included."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
