"""`loadbalance` with `prefer`: addresses of some networks come first.

Without it nothing is left to do: addresses rotate from answer to answer in any case.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from minidns.config.values import Network
from minidns.core import records
from minidns.core.responder import Channel, Elsewhere
from minidns.plugins import sections
from minidns.plugins.chain import Handle, Query, then
from minidns.plugins.forward.reading import Record

_ADDRESSES = (records.A, records.AAAA)


class LoadbalanceStage:
    """Puts addresses in the order of the networks that they are in; those of none come last, the others keep theirs."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)

    def wants(self, packet: bytes, end: int, _channel: Channel) -> bool:
        return int.from_bytes(packet[end + 1 : end + 3], "big") in (*_ADDRESSES, records.ANY)

    def handle(self, query: Query, following: Handle) -> Elsewhere:
        def sorted_(packet: bytes) -> bytes:
            if int.from_bytes(packet[6:8], "big") < 2:
                return packet
            said = sections.read(packet)
            answer = sorted(said.answer, key=self._place)
            return sections.write(said._replace(answer=answer), query.asked, udp=query.udp)

        return then(following(query), sorted_)

    def _place(self, record: Record) -> int:
        """Aliases stay in front of addresses: some resolvers read no further."""
        if record.type not in _ADDRESSES:
            return -1
        address = ipaddress.ip_address(record.rdata)
        return next((place for place, net in enumerate(self._networks) if address in net), len(self._networks))
