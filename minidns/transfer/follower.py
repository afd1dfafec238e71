"""One secondary: told of new serials until it acknowledges them, and looked after until it has them."""

from __future__ import annotations

import asyncio
import logging
import struct
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, NamedTuple

import msgspec

from minidns.config.plugins.transfer import Secondary
from minidns.core import answers, names, records, wire
from minidns.core.names import Name
from minidns.core.zone import Zone
from minidns.transfer.answering import Asked, Transfers
from minidns.transfer.journal import Journal
from minidns.transfer.messages import soa_serial
from minidns.transfer.peer import Peer
from minidns.transfer.serials import is_ahead
from minidns.transfer.tsig import Keys

log = logging.getLogger(__name__)

#: Seconds until a notification that was not acknowledged is repeated: the first time, and at most.
FIRST, LONGEST = 0.5, 60.0
#: Intervals after an acknowledgement until a secondary that did not fetch what it was told of is asked for its serial;
#: then it is told again if it is behind. And seconds that it gets for an answer.
CHECK, PATIENCE = 4, 1.0
_NOTIFY_AA, _SOA_IN = 0x2400, struct.pack("!HH", records.SOA, 1)


class Target(NamedTuple):
    """A secondary to tell, what its server block has for it, and the zones that it may transfer, by origin."""

    secondary: Secondary
    transfers: Transfers
    keys: Keys | None
    zones: Mapping[Name, tuple[Zone, Journal]]


class Standing(msgspec.Struct, frozen=True):
    """How one secondary stands with one zone; times are seconds since the epoch.

    serial: what it has, None when it does not say. changes, seconds: how far it is behind, 0 when it has everything;
    None when nobody knows: more than the journal has. notified: when it last acknowledged; asked: when it last asked.
    """

    secondary: str
    zone: str
    serial: int | None
    changes: int | None
    seconds: float | None
    notified: float | None
    asked: float | None


#: Changes, and seconds, that a secondary is behind.
Behind = tuple[int | None, float | None]


class Follower:
    """One secondary. By zone, `told` is the serial of the last change that it acknowledged, `has` the serial that it
    has, as it said or was given. again: has the clock tell those that are due."""

    def __init__(
        self, target: Target, interval: float, ahead: Callable[[int], None], again: Callable[[], None]
    ) -> None:
        self.host = target.secondary.host
        self.zones = target.zones
        self._peer = Peer(target.secondary, target.keys)
        self._interval = interval
        self._ahead, self._again = ahead, again
        self.sent = self.acknowledged = 0
        self._telling: asyncio.Task[None] | None = None
        self._check = asyncio.Event()
        self._told: dict[Name, int] = {}
        self._has: dict[Name, int] = {}
        self._when: dict[Name, float] = {}

    def tell(self) -> None:
        """Tell it of what is due, unless that is being done."""
        if (self._telling is None or self._telling.done()) and any(map(self._is_due, self.zones)):
            self._telling = running(self._tell(), f"notify {self._peer.secondary}")

    def given(self, origin: Name, serial: int) -> None:
        """It has taken a transfer. One that was told of more while it did may have dropped that."""
        self._has[origin] = serial
        if origin in self._told and is_ahead(self._told[origin], serial):
            del self._told[origin]
            self._again()

    def close(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
        self._peer.close()

    async def _tell(self) -> None:
        loop, wait = asyncio.get_running_loop(), FIRST
        while due := [origin for origin in self.zones if self._is_due(origin)]:
            began = loop.time()
            first, *others = due
            told = (
                [await self._notify(first, wait)]
                if not others
                else await asyncio.gather(*(self._notify(origin, wait) for origin in due))
            )
            if all(told):
                break
            await asyncio.sleep(began + wait - loop.time())
            wait = min(2 * wait, LONGEST)
        if any(map(self._is_due, self.zones)):
            self._again()

    async def check(self) -> None:
        """Learn what it has, a while after it was told, if it has not been given that much; tell it again if that is
        less than what it was told then: it has asked a process that did not know yet, or has lost the answer."""
        first = wait = CHECK * self._interval
        while True:
            await self._check.wait()
            self._check.clear()
            expected = {origin: self._latest(origin) for origin in self.zones}
            before = dict(self._has)
            await asyncio.sleep(wait)
            unsure = [one for one in self.zones if one not in self._has or self._lacks(one, expected[one])]
            await asyncio.gather(*map(self._ask, unsure))
            late = [origin for origin in unsure if self._lacks(origin, expected[origin])]
            # One that comes nearer is busy, or changes outrun it: it is looked after as before.
            follows = any(self._has.get(origin) != before.get(origin) for origin in late)
            wait = min(2 * wait, LONGEST) if late and not follows else first
            for origin in late:
                self._told.pop(origin, None)
                self._again()

    async def refresh(self) -> None:
        await asyncio.gather(*map(self._ask, self.zones))

    def standing(self, origin: Name, asked: Asked, behind: dict[tuple[Name, int | None], Behind]) -> Standing:
        secondary, name = self._peer.secondary, names.to_text(origin)
        serial = self._has.get(origin)
        if (origin, serial) not in behind:
            behind[origin, serial] = self._behind(origin, serial)
        changes, seconds = behind[origin, serial]
        return Standing(
            secondary=str(secondary),
            zone=name,
            serial=serial,
            changes=changes,
            seconds=seconds,
            notified=self._when.get(origin),
            asked=asked.get((name, secondary.host, secondary.key or "")),
        )

    def _behind(self, origin: Name, serial: int | None) -> Behind:
        zone, journal = self.zones[origin]
        if serial is None:
            return None, None
        if not is_ahead(self._latest(origin), serial) and not is_ahead(serial, zone.serial):
            return 0, 0.0  # the journal may not reach back to it: what changed since is in other zones
        steps = journal.since(serial)
        if steps is None:
            return None, None
        missing = [step for step in steps if origin in step.parts]
        return len(missing), time.monotonic() - missing[0].at if missing else 0.0

    def _latest(self, origin: Name) -> int:
        """The serial at which the records of a zone last changed."""
        _, journal = self.zones[origin]
        return journal.moved.get(origin, journal.began)

    def _lacks(self, origin: Name, serial: int) -> bool:
        has = self._has.get(origin)
        return has is not None and is_ahead(serial, has)

    def _is_due(self, origin: Name) -> bool:
        return self.zones[origin][0].synced and self._told.get(origin) != self._latest(origin)

    async def _notify(self, origin: Name, patience: float) -> bool:
        """Whether it was acknowledged."""
        latest = self._latest(origin)
        self.sent += 1
        reply = await self._peer.ask(notification(self.zones[origin][0], origin), patience)
        if reply is None:
            return False
        if (rcode := reply[3] & 15) and origin not in self._told:
            text = records.RCODES.get(rcode, str(rcode))
            log.warning("%s does not want to be told of %s: %s", self._peer.secondary, names.to_text(origin), text)
        self.acknowledged += 1
        self._told[origin] = latest
        self._when[origin] = time.time()
        self._check.set()
        return True

    async def _ask(self, origin: Name) -> None:
        question = struct.pack("!5H", 0, 1, 0, 0, 0) + origin + _SOA_IN
        reply = await self._peer.ask(question, PATIENCE)
        serial = None if reply is None else serial_of(reply)
        if serial is None:
            self._has.pop(origin, None)
            return
        self._has[origin] = serial
        if is_ahead(serial, self.zones[origin][0].serial):
            log.warning("%s has serial %d, ahead of ours: going on from there", self._peer.secondary, serial)
            self._ahead((serial + 1) & 0xFFFFFFFF)


def running(loop: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """A task whose end by a bug is logged."""
    task = asyncio.create_task(loop, name=name)
    task.add_done_callback(_log_end)
    return task


def _log_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("%s ended", task.get_name(), exc_info=error)


def notification(zone: Zone, origin: Name) -> bytes:
    """A NOTIFY message without its ID; the new SOA record is a hint (RFC 1996, 3.7)."""
    soa = answers.soa(zone, origin)
    (rdata,) = soa.rdata
    record = b"\xc0\x0c" + _SOA_IN + struct.pack("!IH", soa.ttl, len(rdata)) + rdata
    return struct.pack("!5H", _NOTIFY_AA, 1, 1, 0, 0) + origin + _SOA_IN + record


def serial_of(reply: bytes) -> int | None:
    """The serial in the answer to a question for SOA."""
    try:
        question = wire.parse(reply)
        if reply[3] & 15 or not int.from_bytes(reply[6:8], "big"):
            return None
        return soa_serial(reply, wire.HEADER + len(question.raw))
    except (wire.MalformedError, IndexError, struct.error):
        return None
