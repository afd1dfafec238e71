"""Word of new serials to secondaries (RFC 1996), and which serial each of them has.

Each secondary has a loop of its own. A change after a quiet time is told at once; while changes keep coming, no oftener
than `INTERVAL`; what is not acknowledged is told again after a wait that doubles, which further changes do not shorten:
a secondary that is away costs a packet a minute. Of the zones that share a serial those are told of whose records
changed.
"""

from __future__ import annotations

import asyncio
import logging
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from minidns.config.plugins.transfer import Secondary
from minidns.core import answers, names, records, wire
from minidns.core.names import Name
from minidns.core.zone import Zone
from minidns.transfer.answering import Asked
from minidns.transfer.journal import Journal
from minidns.transfer.messages import soa_serial
from minidns.transfer.peer import Peer
from minidns.transfer.serials import is_ahead
from minidns.transfer.tsig import Keys

log = logging.getLogger(__name__)

#: Seconds between two notifications of one secondary about one zone, at least; and notifications a second to all.
INTERVAL, RATE = 0.05, 1000
#: Seconds after a change that a burst is waited for, and that every process which answers gets to bring it in.
SETTLE = 0.005
#: Seconds until a notification that was not acknowledged is repeated: the first time, and at most.
FIRST, LONGEST = 0.5, 60.0
#: Intervals after an acknowledgement until a secondary is asked for its serial; then it is told again if it is behind.
#: And seconds that it gets for an answer.
CHECK, PATIENCE = 4, 1.0
_NOTIFY_AA, _SOA_IN = 0x2400, struct.pack("!HH", records.SOA, 1)


class Target(NamedTuple):
    """A secondary to tell, the keys of its server block, and the zones that it may transfer, by origin."""

    secondary: Secondary
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


class Notifier:
    """Tells every secondary of a configuration, from `start` to `close`.

    ahead: called with a serial to go on from when a secondary has one that is ahead of ours.
    """

    def __init__(self, targets: Sequence[Target], ahead: Callable[[int], None]) -> None:
        interval = max(INTERVAL, sum(len(target.zones) for target in targets) / RATE)
        self._targets = [_Loops(target, interval, ahead) for target in targets]
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def counts(self) -> tuple[int, int]:
        """Notifications sent, and those of them that were acknowledged."""
        return sum(one.sent for one in self._targets), sum(one.acknowledged for one in self._targets)

    def start(self) -> None:
        """Tell from now on, first of the serials as they are."""
        for target in self._targets:
            for loop in (target.tell(), target.check()):
                task = asyncio.create_task(loop, name=f"notify {target.peer.secondary}")
                task.add_done_callback(_tell_end)
                self._tasks.append(task)

    def moved(self) -> None:
        """Serials may have moved."""
        for target in self._targets:
            target.wake.set()

    def close(self) -> None:
        """Tell no more."""
        for task in self._tasks:
            task.cancel()
        for target in self._targets:
            target.peer.close()

    async def standings(self, asked: Asked, *, fresh: bool = False) -> list[Standing]:
        """Every secondary with every zone of it. fresh: ask all of them now, which takes a second if one is away."""
        if fresh:
            await asyncio.gather(*(target.refresh() for target in self._targets))
        behind: dict[tuple[Name, int | None], Behind] = {}  # many secondaries, few serials
        return [target.standing(origin, asked, behind) for target in self._targets for origin in target.zones]


class _Loops:
    """What is done for one secondary. By zone, `told` is the serial of the last change that it acknowledged, `has` the
    serial that it said it has."""

    def __init__(self, target: Target, interval: float, ahead: Callable[[int], None]) -> None:
        self.peer = Peer(target.secondary, target.keys)
        self.zones = target.zones
        self.wake = asyncio.Event()
        self._interval = interval
        self._ahead = ahead
        self.sent = self.acknowledged = 0
        self._check = asyncio.Event()
        self._told: dict[Name, int] = {}
        self._has: dict[Name, int] = {}
        self._when: dict[Name, float] = {}

    async def tell(self) -> None:
        loop, wait = asyncio.get_running_loop(), FIRST
        while True:
            self.wake.clear()
            due = [origin for origin in self.zones if self._is_due(origin)]
            if not due:
                await self.wake.wait()
                await asyncio.sleep(SETTLE)
                continue
            began = loop.time()
            done = await asyncio.gather(*(self._notify(origin, wait) for origin in due))
            pause, wait = (self._interval, FIRST) if all(done) else (wait, min(2 * wait, LONGEST))
            await asyncio.sleep(began + pause - loop.time())

    async def check(self) -> None:
        """Learn what it has, a while after it was told; tell it again if that is less than what it was told then: it
        has asked a process that did not know yet, or has lost the answer."""
        first = wait = CHECK * self._interval
        while True:
            await self._check.wait()
            self._check.clear()
            expected = {origin: self._latest(origin) for origin in self.zones}
            await asyncio.sleep(wait)
            await asyncio.gather(*(self._ask(one) for one in self.zones if self._has.get(one) != self._latest(one)))
            late = [origin for origin, serial in expected.items() if self._lacks(origin, serial)]
            wait = min(2 * wait, LONGEST) if late else first
            for origin in late:
                self._told.pop(origin, None)
                self.wake.set()

    async def refresh(self) -> None:
        await asyncio.gather(*map(self._ask, self.zones))

    def standing(self, origin: Name, asked: Asked, behind: dict[tuple[Name, int | None], Behind]) -> Standing:
        secondary, name = self.peer.secondary, names.to_text(origin)
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
        _, journal = self.zones[origin]
        steps = None if serial is None else journal.since(serial)
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
        reply = await self.peer.ask(notification(self.zones[origin][0], origin), patience)
        if reply is None:
            return False
        if (rcode := reply[3] & 15) and origin not in self._told:
            text = records.RCODES.get(rcode, str(rcode))
            log.warning("%s does not want to be told of %s: %s", self.peer.secondary, names.to_text(origin), text)
        self.acknowledged += 1
        self._told[origin] = latest
        self._when[origin] = time.time()
        self._check.set()
        return True

    async def _ask(self, origin: Name) -> None:
        question = struct.pack("!5H", 0, 1, 0, 0, 0) + origin + _SOA_IN
        reply = await self.peer.ask(question, PATIENCE)
        serial = None if reply is None else serial_of(reply)
        if serial is None:
            self._has.pop(origin, None)
            return
        self._has[origin] = serial
        if is_ahead(serial, self.zones[origin][0].serial):
            log.warning("%s has serial %d, ahead of ours: going on from there", self.peer.secondary, serial)
            self._ahead((serial + 1) & 0xFFFFFFFF)


def _tell_end(task: asyncio.Task[None]) -> None:
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
