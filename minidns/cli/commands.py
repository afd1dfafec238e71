"""The commands that ask a running server by its admin port, or the objects themselves: explain, zone, status."""

from __future__ import annotations

import argparse
import asyncio
import sys

import msgspec
from rich.console import Console

from minidns import explain
from minidns.cli import offline
from minidns.cli.running import NoServerError, asked
from minidns.config.settings import Cluster, Kubernetes, Manifests
from minidns.config.values import UsageError
from minidns.explain import Explanation, SearchExplanation


def explain_command(arguments: argparse.Namespace, source: Manifests | Cluster | None, kubernetes: Kubernetes) -> int:
    """Print an explanation. 0 when the name resolves, or somebody else has to say; 1 when it does not."""
    query = _query(arguments)
    found: Explanation | SearchExplanation
    if source is None:
        with asked(arguments.admin, "/explain", query) as response:
            body = response.read()
        if arguments.namespace is not None:
            found = msgspec.json.decode(body, type=SearchExplanation)
        else:
            found = msgspec.json.decode(body, type=Explanation)
    else:
        try:
            found = asyncio.run(offline.explained(source, kubernetes, query))
        except ValueError as error:
            raise UsageError(str(error)) from None
    if arguments.json:
        print(explain.to_json(found).decode())
    else:
        explain.render(found, Console(highlight=False))
    return 1 if found.resolves is False else 0


def _query(arguments: argparse.Namespace) -> dict[str, str]:
    """What `/explain` takes. Raises UsageError, which names the argument."""
    if not arguments.name:
        raise UsageError("NAME is empty: name what is to be explained")
    query = {"name": arguments.name}
    if arguments.namespace is not None:
        if not arguments.namespace:
            raise UsageError("--from is empty: name the namespace of a pod")
        query["from"] = arguments.namespace
    for option, read in (("ndots", explain.parse_ndots), ("libc", explain.parse_libc)):
        try:
            query[option] = str(read(getattr(arguments, option)))
        except ValueError as error:
            raise UsageError(f"--{option}: {error}") from None
    if arguments.type:
        query["type"] = arguments.type
    return query


def zone_command(arguments: argparse.Namespace, source: Manifests | Cluster | None, kubernetes: Kubernetes) -> int:
    """Print a zone file: of the source that is named, else of the running server, else of the cluster around."""
    if source is None:
        try:
            with asked(arguments.admin, "/zone", {"origin": arguments.origin or ""}) as response:
                for line in response:
                    sys.stdout.write(line.decode())
        except NoServerError:
            if arguments.admin is not None:
                raise
            source = Cluster(kubeconfig=arguments.kubeconfig, context=arguments.context)
    if source is not None:
        sys.stdout.writelines(asyncio.run(offline.zone_text(source, kubernetes, arguments.origin)))
    sys.stdout.flush()
    return 0


def status_command(arguments: argparse.Namespace) -> int:
    """Print the state of a running server. 0 when it is ready, 1 when not."""
    if arguments.json:
        with asked(arguments.admin, "/state", {}) as response:
            body = response.read()
        print(msgspec.json.format(body).decode())
        return 0 if msgspec.json.decode(body)["ready"] else 1
    with asked(arguments.admin, "/status", {}) as response:
        print(response.read().decode(), end="")
    try:
        with asked(arguments.admin, "/ready", {}):
            return 0
    except UsageError:
        return 1
