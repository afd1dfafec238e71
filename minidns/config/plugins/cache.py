"""`cache`: which answers of upstreams are kept, and how long."""

from __future__ import annotations

from dataclasses import dataclass

from minidns.config.values import ConfigError, ZoneName

#: The highest TTL that there is (RFC 2181, 8).
_LONGEST = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheClass:
    """Bounds for positive or for negative answers: how many, and the TTLs (seconds) they are kept within."""

    capacity: int = 9984
    ttl: int = 3600
    min_ttl: int = 5

    def __post_init__(self) -> None:
        if not 0 < self.capacity <= 10_000_000:
            raise ConfigError(f"a cache capacity must be from 1 to 10000000, not {self.capacity}")
        if not 0 < self.ttl <= _LONGEST or not 0 <= self.min_ttl <= _LONGEST:
            raise ConfigError(f"cache TTLs must be from 1 (the lowest TTL from 0) to {_LONGEST} seconds")

    def within(self, ttl: int) -> int:
        """A TTL brought within the bounds."""
        return min(max(ttl, self.min_ttl), self.ttl)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """Answers of upstreams that are kept, for names below `zones`.

    `disable_success`, `disable_denial`: zones whose positive, negative answers are not kept.
    `servfail`: seconds that a SERVFAIL is kept. `keep_ttl`: TTLs are not counted down.
    `prefetch`: a name asked so often, without a gap of `prefetch_gap` seconds, is fetched again when
    `prefetch_percent` of its TTL is left; 0 is never.
    `serve_stale`: seconds after expiry that an answer may still be given (RFC 8767), 0 for never;
    `verify_stale`: only after an upstream was asked in vain for `verify_patience` seconds (RFC 8767, 5: client response
    timer), else at once while it is being asked.
    """

    zones: tuple[ZoneName, ...] = (".",)
    success: CacheClass = CacheClass(ttl=3600)
    denial: CacheClass = CacheClass(ttl=1800)
    disable_success: tuple[ZoneName, ...] = ()
    disable_denial: tuple[ZoneName, ...] = ()
    servfail: float = 5.0
    keep_ttl: bool = False
    prefetch: int = 0
    prefetch_gap: float = 60.0
    prefetch_percent: int = 10
    serve_stale: float = 0.0
    verify_stale: bool = False
    verify_patience: float = 1.8

    def holds(self, name: ZoneName) -> bool:
        """Whether a name is below its zones."""
        return any(f".{name}".endswith(f".{zone}") or zone == "." for zone in self.zones)

    def __post_init__(self) -> None:
        if not 0 <= self.servfail <= 300:
            raise ConfigError("servfail must be from 0s to 5m (RFC 2308, section 7.1)")
        if not 10 <= self.prefetch_percent <= 90:
            raise ConfigError(f"the prefetch percentage must be from 10% to 90%, not {self.prefetch_percent}%")
