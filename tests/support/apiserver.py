"""An API server for tests and benchmarks: lists, pages, streaming lists, watches and bookmarks over real HTTP on
loopback, and every fault on command.

from tests.support.places import RECORDINGS

Objects are kept as the JSON bytes that go out, so that a large cluster costs its bytes. All calls are synchronous and
belong to the event loop that the server runs in.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
from aiohttp import web

from tests.support.places import RECORDINGS

PATHS = {
    "namespaces": "/api/v1/namespaces",
    "services": "/api/v1/services",
    "endpointslices": "/apis/discovery.k8s.io/v1/endpointslices",
    "pods": "/api/v1/pods",
    "serviceimports": "/apis/multicluster.x-k8s.io/v1alpha1/serviceimports",
}
#: The slices behind ServiceImports: those with this label, as a selection of it asks for them.
IMPORTED, IMPORT_NAME = "imported slices", "multicluster.kubernetes.io/service-name"
RECORDED = ("namespaces", "services", "endpointslices", "pods")
BATCH = 256 * 1024

Key = tuple[str, str]
JSON = dict[str, Any]
Verb = Literal["list", "stream", "watch"]
#: cut: the connection is reset; end: the body ends early but properly; stall: nothing more comes, and no FIN.
How = Literal["cut", "end", "stall"]


@dataclass
class Fault:
    """What goes wrong with the next request for `resource` (None: any) that is a `verb` (None: any).

    `status` with `message`, `retry_after`: a refusal. Otherwise the response starts, brings `after` events (a list: the
    first half of its bytes), then `extra` bytes, then goes wrong as `how` says. `skip`: so many requests are spared
    first; `times`: so many are hit.
    """

    resource: str | None = None
    verb: Verb | None = None
    status: int | None = None
    message: str = ""
    retry_after: str | None = None
    after: int = 0
    extra: bytes = b""
    how: How = "cut"
    skip: int = 0
    times: int = 1


@dataclass
class Collection:
    """One resource: its objects as JSON bytes, and its events (version, line) since `floor`, `dropped` before those."""

    objects: dict[Key, bytes] = field(default_factory=dict)
    events: list[tuple[int, bytes]] = field(default_factory=list)
    floor: int = 0
    dropped: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)


class ApiServer:
    """`async with ApiServer() as server`: `server.url`. Options are attributes and may be changed at any time.

    `streaming`: whether streaming lists are served or refused; `expired_status`: 410 as an HTTP status instead of an
    ERROR event; `tokens`: the bearer tokens that are taken, None for no authentication.
    """

    def __init__(self) -> None:
        self.collections = {name: Collection() for name in (*PATHS, IMPORTED)}
        self.version = 1
        self.streaming = True
        self.expired_status = False
        self.tokens: set[str] | None = None
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, Verb, dict[str, str]]] = []
        self.asked = asyncio.Event()
        self.url = ""
        self._pages: dict[str, tuple[int, list[bytes]]] = {}
        self._open: set[asyncio.Transport] = set()
        self._runner: web.AppRunner | None = None
        self._stopping = asyncio.Event()

    async def __aenter__(self) -> ApiServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, port: int = 0, tls: Any = None) -> None:
        app = web.Application()
        for name, path in PATHS.items():
            app.router.add_get(path, self._handler(name))
        self._stopping = asyncio.Event()
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        self._socket = socket.create_server(("127.0.0.1", port))
        self.port = self._socket.getsockname()[1]
        await web.SockSite(self._runner, self._socket, ssl_context=tls).start()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    async def stop(self) -> None:
        """Reset every connection and refuse new ones. `start(server.port)` brings it back."""
        self._stopping.set()
        if self._runner is not None:
            # A connection that was just accepted has to be one that can be cut before the listener goes.
            asyncio.get_running_loop().remove_reader(self._socket)
            for _ in range(5):
                await asyncio.sleep(0)
            self.cut()
            await self._runner.cleanup()

    def load(self, resource: str, items: Iterable[bytes], version: int) -> None:
        """Objects that are there without an event."""
        collection = self.collections[resource]
        for item in items:
            collection.objects[_key(item)] = item
        self.version = max(self.version, version)
        collection.floor = self.version

    def load_recording(self, folder: Path = RECORDINGS) -> None:
        """The recorded lists."""
        for resource in RECORDED:
            body = json.loads((folder / f"{resource}.list.json").read_text())
            self.load(resource, map(_encode, body["items"]), int(body["metadata"]["resourceVersion"]))

    def put(self, resource: str, item: JSON) -> None:
        """Create or replace an object; it gets the next version."""
        self.version += 1
        item["metadata"]["resourceVersion"] = str(self.version)
        kind = "MODIFIED" if _key_of(item["metadata"]) in self.collections[resource].objects else "ADDED"
        self._record(resource, kind, _encode(item))
        if IMPORT_NAME in item["metadata"].get("labels", {}) and resource == "endpointslices":
            self._record(IMPORTED, kind, _encode(item))

    def delete(self, resource: str, namespace: str, name: str) -> None:
        """Delete an object that is there."""
        self.version += 1
        item = json.loads(self.collections[resource].objects[namespace, name])
        item["metadata"]["resourceVersion"] = str(self.version)
        self._record(resource, "DELETED", _encode(item))

    def replay(self, resource: str, event: JSON) -> None:
        """A recorded event, with its own version."""
        version = int(event["object"]["metadata"]["resourceVersion"])
        self.version = max(self.version, version)
        self._record(resource, event["type"], _encode(event["object"]), version)

    def bookmark(self, resource: str) -> None:
        """A bookmark for the watches that are open now or later."""
        item = {"metadata": {"resourceVersion": str(self.version)}}
        self._record(resource, "BOOKMARK", _encode(item))

    def send(self, resource: str, line: bytes) -> None:
        """Any line, to the watches that are open now or later; it is given the current version."""
        self._announce(resource, self.version, line)

    def expire(self) -> None:
        """Forget all versions and continue tokens: what starts from an older one gets 410. Open watches go on."""
        self._pages.clear()
        for collection in self.collections.values():
            collection.floor = self.version

    def trim(self, keep: int = 1000) -> None:
        """Free the memory of all but the last events, which every open watch must have had."""
        for collection in self.collections.values():
            gone = max(0, len(collection.events) - keep)
            collection.dropped += gone
            del collection.events[:gone]

    def expire_tokens(self) -> None:
        """Forget all continue tokens."""
        self._pages.clear()

    def cut(self) -> None:
        """Reset every open connection."""
        for transport in self._open:
            _reset(transport)
        self._open.clear()

    @property
    def running(self) -> bool:
        return not self._stopping.is_set()

    @property
    def watching(self) -> int:
        """How many responses are under way."""
        return len(self._open)

    def _record(self, resource: str, kind: str, item: bytes, version: int | None = None) -> None:
        collection = self.collections[resource]
        if kind == "DELETED":
            collection.objects.pop(_key(item), None)
        elif kind != "BOOKMARK":
            collection.objects[_key(item)] = item
        self._announce(resource, version or self.version, _line(kind, item))

    def _announce(self, resource: str, version: int, line: bytes) -> None:
        collection = self.collections[resource]
        collection.events.append((version, line))
        collection.news.set()
        collection.news = asyncio.Event()

    def _handler(self, name: str) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.StreamResponse:
            query = dict(request.query)
            verb: Verb = "list" if "watch" not in query else "stream" if "sendInitialEvents" in query else "watch"
            resource = IMPORTED if IMPORT_NAME in query.get("labelSelector", "") else name
            self.requests.append((resource, verb, query))
            self.asked.set()
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if self.tokens is not None and token not in self.tokens:
                return refusal(401, "Unauthorized")
            fault = self._fault(resource, verb)
            if fault is not None and fault.status is not None:
                return refusal(fault.status, fault.message, fault.retry_after)
            if verb == "stream" and not self.streaming:
                why = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
                return refusal(422, f"sendInitialEvents: Forbidden: {why}")
            try:
                if verb == "list":
                    return await self._list(request, resource, fault)
                return await self._watch(request, resource, verb, fault)
            except ConnectionResetError:
                return web.Response()  # for nobody: the client had gone before there was a head

        return handle

    def _fault(self, resource: str, verb: Verb) -> Fault | None:
        for fault in self.faults:
            if fault.resource in (None, resource) and fault.verb in (None, verb):
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                if fault.times <= 0:
                    self.faults.remove(fault)
                return fault
        return None

    async def _list(self, request: web.Request, resource: str, fault: Fault | None) -> web.StreamResponse:
        limit, token = int(request.query.get("limit", "0")), request.query.get("continue")
        if token is None:
            version, items = self.version, list(self.collections[resource].objects.values())
        elif token in self._pages:
            version, items = self._pages[token]
        else:
            return refusal(410, "The provided continue parameter is too old", reason="Expired")
        page, rest = (items[:limit], items[limit:]) if limit else (items, [])
        meta: JSON = {"resourceVersion": str(version)}
        if rest:
            meta["continue"] = f"{version}/{resource}/{len(rest)}=="
            self._pages[meta["continue"]] = version, rest
        body = b'{"kind":"List","metadata":%b,"items":[%b]}' % (_encode(meta), b",".join(page))
        if fault is None:
            return web.Response(body=body, content_type="application/json")
        async with self._body(request) as response:
            await response.write(body[: len(body) // 2] + fault.extra)
            await self._go_wrong(request, fault)
        return response

    async def _watch(self, request: web.Request, resource: str, verb: Verb, fault: Fault | None) -> web.StreamResponse:
        collection = self.collections[resource]
        if verb == "watch" and int(request.query["resourceVersion"]) < collection.floor:
            message = f"too old resource version: {request.query['resourceVersion']} ({self.version})"
            if self.expired_status:
                return refusal(410, message, reason="Expired")
            status = {"kind": "Status", "message": message, "reason": "Expired", "code": 410}
            return web.Response(body=_line("ERROR", _encode(status)), content_type="application/json")
        async with self._body(request) as response:
            left = fault.after if fault is not None else None
            if left != 0:
                async for lines in self._lines(request, collection, verb):
                    await response.write(b"".join(lines[:left]))
                    left = left and max(0, left - len(lines))
                    if left == 0:
                        break
            if fault is not None:
                await response.write(fault.extra)
                await self._go_wrong(request, fault)
        return response

    async def _lines(self, request: web.Request, collection: Collection, verb: Verb) -> AsyncIterator[list[bytes]]:
        """Batches of events for as long as the watch may last."""
        done = asyncio.create_task(self._stopping.wait())
        try:
            if verb == "stream":
                version = self.version
                for batch in _batches(_line("ADDED", item) for item in list(collection.objects.values())):
                    yield batch
                end = {"resourceVersion": str(version), "annotations": {"k8s.io/initial-events-end": "true"}}
                yield [_line("BOOKMARK", _encode({"metadata": end}))]
            else:
                version = int(request.query["resourceVersion"])
            events = collection.events
            position = collection.dropped + bisect_right(events, version, key=lambda event: event[0])
            while not done.done():
                news = asyncio.create_task(collection.news.wait())
                fresh, position = events[position - collection.dropped :], collection.dropped + len(events)
                for batch in _batches([line for _, line in fresh]):
                    yield batch
                if not fresh:
                    await asyncio.wait((news, done), return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
        finally:
            done.cancel()

    @asynccontextmanager
    async def _body(self, request: web.Request) -> AsyncIterator[web.StreamResponse]:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        transport = request.transport
        assert isinstance(transport, asyncio.Transport)
        self._open.add(transport)
        try:
            yield response
        except ConnectionResetError:
            pass  # the client went away, or the test cut it off
        finally:
            self._open.discard(transport)

    async def _go_wrong(self, request: web.Request, fault: Fault) -> None:
        if fault.how == "stall":
            await self._stopping.wait()
        elif fault.how == "cut" and isinstance(request.transport, asyncio.Transport):
            await asyncio.sleep(0)
            _reset(request.transport)


def refusal(code: int, message: str, retry_after: str | None = None, reason: str = "") -> web.Response:
    """An HTTP error with the API's Status as its body."""
    status = {"kind": "Status", "status": "Failure", "message": message, "reason": reason, "code": code}
    headers = {"Retry-After": retry_after} if retry_after is not None else {}
    return web.json_response(status, status=code, headers=headers)


def recorded_events() -> list[tuple[str, JSON]]:
    """All recorded events but bookmarks, in the order in which they happened."""
    events: list[tuple[int, str, JSON]] = []
    for resource in RECORDED:
        for line in (RECORDINGS / f"{resource}.watch.jsonl").read_text().splitlines():
            event = json.loads(line)["event"]
            if event["type"] != "BOOKMARK":
                events.append((int(event["object"]["metadata"]["resourceVersion"]), resource, event))
    return [(resource, event) for _, resource, event in sorted(events, key=lambda event: event[0])]


def _reset(transport: asyncio.Transport) -> None:
    """RST instead of FIN, as a crashed host or an impatient proxy does."""
    if transport.is_closing():
        return
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _encode(value: object) -> bytes:
    return msgspec.json.encode(value)


def _line(kind: str, item: bytes) -> bytes:
    return b'{"type":"%b","object":%b}\n' % (kind.encode(), item)


class _Meta(msgspec.Struct):
    name: str
    namespace: str = ""


class _Item(msgspec.Struct):
    metadata: _Meta


_decode_item = msgspec.json.Decoder(_Item).decode


def _key(item: bytes) -> Key:
    meta = _decode_item(item).metadata
    return meta.namespace, meta.name


def _key_of(meta: JSON) -> Key:
    return meta.get("namespace", ""), meta["name"]


def _batches(lines: Iterable[bytes]) -> Iterable[list[bytes]]:
    batch, size = [], 0
    for line in lines:
        batch.append(line)
        size += len(line)
        if size > BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
