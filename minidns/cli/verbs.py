"""The commands that play the cluster of a running server: scale, delete, rollout, unready, ready, reset."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from minidns.admin.verbs import Done, Journal
from minidns.cli.running import add_admin, asked
from minidns.config.values import UsageError
from minidns.source.manifests.controllers import verbs
from minidns.source.manifests.controllers.verbs import Verb, VerbError
from minidns.source.manifests.stage import PACE

#: Seconds between two looks at what a verb has done.
_LOOK = 0.1

#: Adds a subcommand: its name, what runs, and a line about it.
Add = Callable[[str, object, str], argparse.ArgumentParser]


def add_commands(add: Add) -> None:
    """Put the verbs into a parser."""

    def verb(name: str, run: object, text: str, example: str) -> argparse.ArgumentParser:
        parser = add(name, run, text)
        parser.add_argument("target", nargs="+", metavar="KIND/NAME", help=example)
        _add_common(parser)
        return parser

    scale = verb("scale", _scale, "give a workload another number of pods", "such as statefulset/web")
    scale.add_argument("--replicas", type=int, required=True, metavar="N")
    verb("delete", _delete, "end a pod, as its workload would make another", "such as pod/web-0")
    rollout = verb("rollout", _rollout, "exchange every pod of a workload", "restart deployment/web")
    rollout.usage = "minidns rollout restart KIND/NAME [options]"
    verb("unready", _unready, "play a readiness probe that fails", "such as pod/web-0")
    verb("ready", _ready, "play a readiness probe that passes", "such as pod/web-0")
    _add_common(add("reset", _reset, "take back what all verbs did"))


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-n", "--namespace", default="default", metavar="NAME", help="of the object (default)")
    parser.add_argument("--pace", type=float, default=PACE, metavar="SECONDS", help=f"between two steps ({PACE:g})")
    parser.add_argument("--no-wait", action="store_true", help="do not wait for the steps after the first")
    parser.add_argument("--json", action="store_true", help="for programs")
    add_admin(parser)


def _scale(arguments: argparse.Namespace) -> int:
    return _do(arguments, verbs.Scale, _target(arguments), replicas=arguments.replicas)


def _delete(arguments: argparse.Namespace) -> int:
    return _do(arguments, verbs.Delete, _target(arguments))


def _rollout(arguments: argparse.Namespace) -> int:
    action, *arguments.target = arguments.target
    if action != "restart":
        raise UsageError(f"rollout knows restart, not {action}: minidns rollout restart deployment/NAME")
    return _do(arguments, verbs.Restart, _target(arguments))


def _unready(arguments: argparse.Namespace) -> int:
    return _do(arguments, verbs.Unready, _target(arguments))


def _ready(arguments: argparse.Namespace) -> int:
    return _do(arguments, verbs.Ready, _target(arguments))


def _reset(arguments: argparse.Namespace) -> int:
    return _send(arguments, verbs.Reset())


def _target(arguments: argparse.Namespace) -> str:
    """KIND/NAME, which kubectl takes as KIND NAME too."""
    if len(arguments.target) > 2 or (len(arguments.target) == 2 and "/" in "".join(arguments.target)):
        raise UsageError("one object at a time: KIND/NAME")
    return "/".join(arguments.target)


def _do(arguments: argparse.Namespace, kind: type[Verb], target: str, **more: Any) -> int:
    given = {"verb": kind.__struct_config__.tag, "target": target, "namespace": arguments.namespace, **more}
    try:
        return _send(arguments, verbs.decode(msgspec.json.encode(given)))
    except VerbError as error:
        raise UsageError(str(error)) from None


def _send(arguments: argparse.Namespace, verb: Verb) -> int:
    """Ask for it, and print what it changes as it goes on."""
    if not isinstance(verb, verbs.Reset):
        verbs.check(verb)
    query = {"pace": str(arguments.pace)}
    with asked(arguments.admin, "/verbs", query, body=msgspec.json.encode(verb)) as response:
        body = response.read()
    done = msgspec.json.decode(body, type=Done)
    if not arguments.json:
        print(done.said)
    for text in _steps(arguments, done):
        print(text, flush=True)
    return 0


def _steps(arguments: argparse.Namespace, done: Done) -> Iterator[str]:
    """Every step of the verb, the first at once, as text or as JSON."""
    told, number = done.told, done.told.number
    yield msgspec.json.encode(told).decode() if arguments.json else told.text
    left = told.left
    if left and arguments.no_wait:
        left = 0
        if not arguments.json:
            yield f"{told.left} more to come, one every {arguments.pace:g} s"
    while left:
        time.sleep(_LOOK)
        with asked(arguments.admin, "/verbs", {"since": str(number)}) as response:
            journal = msgspec.json.decode(response.read(), type=Journal)
        for told in journal.told:
            number = told.number
            if done.command in told.commands:
                left = told.left
                yield msgspec.json.encode(told).decode() if arguments.json else told.text
        left = left if journal.under_way else 0
