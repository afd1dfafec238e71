"""A stream of events of a running server's admin port, which goes on when the server comes back."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPException, HTTPResponse
from typing import NoReturn

from minidns.cli.running import asked
from minidns.config.values import UsageError

#: Seconds that a stream, which says every 15 s that it lives, may say nothing.
SILENCE = 40.0
#: Seconds between two attempts to reach a server that went away.
PAUSE = 1.0

#: Tells people something that is no event.
Say = Callable[[str], None]


def follow(admin: str, path: str, query: Mapping[str, str], tell: Callable[[str, bytes], None], say: Say) -> NoReturn:
    """Tell the events of a stream, name ("" for most) and data, for ever; what happened to the server is said.

    Raises UsageError when there is no stream to begin with.
    """
    connected = False
    while True:
        try:
            with asked(admin, path, query, patience=SILENCE) as response:
                say(f"again at {admin}" if connected else f"following {admin}: Ctrl-C ends")
                connected = True
                for name, data in _events(response):
                    tell(name, data)
        except UsageError:
            if not connected:
                raise
            time.sleep(PAUSE)
            continue
        except (OSError, HTTPException) as error:
            why = "it says nothing" if isinstance(error, socket.timeout) else str(error)
            say(f"{admin} went away ({why}): trying again")
        else:
            say(f"{admin} ended: trying again")
        time.sleep(PAUSE)


def _events(response: HTTPResponse) -> Iterator[tuple[str, bytes]]:
    """Server-sent events whose data is one line (WHATWG HTML, 9.2)."""
    name = ""
    for line in response:
        if line.startswith(b"event: "):
            name = line.removeprefix(b"event: ").decode().strip()
        elif line.startswith(b"data: "):
            yield name, line.removeprefix(b"data: ")
            name = ""
