"""Questions to the upstreams of one `forward`: which is asked first, what happens when it fails, how many at once."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from time import perf_counter

from minidns.config.plugins.forward import Forward, Policy
from minidns.core import names, records
from minidns.core.names import Name, is_below
from minidns.metrics import Timing
from minidns.plugins.forward.message import RD, Message
from minidns.plugins.forward.upstream import NO_REACHABLE_AUTHORITY, Server, UpstreamError

log = logging.getLogger(__name__)

#: Seconds that all attempts for one question may take (CoreDNS's).
TOTAL = 5.0
#: Times that each upstream is tried for one question.
ROUNDS = 2


class Forwarder:
    """The upstreams of one `forward`.

    An upstream that fails is checked in the background until it answers; `max_fails` failed checks in a row make it
    unhealthy, and it is asked last. waiting: clients whose question is being asked. under_way: questions being asked,
    each once however many clients wait for it, and also when all of them have gone. limit: of both; 0 is none.
    For metrics: rejected, questions over the limit; broken, those for which every upstream was unhealthy;
    checks_failed; timings, how long answers took by rcode.
    """

    def __init__(
        self,
        options: Forward,
        *,
        rng: random.Random | None = None,
        total: float = TOTAL,
    ) -> None:
        self.options = options
        self.waiting = 0
        self.under_way = 0
        self.limit = options.max_concurrent
        self.rejected = 0
        self._rng = rng or random.SystemRandom()
        self._total = total
        self.servers = tuple(Server(upstream, options, rng=self._rng) for upstream in options.upstreams)
        self.broken = 0
        self.checks_failed: Counter[Server] = Counter()
        self.timings: dict[Server, dict[int, Timing]] = {server: {} for server in self.servers}
        self._zone = names.from_text(options.zone)
        self._except = tuple(map(names.from_text, options.except_zones))
        self._next = 0
        self._closed = False
        self._checks: dict[Server, asyncio.Task[None]] = {}

    def serves(self, name: Name) -> bool:
        """Whether questions for this name (in lower case) go here."""
        return is_below(name, self._zone) and not any(is_below(name, zone) for zone in self._except)

    @property
    def is_full(self) -> bool:
        """As many questions as allowed are under way: another one is refused, never queued."""
        return 0 < self.limit <= max(self.waiting, self.under_way)

    def healthy(self, server: Server) -> bool:
        return not self.options.max_fails or server.checks_failed < self.options.max_fails

    async def ask(self, raw: bytes, *, flags: int = RD, do: bool = False, tcp: bool = False) -> Message:
        """The answer of the first upstream that gives one. Raises UpstreamError.

        raw: name in lower case, type and class. flags: RD, CD. tcp: the client came over TCP, where answers are large.
        """
        unhealthy = not any(map(self.healthy, self.servers))
        self.broken += unhealthy
        if self.options.fail_fast and unhealthy:
            raise UpstreamError("all upstreams are unhealthy", NO_REACHABLE_AUTHORITY)
        tcp = tcp and not self.options.prefer_udp
        last = UpstreamError(f"no answer in {self._total:g}s", NO_REACHABLE_AUTHORITY)
        refused: Message | None = None
        try:
            async with asyncio.timeout(self._total):
                for server in (self._order() * ROUNDS)[: self.options.max_connect_attempts or None]:
                    started = perf_counter()
                    try:
                        answer = await server.ask(raw, flags=flags, do=do, tcp=tcp)
                    except UpstreamError as error:
                        last = error
                        self._failed(server, error)
                        continue
                    self.timings[server].setdefault(answer.rcode, Timing()).batch(1, perf_counter() - started)
                    if answer.rcode not in self.options.failover:
                        return answer
                    refused = answer
        except TimeoutError:
            pass
        if refused is not None:
            return refused
        raise last

    def close(self) -> None:
        """Stop the health checks and close idle connections, now and when they become idle."""
        self._closed = True
        for task in self._checks.values():
            task.cancel()
        for server in self.servers:
            server.close()

    def _order(self) -> list[Server]:
        """All upstreams in the order they are tried in, the healthy ones first."""
        servers = list(self.servers)
        if self.options.policy is Policy.RANDOM:
            self._rng.shuffle(servers)
        elif self.options.policy is Policy.ROUND_ROBIN:
            start, self._next = self._next, (self._next + 1) % len(servers)
            servers = servers[start:] + servers[:start]
        return sorted(servers, key=lambda server: not self.healthy(server))

    def _failed(self, server: Server, error: UpstreamError) -> None:
        if self.options.max_fails and server not in self._checks and not self._closed:
            log.warning("forward: %s; checking it every %gs", error, self.options.health_interval)
            self._checks[server] = asyncio.create_task(self._check(server))

    async def _check(self, server: Server) -> None:
        """Ask until there is an answer, whatever it says: an upstream that refuses is reachable."""
        question = names.from_text(self.options.health_zone) + records.NS.to_bytes(2, "big") + b"\0\1"
        try:
            while True:
                try:
                    await server.ask(question, flags=RD if self.options.health_recursion else 0)
                except UpstreamError:
                    server.checks_failed += 1
                    self.checks_failed[server] += 1
                    if server.checks_failed == self.options.max_fails:
                        log.warning("forward: %s is unhealthy: it is asked last", server)
                    await asyncio.sleep(self.options.health_interval)
                    continue
                if not self.healthy(server):
                    log.info("forward: %s is healthy again", server)
                server.checks_failed = 0
                return
        finally:
            del self._checks[server]
