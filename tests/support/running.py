"""minidns as users run it: a process of its own, on ports that the system chooses."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import dns.message
import dns.query

PATIENCE = 20.0


@dataclass
class Running:
    """A minidns process.

    lines: its log so far. port, admin: of DNS and of the admin endpoints.
    listening, http: host and port of every socket.
    """

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    port: int = 0
    admin: int = 0
    listening: list[tuple[str, int]] = field(default_factory=list)
    http: list[tuple[str, int]] = field(default_factory=list)

    def dig(self, *arguments: str) -> str:
        """What the real `dig` prints."""
        command = ["dig", "@127.0.0.1", "-p", str(self.port), "+timeout=5", "+tries=1", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False).stdout

    def said(self, text: str) -> bool:
        """Whether a line of the log has that text in it."""
        return any(text in line for line in self.lines)

    def ask(self, name: str, type_: str = "A", *, tcp: bool = False) -> dns.message.Message:
        query = dns.message.make_query(name, type_, use_edns=0)
        ask = dns.query.tcp if tcp else dns.query.udp
        return ask(query, "127.0.0.1", port=self.port, timeout=5)

    def addresses(self, name: str, type_: str = "A") -> list[str]:
        """The data of the answer section, sorted."""
        return sorted(str(rdata) for rrset in self.ask(name, type_).answer for rdata in rrset)

    def status(self, path: str) -> tuple[int, str]:
        """Status and body of an admin endpoint, also when that is an error."""
        try:
            return 200, self.get(path)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def get(self, path: str) -> str:
        """The body of an admin endpoint."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=5) as response:
            return str(response.read().decode())

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE)


def eventually(condition: Callable[[], object], patience: float = PATIENCE) -> None:
    """Wait until the condition holds; fail after `patience` seconds."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "it did not come to hold"
        time.sleep(0.02)


def _addresses(text: str) -> list[tuple[str, int]]:
    return [(host.strip("[]"), int(port)) for host, port in re.findall(r"([^, ]*):(\d+)", text)]


@contextmanager
def minidns(*arguments: str, environ: Mapping[str, str] | None = None, within: Sequence[str] = ()) -> Iterator[Running]:
    """A running `minidns serve` with these arguments; its DNS and admin ports are chosen by the system.

    within: a command that runs the rest of its arguments as a command.
    """
    command = [*within, sys.executable, "-m", "minidns", "serve", "--admin", "127.0.0.1:0", *arguments]
    if not {"--conf", "--listen"} & set(arguments):
        command += ["--listen", "127.0.0.1:0"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environ)
    running = Running(process)
    answering = threading.Event()

    def read() -> None:
        assert process.stderr is not None
        with process.stderr:
            for line in process.stderr:
                running.lines.append(line.rstrip("\n"))
                if found := re.search(r"answers on (.*), HTTP on (.*), from ", line):
                    running.listening, running.http = map(_addresses, found.groups())
                    running.port, running.admin = running.listening[0][1], running.http[0][1]
                    answering.set()
        answering.set()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        assert answering.wait(PATIENCE), running.lines
        assert running.port, running.lines
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        thread.join(PATIENCE)
