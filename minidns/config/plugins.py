"""The parts of a server block other than the cluster: forward, cache, hosts, rewrite, log."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

from minidns.config.values import ConfigError, ZoneName, is_address, zone_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """A resolver, spoken to over TLS (RFC 7858) with `tls`; `server_name` is in its certificate then."""

    host: str
    port: int = 53
    tls: bool = False
    server_name: str | None = None

    def __post_init__(self) -> None:
        if not is_address(self.host):
            raise ConfigError(f"the upstream {self.host!r} is not an IP address")
        if not 0 < self.port <= 65535:
            raise ConfigError(f"port {self.port} is not within 1 and 65535")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls://' if self.tls else ''}{host}:{self.port}"


class Policy(StrEnum):
    """Which healthy upstream is asked first; the others follow in the order of the list."""

    RANDOM = "random"
    ROUND_ROBIN = "round_robin"
    SEQUENTIAL = "sequential"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """Questions below `zone`, `except_zones` left out, go to `upstreams`.

    `max_concurrent`: questions under way at once, more are refused; 0 is no limit. `force_tcp`: never UDP.
    `prefer_udp`: UDP first even when the client came over TCP. `expire`: an idle connection is closed after
    so long.
    `max_fails`: failed checks in a row that make an upstream unhealthy, 0 for never. `health_interval`:
    seconds between the checks of an upstream that failed; a check asks for NS of `health_zone`, with RD if
    `health_recursion`.
    `failover`: response codes with which an answer is not accepted while another upstream is left.
    `client_cert`, `client_key`, `ca_cert`: for TLS upstreams; the system's authorities when `ca_cert` is
    None.
    """

    zone: ZoneName = "."
    upstreams: tuple[Upstream, ...]
    except_zones: tuple[ZoneName, ...] = ()
    policy: Policy = Policy.RANDOM
    max_concurrent: int = 1000
    force_tcp: bool = False
    prefer_udp: bool = False
    expire: float = 10.0
    max_fails: int = 2
    health_interval: float = 0.5
    health_zone: ZoneName = "."
    health_recursion: bool = True
    failover: tuple[int, ...] = ()
    client_cert: Path | None = None
    client_key: Path | None = None
    ca_cert: Path | None = None

    def __post_init__(self) -> None:
        if not 0 < len(self.upstreams) <= 15:
            raise ConfigError(f"forward takes 1 to 15 upstreams, not {len(self.upstreams)}")
        if self.health_interval <= 0:
            raise ConfigError("health_check needs an interval above 0")
        if (self.client_cert is None) != (self.client_key is None):
            raise ConfigError("a client certificate and its key come together")


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheClass:
    """Bounds for positive or for negative answers: how many, and the TTLs (seconds) they are kept within."""

    capacity: int = 9984
    ttl: int = 3600
    min_ttl: int = 5

    def __post_init__(self) -> None:
        if not 0 < self.capacity <= 10_000_000:
            raise ConfigError(f"a cache capacity must be from 1 to 10000000, not {self.capacity}")
        if not 0 < self.ttl <= 86400 or not 0 <= self.min_ttl <= 86400:
            raise ConfigError("cache TTLs must be from 1 (the lowest TTL from 0) to 86400 seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """Answers of upstreams that are kept, for names below `zones`.

    `disable_success`, `disable_denial`: zones whose positive, negative answers are not kept.
    `servfail`: seconds that a SERVFAIL is kept. `keep_ttl`: TTLs are not counted down.
    `prefetch`: a name asked so often, without a gap of `prefetch_gap` seconds, is fetched again when
    `prefetch_percent` of its TTL is left; 0 is never.
    `serve_stale`: seconds after expiry that an answer may still be given (RFC 8767), 0 for never;
    `verify_stale`: only after an upstream was asked in vain, else at once while it is being asked.
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

    def __post_init__(self) -> None:
        if not 0 <= self.servfail <= 300:
            raise ConfigError("servfail must be from 0s to 5m (RFC 2308, section 7.1)")
        if not 10 <= self.prefetch_percent <= 90:
            raise ConfigError(f"the prefetch percentage must be from 10% to 90%, not {self.prefetch_percent}%")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """Names below `zones` from a hosts file and from lines of the configuration.

    `inline`: (packed address, names in lower case without the final dot) per line; they are served beside the
    file's. `reload`: seconds between looks at the file, 0 for never. `reverse`: also answer PTR.
    `fallthrough`: names below these that are not there go on.
    """

    path: Path = Path("/etc/hosts")
    zones: tuple[ZoneName, ...] = (".",)
    inline: tuple[tuple[bytes, tuple[str, ...]], ...] = ()
    ttl: int = 3600
    reload: float = 5.0
    reverse: bool = True
    fallthrough: tuple[ZoneName, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.ttl <= 65535:
            raise ConfigError(f"ttl must be from 1 to 65535 seconds, not {self.ttl}")


RewriteMatch = Literal["exact", "prefix", "suffix", "substring", "regex"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """A question's name is changed before anything but the log sees it, and the answer fits the client's question.

    `pattern` and `replacement` are lowercase text over the absolute name ("a.example.org."); in a regex rule
    `{1}` in the replacement is the first group. `stop`: no later rule is tried after this one matched.
    `answer_auto`: the new name, where it owns a record of the answer, becomes the old one again; a suffix
    rule does so for every owner with the new suffix. An exact rule always does.
    `answer_names`, `answer_values`: pairs of regex and replacement for owner names, for names in record data.
    """

    match: RewriteMatch = "exact"
    pattern: str
    replacement: str
    stop: bool = True
    answer_auto: bool = False
    answer_names: tuple[tuple[str, str], ...] = ()
    answer_values: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not self.pattern:
            raise ConfigError("a rewrite needs a name to look for")
        if self.match == "exact":
            zone_name(self.pattern)
            zone_name(self.replacement)
        rules = [*self.answer_names, *self.answer_values]
        if self.match == "regex":
            rules.append((self.pattern, self.replacement))
        for pattern, replacement in rules:
            try:
                groups = re.compile(pattern).groups
            except (re.error, RecursionError, OverflowError) as error:
                raise ConfigError(f"{pattern!r} is not a regular expression: {error}") from None
            for group in re.findall(r"\{(\d+)\}", replacement):
                if int(group[:9]) > groups:
                    raise ConfigError(f"{{{group}}} in {replacement!r}: {pattern!r} has {groups} groups")


#: What CoreDNS writes for each query when nothing else is said.
COMMON_LOG = (
    '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" '
    "{rcode} {>rflags} {rsize} {duration}"
)
COMBINED_LOG = COMMON_LOG.replace('{>bufsize}"', '{>bufsize}" {>opcode}')
LogClass = Literal["all", "success", "denial", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A line per query below `zones`, in `format`, for answers of these classes or that took at least
    `min_duration`.
    """

    zones: tuple[ZoneName, ...] = (".",)
    format: str = COMMON_LOG
    classes: frozenset[LogClass] = frozenset({"all"})
    min_duration: float | None = None
