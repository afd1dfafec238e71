"""`transfer`: who may have whole zones, and is told when they change."""

from __future__ import annotations

from dataclasses import dataclass

from minidns.config.values import ConfigError, ZoneName, is_address, number, split_port, zone_name

#: Who may transfer without being known: everybody.
ANYBODY = "*"


@dataclass(frozen=True, slots=True)
class Secondary:
    """A server that may transfer zones, and is told of changes at `port` of its address.

    `host` is an IP address, or "*" for everybody, who is told nothing. `key`: the TSIG key that its questions must be
    signed with, and that notifications to it are signed with.
    """

    host: str
    port: int = 53
    key: ZoneName | None = None

    def __post_init__(self) -> None:
        if self.host != ANYBODY and not is_address(self.host):
            raise ConfigError(f"{self.host!r} is not an IP address to transfer to, nor *")
        if not 0 < self.port <= 65535:
            raise ConfigError(f"port {self.port} is not within 1 and 65535")

    @classmethod
    def parse(cls, text: str) -> Secondary:
        """From "192.0.2.1", "192.0.2.1:5353", "[2001:db8::1]:5353", "*", each with "#KEY" behind it or not."""
        where, sign, key = text.partition("#")
        host, port = split_port(where)
        if sign and not key:
            raise ConfigError(f"{text!r} names no key behind its #")
        return cls(host, 53 if port is None else number(port, "a port", 1, 65535), zone_name(key) if key else None)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host + (f":{self.port}" if self.port != 53 else "") + (f"#{self.key.rstrip('.')}" if self.key else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Zones at and below `zones` may be transferred by each of `to`."""

    zones: tuple[ZoneName, ...] = (".",)
    to: tuple[Secondary, ...]

    def __post_init__(self) -> None:
        if not self.to:
            raise ConfigError("transfer needs to be told to whom: to ADDRESS... (to * for everybody)")
