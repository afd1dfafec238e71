"""One worker process, and how it and the watching process talk: frames of a length and a pickle over a socket pair."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import signal
import socket
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

from minidns.config.values import Listen
from minidns.server.listening import Listening
from minidns.server.serving import Serving
from minidns.site import Site
from minidns.views.queries import Slice

log = logging.getLogger(__name__)

#: Bytes of changes that a worker may be behind before it is ended and replaced.
BEHIND = 64 << 20
#: What a worker is asked, and says at once, to show that it works.
ALIVE = "alive"
#: Bytes of queries to be shown that the watching process may be behind before some are lost.
BEHIND_SHOWN = 1 << 20


def frame(message: object) -> bytes:
    """A message as it goes over a socket pair."""
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return len(data).to_bytes(4, "big") + data


async def read(reader: asyncio.StreamReader) -> Any:
    """The next message; IncompleteReadError at the end.

    Both ends are this program, and nobody else has the socket: unpickling is safe.
    """
    length = int.from_bytes(await reader.readexactly(4), "big")
    return pickle.loads(await reader.readexactly(length))


def become_worker(site: Site, feed: socket.socket, opened: dict[Listen, Listening]) -> NoReturn:
    """What a fork does. It never returns into the watching process's code, and runs none of its clean-up."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process: the watcher tells us to stop
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        _close_all_but({feed.fileno(), *(number for listening in opened.values() for number in listening.numbers)})
        asyncio.run(_work(site, feed, opened))
        code = 0
    except BaseException:
        log.exception("worker %d", os.getpid())
    finally:
        logging.shutdown()  # handlers may have something to say yet
        os._exit(code)


def _close_all_but(kept: set[int]) -> None:
    """Connections of the watching process that stayed open here would stay open after it has closed them.

    Their numbers stay taken: an object that closes its number when it goes must not close one of ours.
    """
    null = os.open(os.devnull, os.O_RDWR)
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        if number > 2 and number not in kept and number != null:
            with suppress(OSError):
                os.dup2(null, number)


async def _work(site: Site, feed: socket.socket, opened: dict[Listen, Listening]) -> None:
    site.renew_fronts()
    serving = Serving(site, opened=opened)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    feed.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=feed, limit=BEHIND)
    await serving.start()
    writer.write(frame("listening"))
    following = asyncio.create_task(_follow(site, serving, reader, writer))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait((following, stopped), return_when=asyncio.FIRST_COMPLETED)
    await serving.stop()
    if not following.done() or not following.exception():
        writer.write(frame(await serving.report()))
        with suppress(ConnectionError):
            await writer.drain()
    if following.done():
        following.result()


async def _follow(site: Site, serving: Serving, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError):
        while True:
            match await read(reader):
                case ("publish", changes, moment):
                    site.publish(changes, moment)
                case ("advance", serial):
                    site.advance(serial)
                case ("report",):
                    writer.write(frame(await serving.report()))
                case "alive":
                    writer.write(frame(ALIVE))
                case ("tap", share):
                    serving.tap(partial(_show, writer) if share else None, share)


def _show(writer: asyncio.StreamWriter, shown: Slice) -> None:
    """Nobody waits for what is only looked at: what cannot be sent is lost."""
    if writer.transport.get_write_buffer_size() < BEHIND_SHOWN:
        writer.write(frame(shown))
