"""Questions that a plugin asks on behalf of a client: they meet the same server as the client's own."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextvars import ContextVar

from minidns.core.responder import Elsewhere
from minidns.core.wire import MalformedError
from minidns.plugins import sections
from minidns.plugins.chain import Query
from minidns.plugins.sections import Sections

#: Puts a question to a server from its top, over TCP so that nothing is left out.
Ask = Callable[[Query], Elsewhere]
#: Questions that lead to questions: more are not asked, so that a template that leads to itself ends.
_MOST = 8
_depth: ContextVar[int] = ContextVar("depth", default=0)


async def settled(answer: Elsewhere) -> bytes | None:
    """The answer when it has come; None for silence, and for a zone transfer."""
    if isinstance(answer, Coroutine):
        return await answer
    return answer if isinstance(answer, bytes) else None


async def lookup(ask: Ask, query: Query, name: bytes, type_: int) -> Sections | None:
    """What the server says about a name and type, to that client; None when it says nothing that can be read."""
    if _depth.get() >= _MOST:
        return None
    token = _depth.set(_depth.get() + 1)
    try:
        packet = await settled(ask(query.about(name, type_)))
        return sections.read(packet) if packet else None
    except MalformedError:
        return None
    finally:
        _depth.reset(token)
