"""`autopath`: the search list of a client is walked here, so that its first question is its last.

With `@kubernetes` the list is that of the pod that asks. Which namespace that is, the name asked for says
(`web.other.NS.svc.ZONE`), and the zone knows whether a pod of that address lives there: `pods verified` keeps a name
for each. So an address that another pod gets, or that pods of many namespaces share, leads nobody astray.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any

from minidns.config.plugins.autopath import Autopath
from minidns.core import names, records
from minidns.core.names import Name, is_below
from minidns.core.responder import Channel, Elsewhere
from minidns.core.wire import HEADER
from minidns.core.zone import Zone
from minidns.plugins import sections
from minidns.plugins.asking import settled
from minidns.plugins.chain import Handle, Query
from minidns.plugins.forward.reading import Record


class AutopathStage:
    """The search list in a server block. zones: whose pods may ask. forwards: there are upstreams for other names."""

    def __init__(self, options: Autopath, zones: Sequence[Zone], *, forwards: bool) -> None:
        self._zones = tuple(map(names.from_text, options.zones))
        self._search = tuple(map(names.from_text, options.search))
        self._own = tuple(zone for zone in zones if zone.origins) if options.kubernetes else ()
        self._trees = tuple(_tree("svc", zone) for zone in self._own)
        self._forwards = forwards
        self._first = self._trees if options.kubernetes else self._search[:1]

    def wants(self, packet: bytes, end: int, _: Channel) -> bool:
        return packet[HEADER : end + 1].lower().endswith(self._first)

    def handle(self, query: Query, following: Handle) -> Elsewhere:
        name = query.asked.name
        if query.asked.class_ != 1 or not any(is_below(name, zone) for zone in self._zones):
            return following(query)
        search = self._pods(name, query.client.address) if self._own else self._search
        if not search or name == search[0] or not is_below(name, search[0]):
            return following(query)
        first = following(query)
        if isinstance(first, bytes) and first[3] & 15 != records.NXDOMAIN:
            return first
        if not isinstance(first, bytes | Coroutine):
            return first
        return self._walked(query, first, name[: len(name) - len(search[0])], search[1:], following)

    def _pods(self, name: Name, client: str) -> tuple[Name, ...]:
        """The search list of the pod that asks, as far as the name is below its first element; () for any other."""
        for zone, tree in zip(self._own, self._trees, strict=True):
            if is_below(name, tree) and name != tree:
                before = names.labels(name[: len(name) - len(tree)] + names.ROOT)
                namespace = bytes((len(before[-1]),)) + before[-1]
                label = names.address_label(names.packed_address(client.partition("%")[0])).encode()
                if bytes((len(label),)) + label + namespace + _tree("pod", zone) in zone.nodes:
                    return namespace + tree, tree, zone.settings.origin, *self._search
        return ()

    async def _walked(
        self,
        query: Query,
        first: bytes | Coroutine[Any, Any, bytes | None],
        base: bytes,
        search: tuple[Name, ...],
        following: Handle,
    ) -> bytes | None:
        """The first answer that is not that there is no such name, under the name asked for; else the first of all."""
        reply = await settled(first)
        if reply is None or reply[3] & 15 != records.NXDOMAIN:
            return reply
        for origin in (*search, names.ROOT):
            if len(base) + len(origin) > names.MAX_NAME:
                continue
            packet = await settled(following(query.about(base + origin, query.asked.type)))
            if packet is None:
                continue
            rcode = packet[3] & 15
            if rcode == records.NXDOMAIN or (rcode == records.REFUSED and not self._forwards):
                continue
            said = sections.read(packet)
            if said.answer:
                target = said.answer[0]
                alias = Record(query.asked.raw[:-4], records.CNAME, 1, target.ttl, target.owner)
                said = said._replace(answer=[alias, *said.answer])
            return sections.write(said, query.asked, udp=query.udp)
        return reply


def _tree(label: str, zone: Zone) -> Name:
    return bytes((len(label),)) + label.encode() + zone.settings.origin
