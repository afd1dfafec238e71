"""IPv6 addresses made of IPv4 ones: the examples of RFC 6052, 2.4."""

from __future__ import annotations

import ipaddress

import pytest

from minidns.config.plugins.dns64 import Dns64
from minidns.config.values import ConfigError
from minidns.plugins.dns64 import embedded


@pytest.mark.parametrize(
    ("prefix", "address"),
    [
        ("2001:db8::/32", "2001:db8:c000:221::"),
        ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
        ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
        ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
        ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
        ("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"),
        ("64:ff9b::/96", "64:ff9b::192.0.2.33"),
    ],
)
def test_address_in_a_prefix(prefix: str, address: str) -> None:
    options = Dns64(prefix=ipaddress.IPv6Network(prefix))
    made = embedded(options, ipaddress.IPv4Address("192.0.2.33").packed)
    assert ipaddress.IPv6Address(made) == ipaddress.IPv6Address(address)


def test_a_prefix_of_another_length_is_an_error() -> None:
    with pytest.raises(ConfigError, match="must have a length of 32, 40"):
        Dns64(prefix=ipaddress.IPv6Network("2001:db8::/33"))
