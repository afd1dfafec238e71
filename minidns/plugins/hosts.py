"""Names from a hosts file (hosts(5)) and from lines of the configuration: A, AAAA and, for the addresses,
PTR.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic

from minidns.config.plugins.hosts import Hosts
from minidns.config.values import ConfigError, HostsLine, hosts_line
from minidns.core import names, wire
from minidns.core.names import Name, is_below
from minidns.core.records import AAAA, NOERROR, PTR, SERVFAIL, A
from minidns.core.responder import Channel, Elsewhere
from minidns.core.wire import HEADER
from minidns.plugins.cache import Shown
from minidns.plugins.chain import Handle, Query
from minidns.plugins.forward import message

log = logging.getLogger(__name__)

_STAR = b"\1*"
#: The Extended DNS Error for what has no number (RFC 8914, 4.1).
_NOT_HERE = 0


def parse_file(text: str, file: str) -> tuple[HostsLine, ...]:
    """The entries of a hosts file. A line that is none is logged and left out; the rest counts."""
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.partition("#")[0].strip():
            continue
        try:
            entry = hosts_line(line)
            problem = "it does not begin with an address"
        except ConfigError as error:
            entry, problem = None, str(error)
        if entry is None:
            log.warning("%s:%s: line left out: %s", file, number, problem)
        else:
            entries.append(entry)
    return tuple(entries)


@dataclass(frozen=True, slots=True)
class HostsAnswer:
    """An answer from hosts: the record data (packed addresses, or wire-form names for PTR) and the TTL of each.

    No data with `rcode` 0 is NODATA: the name has addresses of the other family, or is asked for another
    type. SERVFAIL: the table does not have the name, and nobody else is to be asked: without an SOA record that
    cannot be an NXDOMAIN.
    """

    rcode: int
    ttl: int
    rdata: tuple[bytes, ...] = ()


class HostsTable:
    """A look-up table of entries, made anew when the file changes."""

    def __init__(self, options: Hosts, entries: Iterable[HostsLine]) -> None:
        self.options = options
        self._zones = tuple(map(names.from_text, options.zones))
        self._fallthrough = tuple(map(names.from_text, options.fallthrough))
        self._passes = "." in options.fallthrough
        self._addresses: dict[Name, dict[int, list[bytes]]] = {}
        self._pointers: dict[Name, list[bytes]] = {}
        self._wildcards: dict[Name, dict[int, list[bytes]]] = {}
        for packed, hosts in entries:
            qtype = A if len(packed) == 4 else AAAA
            for host in filter(self._is_ours, map(names.from_text, hosts)):
                _add(self._addresses.setdefault(host, {}).setdefault(qtype, []), packed)
                if host.startswith(_STAR):
                    self._wildcards[names.parent(host)] = self._addresses[host]
                elif options.reverse:
                    _add(self._pointers.setdefault(names.reverse(packed), []), host)

        self._below = tuple(self._wildcards)

    @property
    def size(self) -> int:
        """How many names have addresses."""
        return len(self._addresses)

    def _is_ours(self, name: Name) -> bool:
        return any(is_below(name, zone) for zone in self._zones)

    def passes(self, name: Name) -> bool:
        """Whether a name in lower case is certainly not for this table: one look-up tells for most names."""
        known = name in self._addresses or name in self._pointers
        return self._passes and not known and not name.endswith(self._below)

    def lookup(self, name: Name, qtype: int) -> HostsAnswer | None:
        """The answer for a name in lower case, or None when whoever comes next is to answer.

        As in CoreDNS, a PTR question without an entry always goes on.
        """
        ttl = self.options.ttl
        if qtype != PTR and not self._is_ours(name):
            return None
        if qtype == PTR and (pointers := self._pointers.get(name)):
            return HostsAnswer(NOERROR, ttl, tuple(pointers))
        if qtype == PTR:
            return None
        addresses = self._addresses.get(name) or self._by_wildcard(name)
        if addresses is not None:
            return HostsAnswer(NOERROR, ttl, tuple(addresses.get(qtype, ())))
        if any(is_below(name, zone) for zone in self._fallthrough):
            return None
        return HostsAnswer(SERVFAIL, ttl)

    def _by_wildcard(self, name: Name) -> dict[int, list[bytes]] | None:
        """What the closest `*.PARENT` above a name has."""
        while self._wildcards and name != names.ROOT:
            name = names.parent(name)
            if name in self._wildcards:
                return self._wildcards[name]
        return None


class HostsFile:
    """The table of a `hosts` plugin, as fresh as its file was at most `reload` seconds ago.

    It is looked at when a question comes, so no task has to. clock: seconds that do not go backwards.
    """

    def __init__(self, options: Hosts, clock: Callable[[], float] = monotonic) -> None:
        self.options = options
        self._clock = clock
        self._stamp: tuple[int, int, int] | None = None
        self._table = HostsTable(options, options.inline)
        self._read_before = False
        self._looked = clock()
        self.refresh()

    @property
    def table(self) -> HostsTable:
        """What to look names up in now."""
        now = self._clock()
        if 0 < self.options.reload <= now - self._looked:
            self._looked = now
            self.refresh()
        return self._table

    def refresh(self) -> bool:
        """Look at the file, and read it if it is not the one read last; True when the table is a new one.

        A file that is gone takes its entries along; one that cannot be read keeps them. Both are logged once.
        """
        try:
            status = self.options.path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError as error:
            gone = self._stamp is not None
            if gone or not self._read_before:
                log.warning("hosts: %s: %s; the other entries are served", self.options.path, error.strerror)
            self._read_before, self._stamp = True, None
            if gone:
                self._table = HostsTable(self.options, self.options.inline)
            return gone
        if stamp == self._stamp:
            return False
        self._read_before, self._stamp = True, stamp
        try:
            text = self.options.path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            log.warning("hosts: %s: %s; what was read before is served", self.options.path, error.strerror)
            return False
        self._table = HostsTable(self.options, self.options.inline + parse_file(text, str(self.options.path)))
        log.info("hosts: %s: %d names", self.options.path, self._table.size)
        return True


class HostsStage:
    """The table in a server block. flags: of answers, beside AA."""

    def __init__(self, options: Hosts, flags: int, shown: Shown) -> None:
        self._file = HostsFile(options)
        self._flags = message.AA | flags
        self._shown = shown

    def wants(self, packet: bytes, end: int, _: Channel) -> bool:
        return not self._file.table.passes(packet[HEADER : end + 1].lower())

    def handle(self, query: Query, following: Handle) -> Elsewhere:
        asked = query.asked
        found = self._file.table.lookup(asked.name, asked.type) if asked.class_ == 1 else None
        if found is None:
            return following(query)
        if found.rcode == SERVFAIL:
            options = wire.ede(_NOT_HERE, "hosts does not have this name, and no fallthrough for it")
            return message.reply(
                message.FAILURE, asked, udp=query.udp, options=options, flags=self._flags & ~message.AA
            )
        answer = message.made(asked.type, self._shown.ttl(asked.name, found.ttl), found.rdata, found.rcode)
        return message.reply(answer, asked, udp=query.udp, flags=self._flags)


def _add(values: list[bytes], value: bytes) -> None:
    if value not in values:
        values.append(value)
