"""The HTTP side: health, readiness, metrics, status, the zone, explanations, and the changes as they happen.

Nothing here is needed to answer DNS: no request waits on the API server, and a slow reader of `/watch` loses
events instead of holding anything up.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from aiohttp import web

from minidns.config.values import Listen

log = logging.getLogger(__name__)

#: Events that a slow reader of `/watch` may be behind before it loses some.
_BEHIND = 1000
#: Seconds between comments that keep a silent `/watch` alive through proxies.
_KEEPALIVE = 15.0


class Answers(Protocol):
    """What the endpoints tell. Every method gives a whole answer at once."""

    def health(self) -> bool:
        """Whether the process works."""

    def ready(self) -> tuple[bool, str]:
        """Whether there is something to answer from, and one line that says so or why not."""

    def status(self) -> str:
        """The state of the source, the zone and the sockets, a few lines for people."""

    async def metrics(self) -> bytes:
        """The text format of Prometheus."""

    def explain(self, query: Mapping[str, str]) -> bytes:
        """An explanation as JSON. Raises ValueError for a query that makes no sense."""

    def zone(self, origin: str) -> str:
        """A zone as a zone file. Raises ValueError when it is not served."""

    def subscribe(self, queue: asyncio.Queue[bytes]) -> Callable[[], None]:
        """Put every event, as JSON, into the queue from now on; call what is returned to end that."""


@asynccontextmanager
async def serve(listens: Mapping[Listen, tuple[str, ...]], answers: Answers) -> AsyncIterator[dict[Listen, int]]:
    """Serve the given paths on each address; gives the ports. Raises OSError, which names the address."""
    runners: list[web.AppRunner] = []
    ports: dict[Listen, int] = {}
    try:
        for listen, paths in listens.items():
            runner = web.AppRunner(_application(answers, paths), access_log=None, shutdown_timeout=1.0)
            runners.append(runner)
            await runner.setup()
            hosts = ["127.0.0.1", "::1"] if listen.host == "localhost" else listen.host or None
            try:
                await web.TCPSite(runner, hosts, listen.port).start()  # type: ignore[arg-type]
            except OSError as error:
                why = os.strerror(error.errno or 0)
                raise OSError(error.errno, f"cannot listen on {listen} (HTTP): {why}") from error
            ports[listen] = runner.addresses[0][1]
        yield ports
    finally:
        for runner in runners:
            await runner.cleanup()


#: Every path, in the order in which `/` lists them.
PATHS = ("/health", "/ready", "/status", "/metrics", "/explain", "/zone", "/watch")


def _application(answers: Answers, paths: tuple[str, ...]) -> web.Application:
    handlers: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
        "/health": _health,
        "/ready": _ready,
        "/status": _status,
        "/metrics": _metrics,
        "/explain": _explain,
        "/zone": _zone,
        "/watch": _watch,
    }
    app = web.Application()
    app[_ANSWERS] = answers
    app.add_routes([web.get(path, handlers[path]) for path in paths])
    return app


_ANSWERS = web.AppKey("answers", Answers)


async def _health(request: web.Request) -> web.Response:
    healthy = request.app[_ANSWERS].health()
    return web.Response(text="OK" if healthy else "stopping", status=200 if healthy else 503)


async def _ready(request: web.Request) -> web.Response:
    ready, text = request.app[_ANSWERS].ready()
    return web.Response(text=text + "\n", status=200 if ready else 503)


async def _status(request: web.Request) -> web.Response:
    return web.Response(text=request.app[_ANSWERS].status())


async def _metrics(request: web.Request) -> web.Response:
    body = await request.app[_ANSWERS].metrics()
    return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


async def _explain(request: web.Request) -> web.Response:
    try:
        body = request.app[_ANSWERS].explain(request.query)
    except ValueError as error:
        return web.Response(text=f"{error}\n", status=400)
    return web.Response(body=body, content_type="application/json")


async def _zone(request: web.Request) -> web.Response:
    try:
        text = request.app[_ANSWERS].zone(request.query.get("origin", ""))
    except ValueError as error:
        return web.Response(text=f"{error}\n", status=404)
    return web.Response(text=text)


async def _watch(request: web.Request) -> web.StreamResponse:
    """Server-sent events (WHATWG HTML, 9.2), one per change, its data JSON."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    queue: asyncio.Queue[bytes] = asyncio.Queue(_BEHIND)
    stop = request.app[_ANSWERS].subscribe(queue)
    try:
        await response.prepare(request)
        await response.write(b": watching\n\n")
        while True:
            try:
                event = await asyncio.wait_for(queue.get(), _KEEPALIVE)
            except TimeoutError:
                await response.write(b":\n\n")
                continue
            await response.write(b"data: " + event + b"\n\n")
    except ConnectionResetError:
        return response
    finally:
        stop()
