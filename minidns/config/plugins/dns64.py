"""`dns64`: IPv6 addresses made of IPv4 ones (RFC 6147)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from minidns.config.values import ConfigError

_WELL_KNOWN = ipaddress.IPv6Network("64:ff9b::/96")
_LENGTHS = (32, 40, 48, 56, 64, 96)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dns64:
    """prefix: what the IPv4 address is put into (RFC 6052, 2.2). translate_all: also where there are IPv6 addresses.
    allow_ipv4: also for clients that ask over IPv4.
    """

    prefix: ipaddress.IPv6Network = _WELL_KNOWN
    translate_all: bool = False
    allow_ipv4: bool = False

    def __post_init__(self) -> None:
        if self.prefix.prefixlen not in _LENGTHS:
            raise ConfigError(f"the prefix {self.prefix} must have a length of {', '.join(map(str, _LENGTHS))}")
