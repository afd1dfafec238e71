"""Which plugins of a server block are read by what, and where their values go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from minidns.config.corefile.options import Context, unknown
from minidns.config.corefile.plugins import (
    acl,
    autopath,
    cache,
    dns64,
    forward,
    hosts,
    kubernetes,
    log,
    process,
    rewrite,
    small,
    template,
    transfer,
)
from minidns.config.corefile.tree import Line
from minidns.config.plugins.coredns import BY_NAME, PLUGINS, Here
from minidns.config.values import ConfigError


@dataclass(frozen=True, slots=True)
class Reading:
    """How a plugin's line is read.

    field: of a `ServerBlock`, where the value goes. several: the plugin may stand several times in a block, the field
    holds a tuple. process: the field is one of `Config`: "each" for one that holds those of all server blocks, "one"
    for one that they must agree about. again: a second one in the block changes nothing.
    """

    read: Callable[[Line, Context], Any]
    field: str = ""
    several: bool = False
    process: Literal["", "each", "one"] = ""
    again: bool = False


READINGS: dict[str, Reading] = {
    "acl": Reading(acl.acl, "acls", several=True),
    "any": Reading(small.switch, "any"),
    "bufsize": Reading(small.bufsize, "bufsize"),
    "chaos": Reading(small.chaos, "chaos"),
    "minimal": Reading(small.switch, "minimal"),
    "nsid": Reading(small.nsid, "nsid"),
    "template": Reading(template.template, "templates", several=True),
    "whoami": Reading(small.switch, "whoami", again=True),
    "autopath": Reading(autopath.autopath, "autopath"),
    "bind": Reading(process.bind, several=True),
    "cache": Reading(cache.cache, "cache"),
    "dns64": Reading(dns64.dns64, "dns64"),
    "errors": Reading(process.errors, "errors"),
    "forward": Reading(forward.forward, "forwards", several=True),
    "health": Reading(process.health, "health", process="each"),
    "hosts": Reading(hosts.hosts, "hosts"),
    "kubernetes": Reading(kubernetes.kubernetes, "kubernetes"),
    "loadbalance": Reading(process.loadbalance, "prefer"),
    "log": Reading(log.log, "logs", several=True),
    "loop": Reading(small.switch, "loop"),
    "prometheus": Reading(process.prometheus, "metrics", process="each"),
    "ready": Reading(process.ready, "ready", process="each"),
    "reload": Reading(process.reload, "reload", process="one"),
    "rewrite": Reading(rewrite.rewrite, "rewrites", several=True),
    "transfer": Reading(transfer.transfer, "transfers", several=True),
    "tsig": Reading(transfer.tsig, "tsig"),
    **{
        plugin.name: Reading(process.without_effect, "without_effect", several=True)
        for plugin in PLUGINS
        if plugin.here is Here.NO_EFFECT
    },
}


def reading(name: str) -> Reading:
    """How to read the plugin of that name. Raises ConfigError, which tells a plugin that is not here from a typo."""
    found = READINGS.get(name)
    if found is not None:
        return found
    if plugin := BY_NAME.get(name):
        raise ConfigError(f"{name} is a CoreDNS plugin that minidns does not have: {plugin.text.replace('`', '')}")
    raise unknown(name, [*READINGS, "import"], "plugin")
