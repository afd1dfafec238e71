"""What an endpoint is, without a word of HTTP's machinery: a path, what it takes, and who answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

TEXT, JSON, EVENTS = "text/plain", "application/json", "text/event-stream"
DNS = "application/dns-message"  # RFC 8484, 6


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: its query parameters, each of which the endpoint has declared, its body (b"" but for POST), and
    whether it is a browser's, that shows pages."""

    query: Mapping[str, str]
    body: bytes = b""
    wants_page: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered. A body that is a generator is sent piece by piece, as fast as the client reads; it is closed
    when the client has gone. Text is UTF-8."""

    body: str | bytes | AsyncGenerator[bytes, None]
    type: str = TEXT
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class RefusedError(Exception):
    """The endpoint cannot do what it was asked for: a status, and a line that says why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


Handler = Callable[[Asked], Awaitable[Reply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One line of the table.

    handler: may raise RefusedError, or ValueError (also msgspec's errors) for a request that makes no sense, which is a
    400 with its text. It runs between two batches of packets: what can take longer than a millisecond gives its body
    in pieces.
    path: a part in braces is a parameter too. doc: one line for people. parameters: of the query, each with its line;
        any other is a 400.
    method, takes: a POST has a body of the type `takes`. One that takes JSON changes something: it is taken from this
        machine alone.
    public: may be offered to the cluster: it tells nothing about objects, never waits, and is never refused for load.
    follows: the body has no end; such readers are counted apart.
    """

    path: str
    doc: str
    handler: Handler
    method: Literal["GET", "POST"] = "GET"
    takes: str = JSON
    parameters: Mapping[str, str] = field(default_factory=dict)
    public: bool = False
    follows: bool = False

    def line(self) -> str:
        """The endpoint in one line for people."""
        query = "&".join(f"{name}=" for name in self.parameters if f"{{{name}}}" not in self.path)
        return f"{self.method} {self.path}{'?' + query if query else ''}  {self.doc}"
