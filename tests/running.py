"""minidns as users run it: a process of its own, on ports that the system chooses."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import dns.message
import dns.query

PATIENCE = 20.0


@dataclass
class Running:
    """A minidns process. `lines` is its log so far."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    port: int = 0
    admin: int = 0

    def dig(self, *arguments: str) -> str:
        """What the real `dig` prints."""
        command = ["dig", "@127.0.0.1", "-p", str(self.port), "+timeout=5", "+tries=1", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False).stdout

    def ask(self, name: str, type_: str = "A", *, tcp: bool = False) -> dns.message.Message:
        query = dns.message.make_query(name, type_, use_edns=0)
        ask = dns.query.tcp if tcp else dns.query.udp
        return ask(query, "127.0.0.1", port=self.port, timeout=5)

    def addresses(self, name: str, type_: str = "A") -> list[str]:
        """The data of the answer section, sorted."""
        return sorted(str(rdata) for rrset in self.ask(name, type_).answer for rdata in rrset)

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


@contextmanager
def minidns(*arguments: str) -> Iterator[Running]:
    """A running `minidns serve` with these arguments; its DNS and admin ports are chosen by the system."""
    command = [sys.executable, "-m", "minidns", "serve", "--admin", "127.0.0.1:0", *arguments]
    if "--conf" not in arguments:
        command += ["--listen", "127.0.0.1:0"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    running = Running(process)
    answering = threading.Event()

    def read() -> None:
        assert process.stderr is not None
        with process.stderr:
            for line in process.stderr:
                running.lines.append(line.rstrip("\n"))
                if found := re.search(r"answers on \S*?:(\d+)[, ].*HTTP on \S*?:(\d+)", line):
                    running.port, running.admin = int(found[1]), int(found[2])
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
