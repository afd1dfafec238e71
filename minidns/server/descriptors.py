"""File descriptors (RLIMIT_NOFILE): as many as the limits need, or else limits that fit what there are."""

from __future__ import annotations

import logging
import resource
from collections.abc import Iterable
from dataclasses import replace

from minidns.plugins.forward.forwarder import Forwarder
from minidns.server.places import Limits

log = logging.getLogger(__name__)

#: For everything that is neither a client's TCP connection nor a question to an upstream.
SPARE = 256
#: What a forwarder without a limit is taken to need.
UNLIMITED = 4096


def allowed(wanted: int) -> int:
    """Raise the limit of this process to `wanted` as far as the system lets it; returns what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    return raised


def share(limits: Limits, forwarders: Iterable[Forwarder]) -> Limits:
    """Get the descriptors that the limits need. Where there are fewer, each gets a part: the limits are lowered."""
    forwarders = tuple(forwarders)
    wanted = limits.connections + sum(one.limit or UNLIMITED for one in forwarders)
    there = allowed(wanted + SPARE) - SPARE
    if there >= wanted:
        return limits
    part = max(there, 0) / wanted
    for one in forwarders:
        one.limit = max(1, int((one.limit or UNLIMITED) * part))
    connections = max(1, int(limits.connections * part))
    log.warning(
        "%d more file descriptors are wanted than there may be (ulimit -Hn): at most %d TCP connections%s",
        wanted - there,
        connections,
        f", forward max_concurrent {', '.join(str(one.limit) for one in forwarders)}" if forwarders else "",
    )
    return replace(limits, connections=connections, per_client=min(limits.per_client, max(1, connections // 2)))
