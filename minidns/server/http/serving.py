"""Endpoints on their addresses, by aiohttp.

Nothing here is needed to answer DNS, and nothing here may hold it up: one request begins per turn of the event loop,
what is long is sent in pieces, and there is an end to how much is under way at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

from minidns.config.values import Listen
from minidns.server.http.connections import Connections
from minidns.server.http.endpoint import DNS, JSON, Asked, Endpoint, RefusedError, Reply
from minidns.server.http.guard import foreign, is_loopback

log = logging.getLogger(__name__)

#: Requests under way at once, and readers of streams without end; beyond, 503.
UNDER_WAY, READERS = 16, 64
#: Seconds for a client to take a piece of an answer, or to send its body. Bytes of a body.
PATIENCE = 30.0
LARGEST_BODY = 1 << 20
_BODIES = {JSON: "JSON", DNS: "a DNS message"}


@asynccontextmanager
async def serve(listens: Mapping[Listen, Sequence[Endpoint]]) -> AsyncIterator[dict[Listen, int]]:
    """Serve endpoints on each address; gives the ports. Raises OSError, which names the address."""
    runners: list[web.AppRunner] = []
    servers: list[asyncio.Server] = []
    ports: dict[Listen, int] = {}
    places = _Places()
    loop = asyncio.get_running_loop()
    try:
        for listen, endpoints in listens.items():
            connections = Connections()
            application = _application(endpoints, places, connections)
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0, logger=_Errors(log))
            runners.append(runner)
            await runner.setup()
            connections.server = runner.server
            hosts = ["127.0.0.1", "::1"] if listen.host == "localhost" else listen.host or None
            try:
                servers.append(await loop.create_server(connections, hosts, listen.port))
            except OSError as error:
                why = os.strerror(error.errno or 0)
                raise OSError(error.errno, f"cannot listen on {listen} (HTTP): {why}") from error
            ports[listen] = servers[-1].sockets[0].getsockname()[1]
        yield ports
    finally:
        for server in servers:
            server.close()
        for runner in runners:
            await runner.cleanup()


class _Errors(logging.LoggerAdapter[logging.Logger]):
    """What aiohttp logs. A request that is none is its client's fault, and told to him, not to us."""

    def exception(self, msg: object, *args: object, exc_info: Any = True, **kwargs: Any) -> None:
        level = logging.DEBUG if isinstance(exc_info, HttpProcessingError) else logging.ERROR
        self.log(level, msg, *args, exc_info=exc_info, **kwargs)


class _Places:
    """Limits on what is under way, over all addresses."""

    def __init__(self) -> None:
        self._taken: Counter[bool] = Counter()
        self._turn = asyncio.Lock()

    @contextmanager
    def place(self, endpoint: Endpoint) -> Iterator[None]:
        """Hold a place as long as a request is under way. Raises RefusedError when there is none."""
        most = READERS if endpoint.follows else UNDER_WAY
        if self._taken[endpoint.follows] >= most and not endpoint.public:
            raise RefusedError(503, f"{most} such requests are under way: try again later")
        self._taken[endpoint.follows] += not endpoint.public
        try:
            yield
        finally:
            self._taken[endpoint.follows] -= not endpoint.public

    async def turn(self) -> None:
        """Wait for a turn of the event loop in which no other request begins."""
        async with self._turn:
            await asyncio.sleep(0)


def _application(endpoints: Sequence[Endpoint], places: _Places, connections: Connections) -> web.Application:
    # What is offered to the cluster is asked by the names of Services, by probes and by proxies; the rest is not.
    guarded = not all(endpoint.public for endpoint in endpoints)
    known = "\n".join(endpoint.line() for endpoint in endpoints)

    @web.middleware
    async def careful(request: web.Request, handler: Handler) -> web.StreamResponse:
        headers = request.headers
        if guarded and (why := foreign(headers.get("Host"), headers.get("Origin"))):
            return _text(403, why)
        try:
            with connections.asking(request):
                return await handler(request)
        except RefusedError as error:
            return _text(error.status, str(error))
        except (ValueError, msgspec.MsgspecError) as error:
            return _text(400, str(error))
        except web.HTTPNotFound:
            return _text(404, f"no such path; there are:\n{known}")

    application = web.Application(middlewares=[careful], client_max_size=LARGEST_BODY)
    for endpoint in endpoints:
        application.router.add_route(endpoint.method, endpoint.path, _route(endpoint, places))
        if endpoint.method == "GET":
            application.router.add_route("HEAD", endpoint.path, _route(endpoint, places))
    return application


def _route(endpoint: Endpoint, places: _Places) -> Handler:
    async def route(request: web.Request) -> web.StreamResponse:
        _check(request, endpoint)
        with places.place(endpoint):
            body = await _body(request) if endpoint.method == "POST" else b""
            if not endpoint.public:
                await places.turn()
            wants_page = "text/html" in request.headers.get("Accept", "")
            reply = await endpoint.handler(Asked({**request.query, **request.match_info}, body, wants_page))
            if isinstance(reply.body, bytes | str):
                body = reply.body.encode() if isinstance(reply.body, str) else reply.body
                return web.Response(body=body, status=reply.status, headers=_headers(reply))
            return await _stream(request, reply)

    return route


def _check(request: web.Request, endpoint: Endpoint) -> None:
    """Raises ValueError or RefusedError."""
    for name in request.query.keys() - endpoint.parameters.keys():
        known = ", ".join(endpoint.parameters)
        raise ValueError(f"unknown parameter {name!r}" + (f"; known: {known}" if known else ""))
    if endpoint.method == "POST":
        if endpoint.takes == JSON and not is_loopback(request.remote):
            raise RefusedError(403, "what changes something is taken from this machine alone")
        # Forms of other pages cannot send such a type without asking first (Fetch, 4.8).
        if request.content_type != endpoint.takes:
            raise RefusedError(415, f"the body must be {_BODIES[endpoint.takes]}: Content-Type: {endpoint.takes}")


async def _body(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(PATIENCE):
            return await request.read()
    except TimeoutError:
        raise RefusedError(408, "the body did not come in time") from None
    except (ConnectionError, web.RequestPayloadError):
        raise RefusedError(400, "the body is not whole") from None


async def _stream(request: web.Request, reply: Reply) -> web.StreamResponse:
    assert not isinstance(reply.body, bytes | str)
    response = web.StreamResponse(status=reply.status, headers=_headers(reply))
    async with aclosing(reply.body) as pieces:
        try:
            await response.prepare(request)
            if request.method == "HEAD":
                return response
            async for piece in pieces:
                async with asyncio.timeout(PATIENCE):
                    await response.write(piece)
        except (ConnectionError, TimeoutError):
            log.debug("%s: the client has gone, or does not read", request.path)
            if request.transport is not None:
                request.transport.abort()
    return response


def _headers(reply: Reply) -> dict[str, str]:
    type_ = reply.type
    if type_ != DNS and not type_.startswith("image/") and "charset" not in type_:
        type_ += "; charset=utf-8"
    return {"Content-Type": type_, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **reply.headers}


def _text(status: int, text: str) -> web.Response:
    return web.Response(text=text + "\n", status=status)
