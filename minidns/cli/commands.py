"""The commands that ask a running server by its admin port, or the objects themselves: explain, status."""

from __future__ import annotations

import argparse
import asyncio

import msgspec
from rich.console import Console

from minidns import explain
from minidns.cli import offline
from minidns.cli.running import asked
from minidns.config.settings import Cluster, Kubernetes, Manifests
from minidns.config.values import UsageError
from minidns.explain import Explanation, SearchExplanation


def explain_command(arguments: argparse.Namespace, source: Manifests | Cluster | None, kubernetes: Kubernetes) -> int:
    """Print an explanation. 0 when the name resolves, or somebody else has to say; 1 when it does not."""
    query = {"name": arguments.name, "type": arguments.type or "", "from": arguments.namespace or ""}
    query["ndots"] = str(arguments.ndots)
    found: Explanation | SearchExplanation
    if source is None:
        with asked(arguments.admin, "/explain", query) as response:
            body = response.read()
        if arguments.namespace:
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


def status_command(arguments: argparse.Namespace) -> int:
    """Print the state of a running server. 0 when it is ready, 1 when not."""
    with asked(arguments.admin, "/status", {}) as response:
        print(response.read().decode(), end="")
    try:
        with asked(arguments.admin, "/ready", {}):
            return 0
    except UsageError:
        return 1
