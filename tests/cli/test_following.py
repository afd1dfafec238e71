"""`watch` and `queries` as people run them: what is printed, filters, and a server that goes away and comes back."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from minidns.cli.following import change_text, query_teller, query_text
from minidns.views.changes import Event, Record, concerns
from minidns.views.queries import Query
from tests.support.neighbours import free_port
from tests.support.running import PATIENCE, eventually, minidns

WEB = "web.default.svc.cluster.local"
MANIFEST = "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{clusterIP: 10.96.7.{last}}}\n"


class Following:
    """A command that goes on: what it has printed so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.out: list[str] = []
        self.err: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(process.stdout, self.out)),
            threading.Thread(target=self._read, args=(process.stderr, self.err)),
        ]
        for reader in self._readers:
            reader.start()

    def end(self) -> None:
        with self.process:
            self.process.kill()
            for reader in self._readers:
                reader.join(PATIENCE)

    def _read(self, stream: Iterator[str], lines: list[str]) -> None:
        lines.extend(line.rstrip("\n") for line in stream)  # as they come

    def said(self, text: str) -> bool:
        return any(text in line for line in (*self.out, *self.err))


@contextmanager
def following(*arguments: str) -> Iterator[Following]:
    command = [sys.executable, "-m", "minidns", *arguments]
    environ = {**os.environ, "COLUMNS": "60"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)
    made = Following(process)
    try:
        yield made
    finally:
        made.end()


def test_watch_says_so_and_survives_the_server(tmp_path: Path) -> None:
    manifest, admin = tmp_path / "web.yaml", f"127.0.0.1:{free_port()}"
    manifest.write_text(MANIFEST.format(name="web", last=1))
    options = ("--manifests", str(tmp_path), "--admin", admin)
    command = ("watch", "--admin", admin, "--namespace", "default", "--service", "web")
    with minidns(*options) as first, following(*command) as watch:
        eventually(lambda: watch.said(f"following {admin}: Ctrl-C ends"))
        (tmp_path / "other.yaml").write_text(MANIFEST.format(name="other", last=9))
        eventually(lambda: "10.96.7.9" in first.get("/zone"))
        manifest.write_text(MANIFEST.format(name="web", last=2))
        eventually(lambda: watch.said(f"+{WEB} A 10.96.7.2"))
        assert re.fullmatch(rf"\d\d:\d\d:\d\d Service default/web: -{WEB} A 10\.96\.7\.1", watch.out[0])
        assert not watch.said("other")
        first.stop()
        eventually(lambda: watch.said("trying again"))
        with minidns(*options):
            eventually(lambda: watch.said(f"again at {admin}"))
            manifest.write_text(MANIFEST.format(name="web", last=3))
            eventually(lambda: watch.said(f"+{WEB} A 10.96.7.3"))
        assert watch.process.poll() is None


def test_queries_with_a_filter_in_json(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(MANIFEST.format(name="web", last=1))
    with minidns("--manifests", str(tmp_path)) as running:
        with following("queries", "--admin", f"127.0.0.1:{running.admin}", "--rcode", "NXDOMAIN", "--json") as queries:
            eventually(lambda: queries.said("following"))
            running.ask(WEB)
            running.ask(f"a.{WEB}")
            eventually(lambda: queries.out)
        (line,) = queries.out
        assert json.loads(line)["name"] == f"a.{WEB}"
        with following("queries", "--admin", f"127.0.0.1:{running.admin}") as queries:
            eventually(lambda: queries.said("following"))
            running.ask(f"a.{WEB}")
            eventually(lambda: queries.out)
        reason = "NXDOMAIN: Service default/web has 0 endpoints, none of that name"
        assert re.fullmatch(rf"[\d:.]+ 127\.0\.0\.1 a\.{WEB} A {reason}", queries.out[0])


def query(name: str, rcode: str = "NXDOMAIN", *, step: int = 1) -> Query:
    return Query(0.5, "10.0.0.1", None, None, name, "A", rcode, 0, "no such name", 80, "udp", "zone", 1, step, "")


def test_what_is_not_shown_is_told_once() -> None:
    out, said = Console(file=StringIO(), width=60), list[str]()
    tell = query_teller(out, said.append, json=False)
    for seen in (2, 16, 17, 2):
        tell("sample", b'{"seen":%d,"shown":2}' % seen)
    tell("sample", b'{"seen":0,"shown":0}')
    tell("lost", b'{"lost":12}')
    tell("", msgspec.json.encode(query("a.test")))
    assert said == ["1 of 8 shown", "all shown again", "12 queries are missing here: they came too fast"]
    assert isinstance(out.file, StringIO)
    assert "a.test A NXDOMAIN: no such name" in out.file.getvalue().replace("\n", " ")


def test_the_steps_of_a_search_list_are_set_in() -> None:
    assert " 10.0.0.1 a.test A NXDOMAIN: no such name" in query_text(query("a.test")).plain
    third = query_text(query("a.test", step=3))
    assert " 10.0.0.1 > > a.test A " in third.plain
    assert any(span.style == "red" and third.plain[span.start : span.end] == " NXDOMAIN" for span in third.spans)


CHANGE = Event(
    "EndpointSlice", "default", "web-1", "web", "changed", 1, (), 0,
    (Record("new.test", "A", "10.0.0.2"),), 1, (Record("old-name.test", "SRV", "0 100 80 old-name.test."),), 1, 7,
)  # fmt: skip


def test_what_comes_is_green_and_what_goes_is_red() -> None:
    text = change_text(CHANGE, 0.0)
    coloured = {str(span.style): text.plain[span.start : span.end] for span in text.spans}
    assert coloured == {"red": "-old-name.test SRV 0 100 80 old-name.test", "green": "+new.test A 10.0.0.2"}


@pytest.mark.parametrize(
    ("namespace", "service", "concerned"),
    [("", "", True), ("default", "", True), ("default", "web", True), ("", "web-1", False), ("prod", "", False)],
)
def test_which_changes_somebody_wants(namespace: str, service: str, concerned: bool) -> None:
    assert concerns(CHANGE, namespace, service) is concerned
    assert concerns(msgspec.structs.replace(CHANGE, action="listed", namespace="", name=""), namespace, service)


def test_a_namespace_that_changes_concerns_itself() -> None:
    change = msgspec.structs.replace(CHANGE, kind="Namespace", namespace="", name="prod", service="")
    assert concerns(change, "prod")
    assert not concerns(change, "default")
