"""What concerns a whole process or its sockets: bind, health, ready, prometheus, reload, and plain switches."""

from __future__ import annotations

import ipaddress

import ifaddr

from minidns.config.corefile.options import MANY, Context, Fields, Option, Options, arguments, choice, no_block
from minidns.config.corefile.tree import Line
from minidns.config.patterns import compiled
from minidns.config.settings import HEALTH, METRICS, READY, Health, Reload
from minidns.config.values import ConfigError, Listen, Network, duration, is_address, network

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
    if args and ":" not in args[0]:
        raise ConfigError(f"{args[0]!r} is no address and port: write {line.name} {default}")
    return Listen.parse(args[0], default.port) if args else default


def reload(line: Line, _context: Context) -> Reload:
    """`reload [INTERVAL] [JITTER]`: the jitter is half of the interval at most, as CoreDNS has it."""
    no_block(line)
    args = arguments(line, "reload [INTERVAL] [JITTER]", 0, 2)
    interval = duration(args[0]) if args else 30.0
    jitter = duration(args[1]) if len(args) > 1 else 15.0
    return Reload(interval=interval, jitter=min(jitter, interval / 2))


def errors(line: Line, _context: Context) -> bool:
    """`errors [stdout]`, with options about how failures are summed up: here each is a line of the log."""
    for arg in arguments(line, "errors [stdout]", 0, 1):
        choice(arg, ("stdout",), "place for errors")
    ERRORS.read(line)
    return True


def _consolidate(args: list[str]) -> Fields:
    duration(args[0])
    compiled(args[1])
    for arg in args[2:]:
        choice(arg, ("warning", "error", "info", "debug", "show_first"), "argument of consolidate")
    return {}


def _stacktrace(_args: list[str]) -> Fields:
    return {}


ERRORS = Options(
    "errors",
    {
        "consolidate": Option("DURATION REGEXP [LEVEL] [show_first]", _consolidate, 2, 4),
        "stacktrace": Option("", _stacktrace),
    },
)


def without_effect(line: Line, _context: Context) -> str:
    """A switch of CoreDNS's own process: whatever its arguments are."""
    return line.name


LOADBALANCE = Options(
    "loadbalance", {"prefer": Option("NETWORK...", lambda args: {"prefer": tuple(map(network, args))}, 1, MANY)}
)


def loadbalance(line: Line, _context: Context) -> tuple[Network, ...]:
    """`loadbalance [round_robin]`: addresses are always rotated. `prefer NETWORK...` puts those of the first network in
    front, and so on."""
    if line.values[:1] == ["weighted"]:
        raise ConfigError("loadbalance weighted is not here: every address comes first as often as the others")
    for arg in arguments(line, "loadbalance [round_robin]", 0, 1):
        choice(arg, ["round_robin"], "policy of loadbalance")
    found: tuple[Network, ...] = LOADBALANCE.read(line).get("prefer", ())
    return found


def bind(line: Line, _context: Context) -> tuple[str, ...]:
    """`bind ADDRESS|INTERFACE...`: the addresses a block listens on, `except` those in the block."""
    args = arguments(line, "bind ADDRESS|INTERFACE...", 1, MANY)
    without = BIND.read(line).get("without", ())
    hosts = [host for arg in args for host in ([arg] if is_address(arg) or arg == "localhost" else _interface(arg))]
    left = tuple(Listen(host, 0).host for host in hosts if host not in without)
    if not left:
        raise ConfigError("bind: no address is left to listen on")
    return left


BIND = Options("bind", {"except": Option("ADDRESS|INTERFACE...", lambda args: {"without": _excepted(args)}, 1, MANY)})


def _excepted(args: list[str]) -> tuple[str, ...]:
    return tuple(host for arg in args for host in ([arg] if is_address(arg) else _interface(arg)))


def _interface(name: str) -> list[str]:
    """The addresses of an interface of this machine, link-local ones left out. Raises ConfigError."""
    adapters = {adapter.name: adapter for adapter in ifaddr.get_adapters()}
    if name not in adapters:
        known = ", ".join(sorted(adapters)) or "none"
        raise ConfigError(f"{name!r} is neither an IP address nor an interface; interfaces: {known}")
    found = [ip.ip if isinstance(ip.ip, str) else ip.ip[0] for ip in adapters[name].ips]
    return [address for address in found if not ipaddress.ip_address(address).is_link_local]
