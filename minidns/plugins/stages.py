"""Which stages a server block's chain has: one for each plugin that acts before the zones, in CoreDNS's order."""

from __future__ import annotations

from collections.abc import Sequence

from minidns.config.plugins.coredns import ORDER
from minidns.config.settings import ServerBlock
from minidns.core.zone import Zone
from minidns.plugins.acl import AclStage
from minidns.plugins.any import AnyStage
from minidns.plugins.asking import Ask
from minidns.plugins.autopath import AutopathStage
from minidns.plugins.bufsize import BufsizeStage
from minidns.plugins.cache import Shown
from minidns.plugins.chain import Stage
from minidns.plugins.chaos import ChaosStage
from minidns.plugins.dns64 import Dns64Stage
from minidns.plugins.forward.message import RA
from minidns.plugins.hosts import HostsStage
from minidns.plugins.loadbalance import LoadbalanceStage
from minidns.plugins.minimal import MinimalStage
from minidns.plugins.nsid import NsidStage
from minidns.plugins.rewrite.rules import RewriteStage
from minidns.plugins.template import TemplateStage


def stages(block: ServerBlock, ask: Ask, zones: Sequence[Zone] = ()) -> list[Stage]:
    """The first is the one that a question meets first.

    ask: for plugins that have questions themselves. zones: the block's own.
    """
    recursion = RA if block.forwards else 0
    shown = Shown(block.cache)
    found: dict[str, Stage] = {}
    if block.nsid is not None:
        found["nsid"] = NsidStage(block.nsid)
    if block.bufsize is not None and BufsizeStage.matters(block.bufsize):
        found["bufsize"] = BufsizeStage(block.bufsize)
    if block.dns64:
        found["dns64"] = Dns64Stage(block.dns64, ask)
    if block.rewrites:
        found["rewrite"] = RewriteStage(block.rewrites)
    if block.acls:
        found["acl"] = AclStage(block.acls)
    if block.any:
        found["any"] = AnyStage()
    if block.chaos:
        found["chaos"] = ChaosStage(block.chaos)
    if block.prefer:
        found["loadbalance"] = LoadbalanceStage(block.prefer)
    if block.autopath:
        found["autopath"] = AutopathStage(block.autopath, zones, forwards=bool(block.forwards))
    if block.minimal:
        found["minimal"] = MinimalStage()
    if block.templates:
        found["template"] = TemplateStage(block.templates, recursion, ask, shown)
    if block.hosts:
        found["hosts"] = HostsStage(block.hosts, recursion, shown)
    return [found[name] for name in sorted(found, key=ORDER.__getitem__)]
