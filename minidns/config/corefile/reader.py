"""Server blocks to a `Config`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minidns.config.corefile.differences import differences
from minidns.config.corefile.imports import Expander
from minidns.config.corefile.lexer import CorefileError, Token, tokens
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
    `default_port` is that of zones without a port. Raises `CorefileError`, which has all that is wrong.
    """
    checked = check(text, file=file, env=env, root=root, default_port=default_port)
    if checked.config is None:
        raise CorefileError.of(checked.errors)
    return checked.config


@dataclass(frozen=True, slots=True)
class Checked:
    """All that there is to say about a Corefile. config: None when there are errors. warnings: "FILE:LINE: TEXT"."""

    config: Config | None
    errors: tuple[CorefileError, ...] = ()
    warnings: tuple[str, ...] = ()


def check(
    text: str,
    *,
    file: str = "Corefile",
    env: Mapping[str, str] = os.environ,
    root: Path = Path("/"),
    default_port: int = 53,
    files: Mapping[str, str] | None = None,
) -> Checked:
    """What a text means, everything that is wrong with it, and what is hardly meant or means something else to CoreDNS.

    files: what is imported, by path, for a Corefile of another machine.
    """
    expander = Expander(env=env, root=root, files=files)
    reader = _Reader(expander, default_port)
    config = None
    try:
        blocks = server_blocks(expander.expand(tokens(text, file), (file,)))
    except CorefileError as error:
        return Checked(None, error.all, tuple(expander.warnings))
    for block in blocks:
        reader.block(block)
    if not reader.errors:
        try:
            config = Config(servers=tuple(reader.servers), source=reader.source, **reader.process)
        except ConfigError as error:
            at = blocks[0].keys[0].line if blocks else 1
            reader.errors.append(CorefileError(file, at, str(error)))
    warnings = dict.fromkeys((*expander.warnings, *(differences(blocks) if config else ())))
    return Checked(config, CorefileError.of(reader.errors).all if reader.errors else (), tuple(warnings))


@dataclass(slots=True)
class _Reader:
    expander: Expander
    default_port: int
    servers: list[ServerBlock] = field(default_factory=list)
    process: dict[str, Any] = field(default_factory=dict)
    source: Cluster | None = None
    errors: list[CorefileError] = field(default_factory=list)
    _served: dict[tuple[ZoneName, Listen], str] = field(default_factory=dict)

    def block(self, block: Block) -> None:
        """One server block; when its zones have several ports it becomes one `ServerBlock` for each."""
        ports: dict[int, list[ZoneName]] = {}
        for key in block.keys:
            with self._collected(key):
                _is_set(key)
                port, zones = _key(key.text, self.default_port)
                ports.setdefault(port, []).extend(zones)
        all_zones = tuple(dict.fromkeys(zone for zones in ports.values() for zone in zones))
        fields, hosts = self._lines(block, Context(all_zones, self.expander))
        for port, served in ports.items():
            listen = tuple(dict.fromkeys(Listen(host, port) for host in hosts))
            with self._collected(block.keys[0]):
                self._claim(block, served, listen)
                self.servers.append(ServerBlock(zones=tuple(served), listen=listen, **fields))

    @contextmanager
    def _collected(self, token: Token) -> Iterator[None]:
        """Go on behind an error, so that all are found."""
        try:
            with located(token):
                yield
        except CorefileError as error:
            self.errors.append(error)

    def _claim(self, block: Block, zones: list[ZoneName], listen: tuple[Listen, ...]) -> None:
        here = f"{block.keys[0].file}:{block.keys[0].line}"
        for zone in zones:
            for address in listen:
                hosts = (address.host, "") if address.host else {one.host for _, one in self._served} | {""}
                for served in ((zone, Listen(host, address.port)) for host in hosts):
                    if (other := self._served.get(served)) is not None:
                        raise ConfigError(f"zone {zone} on {served[1]} is served already, since {other}")
                self._served[zone, address] = here

    def _lines(self, block: Block, context: Context) -> tuple[dict[str, Any], tuple[str, ...]]:
        """The fields of a `ServerBlock`, and the hosts that it listens on."""
        fields: dict[str, Any] = {}
        hosts: list[str] = []
        seen: dict[str, Line] = {}
        for line in block.lines:
            with self._collected(line.head):
                for word in line.words:
                    _is_set(word)
                self._line(line, context, fields, hosts, seen)
        return fields, tuple(hosts) or ("",)

    def _line(
        self, line: Line, context: Context, fields: dict[str, Any], hosts: list[str], seen: dict[str, Line]
    ) -> None:
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

    def _agree(self, name: str, value: Any, plugin: str) -> None:
        if name == "source":
            old, self.source = self.source, value
        else:
            old = self.process.get(name)
            self.process[name] = value
        if old is not None and old != value:
            what = "one cluster and selection" if name == "source" else "one setting"
            raise ConfigError(f"{plugin} differs from that of another server block: a process has {what}")


def _is_set(word: Token) -> None:
    """An empty word means something else than whoever wrote the variable: `bind {$POD_IP}` every address."""
    if word.unset:
        raise word.error(f"the variable {word.unset} is not set")


def _key(text: str, default_port: int) -> tuple[int, tuple[ZoneName, ...]]:
    """Port and zones of ".:53", "example.org", "10.0.0.0/8:1053", "dns://.:53"."""
    scheme, _, rest = text.rpartition("://")
    if scheme not in ("", "dns"):
        raise ConfigError(f"{scheme}:// is not served: only plain DNS over UDP and TCP is")
    match = re.fullmatch(r"(.*?)(?::([0-9]*))?", rest)
    if match is None or ("/" not in rest and rest.count(":") > 1):
        raise ConfigError(f"{text!r} is not a zone with an optional port, as in `example.org:53`")
    if not match[1]:
        raise ConfigError(f"{text!r} names no zone: write .{text} for every name")
    port = default_port if match[2] is None else number(match[2], "a port", 0, 65535)
    return port, zone_names(match[1])
