"""Questions that a server block does not answer itself: the cache, the upstreams, and what a client is told.

`cached` is synchronous, so that a hit needs no task. `resolve` always ends in an answer. Equal questions that are under
way at the same time are asked once.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import NamedTuple

import msgspec

from minidns.config.plugins.cache import Cache
from minidns.config.plugins.forward import Forward
from minidns.core import names, records, wire
from minidns.core.names import Name
from minidns.core.records import Rrset
from minidns.core.wire import MalformedError, Question
from minidns.plugins import alias
from minidns.plugins.cache import AnswerCache, Hit, Key
from minidns.plugins.forward import message
from minidns.plugins.forward.forwarder import TOTAL, Forwarder
from minidns.plugins.forward.message import CD, FAILURE, RD, Message
from minidns.plugins.forward.upstream import NETWORK_ERROR, UpstreamError
from minidns.plugins.loop import LoopProbe

log = logging.getLogger(__name__)

#: Extended DNS Errors of stale answers (RFC 8914, 4.4 and 4.20).
STALE, STALE_NXDOMAIN = 3, 19
_REFUSED = Message(records.REFUSED, (0, 0, 0), b"")


class _Found(NamedTuple):
    """What to send: an answer, its age, the bounds of its TTLs, the options of the OPT record."""

    answer: Message
    age: int = 0
    bounds: tuple[int, int] = message.ANY_TTL
    options: bytes = wire.NO_OPTIONS


class Resolver:
    """The forwards and the cache of one server block.

    clock: seconds that do not go backwards. rng: for IDs, letter case and the choice of upstreams; the system's by
    default. probe: when there is one, a question for its name that comes in shows a loop. hits, misses, served_stale,
    refreshed: for metrics.
    """

    def __init__(
        self,
        forwards: tuple[Forward, ...],
        cache: Cache | None = None,
        *,
        clock: Callable[[], float] = monotonic,
        rng: random.Random | None = None,
        total: float = TOTAL,
        probe: LoopProbe | None = None,
        errors: bool = False,
    ) -> None:
        self.forwarders = tuple(Forwarder(forward, rng=rng, total=total) for forward in forwards)
        self.cache = AnswerCache(cache) if cache else None
        self.probe = probe
        self.hits = self.misses = self.served_stale = self.refreshed = 0
        self._clock = clock
        self._log_errors = errors
        self._under_way: dict[Key, asyncio.Task[_Found]] = {}

    def serves(self, name: Name) -> bool:
        """Whether some forward takes questions for a name in lower case."""
        return self._forwarder(name) is not None

    def cached(self, packet: bytes, transport: str) -> bytes | None:
        """The answer to a client's packet when the cache has it. transport: "udp" or "tcp"."""
        if self.cache is None:
            return None
        try:
            asked = message.question(packet)
        except MalformedError:
            return None
        answer = self._from_cache(asked, _key(asked), udp=transport == "udp")
        self.hits += answer is not None
        self.misses += answer is None
        return answer

    async def resolve(self, packet: bytes, transport: str) -> bytes:
        """The answer to a client's packet, whatever happens; to be asked for when `cached` has none."""
        return await self._guarded(packet, (), udp=transport == "udp")

    async def resolve_alias(self, packet: bytes, chain: Sequence[Rrset], transport: str) -> bytes:
        """The answer to a client's packet whose name is an alias: `chain` is what the zone has of it, CNAME by CNAME.

        The last one's target is asked for; the answer is the chain and what the target has.
        """
        return await self._guarded(packet, chain, udp=transport == "udp")

    def close(self) -> None:
        """Stop health checks and close idle connections; what is under way is answered still."""
        for forwarder in self.forwarders:
            forwarder.close()
        if self.cache is not None:
            # Not only when the garbage collector comes to who held them: reloads would add up.
            self.cache.clear()

    async def _guarded(self, packet: bytes, chain: Sequence[Rrset], *, udp: bool) -> bytes:
        try:
            asked = message.question(packet)
        except MalformedError:
            return wire.error(packet, records.FORMERR)
        try:
            target = alias.target_of(chain, asked) if chain else asked
            found = await self._find(target, udp=udp)
            if chain and found.answer.rcode != records.SERVFAIL:
                room = message.limit(asked, udp=udp)
                whole = alias.joined(chain, asked, target, found.answer, found.age, found.bounds, room)
                return message.reply(whole, asked, udp=udp, options=found.options)
            return message.reply(
                found.answer, asked, udp=udp, age=found.age, bounds=found.bounds, options=found.options
            )
        except MalformedError as error:
            options = wire.ede(NETWORK_ERROR, f"the answer about the alias's target cannot be read: {error}")
            return message.reply(FAILURE, asked, udp=udp, options=options)
        except Exception:
            log.exception("cannot forward %s", packet.hex())
            return message.reply(FAILURE, asked, udp=udp)

    async def _find(self, asked: Question, *, udp: bool) -> _Found:
        """What to tell a client, from the cache, from upstreams, or why there is nothing."""
        key = _key(asked)
        if self.probe and self.probe.is_own(key.name, key.type):
            return _Found(_REFUSED)
        if key.type in (records.IXFR, records.AXFR):
            return _Found(_REFUSED, options=wire.ede(21, "zone transfers are not forwarded"))
        hit = self.cache.get(key, self._clock()) if self.cache else None
        if hit and not (hit.stale and self._verifies):
            return self._use(key, hit, tcp=not udp)
        forwarder = self._forwarder(key.name)
        if forwarder is None:
            return _Found(_REFUSED, options=wire.ede(20, "no forward serves this name"))
        if forwarder.is_full:
            forwarder.rejected += 1
            text = f"{forwarder.limit} questions are under way already (max_concurrent)"
            return self._stale(hit) if hit else self._failure(key, NETWORK_ERROR, text)
        forwarder.waiting += 1
        try:
            async with asyncio.timeout(self.cache.options.verify_patience if hit and self.cache else None):
                fresh = await self._shared(key, forwarder, tcp=not udp)
        except (UpstreamError, TimeoutError) as error:
            return self._stale(hit) if hit else self._failure(key, getattr(error, "code", NETWORK_ERROR), str(error))
        finally:
            forwarder.waiting -= 1
        return self._stale(hit) if hit and fresh.answer.kind in ("servfail", "other") else fresh

    def _from_cache(self, asked: Question, key: Key, *, udp: bool) -> bytes | None:
        hit = self.cache.get(key, self._clock()) if self.cache else None
        if hit is None or (hit.stale and self._verifies):
            return None
        found = self._use(key, hit, tcp=not udp)
        return message.reply(found.answer, asked, udp=udp, age=found.age, bounds=found.bounds, options=found.options)

    def _use(self, key: Key, hit: Hit, *, tcp: bool) -> _Found:
        if hit.refresh:
            self._refresh(key, tcp=tcp)
        return self._stale(hit) if hit.stale else _Found(hit.message, hit.age, hit.bounds)

    def _stale(self, hit: Hit) -> _Found:
        self.served_stale += 1
        code = STALE_NXDOMAIN if hit.message.rcode == records.NXDOMAIN else STALE
        options = wire.ede(code, "expired, and not yet answered again by an upstream")
        return _Found(hit.message, 0, hit.bounds, options)

    def _failure(self, key: Key, code: int, text: str) -> _Found:
        if self._log_errors:
            log.error("%s %s: %s", names.to_text(key.name), records.type_text(key.type), text)
        return _Found(FAILURE, options=wire.ede(code, text))

    @property
    def _verifies(self) -> bool:
        return self.cache is not None and self.cache.options.verify_stale

    def _forwarder(self, name: Name) -> Forwarder | None:
        return next((forwarder for forwarder in self.forwarders if forwarder.serves(name)), None)

    def _behind(self, forwarder: Forwarder, name: Name) -> Iterator[Forwarder]:
        """The other forwards for a name, in the order they were written in."""
        place = self.forwarders.index(forwarder)
        return (following for following in self.forwarders[place + 1 :] if following.serves(name))

    def _refresh(self, key: Key, *, tcp: bool) -> None:
        """Ask again in the background, unless that is being done or too much else is."""
        forwarder = self._forwarder(key.name)
        if forwarder and key not in self._under_way and not forwarder.is_full:
            self.refreshed += 1
            self._ask(key, forwarder, tcp=tcp)

    async def _shared(self, key: Key, forwarder: Forwarder, *, tcp: bool) -> _Found:
        """The answer to a question that any number of clients wait for; one that goes away does not end it."""
        return await asyncio.shield(self._under_way.get(key) or self._ask(key, forwarder, tcp=tcp))

    def _ask(self, key: Key, forwarder: Forwarder, *, tcp: bool) -> asyncio.Task[_Found]:
        def done(task: asyncio.Task[_Found]) -> None:
            self._under_way.pop(key, None)
            forwarder.under_way -= 1
            if not task.cancelled():
                task.exception()  # taken note of, even if every client has gone

        task = asyncio.create_task(self._fetch(key, forwarder, tcp=tcp))
        self._under_way[key] = task
        forwarder.under_way += 1
        task.add_done_callback(done)
        return task

    async def _fetch(self, key: Key, forwarder: Forwarder, *, tcp: bool) -> _Found:
        raw = key.name + key.type.to_bytes(2, "big") + key.class_.to_bytes(2, "big")
        flags = RD | (CD if key.cd else 0)
        answer = await forwarder.ask(raw, flags=flags, do=key.do, tcp=tcp)
        for following in self._behind(forwarder, key.name):
            if answer.rcode not in forwarder.options.next:
                break
            forwarder = following
            answer = await forwarder.ask(raw, flags=flags, do=key.do, tcp=tcp)
        if self.cache is None:
            # Who keeps nothing passes everything on as it came.
            return _Found(msgspec.structs.replace(answer, ttls=()))
        return _Found(answer, 0, self.cache.put(key, answer, self._clock()))


def _key(asked: Question) -> Key:
    return Key(asked.name, asked.type, asked.class_, bool(asked.edns and asked.edns.do), bool(asked.flags & CD))
