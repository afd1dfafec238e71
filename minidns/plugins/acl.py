"""`acl`: who may ask for what. As in CoreDNS, a question that is not to be answered costs nobody behind it anything."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from minidns.config.plugins.acl import Acl, Action, Policy
from minidns.core import names, records, wire
from minidns.core.names import Name, is_below
from minidns.core.responder import Channel, Elsewhere
from minidns.plugins import sections
from minidns.plugins.chain import Handle, Query
from minidns.plugins.sections import Sections

#: Extended DNS Errors (RFC 8914, 4.16 and 4.18).
_BLOCKED, _FILTERED = 15, 17
_ANSWERS = {
    Action.BLOCK: Sections(records.REFUSED, options=wire.ede(_BLOCKED, "")),
    Action.FILTER: Sections(records.NOERROR, options=wire.ede(_FILTERED, "")),
}


class AclStage:
    """The `acl`s of a server block, in their order."""

    def __init__(self, acls: Sequence[Acl]) -> None:
        self._acls = [(tuple(map(names.from_text, acl.zones)), acl.policies) for acl in acls]

    def wants(self, _packet: bytes, _end: int, _channel: Channel) -> bool:
        """Every question: a name with a zero byte in it ends later than it seems, and must not slip through."""
        return True

    def handle(self, query: Query, following: Handle) -> Elsewhere:
        action = self.action(query.asked.name, query.asked.type, query.client.address)
        if action is Action.ALLOW:
            return following(query)
        if action is Action.DROP:
            return None
        return sections.write(_ANSWERS[action], query.asked, udp=query.udp)

    def action(self, name: Name, type_: int, client: str) -> Action:
        """What happens to a question. client: an IP address as text."""
        address = ipaddress.ip_address(client.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        for zones, policies in self._acls:
            if any(is_below(name, zone) for zone in zones):
                for policy in policies:
                    if _fits(policy, type_, mapped or address):
                        return policy.action
        return Action.ALLOW


def _fits(policy: Policy, type_: int, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if policy.types and type_ not in policy.types:
        return False
    return not policy.networks or any(address in network for network in policy.networks)
