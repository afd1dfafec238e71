"""The command line: arguments to a Config, and the subcommands."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from minidns import __version__, explain
from minidns.cli import (
    ask,
    bench,
    checking,
    compare,
    completion,
    following,
    lesson,
    lint,
    running,
    secondaries,
    top,
    verbs,
)
from minidns.cli import commands as commands_
from minidns.cli.offline import OfflineError
from minidns.cli.pod import command as pod
from minidns.cli.repeats import Repeats
from minidns.cli.running import ADMIN
from minidns.config import corefile
from minidns.config.plugins.cache import Cache
from minidns.config.plugins.transfer import Secondary, Transfer
from minidns.config.plugins.tsig import Tsig, read_keys
from minidns.config.settings import (
    DEFAULT_ZONES,
    MAX_WORKERS,
    Cluster,
    Config,
    ConfigError,
    Forward,
    Health,
    Kubernetes,
    Listen,
    Manifests,
    PodMode,
    ServerBlock,
)  # fmt: skip
from minidns.config.values import UsageError, network, number, zone_name
from minidns.source.kubernetes.kubeconfig import ConnectError
from minidns.source.manifests.source import ManifestError

#: Where `serve` listens unless it is told otherwise: a port that needs no privileges, on this machine only.
LISTEN = "localhost:1053"
#: Seconds that a server with --probes answers on after SIGTERM, so that the cluster stops sending: those of kubeadm's
#: Corefile.
LAMEDUCK = 5.0

_LEVELS = ("debug", "info", "warning", "error")

_EXAMPLES = """\
on the pods of manifests: scale, delete, rollout restart, unready, ready, reset
examples:
  minidns serve --manifests config/demo   no cluster needed: a folder of YAML
  minidns serve [--conf Corefile]         in a cluster, or beside one
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Exit codes: 0 done, 1 it failed, or the answer is no, 2 it cannot be done as asked for."""
    arguments = _parsed(_with_command(list(sys.argv[1:] if argv is None else argv)))
    logging.basicConfig(level=arguments.log.upper(), format="%(message)s", handlers=[Repeats()])
    logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it counts raw events; ours say what they changed
    try:
        return int(arguments.run(arguments))
    except (ConfigError, UsageError, ManifestError, ConnectError, OfflineError) as error:
        print(f"minidns: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Whoever read the output has seen enough; flushing the rest at the end would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"minidns: {where}{error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parsed(argv: list[str]) -> argparse.Namespace:
    """As a parser does; a type may stand behind options, too, where argparse expects nothing that can be left out."""
    parser = _parser()
    arguments, rest = parser.parse_known_args(argv)
    if len(rest) == 1 and not rest[0].startswith("-") and getattr(arguments, "type", "") is None:
        arguments.type = rest.pop()
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return arguments


def _with_command(argv: list[str]) -> list[str]:
    """`serve` is what is meant when no command is named; `-conf` is how CoreDNS has it."""
    argv = ["-" + word if word.partition("=")[0] == "-conf" else word for word in argv]
    if argv and (argv[0] in ("-h", "--help", "--version") or not argv[0].startswith("-")):
        return argv
    return ["serve", *argv]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="minidns",
        description="A DNS server for Kubernetes that answers right, fast, and says why.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"minidns {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    serve = _command(commands, "serve", _serve, "answer DNS (the default)")
    _add_source(serve)
    _add_zone(serve)
    _add_server(serve)
    zone = _command(commands, "zone", _zone, "print the zone as a zone file")
    _add_source(zone)
    _add_zone(zone)
    running.add_admin(zone, None)
    zone.add_argument("--origin", metavar="NAME", help="print this zone, such as in-addr.arpa, instead of the first")
    why = _command(commands, "explain", _explain, "say why a name answers as it does")
    why.add_argument("name", help="as a pod would write it with --from, else whole")
    why.add_argument("type", nargs="?", help="A by default; with --from A and AAAA")
    why.add_argument("--from", dest="namespace", metavar="NAMESPACE", help="walk the search list of a pod there")
    why.add_argument("--ndots", default="", help=f"of that pod's resolver ({explain.NDOTS})")
    why.add_argument("--libc", default="", help="whose resolver that is: glibc (the default) or musl")
    changes = _command(commands, "watch", _watch, "print changes as they happen")
    following.add_watch_arguments(changes)
    for command in (why, changes):
        command.add_argument("--json", action="store_true", help="for programs")
        running.add_admin(command)
        _add_source(command, filled=command is why)
        _add_zone(command)
    asked = _command(commands, "queries", following.queries_command, "print queries as they are answered, and why so")
    asked.add_argument("--json", action="store_true", help="for programs")
    following.add_queries_arguments(asked)
    top_ = _command(commands, "top", top.top_command, "show who asks how much of what; q ends it")
    top.add_arguments(top_)
    for command in (asked, top_):
        running.add_admin(command)
    secondaries_ = _command(
        commands,
        "secondaries",
        secondaries.run,
        "list the servers that take zones from a running one",
    )
    running.add_admin(secondaries_)
    secondaries_.add_argument("--json", action="store_true", help="for programs")
    status = _command(commands, "status", commands_.status_command, "print the state of a running server")
    running.add_admin(status)
    status.add_argument("--json", action="store_true", help="for programs")
    ask.add_arguments(_command(commands, "ask", ask.run, "ask a DNS server, and read its answer to a learner"), LISTEN)
    # One line of the epilog lists them together: help fits one screen.
    verbs.add_commands(partial(_command, commands, listed=False))
    lesson.add_command(partial(_command, commands))
    compare_ = _command(commands, "compare", _compare, "ask another server everything, beside what the objects say")
    compare.add_arguments(compare_)
    _add_source(compare_)
    _add_zone(compare_)
    bench_ = _command(commands, "bench", bench.run, "measure a server with the names of its zone, by dnsperf")
    bench.add_arguments(bench_)
    pod.add_arguments(_command(commands, "pod", pod.run, "run a command that resolves names as in a pod"), LISTEN)
    lint.add_arguments(_command(commands, "lint", lint.run, "say what is wrong with manifests, or hardly meant"))
    checking.add_arguments(_command(commands, "check", checking.run, "say what a Corefile means, and what is wrong"))
    completed = partial(completion.run, parser)
    shells = _command(commands, "completion", completed, "print what completes commands in a shell", listed=False)
    completion.add_arguments(shells)
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: object,
    text: str,
    *,
    listed: bool = True,
) -> argparse.ArgumentParser:
    described = partial(commands.add_parser, name, description=text[0].upper() + text[1:] + ".")
    parser = described(help=text) if listed else described()
    parser.set_defaults(run=run)
    # What is hardly meant in manifests is a warning: `lint` is asked for it, the other commands are not.
    default = "info" if run is _serve else "error"
    parser.add_argument("--log", default=default, metavar="LEVEL", choices=_LEVELS, help=f"log {', '.join(_LEVELS)}")
    return parser


def _add_source(parser: argparse.ArgumentParser, *, filled: bool = True) -> None:
    """filled: --namespace is that of objects without one; `watch` has another meaning for it."""
    group = parser.add_argument_group("where objects come from (else: the cluster around, or the usual kubeconfig)")
    group.add_argument("--manifests", type=Path, metavar="PATH", help="a folder of YAML, or one file; - reads input")
    if filled:
        group.add_argument(
            "--namespace", dest="into", metavar="NAME", help="for manifests: of objects that name none (default)"
        )
    group.add_argument("--kubeconfig", type=Path, metavar="FILE")
    group.add_argument("--context", metavar="NAME", help="of the kubeconfig")
    group.add_argument(
        "--service-cidr", action="append", metavar="CIDR", help="for manifests: ClusterIPs (repeat for IPv6)"
    )
    group.add_argument(
        "--pod-cidr", action="append", metavar="CIDR", help="for manifests: pod addresses (repeat for IPv6)"
    )


def _add_zone(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is answered")
    group.add_argument("--zone", action="append", metavar="NAME", help="cluster.local in-addr.arpa ip6.arpa by default")
    group.add_argument("--ttl", type=int, default=5, metavar="SECONDS", help="of every record (5)")
    modes = [mode.value for mode in PodMode]
    text = f"names by pod address: {', '.join(modes)}"
    group.add_argument("--pods", choices=modes, metavar="MODE", default="disabled", help=text)
    group.add_argument("--endpoint-pod-names", action="store_true", help="name endpoints without hostname after pods")


def _add_server(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how it is served")
    group.add_argument("--conf", type=Path, metavar="COREFILE", help="everything above from a Corefile")
    group.add_argument("--listen", action="append", metavar="ADDRESS", help=f"host:port, repeatable ({LISTEN})")
    group.add_argument(
        "--forward", action="append", metavar="UPSTREAM", help="for names outside: address, or resolv.conf"
    )
    group.add_argument(
        "--transfer",
        action="append",
        metavar="SECONDARY",
        help="who gets the zones: address[:port][#key], or *",
    )
    group.add_argument("--transfer-keys", type=Path, metavar="FILE", help="their keys, as tsig-keygen writes them")
    group.add_argument("--no-ede", dest="ede", action="store_false", help="do not say why in answers (RFC 8914)")
    group.add_argument("--admin", default=ADMIN, metavar="ADDRESS", help=f"health, metrics, explain ({ADMIN}), or none")
    group.add_argument("--probes", metavar="ADDRESS", help="health, ready, metrics and no more, for a cluster")
    group.add_argument("--workers", default="1", metavar="N", help="processes that share the port, auto: one per core")
    group.add_argument("--state", type=Path, metavar="FILE", help="keep what is known over a restart")


def _serve(arguments: argparse.Namespace) -> int:
    from minidns import app  # the other commands do without sockets and clusters

    reread = partial(_config, arguments)
    config = reread()
    return 0 if asyncio.run(app.serve(config, reread)) else 1


def config_of(argv: Sequence[str]) -> Config:
    """The configuration that a command line of `serve` means. Raises ConfigError or UsageError."""
    return _config(_parser().parse_args(_with_command(list(argv))))


def _config(arguments: argparse.Namespace) -> Config:
    workers = 0 if arguments.workers == "auto" else number(arguments.workers, "--workers", 1, MAX_WORKERS)
    admin = None if arguments.admin == "none" else Listen.parse(arguments.admin)
    if arguments.conf is not None:
        if arguments.probes is not None:
            raise UsageError("--probes goes with flags: a Corefile has health, ready and prometheus for it")
        config = corefile.read(arguments.conf)
        source = config.source if arguments.manifests is None else _source(arguments)
        return replace(config, source=source, admin=admin, workers=workers, state=arguments.state)
    forwards = _forwards(arguments.forward) if arguments.forward else ()
    block = ServerBlock(
        listen=tuple(Listen.parse(text) for text in arguments.listen or (LISTEN,)),
        kubernetes=_kubernetes(arguments, ede=arguments.ede),
        forwards=forwards,
        cache=Cache() if forwards else None,
        transfers=(Transfer(to=tuple(map(Secondary.parse, arguments.transfer))),) if arguments.transfer else (),
        tsig=Tsig(keys=read_keys(arguments.transfer_keys)) if arguments.transfer_keys else None,
    )
    probes = () if arguments.probes is None else (Listen.parse(arguments.probes),)
    return Config(
        servers=(block,),
        source=_source(arguments),
        admin=admin,
        health=tuple(Health(listen=listen, lameduck=LAMEDUCK) for listen in probes),
        ready=probes,
        metrics=probes,
        workers=workers,
        state=arguments.state,
    )


def _forwards(upstreams: list[str]) -> tuple[Forward, ...]:
    """As a Corefile has it, so that both mean the same."""
    quoted = " ".join('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in upstreams)
    return corefile.parse(f". {{\n forward . {quoted}\n}}", file="--forward").servers[0].forwards


def _kubernetes(arguments: argparse.Namespace, *, ede: bool = True) -> Kubernetes:
    return Kubernetes(
        zones=tuple(zone_name(text) for text in arguments.zone) if arguments.zone else DEFAULT_ZONES,
        ttl=arguments.ttl,
        pods=PodMode(arguments.pods),
        endpoint_pod_names=arguments.endpoint_pod_names,
        ede=ede,
    )


def _source(arguments: argparse.Namespace) -> Manifests | Cluster:
    if arguments.manifests is None:
        return Cluster(kubeconfig=arguments.kubeconfig, context=arguments.context)
    if arguments.kubeconfig is not None:
        raise UsageError("--manifests and --kubeconfig both name a source: keep one of them")
    given: dict[str, Any] = {
        "namespace": getattr(arguments, "into", None),
        "service_cidrs": arguments.service_cidr and tuple(map(network, arguments.service_cidr)),
        "pod_cidrs": arguments.pod_cidr and tuple(map(network, arguments.pod_cidr)),
    }
    return Manifests(path=arguments.manifests, **{name: value for name, value in given.items() if value})


def _zone(arguments: argparse.Namespace) -> int:
    return commands_.zone_command(arguments, _offline(arguments), _kubernetes(arguments))


def _explain(arguments: argparse.Namespace) -> int:
    return commands_.explain_command(arguments, _offline(arguments), _kubernetes(arguments))


def _watch(arguments: argparse.Namespace) -> int:
    return following.watch_command(arguments, _offline(arguments), _kubernetes(arguments))


def _compare(arguments: argparse.Namespace) -> int:
    kubernetes = _kubernetes(arguments)
    if arguments.conf is not None and _offline(arguments) is None:
        raise UsageError("--conf says how objects become answers: name where they come from, too")
    if arguments.conf is not None:
        config = corefile.read(arguments.conf)
        kubernetes = next((block.kubernetes for block in config.servers if block.kubernetes), kubernetes)
    source = _offline(arguments)
    return compare.compare_command(arguments, source, kubernetes)


def _offline(arguments: argparse.Namespace) -> Manifests | Cluster | None:
    """The source to ask instead of a running server, when one is named."""
    return _source(arguments) if arguments.manifests or arguments.kubeconfig else None
