"""The zones as secondaries have them, in a file: a minidns that starts knows what has changed since, and sends that.

The file: a line that says what it is and its version, then each zone index with its serial, and the SHA-256 of all
before it. Of an index these are its TTLs and all records but SOA, in the form of the journal. What is larger than
`LARGEST` is not kept: its secondaries get the whole zone after a restart.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import struct
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from minidns.core import records
from minidns.core.names import Name
from minidns.core.snapshot import Snapshot
from minidns.core.zone import Zone
from minidns.transfer.journal import Journal, by_origin, pack, unpack
from minidns.transfer.serials import is_ahead
from minidns.views.differences import Record

log = logging.getLogger(__name__)

#: Bytes of a file: some 100,000 records, which take four times as much memory while they are compared.
LARGEST = 8 << 20
#: Seconds between two writes, at least.
INTERVAL = 10.0
MAGIC = b"minidns zones, version 2\n"
_HEAD = struct.Struct(">IIIHI")
_DIGEST = hashlib.sha256().digest_size
#: Records that are read before others get a turn.
_SLICE = 500

Indexes = Sequence[tuple[Zone, Journal]]


class Kept:
    """The file at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._saved: list[int] = []
        self._told = ""

    async def restore(self, indexes: Indexes) -> None:
        """Let each journal begin where the file left its zone off. The zones have just been synced."""
        if not indexes:
            return
        with ExitStack() as stack:
            # The zones of this moment: changes may come while the file is read.
            now = [(zone, journal, stack.enter_context(Snapshot(zone))) for zone, journal in indexes]
            found = await asyncio.to_thread(self._read)
            for zone, journal, snapshot in now:
                serial, ttls, packed = found.get(b"".join(zone.origins), (snapshot.serial, (0, 0), b""))
                if ttls == _ttls(snapshot) and is_ahead(snapshot.serial, serial):
                    added, removed = await _compared(packed, zone, snapshot)
                    journal.precede(serial, snapshot.serial, by_origin(zone, added, removed))
                    log.info("secondaries that have serial %d get what has changed since", serial)

    async def keep(self, indexes: Callable[[], Indexes]) -> None:
        """Write the file whenever the zones changed, until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            await self.save(indexes())

    async def save(self, indexes: Indexes) -> None:
        """Write the file, in steps, if there are zones, and they are synced and have changed."""
        serials = [zone.serial for zone, _ in indexes]
        if serials == self._saved or not serials or not all(zone.synced for zone, _ in indexes):
            return
        data = bytearray(MAGIC)
        for zone, _ in indexes:
            with Snapshot(zone) as snapshot:
                packed = bytearray()
                for origin in zone.origins:
                    for some in snapshot.rrsets(origin):
                        packed += pack(_records(zone, origin, some))
                        if len(data) + len(packed) > LARGEST:
                            self._path.unlink(missing_ok=True)
                            return
                        await asyncio.sleep(0)
            origins = b"".join(zone.origins)
            data += _HEAD.pack(snapshot.serial, *_ttls(snapshot), len(origins), len(packed)) + origins + packed
        try:
            await asyncio.to_thread(_write, self._path, bytes(data))
            self._saved, self._told = serials, ""
        except OSError as error:
            if self._told != str(error):  # not every few seconds
                log.warning("cannot keep the zones in %s: %s", self._path, error)
            self._told = str(error)

    def _read(self) -> dict[bytes, tuple[int, tuple[int, int], bytes]]:
        """(serial, TTLs, packed records) of each index, by its origins."""
        found = {}
        try:
            data = self._path.read_bytes()
            body = data[len(MAGIC) : -_DIGEST]
            if not data.startswith(MAGIC) or hashlib.sha256(data[:-_DIGEST]).digest() != data[-_DIGEST:]:
                raise ValueError("it is damaged, or not of this version")
            while body:
                serial, ttl, version_ttl, origins, packed = _HEAD.unpack_from(body)
                middle = _HEAD.size + origins
                found[body[_HEAD.size : middle]] = serial, (ttl, version_ttl), body[middle : middle + packed]
                body = body[middle + packed :]
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, struct.error) as error:
            log.warning("the zones in %s are ignored: %s", self._path, error)
            return {}
        return found


def _ttls(snapshot: Snapshot) -> tuple[int, int]:
    """Those of all records, which are others with another."""
    return snapshot.settings.ttl, snapshot.settings.version_ttl


async def _compared(packed: bytes, zone: Zone, snapshot: Snapshot) -> tuple[list[Record], list[Record]]:
    """(added, removed) since the records were packed, worked out in steps."""
    left: dict[Record, None] = {}
    for count, record in enumerate(unpack(packed)):
        left[record] = None
        if count % _SLICE == 0:
            await asyncio.sleep(0)
    added: dict[Record, None] = {}
    for origin in zone.origins:
        for some in snapshot.rrsets(origin):
            for record in _records(zone, origin, some):
                if record in left:
                    del left[record]
                else:
                    added[record] = None
            await asyncio.sleep(0)
    return list(added), list(left)


def _records(zone: Zone, origin: Name, rrsets: Sequence[records.Rrset]) -> list[Record]:
    """What is in the zone of that origin, and not in one below it; SOA left out."""
    return [
        Record(rrset.owner, rrset.type, rdata)
        for rrset in rrsets
        if rrset.type != records.SOA and zone.origin(rrset.owner) == origin
        for rdata in rrset.rdata
    ]


def _write(path: Path, data: bytes) -> None:
    beside = path.with_name(f"{path.name}.new")
    with beside.open("wb") as file:
        file.write(data + hashlib.sha256(data).digest())
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
