"""`minidns check`: all errors, warnings, JSON, and the Corefile of a cluster."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from minidns.cli.arguments import main

MAPS = {
    "coredns": {"Corefile": ".:53 {\n import custom/*.override\n}\nimport custom/*.server\n", "NodeHosts": ""},
    "coredns-custom": {"b.override": "cache 30\n", "a.override": "log\n", "x.server": "a.test {\n whoami\n}\n"},
}


@asynccontextmanager
async def cluster(folder: Path, maps: dict[str, dict[str, str]], status: int = 404) -> AsyncIterator[Path]:
    """An API server with ConfigMaps; the kubeconfig that leads there. status: of those that are not here."""

    async def handle(request: web.Request) -> web.Response:
        data = maps.get(request.match_info["name"])
        return web.json_response({"data": data} if data else {}, status=200 if data else status)

    app = web.Application()
    app.add_routes([web.get("/api/v1/namespaces/kube-system/configmaps/{name}", handle)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    file = folder / "kubeconfig"
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    where = [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{runner.addresses[0][1]}"}}]
    users = [{"name": "u", "user": {}}]
    file.write_text(json.dumps({"current-context": "c", "clusters": where, "users": users, "contexts": [context]}))
    try:
        yield file
    finally:
        await runner.cleanup()


def check(folder: Path, text: str, *arguments: str) -> int:
    (folder / "Corefile").write_text(text)
    return main(["check", str(folder / "Corefile"), *arguments])


def test_all_errors_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = ":1 {\n cach 5\n hosts {\n  ttl x\n  reload y\n }\n}\na {\n ready 1\n ready {$UNSET_HERE}\n whoami x\n}\n"
    assert check(tmp_path, text) == 1
    said = capsys.readouterr()
    assert said.out == ""
    places = [line.removeprefix(f"{tmp_path}/Corefile:").partition(":")[0] for line in said.err.splitlines()]
    assert places == ["1", "2", "4", "5", "9", "10", "11"]
    assert "the variable UNSET_HERE is not set" in said.err


def test_warnings_do_not_stop_anything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = """. {
        cache 30s
        template IN A . {
            match "^x{$UNSET_HERE}y"
            answer "{{ .Name }} 1 IN A 192.0.2.1"
        }
        log "{name}"
        hosts {
            192.0.2.1 b\u00fccher.example a.example
        }
    }"""
    assert check(tmp_path, text) == 0
    said = capsys.readouterr()
    assert "hosts /etc/hosts and 1 lines here" in said.out
    lines = [line.removeprefix(f"{tmp_path}/Corefile:") for line in said.err.splitlines()]
    assert lines == [
        "4: the variable UNSET_HERE is not set: nothing stands in its place in ^x{$UNSET_HERE}y (warning)",
        "2: cache 30s is a zone called 30s, as to CoreDNS: a TTL is a number of seconds (warning)",
        "7: log with a format alone: to CoreDNS that is a zone, write log . FORMAT (warning)",
        "9: 'b\u00fccher.example' is no domain name: left out (warning)",
        "2: cache differs from CoreDNS on purpose: 20, 23, 25, 26 of docs/coredns.md (warning)",
        "8: hosts differs from CoreDNS on purpose: 22 of docs/coredns.md (warning)",
    ]


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path, "a {\n nosuch\n cache 30s\n}", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["understood"] == []
    (error,) = found["errors"]
    assert (error["line"], error["file"]) == (2, str(tmp_path / "Corefile"))
    assert error["message"].startswith("unknown plugin 'nosuch'")
    assert found["warnings"][0].startswith(f"{tmp_path}/Corefile:3: cache 30s is a zone")
    assert check(tmp_path, "a {\n whoami\n}", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "understood": [":53 serves a.", "  whoami for what nobody else answers"],
        "errors": [],
        "warnings": [],
    }


@pytest.mark.parametrize("options", ["kubeconfig /none", "endpoint https://192.0.2.1\n tls /none /none /none"])
def test_what_would_not_start_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str], options: str) -> None:
    assert check(tmp_path, f". {{\n kubernetes cluster.local {{\n {options}\n }}\n}}") == 1
    assert "kubernetes: " in capsys.readouterr().err


async def test_the_corefile_of_a_cluster_with_its_imports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with cluster(tmp_path, MAPS) as kubeconfig:
        done = await asyncio.to_thread(main, ["check", "--kubernetes", "--kubeconfig", str(kubeconfig)])
    assert done == 0
    assert capsys.readouterr().out.splitlines() == [
        ":53 serves every name",
        "  cache up to 30s, negative 30s",
        "  log all",
        ":53 serves a.test.",
        "  whoami for what nobody else answers",
    ]


async def test_errors_of_a_cluster_name_the_file_as_its_pods_have_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    maps = {"coredns": MAPS["coredns"], "coredns-custom": {"a.override": "log\nnosuch\n"}}
    async with cluster(tmp_path, maps) as kubeconfig:
        done = await asyncio.to_thread(main, ["check", "--kubernetes", "--kubeconfig", str(kubeconfig)])
    assert done == 1
    assert capsys.readouterr().err.startswith("/etc/coredns/custom/a.override:2: unknown plugin 'nosuch'")


@pytest.mark.parametrize(("status", "said"), [(404, "no Corefile in ConfigMap coredns"), (403, "403 Forbidden")])
async def test_a_cluster_without_a_corefile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], status: int, said: str
) -> None:
    async with cluster(tmp_path, {}, status) as kubeconfig:
        done = await asyncio.to_thread(main, ["check", "--kubernetes", "--kubeconfig", str(kubeconfig)])
    assert done == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["Corefile", "--kubernetes"]])
def test_one_of_both_is_named(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(["check", *arguments]) == 2
    assert "name a Corefile, or --kubernetes" in capsys.readouterr().err
