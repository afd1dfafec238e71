"""Real secondaries on loopback: Knot, NSD and Unbound, each as a process with a folder of its own."""

from __future__ import annotations

import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rdatatype

from tests.support.neighbours import free_port
from tests.support.running import eventually

SECRET = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
ZONES = ("cluster.local", "in-addr.arpa", "ip6.arpa")
_SBIN = "/usr/sbin:/usr/local/sbin:/usr/bin:/sbin"


class Server(ABC):
    """One secondary of the primary at 127.0.0.1:`primary`.

    port: of it, the same over `kill` and `start`. secret: of the key "k1" that it signs with, None for no key.
    """

    program: str

    def __init__(self, folder: Path, primary: int, *, secret: str | None = None, zones: Sequence[str] = ZONES) -> None:
        folder.mkdir()
        self.folder, self.primary, self.secret, self.zones = folder, primary, secret, zones
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        path = shutil.which(self.program, path=_SBIN)
        assert path, f"these tests need {self.program}: tests/tools installs it"
        self.path = path

    @abstractmethod
    def arguments(self) -> list[str]:
        """The configuration written, and the arguments that name it."""

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([self.path, *self.arguments()], stdout=log, stderr=log)

    @property
    def pid(self) -> int:
        """Of its process, once it was started."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """As a fault does: kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def ask(self, name: str, type_: str) -> dns.message.Message | None:
        """Its answer without recursion; None when it gives none."""
        query = dns.message.make_query(name, type_, flags=0)
        for _ in range(3):  # NSD has other processes after an update, and those that there were end their connections
            with suppress(OSError, EOFError, dns.exception.DNSException):
                return dns.query.tcp(query, "127.0.0.1", port=self.port, timeout=5)
        return None

    def serial(self, zone: str) -> int | None:
        """The serial that it serves."""
        reply = self.ask(zone, "SOA")
        found = [rdata for rrset in reply.answer for rdata in rrset] if reply else []
        return int(found[0].serial) if found and found[0].rdtype == dns.rdatatype.SOA else None

    def follows(self, zone: str, serial: int) -> None:
        """Wait until it serves a serial."""
        try:
            eventually(lambda: self.serial(zone) == serial)
        except AssertionError:
            raise AssertionError(f"{self.program}: {zone} {self.serial(zone)}, not {serial}\n{self.log()}") from None

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-4000:]


class Knot(Server):
    program = "knotd"

    def arguments(self) -> list[str]:
        key = f'key:\n  - id: k1\n    algorithm: hmac-sha256\n    secret: "{self.secret}"\n' if self.secret else ""
        use_key = "    key: k1\n" if self.secret else ""
        config = self.folder / "knot.conf"
        config.write_text(
            f"""
server:
    rundir: "{self.folder}"
    listen: "127.0.0.1@{self.port}"
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "{self.folder}"
    journal-db-mode: asynchronous
log:
  - target: stderr
    any: info
{key}remote:
  - id: primary
    address: "127.0.0.1@{self.primary}"
    block-notify-after-transfer: on
{use_key}acl:
  - id: notified
    address: 127.0.0.1
    action: notify
{use_key}template:
  - id: default
    storage: "{self.folder}"
    zonefile-sync: -1
    zonefile-load: none
    journal-content: all
zone:
"""
            + "".join(f"  - domain: {zone}\n    master: primary\n    acl: notified\n" for zone in self.zones)
        )
        return ["-c", str(config)]


class Nsd(Server):
    program = "nsd"

    def arguments(self) -> list[str]:
        name = "k1" if self.secret else "NOKEY"
        key = f'key:\n    name: k1\n    algorithm: hmac-sha256\n    secret: "{self.secret}"\n' if self.secret else ""
        config = self.folder / "nsd.conf"
        config.write_text(
            f"""
server:
    ip-address: 127.0.0.1@{self.port}
    server-count: 1
    username: ""
    chroot: ""
    zonesdir: "{self.folder}"
    pidfile: "{self.folder}/nsd.pid"
    xfrdfile: "{self.folder}/xfrd.state"
    zonelistfile: "{self.folder}/zone.list"
    database: ""
    xfrdir: "{self.folder}"
    logfile: "{self.folder}/log"
    verbosity: 1
    xfrd-reload-timeout: 0
    rrl-ratelimit: 0
    rrl-whitelist-ratelimit: 0
remote-control:
    control-enable: no
{key}"""
            + "".join(
                f"""zone:
    name: {zone}
    zonefile: {zone}.zone
    request-xfr: 127.0.0.1@{self.primary} {name}
    allow-notify: 127.0.0.1 {name}
"""
                for zone in self.zones
            )
        )
        return ["-d", "-c", str(config)]


class Unbound(Server):
    """It has no keys for zone transfers. has_file: it writes a zone's file whole at each change."""

    program = "unbound"
    has_file = True

    def arguments(self) -> list[str]:
        config = self.folder / "unbound.conf"
        config.write_text(
            f"""
server:
    interface: 127.0.0.1@{self.port}
    do-daemonize: no
    use-syslog: no
    logfile: ""
    verbosity: 1
    chroot: ""
    username: ""
    directory: "{self.folder}"
    pidfile: ""
    do-not-query-localhost: no
    module-config: "iterator"
    num-threads: 1
    local-zone: "10.in-addr.arpa." nodefault
    local-zone: "d.f.ip6.arpa." nodefault
    unblock-lan-zones: yes
    insecure-lan-zones: yes
    access-control: 127.0.0.0/8 allow_snoop
remote-control:
    control-enable: no
"""
            + "".join(
                f"""auth-zone:
    name: {zone}
    primary: 127.0.0.1@{self.primary}
    allow-notify: 127.0.0.1
    for-downstream: yes
    for-upstream: yes
    fallback-enabled: no
"""
                + (f'    zonefile: "{self.folder}/{zone}.zone"\n' if self.has_file else "")
                for zone in self.zones
            )
        )
        return ["-d", "-c", str(config)]
