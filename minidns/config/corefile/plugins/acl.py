"""`acl`."""

from __future__ import annotations

import ipaddress

from minidns.config.corefile.options import Context, choice, located, no_block, type_number, zones
from minidns.config.corefile.tree import Line
from minidns.config.plugins.acl import Acl, Action, Policy
from minidns.config.values import ConfigError, Network


def acl(line: Line, context: Context) -> Acl:
    """`acl [ZONES...]`, and a policy a line: ACTION [type TYPE...] [net SOURCE...]."""
    policies = []
    for item in line.block or ():
        with located(item.head):
            no_block(item)
            policies.append(_policy(item.name, item.values))
    return Acl(zones=zones(line.values) or context.zones, policies=tuple(policies))


def _policy(name: str, words: list[str]) -> Policy:
    action = Action(choice(name, list(Action), "action of acl"))
    found: dict[str, list[str]] = {}
    section = ""
    for word in words:
        if word in ("type", "net"):
            section = word
            found.setdefault(section, [])
        elif not section:
            raise ConfigError(f"write: {action} [type TYPE...] [net SOURCE...], not {word!r}")
        else:
            found[section].append(word)
    for section, values in found.items():
        if not values:
            raise ConfigError(f"{section} needs a value, or * for all")
    types, sources = found.get("type", ["*"]), found.get("net", ["*"])
    return Policy(
        action=action,
        types=frozenset() if "*" in types else frozenset(map(type_number, types)),
        networks=() if "*" in sources else tuple(map(_source, sources)),
    )


def _source(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ConfigError(f"{text!r} is neither an address nor a network, such as 10.0.0.0/8") from None
