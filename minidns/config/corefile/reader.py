"""Server blocks to a `Config`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minidns.config.corefile.imports import Expander
from minidns.config.corefile.lexer import CorefileError, tokens
from minidns.config.corefile.options import Context, located
from minidns.config.corefile.table import reading
from minidns.config.corefile.tree import Block, Line, server_blocks
from minidns.config.settings import Cluster, Config, Listen, ServerBlock
from minidns.config.values import ConfigError, ZoneName, number, zone_names


def read(path: Path, *, default_port: int = 53) -> Config:
    """The configuration in a file. Raises `CorefileError`, also when the file cannot be read.

    Two readings are equal when nothing that matters has changed, in imported and in resolver files too: a
    reload is to read again and compare.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise CorefileError(str(path), 1, f"cannot read it: {error}") from None
    return parse(text, file=str(path), default_port=default_port)


def parse(
    text: str,
    *,
    file: str = "Corefile",
    env: Mapping[str, str] = os.environ,
    root: Path = Path("/"),
    default_port: int = 53,
) -> Config:
    """The configuration in a text.

    `file` is its name in errors and what relative imports start from; absolute paths start at `root`;
    `default_port` is that of zones without a port. Raises `CorefileError`.
    """
    expander = Expander(env=env, root=root)
    blocks = server_blocks(expander.expand(tokens(text, file), (file,)))
    reader = _Reader(expander, default_port)
    for block in blocks:
        reader.block(block)
    try:
        return Config(servers=tuple(reader.servers), source=reader.source, **reader.process)
    except ConfigError as error:
        raise CorefileError(file, blocks[0].keys[0].line if blocks else 1, str(error)) from None


@dataclass(slots=True)
class _Reader:
    expander: Expander
    default_port: int
    servers: list[ServerBlock] = field(default_factory=list)
    process: dict[str, Any] = field(default_factory=dict)
    source: Cluster | None = None
    _served: dict[tuple[ZoneName, Listen], str] = field(default_factory=dict)

    def block(self, block: Block) -> None:
        """One server block; when its zones have several ports it becomes one `ServerBlock` for each."""
        ports: dict[int, list[ZoneName]] = {}
        for key in block.keys:
            with located(key):
                port, zones = _key(key.text, self.default_port)
                ports.setdefault(port, []).extend(zones)
        all_zones = tuple(dict.fromkeys(zone for zones in ports.values() for zone in zones))
        fields, hosts = self._lines(block, Context(all_zones, self.expander))
        for port, served in ports.items():
            listen = tuple(dict.fromkeys(Listen(host, port) for host in hosts))
            with located(block.keys[0]):
                self._claim(block, served, listen)
                unique = tuple(dict.fromkeys(served))
                self.servers.append(ServerBlock(zones=unique, listen=listen, **fields))

    def _claim(self, block: Block, zones: list[ZoneName], listen: tuple[Listen, ...]) -> None:
        here = f"{block.keys[0].file}:{block.keys[0].line}"
        for zone in zones:
            for address in listen:
                other = self._served.setdefault((zone, address), here)
                if other != here:
                    raise ConfigError(f"zone {zone} on {address} is served already, since {other}")

    def _lines(self, block: Block, context: Context) -> tuple[dict[str, Any], tuple[str, ...]]:
        """The fields of a `ServerBlock`, and the hosts that it listens on."""
        fields: dict[str, Any] = {}
        hosts: tuple[str, ...] = ()
        seen: dict[str, Line] = {}
        for line in block.lines:
            with located(line.head):
                how = reading(line.name)
                if line.name in seen and not (how.several or how.again):
                    first = seen[line.name].head
                    raise ConfigError(f"{line.name} is here twice, first at {first.file}:{first.line}")
                seen[line.name] = line
                value = how.read(line, context)
                if line.name == "kubernetes":
                    fields["kubernetes"], cluster = value
                    self._agree("source", cluster, "kubernetes")
                elif line.name == "bind":
                    if twice := [host for host in value if host in hosts or value.count(host) > 1]:
                        raise ConfigError(f"bind names {twice[0]} twice")
                    hosts += value
                elif how.process == "one":
                    self._agree(how.field, value, line.name)
                elif how.process:
                    self.process[how.field] = tuple(dict.fromkeys((*self.process.get(how.field, ()), value)))
                elif how.several:
                    fields[how.field] = (*fields.get(how.field, ()), value)
                elif how.field:
                    fields[how.field] = value
        return fields, hosts or ("",)

    def _agree(self, name: str, value: Any, plugin: str) -> None:
        if name == "source":
            old, self.source = self.source, value
        else:
            old = self.process.get(name)
            self.process[name] = value
        if old is not None and old != value:
            what = "one cluster and selection" if name == "source" else "one setting"
            raise ConfigError(f"{plugin} differs from that of another server block: a process has {what}")


def _key(text: str, default_port: int) -> tuple[int, tuple[ZoneName, ...]]:
    """Port and zones of ".:53", "example.org", "10.0.0.0/8:1053", "dns://.:53"."""
    scheme, _, rest = text.rpartition("://")
    if scheme not in ("", "dns"):
        raise ConfigError(f"{scheme}:// is not served: only plain DNS over UDP and TCP is")
    match = re.fullmatch(r"(.*?)(?::([0-9]*))?", rest)
    if match is None or ("/" not in rest and rest.count(":") > 1):
        raise ConfigError(f"{text!r} is not a zone with an optional port, as in `example.org:53`")
    port = default_port if match[2] is None else number(match[2], "a port", 0, 65535)
    return port, zone_names(match[1] or ".")
