"""`minidns check`: what a Corefile means, everything that is wrong with it, and what is hardly meant."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

import aiohttp
import msgspec

from minidns.cli.offline import OfflineError
from minidns.config import corefile
from minidns.config.corefile import Checked, CorefileError
from minidns.config.settings import Cluster, Config
from minidns.config.values import UsageError
from minidns.source.kubernetes.connect import Connection, connect
from minidns.source.kubernetes.kubeconfig import ConnectError
from minidns.source.kubernetes.requests import LIST_DEADLINE, Request

#: Where the pods of CoreDNS have the ConfigMaps of their Corefile, in every distribution that has them.
MOUNTED = {"coredns": Path("/etc/coredns"), "coredns-custom": Path("/etc/coredns/custom")}


class _ConfigMap(msgspec.Struct):
    data: dict[str, str] = {}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, nargs="?", help="the Corefile")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument(
        "--kubernetes",
        action="store_true",
        help="the Corefile of a cluster, from its ConfigMaps coredns, coredns-custom",
    )
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help="of that cluster")
    parser.add_argument("--context", metavar="NAME", help="of the kubeconfig")
    parser.add_argument("--namespace", default="kube-system", metavar="NAME", help="of the ConfigMaps (kube-system)")


def run(arguments: argparse.Namespace) -> int:
    """Print what it means, errors and warnings. 0 when there is no error, 1 when there is."""
    if (arguments.file is None) != arguments.kubernetes:
        raise UsageError("name a Corefile, or --kubernetes for that of a cluster")
    checked = asyncio.run(_of_cluster(arguments)) if arguments.kubernetes else _of_file(arguments.file)
    print(_json(checked) if arguments.json else _text(checked), end="", flush=True)
    if not arguments.json:
        for line in (*map(str, checked.errors), *(f"{text} (warning)" for text in checked.warnings)):
            print(line, file=sys.stderr)
    return 1 if checked.errors else 0


def _text(checked: Checked) -> str:
    return corefile.describe(checked.config) + "\n" if checked.config else ""


def _json(checked: Checked) -> str:
    found = {
        "understood": corefile.describe(checked.config).splitlines() if checked.config else [],
        "errors": [{"file": one.file, "line": one.line, "message": one.message} for one in checked.errors],
        "warnings": list(checked.warnings),
    }
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"


def _of_file(path: Path) -> Checked:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        return Checked(None, (CorefileError(str(path), 1, f"cannot read it: {error}"),))
    checked = corefile.check(text, file=str(path))
    problem = asyncio.run(_unusable(checked.config)) if checked.config else ""
    if not problem:
        return checked
    return Checked(None, (CorefileError(str(path), 1, problem),), checked.warnings)


async def _unusable(config: Config) -> str:
    """Why a server with this configuration would not start; "" when nothing stands in its way."""
    source = config.source
    if not isinstance(source, Cluster) or (source.kubeconfig is None and source.endpoint is None):
        return ""  # the cluster around, and that is hardly the one around this command
    try:
        async with await connect(source):
            return ""
    except ConnectError as error:
        return f"kubernetes: {error}"


async def _of_cluster(arguments: argparse.Namespace) -> Checked:
    """The Corefile that the CoreDNS of a cluster has."""
    async with await connect(Cluster(kubeconfig=arguments.kubeconfig, context=arguments.context)) as connection:
        maps = {name: await _config_map(connection, arguments.namespace, name) for name in MOUNTED}
    files = {str(MOUNTED[name] / key): text for name, data in maps.items() for key, text in (data or {}).items()}
    file = str(MOUNTED["coredns"] / "Corefile")
    if file not in files:
        raise OfflineError(f"no Corefile in ConfigMap coredns of namespace {arguments.namespace}")
    return corefile.check(files[file], file=file, files=files)


async def _config_map(connection: Connection, namespace: str, name: str) -> dict[str, str] | None:
    """The data of a ConfigMap; None when there is none. Raises OfflineError."""
    path = f"/api/v1/namespaces/{namespace}/configmaps/{name}"
    try:
        async with connection.get(Request(path, (), LIST_DEADLINE)) as response:
            body = await response.read()
            if response.status == 404:
                return None
            if response.status != 200:
                raise OfflineError(f"{connection.server}{path}: {response.status} {response.reason}")
            return msgspec.json.decode(body, type=_ConfigMap).data
    except (aiohttp.ClientError, TimeoutError, OSError, msgspec.MsgspecError) as error:
        raise OfflineError(f"{connection.server}{path}: {error}") from None
