"""`hosts`: names from a hosts file and from the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from minidns.config.values import ConfigError, ZoneName


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
