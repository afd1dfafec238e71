"""List and watch of one resource, as a state machine: no socket, no clock, no sleep.

The Kubernetes API in short. A list comes with a resourceVersion, an opaque text; a watch from that version is an
endless response with a JSON event per line, and each event moves the version on. BOOKMARK events move it while nothing
happens. A version can expire (410): then only a new list tells what is there. A list comes in one of two ways:

streaming: a watch with sendInitialEvents=true sends every object as ADDED, then a BOOKMARK with the annotation
    k8s.io/initial-events-end, and goes on as a watch. Servers before Kubernetes 1.32 refuse it.
paged: `limit` and `continue`. The continue token can expire midway (410); the list then starts over, in one page.

    next() -> Request: head(), data()..., then end() or failed() -> next() -> ...
              Pause:   wait, then next()

A list that completes is one `Replaced`, so what vanished while nobody watched is gone, and what stayed is the same
object as before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from enum import Enum

import msgspec

from minidns.core.model import Change, Object
from minidns.source.kubernetes.decode import (
    INITIAL_EVENTS_END,
    Event,
    Meta,
    Status,
    decode_event,
    decode_identity,
    decode_list,
    decode_status,
)
from minidns.source.kubernetes.lines import Lines
from minidns.source.kubernetes.link import Link, describe
from minidns.source.kubernetes.requests import Pause, Request, Resource, page, streaming_list, watch
from minidns.source.kubernetes.store import Store

logger = logging.getLogger(__name__)

#: A watch that moved no version for so long (seconds) is not trusted any more: list again.
STUCK = 600.0
#: A connection that lasted so long (seconds) was worth having, even if it brought nothing.
LASTING = 10.0
#: Bytes of a page to aim for (decoded in one go, about 5 ms) and the most objects in it.
PAGE_BYTES, PAGE_OBJECTS = 512 * 1024, 500
#: Bytes of the body of a refusal that are kept.
LONGEST_REFUSAL = 64 * 1024
FORBIDDEN, NOT_FOUND, EXPIRED = 403, 404, 410


class _Mode(Enum):
    STREAM = "streaming list"
    PAGE = "page of a list"
    WATCH = "watch"


class Reflector:
    """The state machine. `random` gives numbers in [0, 1); `initial`: objects that are published already."""

    def __init__(self, resource: Resource, random: Callable[[], float], initial: Iterable[Object] = ()) -> None:
        self.resource = resource
        self.store = Store(resource.kind, resource.selects, initial)
        self.link = Link(resource.name, random)
        self.done = True  # nothing more is wanted of the response under way
        self._random = random
        self._version = ""  # where to watch from; "" before a list
        self._streaming = True  # how the next list is tried
        self._refused = False  # the server does not know streaming lists
        self._continue = ""
        self._limit = 16  # a first small page shows how large the objects are; 0: all in one page
        self._pause: Pause | None = None
        self._progress_at: float | None = None
        self._open(_Mode.STREAM, 0.0)

    def _open(self, mode: _Mode, now: float) -> None:
        self._mode, self._started, self._progress = mode, now, False
        self._code, self._retry_after = 0, 0.0
        self._lines, self._body_length = Lines(), 0
        self._body: list[bytes] = []

    def next(self, now: float) -> Request | Pause:
        """What to do now."""
        if self._pause is not None:
            pause, self._pause = self._pause, None
            return pause
        if self._version and self._progress_at is not None and now - self._progress_at > STUCK:
            logger.warning("%s: the watch brought nothing for %.0f s, listing again", self.resource.name, STUCK)
            self._version = ""
        self.done = False
        if self._version:
            self._open(_Mode.WATCH, now)
            return watch(self.resource, self._seconds(), self._version)
        if self._streaming:
            self._open(_Mode.STREAM, now)
            self.store.begin_list()
            return streaming_list(self.resource, self._seconds())
        self._open(_Mode.PAGE, now)
        if not self._continue:
            self.store.begin_list()
        return page(self.resource, self._limit, self._continue)

    def head(self, code: int, retry_after: str | None, now: float) -> None:
        """The response starts: its status, and its Retry-After header."""
        self._code = code
        self._retry_after = float(retry_after) if retry_after and retry_after.isdecimal() else 0.0
        if code == 200 and self._mode is _Mode.WATCH:
            self.link.restored(now)

    def data(self, chunk: bytes, now: float) -> list[Change]:
        """Some bytes of the body."""
        changes: list[Change] = []
        if self._code != 200 or self._mode is _Mode.PAGE:
            if self._code == 200 or self._body_length < LONGEST_REFUSAL:
                self._body.append(chunk)
                self._body_length += len(chunk)
            return changes
        try:
            for line in self._lines.feed(chunk):
                changes += self._event(decode_event(line), now)
                if self.done:
                    break
        except (msgspec.MsgspecError, ValueError) as error:
            self.failed(f"the stream is damaged: {error}", now)
        return changes

    def end(self, now: float) -> Iterator[list[Change]]:
        """The body is complete. A large page is worked off in steps, with nothing to publish until the last."""
        if self.done:
            return
        if self._code == NOT_FOUND and self.resource.optional:
            yield self._absent()
        elif self._code != 200:
            self._refuse(self._code, _status(b"".join(self._body)), now)
        elif self._mode is _Mode.PAGE:
            yield from self._page(b"".join(self._body), now)
        elif self._mode is _Mode.STREAM:
            self.failed("the stream ended before the list was complete", now)
        else:
            self._close(now)

    def _absent(self) -> list[Change]:
        """The API server has no such resource, so there is no object of it."""
        known = bool(self.store.objects) or not self.link.synced
        self.relist()
        self.store.begin_list()
        self.link.synced, self.done = True, True
        self._pause = Pause(self.link.absent())
        return [self.store.end_list()] if known else []

    def relist(self) -> None:
        """Trust nothing that was published: the next thing is a list."""
        self._version = self._continue = ""

    def failed(self, why: str, now: float, *, unauthorized: bool = False) -> None:
        """The connection could not be made, broke, was silent for too long, or brought nonsense.

        `unauthorized`: because of the credentials.
        """
        self.link.lost(self._verb, why, now)
        if self.done:  # it was the credentials that could not be read again
            self._pause = Pause(self.link.wait(progress=False), unauthorized=True)
            return
        if self._mode is _Mode.STREAM and self._code == 200:
            self._streaming = False  # the server, or a proxy, may not do this well: pages have the next try
        self._close(now, unauthorized=unauthorized)

    @property
    def _verb(self) -> str:
        return "watch" if self._mode is _Mode.WATCH else "list"

    def _seconds(self) -> int:
        # Spread over 5 to 10 minutes, so that a server's watches do not all end at the same time.
        return int(300 + 300 * self._random())

    def _close(self, now: float, *, unauthorized: bool = False) -> None:
        self.done = True
        progress = self._progress or (self._mode is _Mode.WATCH and now - self._started > LASTING)
        seconds = self.link.wait(progress, self._retry_after)
        self._pause = Pause(seconds, unauthorized) if seconds or unauthorized else None

    def _event(self, event: Event, now: float) -> list[Change]:
        if event.type == "ERROR":
            status = _status(event.object)
            self._refuse(status.code, status, now)
            return []
        if self._mode is _Mode.STREAM and event.type == "ADDED":
            self.store.list_put(event.object)
            return []
        meta = decode_identity(event.object).metadata
        if self._mode is _Mode.STREAM:
            return self._initial_event(event, meta, now)
        changes: list[Change] = []
        if event.type == "DELETED":
            changes = self.store.drop(meta)
        elif event.type in ("ADDED", "MODIFIED"):
            changes = self.store.put(event.object)
        self._progress_at = now
        if meta.resource_version and meta.resource_version != self._version:
            self._version, self._progress = meta.resource_version, True
        return changes

    def _initial_event(self, event: Event, meta: Meta, now: float) -> list[Change]:
        if event.type == "DELETED":
            self.store.list_drop(meta)
        elif event.type == "MODIFIED":
            self.store.list_put(event.object)
        elif event.type == "BOOKMARK":
            if INITIAL_EVENTS_END not in (meta.annotations or ()):
                raise ValueError("a bookmark before the end of the list")
            self._mode = _Mode.WATCH
            return self._listed(meta.resource_version, now)
        return []

    def _page(self, body: bytes, now: float) -> Iterator[list[Change]]:
        try:
            listed = decode_list(body)
        except msgspec.MsgspecError as error:
            return self.failed(f"the list is damaged: {error}", now)
        items = listed.items or []
        for start in range(0, len(items), 32):
            for item in items[start : start + 32]:
                self.store.list_put(item)
            yield []
        if items:
            self._limit = max(1, min(PAGE_OBJECTS, PAGE_BYTES * len(items) // len(body)))
        self._continue = listed.metadata.continue_
        if not self._continue:
            self._streaming = not self._refused
            yield self._listed(listed.metadata.resource_version, now)
        self.done = True

    def _listed(self, version: str, now: float) -> list[Change]:
        if not version:
            self.failed("the list has no resourceVersion", now)
            return []
        self._version, self._progress_at = version, now
        self.link.restored(now)
        if not self.link.synced:
            logger.info("%s: first full list", self.resource.name)
        self.link.synced = True
        return [self.store.end_list()]

    def _refuse(self, code: int, status: Status, now: float) -> None:
        """The server said no, as an HTTP status or as an ERROR event."""
        passing = code in (401, 403, 429) or code >= 500
        if self._mode is _Mode.STREAM and not passing:
            logger.info("%s: no streaming lists here (%s), listing in pages", self.resource.name, code)
            self._streaming, self._refused, self.done = False, True, True
            return
        if self._mode is _Mode.PAGE and self._continue and not passing:
            logger.info("%s: the list expired midway, listing in one page", self.resource.name)
            self._continue, self._limit = "", 0
        elif self._mode is _Mode.WATCH and not passing:
            logger.info("%s: %s, listing again", self.resource.name, status.message or code)
            self._version = ""
        if self.resource.optional and code == FORBIDDEN:
            self.link.awaited = False
        if code != EXPIRED:
            self.link.lost(self._verb, describe(code, status), now)
        self._close(now, unauthorized=code == 401)


def _status(body: bytes | msgspec.Raw) -> Status:
    try:
        return decode_status(body)
    except msgspec.MsgspecError:
        return Status(message=bytes(body)[:200].decode("utf-8", "replace"))
