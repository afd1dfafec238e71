"""Recorded Corefiles: what CoreDNS 1.14.7 answered under them, or that it refused to start, and minidns under the same.

`tests/whole/corefiles/PART.json` has the cases: files with placeholders ({PORT}, {PORT2}, {UPSTREAM}, {UPSTREAM2},
{DEAD}: nobody listens, {KUBECONFIG}, {DIR}: the case's folder), environment, and a row per question in the order that
they are asked in.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from minidns.app import App
from minidns.config import corefile
from minidns.config.settings import Config
from minidns.config.values import ConfigError
from tests.support.coredns.asking import Row, ask
from tests.support.coredns.upstream import Upstream
from tests.support.neighbours import free_port

FOLDER = Path(__file__).parent.parent.parent / "whole" / "corefiles"
_KINDS = {
    "services": "api/v1",
    "namespaces": "api/v1",
    "pods": "api/v1",
    "endpointslices": "apis/discovery.k8s.io/v1",
}
#: Seconds until a case that starts has its first full list.
_PATIENCE = 20.0


@dataclass(frozen=True, eq=False)
class Case:
    """A recorded case. rows: of CoreDNS; refused: why it does not start, "" when it does."""

    name: str
    files: dict[str, str]
    env: dict[str, str]
    rows: list[Row]
    refused: str


def cases() -> list[Case]:
    """Every case."""
    found = []
    for part in sorted({*FOLDER.glob("*.json")} - {FOLDER / "differences.json"}):
        for name, case in json.loads(part.read_text()).items():
            files = {file: "\n".join(lines) for file, lines in case["files"].items()}
            found.append(Case(name, files, case.get("env", {}), case.get("answers", []), case.get("refused", "")))
    return found


@asynccontextmanager
async def recorded_cluster(folder: Path) -> AsyncIterator[Path]:
    """An API server with the recorded objects; the kubeconfig that leads there."""
    app = web.Application()
    for name, prefix in _KINDS.items():
        handler = _handler(json.loads((FOLDER / "cluster" / f"{name}.json").read_text()))
        app.add_routes([web.get(f"/{prefix}/{name}", handler), web.get(f"/{prefix}/namespaces/{{ns}}/{name}", handler)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    kubeconfig = folder / "kubeconfig"
    server = f"http://127.0.0.1:{runner.addresses[0][1]}"
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    clusters, users = [{"name": "c", "cluster": {"server": server}}], [{"name": "u", "user": {}}]
    kubeconfig.write_text(
        json.dumps({"current-context": "c", "clusters": clusters, "users": users, "contexts": [context]})
    )
    try:
        yield kubeconfig
    finally:
        await runner.cleanup()


def _handler(lists: dict[str, Any]) -> Any:
    async def handle(request: web.Request) -> web.StreamResponse:
        wanted = [term for term in request.query.get("labelSelector", "").split(",") if term]
        selector = re.match(r"metadata\.name=+(.*)", request.query.get("fieldSelector", ""))
        items = [
            item
            for item in lists["items"]
            if request.match_info.get("ns", item["metadata"].get("namespace")) == item["metadata"].get("namespace")
            and all(_has(item["metadata"].get("labels") or {}, term) for term in wanted)
            and (selector is None or selector[1] == item["metadata"]["name"])
        ]
        if not request.query.get("watch"):
            return web.json_response({"metadata": lists["metadata"], "items": items})
        response = web.StreamResponse()
        await response.prepare(request)
        if request.query.get("sendInitialEvents"):
            version = lists["metadata"]["resourceVersion"]
            end = {"resourceVersion": version, "annotations": {"k8s.io/initial-events-end": "true"}}
            events = [{"type": "ADDED", "object": item} for item in items]
            for event in [*events, {"type": "BOOKMARK", "object": {"metadata": end}}]:
                await response.write(json.dumps(event).encode() + b"\n")
        await asyncio.Event().wait()
        return response

    return handle


def _has(labels: dict[str, str], term: str) -> bool:
    """Whether labels fit a term of a selector: KEY, !KEY, KEY=VALUE, KEY!=VALUE."""
    key, _, value = term.partition("=")
    if key.endswith("!"):
        return labels.get(key[:-1]) != value
    if "=" in term:
        return labels.get(key) == value.removeprefix("=")
    return term.removeprefix("!") in labels if not term.startswith("!") else term[1:] not in labels


async def play(case: Case, folder: Path, kubeconfig: Path) -> list[Row] | str:
    """minidns's rows, or why it does not start."""
    one, two = Upstream(FOLDER / "zone.txt"), Upstream(FOLDER / "zone2.txt")
    for upstream in (one, two):
        await upstream.open(free_port())
    port, port2 = free_port(), free_port()
    addresses = {"UPSTREAM": f"127.0.0.1:{one.port}", "UPSTREAM2": f"127.0.0.1:{two.port}"}
    addresses["DEAD"] = f"127.0.0.1:{free_port()}"
    places = {**addresses, "PORT": str(port), "PORT2": str(port2), "KUBECONFIG": str(kubeconfig), "DIR": str(folder)}
    try:
        config = _config(case, folder, places)
        app = App(config)
        async with app.running():
            if app.generation.source:
                await asyncio.wait_for(app.generation.source.synced.wait(), _PATIENCE)
            rows = [await ask(row["q"], port, port2) for row in case.rows]
        return [_masked(row, addresses) for row in rows]
    except (ConfigError, OSError) as error:
        return str(error)
    finally:
        one.close()
        two.close()


def _config(case: Case, folder: Path, places: dict[str, str]) -> Config:
    """The case's Corefile, as it is read from its folder. Raises ConfigError."""
    folder.mkdir()
    for name, text in case.files.items():
        (folder / name).write_text(_filled(text, places), newline="")
    file = folder / "Corefile"
    return corefile.parse(file.read_text(encoding="utf-8"), file=str(file), env=case.env)


def _filled(text: str, places: dict[str, str]) -> str:
    for name, value in places.items():
        text = text.replace("{" + name + "}", value)
    return text


def _masked(row: Row, addresses: dict[str, str]) -> Row:
    text = json.dumps(row)
    for name, address in addresses.items():
        text = text.replace(address, "{" + name + "}")
    masked: Row = json.loads(text.replace(f'\\"{socket.gethostname()}\\"', '\\"HOSTNAME\\"'))
    return masked
