"""Each plugin of a server block: its line to a value of the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from minidns.config.corefile.options import (
    Context,
    Fields,
    Option,
    Options,
    arguments,
    choice,
    flag,
    no_block,
    zones,
    zones_or_all,
)  # fmt: skip
from minidns.config.corefile.tree import Line
from minidns.config.plugins import COMBINED_LOG, COMMON_LOG
from minidns.config.settings import (
    HEALTH,
    METRICS,
    READY,
    Cache,
    CacheClass,
    Cluster,
    Health,
    Hosts,
    Kubernetes,
    Log,
    PodMode,
    Reload,
)
from minidns.config.values import ConfigError, Listen, duration, hosts_line, number

MANY = 1000


def _context(args: list[str]) -> Fields:
    return {"kubeconfig": Path(args[0]), "context": args[1] if len(args) > 1 else None}


def _on_off(args: list[str]) -> Fields:
    return {"ede": choice(args[0], ("on", "off"), "value of ede") == "on"}


KUBERNETES = Options(
    "kubernetes",
    {
        "kubeconfig": Option("FILE [CONTEXT]", _context, 1, 2),
        "endpoint": Option("URL", lambda args: {"endpoint": args[0]}, 1, 1),
        "tls": Option(
            "CERT KEY CACERT",
            lambda args: dict(zip(("client_cert", "client_key", "ca_cert"), map(Path, args), strict=True)),
            3,
            3,
        ),
        "namespaces": Option("NAMESPACE...", lambda args: {"namespaces": tuple(args)}, 1, MANY),
        "labels": Option("SELECTOR", lambda args: {"labels": " ".join(args)}, 1, MANY),
        "namespace_labels": Option("SELECTOR", lambda args: {"namespace_labels": " ".join(args)}, 1, MANY),
        "pods": Option(
            "disabled|insecure|verified",
            lambda args: {"pods": PodMode(choice(args[0], list(PodMode), "value of pods"))},
            1,
            1,
        ),
        "endpoint_pod_names": flag("endpoint_pod_names"),
        "ttl": Option("SECONDS", lambda args: {"ttl": number(args[0], "ttl", 0, 3600)}, 1, 1),
        "noendpoints": flag("noendpoints"),
        "fallthrough": Option("[ZONES...]", lambda args: {"fallthrough": zones_or_all(args)}, 0, MANY),
        "ignore": Option(
            "empty_service",
            lambda args: {"ignore_empty_service": choice(args[0], ["empty_service"], "value of ignore") != ""},
            1,
            1,
        ),
        "startup_timeout": Option("DURATION", lambda args: {"startup_timeout": duration(args[0])}, 1, 1),
        "ede": Option("on|off", _on_off, 1, 1),
    },
)
_CLUSTER_FIELDS = frozenset(Cluster.__dataclass_fields__)


def kubernetes(line: Line, context: Context) -> tuple[Kubernetes, Cluster]:
    """How names are answered, and where the objects come from."""
    fields = KUBERNETES.read(line)
    cluster = {name: fields.pop(name) for name in _CLUSTER_FIELDS & set(fields)}
    return Kubernetes(zones=zones(line.values) or context.zones, **fields), Cluster(**cluster)


def _ttl(text: str) -> int:
    return number(text, "a cache TTL", 1, 86400)


def _cache_class(name: str) -> Option:
    def read(args: list[str]) -> Fields:
        fields: Fields = {"capacity": number(args[0], "a capacity", 1, 10_000_000)}
        if len(args) > 1:
            fields["ttl"] = _ttl(args[1])
        if len(args) > 2:
            fields["min_ttl"] = number(args[2], "a lowest TTL", 0, 86400)
        return {name: fields}

    return Option("CAPACITY [TTL] [MINTTL]", read, 1, 3)


def _prefetch(args: list[str]) -> Fields:
    fields: Fields = {"prefetch": number(args[0], "prefetch", 0, 1_000_000)}
    if len(args) > 1:
        fields["prefetch_gap"] = duration(args[1])
    if len(args) > 2:
        if not args[2].endswith("%"):
            raise ConfigError(f"a percentage ends with %, as in 10%, unlike {args[2]!r}")
        fields["prefetch_percent"] = number(args[2][:-1], "the prefetch percentage", 10, 90)
    return fields


def _serve_stale(args: list[str]) -> Fields:
    modes = {"immediate": False, "verify": True, "verified": True}
    fields: Fields = {"serve_stale": duration(args[0]) if args else 3600.0}
    if len(args) > 1:
        fields["verify_stale"] = modes[choice(args[1], modes, "refresh mode")]
    return fields


def _disable(args: list[str]) -> Fields:
    kind = choice(args[0], ("success", "denial"), "class to disable")
    return {f"disable_{kind}": zones_or_all(args[1:])}


CACHE = Options(
    "cache",
    {
        "success": _cache_class("success"),
        "denial": _cache_class("denial"),
        "prefetch": Option("AMOUNT [DURATION] [PERCENTAGE%]", _prefetch, 1, 3),
        "serve_stale": Option("[DURATION] [immediate|verify]", _serve_stale, 0, 2),
        "servfail": Option("DURATION", lambda args: {"servfail": duration(args[0])}, 1, 1),
        "disable": Option("success|denial [ZONES...]", _disable, 1, MANY),
        "keepttl": flag("keep_ttl"),
    },
)


def cache(line: Line, context: Context) -> Cache:
    """`cache [TTL] [ZONES...]`: the TTL, when there is one, bounds both classes."""
    args, ttl = line.values, {}
    if args and args[0].isdigit():
        ttl = {"ttl": _ttl(args.pop(0))}
    fields = CACHE.read(line)
    success = CacheClass(**{"ttl": 3600, **ttl, **fields.pop("success", {})})
    denial = CacheClass(**{"ttl": 1800, **ttl, **fields.pop("denial", {})})
    return Cache(zones=zones(args) or context.zones, success=success, denial=denial, **fields)


HOSTS = Options(
    "hosts",
    {
        "ttl": Option("SECONDS", lambda args: {"ttl": number(args[0], "ttl", 1, 65535)}, 1, 1),
        "reload": Option("DURATION", lambda args: {"reload": duration(args[0])}, 1, 1),
        "no_reverse": flag("reverse", False),
        "fallthrough": Option("[ZONES...]", lambda args: {"fallthrough": zones_or_all(args)}, 0, MANY),
    },
)


def _inline(line: Line) -> Fields | None:
    entry = hosts_line(" ".join([line.name, *line.values]))
    return None if entry is None else {"inline": (entry,)}


def hosts(line: Line, context: Context) -> Hosts:
    """`hosts [FILE [ZONES...]]`; lines that begin with an address are entries."""
    args = line.values
    path = context.expander.path(args[0] if args else "/etc/hosts")
    return Hosts(path=path, zones=zones(args[1:]) or context.zones, **HOSTS.read(line, _inline))


def _classes(args: list[str]) -> Fields:
    known = ("all", "success", "denial", "error")
    return {"classes": tuple(choice(arg, known, "class of answers") for arg in args)}


LOG = Options(
    "log",
    {
        "class": Option("all|success|denial|error...", _classes, 1, 4),
        "minDuration": Option("DURATION", lambda args: {"min_duration": duration(args[0])}, 1, 1),
    },
)


def log(line: Line, context: Context) -> Log:
    """`log [NAMES...] [FORMAT]`: what has a brace in it is the format."""
    args, form = line.values, COMMON_LOG
    if args and "{" in args[-1]:
        form = args.pop().replace("{common}", COMMON_LOG).replace("{combined}", COMBINED_LOG)
    fields = LOG.read(line)
    classes = frozenset(fields.pop("classes", ("all",)))
    return Log(zones=zones(args) or context.zones, format=form, classes=classes, **fields)


HEALTH_OPTIONS = Options("health", {"lameduck": Option("DURATION", lambda args: {"lameduck": duration(args[0])}, 1, 1)})


def health(line: Line, _context: Context) -> Health:
    return Health(listen=_listen(line, HEALTH), **HEALTH_OPTIONS.read(line))


def ready(line: Line, _context: Context) -> Listen:
    no_block(line)
    return _listen(line, READY)


def prometheus(line: Line, _context: Context) -> Listen:
    no_block(line)
    return _listen(line, METRICS)


def _listen(line: Line, default: Listen) -> Listen:
    args = arguments(line, f"{line.name} [ADDRESS]", 0, 1)
    return Listen.parse(args[0], default.port) if args else default


def reload(line: Line, _context: Context) -> Reload:
    """`reload [INTERVAL] [JITTER]`: the jitter is half of the interval at most, as CoreDNS has it."""
    no_block(line)
    args = arguments(line, "reload [INTERVAL] [JITTER]", 0, 2)
    interval = duration(args[0]) if args else 30.0
    jitter = duration(args[1]) if len(args) > 1 else 15.0
    return Reload(interval=interval, jitter=min(jitter, interval / 2))


def switch(line: Line, _context: Context) -> bool:
    """`errors` and `loop`: present or not."""
    no_block(line)
    arguments(line, line.name, 0, 0)
    return True


def loadbalance(line: Line, _context: Context) -> None:
    """Nothing to set: addresses are always rotated from answer to answer."""
    no_block(line)
    for arg in arguments(line, "loadbalance [round_robin]", 0, 1):
        choice(arg, ["round_robin"], "policy of loadbalance")


def bind(line: Line, _context: Context) -> tuple[str, ...]:
    """`bind ADDRESS...`: the addresses a block listens on."""
    no_block(line)
    args = arguments(line, "bind ADDRESS...", 1, MANY)
    return tuple(Listen(arg, 0).host for arg in args)


#: Plugins that may stand several times in a server block; all others once.
REPEATABLE = frozenset({"forward", "rewrite", "log", "bind"})
READERS: dict[str, Any] = {
    "bind": bind,
    "cache": cache,
    "errors": switch,
    "health": health,
    "hosts": hosts,
    "kubernetes": kubernetes,
    "loadbalance": loadbalance,
    "log": log,
    "loop": switch,
    "prometheus": prometheus,
    "ready": ready,
    "reload": reload,
}
