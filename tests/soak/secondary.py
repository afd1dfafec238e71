"""A secondary that follows every zone by transfers while everything changes: dnspython's."""

from __future__ import annotations

import asyncio
from time import monotonic

import dns.asyncquery
import dns.exception
import dns.name
import dns.rcode
import dns.rdatatype
import dns.versioned
import dns.xfr

from tests.soak.world import PATIENCE, ZONE_HELD, World

ZONES = ("cluster.local.", "in-addr.arpa.", "ip6.arpa.")


class Secondary:
    """The zones as they were transferred last."""

    def __init__(self) -> None:
        self.zones = {name: dns.versioned.Zone(dns.name.from_text(name), relativize=False) for name in ZONES}

    async def run(self, world: World) -> None:
        rng = world.random("secondary")
        while world.storming:
            for name in ZONES:
                await self.transfer(world, name)
            await asyncio.sleep(rng.random() * 0.2)

    async def transfer(self, world: World, name: str) -> bool:
        """Ask for what is new; whether it came."""
        since = monotonic()
        try:
            query, _ = dns.xfr.make_query(self.zones[name])
            await dns.asyncquery.inbound_xfr(
                "127.0.0.1", self.zones[name], query, port=world.running.port, lifetime=PATIENCE
            )
        except dns.xfr.SerialWentBackwards:
            if world.workers == 1:
                world.found(f"the serial of {name} went backwards")
            # Another process may know of a change a moment later than the one that was asked before.
            world.counts["transfers from a worker that was behind"] += 1
            return False
        except (EOFError, OSError, dns.exception.Timeout) as error:
            world.broken(f"a transfer of {name} ({error!r})", since, ZONE_HELD)
            return False
        except (dns.exception.DNSException, KeyError, ValueError) as error:
            world.found(f"a transfer of {name} cannot be taken: {error!r}")
            return False
        world.counts["transfers"] += 1
        return True

    def rows(self, name: str) -> set[tuple[str, int, str, str]]:
        """Every record but the SOA, whose serial is each server's own."""
        return {
            (str(owner), ttl, dns.rdatatype.to_text(rdata.rdtype), str(rdata))
            for owner, ttl, rdata in self.zones[name].iterate_rdatas()
            if rdata.rdtype != dns.rdatatype.SOA
        }
