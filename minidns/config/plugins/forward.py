"""`forward`: upstreams, and how they are asked."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from minidns.config.values import ConfigError, ZoneName, is_address


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
    `fail_fast`: nobody is asked while all upstreams are unhealthy. `next`: response codes with which the next forward
    for the name is asked, if there is one.
    `failover`: response codes with which an answer is not accepted while another upstream is left.
    `read_timeout`: seconds that an upstream may take for one attempt; `max_connect_attempts`: of them for one
    question, 0 is no limit. `max_idle_conns`: connections to an upstream that are kept, 0 for all. `source_address`:
    where questions are sent from.
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
    next: tuple[int, ...] = ()
    fail_fast: bool = False
    read_timeout: float = 2.0
    max_connect_attempts: int = 0
    max_idle_conns: int = 0
    source_address: str | None = None
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


def tls_context(options: Forward) -> ssl.SSLContext:
    """Raises ConfigError when a certificate, key or authority cannot be read."""
    try:
        context = ssl.create_default_context(cafile=options.ca_cert)
        if options.client_cert:
            context.load_cert_chain(options.client_cert, options.client_key)
    except OSError as error:
        files = [str(file) for file in (options.client_cert, options.client_key, options.ca_cert) if file]
        raise ConfigError(f"forward: tls with {', '.join(files)}: {error}") from None
    return context
