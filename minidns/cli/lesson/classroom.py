"""Where a lesson is played: a cluster of its own in a temporary folder, or a running server that has its objects."""

from __future__ import annotations

import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from minidns.cli.running import asked, url_of
from minidns.config import settings
from minidns.config.values import Listen, UsageError
from minidns.lessons import Lesson, Look, Question, Walked, Words, holds
from minidns.lessons.judging import Seen

#: Seconds for a start, for an answer, between two looks whether it has started.
_PATIENCE, _ANSWER, _LOOK = 20.0, 5.0, 0.02
#: Where the documentation asks, and the port for a second server; others are taken when these are in use.
_DNS, _CACHE = 1053, 1054
_HERE = "127.0.0.1"
#: What its log has once it answers.
_ANSWERS = " answers on "
#: What a learner's commands find: a `minidns` that knows the admin port, where a command takes one, and a `dig` that
#: knows the server, unless another is named.
_PRELUDE = """
minidns() {{
  case "$1" in
    explain | watch | zone | status | queries | top) {python} -m minidns "$1" --admin {admin} "${{@:2}}" ;;
    pod | ask) {python} -m minidns "$1" --server {zone} "${{@:2}}" ;;
    scale | delete | rollout | unready | ready | reset)
      {python} -m minidns "$1" --admin {admin} {pace} "${{@:2}}" ;;
    *) {python} -m minidns "$@" ;;
  esac
}}
dig() {{ case " $* " in *" @"*) command dig "$@" ;; *) command dig {server} "$@" ;; esac }}
"""
Judged = TypeVar("Judged")


class _State(msgspec.Struct, frozen=True):
    """What is used of `/state`."""

    listening: tuple[str, ...]
    source: str | None


class _Walk(msgspec.Struct, frozen=True):
    """What is used of `/walk`."""

    cost: int
    found: str | None


@dataclass(frozen=True)
class Room:
    """A lesson beside the cluster that it is about.

    servers: by what a lesson calls them. admin: host and port of the zone's. folder: where commands run.
    """

    lesson: Lesson
    words: Words
    servers: Mapping[str, Listen]
    admin: str
    folder: Path

    def judge(self, judging: Generator[Question | Look, Seen, Judged]) -> Judged:
        """Ask what it wants to know, until it has come to its end."""
        seen: Seen = None
        with closing(judging):
            while True:
                try:
                    wanted = judging.send(seen)
                except StopIteration as end:
                    value: Judged = end.value
                    return value
                seen = self._walk(wanted) if isinstance(wanted, Look) else self._ask(wanted)

    def _walk(self, look: Look) -> Walked:
        query = {"name": look.walk or "", "from": look.from_, "ndots": str(look.ndots), "libc": look.libc}
        with asked(self.admin, "/walk", query) as response:
            walk = msgspec.json.decode(response.read(), type=_Walk)
        return Walked(walk.cost, walk.found)

    def _ask(self, question: Question) -> bytes | None:
        server = self.servers[question.at]
        with suppress(OSError):
            if question.transport == "tcp":
                with socket.create_connection((server.host, server.port), _ANSWER) as connection:
                    connection.sendall(len(question.packet).to_bytes(2, "big") + question.packet)
                    with connection.makefile("rb") as stream:
                        return stream.read(int.from_bytes(stream.read(2), "big"))
            with socket.socket(socket.AF_INET6 if ":" in server.host else socket.AF_INET, socket.SOCK_DGRAM) as udp:
                udp.settimeout(_ANSWER)
                udp.connect((server.host, server.port))
                udp.send(question.packet)
                return udp.recv(65535)
        return None

    def run(self, command: str, *, quiet: bool = False) -> int:
        """Run a learner's command in the folder, where `dig` asks this cluster and `minidns` is the one that runs.

        quiet: print nothing, and play verbs without a pause between their steps.
        """
        zone = self.servers["zone"]
        prelude = _PRELUDE.format(
            python=shlex.quote(sys.executable),
            admin=self.admin,
            pace="--pace 0" if quiet else "",
            zone=zone,
            server=f"@{zone.host} -p {zone.port}",
        )
        output = subprocess.DEVNULL if quiet else None
        # Ctrl-C is for the command; a handler, other than SIG_IGN, is not handed on to it.
        before = signal.signal(signal.SIGINT, lambda *_: None)
        try:
            return subprocess.run(
                ["bash", "-c", prelude + command], cwd=self.folder, stdout=output, stderr=output, check=False
            ).returncode
        finally:
            signal.signal(signal.SIGINT, before)


@contextmanager
def cluster(lesson: Lesson) -> Iterator[Room]:
    """The lesson's manifests in a temporary folder, and a minidns that serves them until the end."""
    with tempfile.TemporaryDirectory(prefix="minidns-lesson-") as name:
        folder = Path(name)
        file = folder / "cluster" / "cluster.yaml"
        file.parent.mkdir()
        file.write_text(lesson.manifests)
        with _served(lesson, folder, file.parent) as (servers, admin):
            room = Room(lesson, _words(servers, str(file), admin), servers, admin, folder)
            _check_start(room)
            yield room


@contextmanager
def visit(lesson: Lesson, admin: str) -> Iterator[Room]:
    """A running server. Raises UsageError when it has not the lesson's objects."""
    if lesson.cache is not None:
        raise UsageError("this lesson has a second server, with a cache: play it without --admin")
    admin = url_of(admin).removeprefix("http://")
    with asked(admin, "/state") as response:
        state = msgspec.json.decode(response.read(), type=_State)
    zone = Listen.parse(state.listening[0])
    file = (state.source or "").removeprefix("manifests in ")
    servers = {"zone": zone if zone.host else Listen(_HERE, zone.port)}
    room = Room(lesson, _words(servers, file, admin), servers, admin, Path.cwd())
    _check_start(room)
    yield room


def _words(servers: Mapping[str, Listen], file: str, admin: str) -> Words:
    digs = {name: f"dig @{listen.host} -p {listen.port}" for name, listen in servers.items()}
    option = "" if admin == str(settings.ADMIN) else f" --admin {admin}"
    return Words(digs["zone"], digs.get("cache", ""), file, option)


def _check_start(room: Room) -> None:
    if not room.judge(holds(room.lesson.starts)).passed:
        raise UsageError(
            f"the server at http://{room.admin} does not have this lesson's cluster as it is at the start:"
            " give it what `minidns lesson NAME --manifests` prints, or play without --admin"
        )


def _corefile(lesson: Lesson, dns: int, cache: int) -> str:
    return (
        f".:{dns} {{\n  bind {_HERE}\n"
        f"  kubernetes cluster.local in-addr.arpa ip6.arpa {{\n    ttl {lesson.ttl}\n  }}\n}}\n"
        f".:{cache} {{\n  bind {_HERE}\n  cache {{\n{lesson.cache}\n  }}\n  forward . {_HERE}:{dns}\n}}\n"
    )


def _port(wanted: int) -> int:
    """The port, for UDP and TCP, or one that the system chooses when it is in use."""
    for port in (wanted, 0):
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                tcp.bind((_HERE, port))
                udp.bind((_HERE, tcp.getsockname()[1]))
                return int(tcp.getsockname()[1])
    raise UsageError("no free port for a lesson's cluster")


@contextmanager
def _served(lesson: Lesson, folder: Path, manifests: Path) -> Iterator[tuple[dict[str, Listen], str]]:
    """A minidns that answers inside: its servers, and its admin port. Raises UsageError with what it said instead."""
    log = folder / "minidns.log"
    for last in (False, False, True):
        dns, cache, admin = _port(_DNS), _port(_CACHE), Listen(_HERE, _port(settings.ADMIN.port))
        options = ["--listen", f"{_HERE}:{dns}", "--ttl", str(lesson.ttl)]
        if lesson.cache is not None:
            (folder / "Corefile").write_text(_corefile(lesson, dns, cache))
            options = ["--conf", str(folder / "Corefile")]
        with _process([*options, "--manifests", str(manifests), "--admin", str(admin)], log) as process:
            if _answers(process, log):
                yield {"zone": Listen(_HERE, dns), "cache": Listen(_HERE, cache)}, str(admin)
                return
        # Another lesson may have taken a port since it was seen to be free.
        if last or "cannot listen" not in log.read_text():
            raise UsageError(f"the lesson's cluster does not start: {log.read_text().strip() or 'no word from it'}")


def _answers(process: subprocess.Popen[bytes], log: Path) -> bool:
    """Wait until it does; False when it ended, or says nothing for too long."""
    deadline = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        if _ANSWERS in log.read_text():
            return True
        time.sleep(_LOOK)
    return False


@contextmanager
def _process(options: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A minidns, ended at the end."""
    with log.open("wb") as file:
        # A session of its own: what is typed on the terminal, such as Ctrl-C, is not for it.
        process = subprocess.Popen(
            [sys.executable, "-m", "minidns", "serve", *options],
            stdin=subprocess.DEVNULL,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
