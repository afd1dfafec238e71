"""Yesterday's state: the last synced objects in a file, for a start while the API server is away.

The file: a line that says what it is and its version, then chunks, then the SHA-256 of all before it. A chunk is the
number of its kind (one byte), its length (four bytes, big-endian) and a msgpack array of objects; every kind that is
followed has at least one, maybe empty. The file is written anew beside the old one and takes its place by a rename.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import struct
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from sys import intern
from typing import BinaryIO, Protocol

import msgspec

from minidns.core.model import (
    Endpoint,
    EndpointSlice,
    ImportedSlice,
    Kind,
    Namespace,
    Object,
    Pod,
    Port,
    Replaced,
    Service,
    ServiceImport,
)

logger = logging.getLogger(__name__)

#: Seconds between two writes, at least.
INTERVAL = 10.0
MAGIC = b"minidns state, version 1\n"
_KINDS: tuple[Kind, ...] = (Namespace, Service, EndpointSlice, Pod, ServiceImport, ImportedSlice)
_DECODERS = [msgspec.msgpack.Decoder(list[kind]) for kind in _KINDS]  # type: ignore[valid-type]
_HEAD = struct.Struct(">BI")
_DIGEST = hashlib.sha256().digest_size
#: Objects encoded in one go: 16 slices of 100 endpoints take half a millisecond. And bytes written in one go.
_CHUNK, _WRITE = 16, 256 * 1024


class Source(Protocol):
    """What `keep` needs of a source (`minidns.source.kubernetes.source.KubernetesSource`)."""

    synced: asyncio.Event
    revision: int

    def objects(self) -> dict[Kind, list[Object]]: ...


def load(path: Path) -> list[Replaced] | None:
    """The objects of each kind in the file. None, and a line in the log, when it is missing or damaged."""
    try:
        data = path.read_bytes()
        found = parse(data)
    except FileNotFoundError:
        logger.info("no state in %s yet", path)
        return None
    except (OSError, ValueError) as error:
        logger.warning("the state in %s is ignored: %s", path, error)
        return None
    logger.info("state of %s: %s", path, ", ".join(f"{len(c.objects)} {c.kind.__name__}s" for c in found))
    return found


def parse(data: bytes) -> list[Replaced]:
    """The objects of each kind in what a state file holds. Raises ValueError, with the reason, for anything else."""
    if not data.startswith(MAGIC):
        raise ValueError("it is not a state file of this version")
    if hashlib.sha256(data[:-_DIGEST]).digest() != data[-_DIGEST:]:
        raise ValueError("its checksum is wrong")
    try:
        return _read(memoryview(data)[len(MAGIC) : -_DIGEST])
    except (LookupError, struct.error, msgspec.MsgspecError) as error:
        raise ValueError(str(error)) from None


def pieces(objects: Mapping[Kind, Sequence[Object]]) -> Iterator[bytes]:
    """What a state file of these objects holds, in pieces of half a millisecond of work."""
    digest = hashlib.sha256()
    for piece in chain((MAGIC,), _chunks(objects)):
        digest.update(piece)
        yield piece
    yield digest.digest()


async def keep(
    path: Path,
    source: Source,
    interval: float = INTERVAL,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Write the source's objects to the file, from its first sync on and until cancelled, whenever they changed."""
    await source.synced.wait()
    saved, told = None, ""
    while True:
        revision = source.revision
        if revision != saved:
            try:
                await save(path, source.objects())
                saved, told = revision, ""
            except OSError as error:
                if told != str(error):  # not every few seconds
                    logger.warning("cannot keep the state in %s: %s", path, error)
                told = str(error)
        await sleep(interval)


async def save(path: Path, objects: Mapping[Kind, Sequence[Object]]) -> None:
    """Write a state file. The event loop is held for half a millisecond at a time; raises OSError."""
    beside = path.with_name(f"{path.name}.new")
    try:
        with beside.open("wb") as file:
            digest = hashlib.sha256()

            def write(data: bytes) -> None:
                digest.update(data)
                file.write(data)

            batch = bytearray(MAGIC)
            for chunk in _chunks(objects):
                batch += chunk
                if len(batch) > _WRITE:
                    await asyncio.to_thread(write, bytes(batch))
                    batch.clear()
                await asyncio.sleep(0)
            await asyncio.to_thread(write, bytes(batch))
            await asyncio.to_thread(_finish, file, digest.digest(), beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _finish(file: BinaryIO, digest: bytes, beside: Path, path: Path) -> None:
    file.write(digest)
    file.flush()
    os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)  # the rename itself is on disk only after this
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _chunks(objects: Mapping[Kind, Sequence[Object]]) -> Iterator[bytes]:
    for number, kind in enumerate(_KINDS):
        if kind in objects:
            for start in range(0, max(1, len(objects[kind])), _CHUNK):
                body = msgspec.msgpack.encode(objects[kind][start : start + _CHUNK])
                yield _HEAD.pack(number, len(body)) + body


def _read(body: memoryview) -> list[Replaced]:
    found: dict[Kind, list[Object]] = {}
    ports: dict[tuple[Port, ...], tuple[Port, ...]] = {}
    while body:
        number, length = _HEAD.unpack_from(body)
        objects = _DECODERS[number].decode(body[_HEAD.size : _HEAD.size + length])
        found.setdefault(_KINDS[number], []).extend([_lean(obj, ports) for obj in objects])
        body = body[_HEAD.size + length :]
    return [Replaced(kind, tuple(objects)) for kind, objects in found.items()]


def _lean(obj: Object, ports: dict[tuple[Port, ...], tuple[Port, ...]]) -> Object:
    """The same object, sharing what is equal in many, as `minidns.source.kubernetes.decode` makes it."""
    if not isinstance(obj, EndpointSlice):
        return obj
    shared = ports.setdefault(obj.ports, obj.ports)
    endpoints = tuple([_lean_endpoint(endpoint) for endpoint in obj.endpoints])
    facts = intern(obj.namespace), obj.name, intern(obj.service), shared, endpoints
    return ImportedSlice(*facts, intern(obj.cluster)) if isinstance(obj, ImportedSlice) else EndpointSlice(*facts)


def _lean_endpoint(e: Endpoint) -> Endpoint:
    if e.pod is None or e.pod != e.hostname:
        return e
    return Endpoint(e.addresses, e.hostname, e.hostname, e.ready, e.serving, e.terminating)
