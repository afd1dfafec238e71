"""The servers that minidns is compared with: each with one worker, a zone file, and no log of queries."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

_SBIN = "/usr/sbin:/usr/local/sbin:/usr/bin:/bin:/opt/homebrew/sbin"

KNOT = """\
server:
    rundir: "{folder}"
    listen: 127.0.0.1@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "{folder}"
log:
  - target: stderr
    any: error
template:
  - id: default
    semantic-checks: off
    zonefile-sync: -1
    journal-content: none
zone:
  - domain: {zone}
    file: "{folder}/zone"
"""

NSD = """\
server:
    ip-address: 127.0.0.1@{port}
    server-count: 1
    username: ""
    pidfile: ""
    zonesdir: "{folder}"
    zonelistfile: "{folder}/zone.list"
    xfrdfile: "{folder}/xfrd.state"
    rrl-ratelimit: 0
    rrl-whitelist-ratelimit: 0
remote-control:
    control-enable: no
zone:
    name: {zone}
    zonefile: zone
"""

#: A resolver that holds the zone, and forwards the rest.
UNBOUND = """\
server:
    interface: 127.0.0.1@{port}
    access-control: 127.0.0.0/8 allow
    num-threads: 1
    do-daemonize: no
    use-syslog: no
    logfile: ""
    chroot: ""
    username: ""
    directory: "{folder}"
    pidfile: ""
    do-not-query-localhost: no
    module-config: "iterator"
    local-zone: "test." nodefault
remote-control:
    control-enable: no
auth-zone:
    name: {zone}
    zonefile: "{folder}/zone"
    for-downstream: yes
    for-upstream: yes
    fallback-enabled: no
forward-zone:
    name: "."
    forward-addr: 127.0.0.1@{upstream}
"""


@dataclass(frozen=True, slots=True)
class Other:
    """command: its program, and the options in front of the configuration's path.

    config: with the places {folder}, where the file `zone` is, {port}, {zone}, and {upstream}, a port.
    """

    command: tuple[str, ...]
    config: str

    @property
    def path(self) -> str | None:
        """Where the program is: distributions keep them where not everybody looks."""
        return shutil.which(self.command[0], path=_SBIN)


#: https://www.knot-dns.cz/, https://nlnetlabs.nl/nsd, https://nlnetlabs.nl/unbound
OTHERS = {
    "knot": Other(("knotd", "-c"), KNOT),
    "nsd": Other(("nsd", "-d", "-c"), NSD),
    "unbound": Other(("unbound", "-d", "-c"), UNBOUND),
}
