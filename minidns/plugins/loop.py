"""Do the upstreams send questions back here? Then every question would go round until it times out.

Each upstream is asked for a random name once, at start. The server that answers must not see that name come in.
"""

from __future__ import annotations

import asyncio
import logging
import random

from minidns.core import names
from minidns.core.names import Name, is_below
from minidns.core.records import HINFO
from minidns.plugins.forward.forwarder import Forwarder
from minidns.plugins.forward.upstream import Server, UpstreamError

log = logging.getLogger(__name__)


class LoopProbe:
    """Names that nobody but this process asks for: one per upstream."""

    def __init__(self, rng: random.Random | None = None) -> None:
        rng = rng or random.SystemRandom()
        self._label = f"{rng.getrandbits(63)}"
        self._sent: dict[Name, Server] = {}
        #: Upstreams through which a question came back.
        self.looping: list[Server] = []

    def is_own(self, name: Name, type_: int) -> bool:
        """Whether a question that came in is one of the probe's; it is remembered if it is."""
        server = self._sent.get(name) if type_ == HINFO else None
        if server is None:
            return False
        if server not in self.looping:
            self.looping.append(server)
        return True

    async def run(self, forwarders: tuple[Forwarder, ...]) -> str | None:
        """Ask all upstreams, when the server is ready to answer. What to tell the operator if there is a loop, or
        None.
        """
        questions = []
        for forwarder in forwarders:
            for server in forwarder.servers:
                name = names.from_text(f"{len(self._sent)}.{self._label}.{forwarder.options.zone}".rstrip("."))
                self._sent[name] = server
                if not any(is_below(name, names.from_text(zone)) for zone in forwarder.options.except_zones):
                    questions.append(self._ask(server, name))
        await asyncio.gather(*questions)
        self._sent.clear()
        if not self.looping:
            return None
        through = ", ".join(map(str, self.looping))
        return (
            f"loop: {through} sends questions back to this server, so they would never be answered. Most often"
            " /etc/resolv.conf names a resolver on the same host (127.0.0.53 is systemd-resolved) that asks here."
            " Point forward at the real resolvers: an address, or a file such as /run/systemd/resolve/resolv.conf"
        )

    async def _ask(self, server: Server, name: Name) -> None:
        try:
            await server.ask(name + HINFO.to_bytes(2, "big") + b"\0\1")
        except UpstreamError as error:
            log.info("loop: cannot tell for %s", error)
