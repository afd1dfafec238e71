"""What concerns a whole process or its sockets: bind, health, ready, prometheus, reload, and plain switches."""

from __future__ import annotations

from minidns.config.corefile.options import MANY, Context, Fields, Option, Options, arguments, choice, no_block
from minidns.config.corefile.tree import Line
from minidns.config.patterns import compiled
from minidns.config.settings import HEALTH, METRICS, READY, Health, Reload
from minidns.config.values import Listen, duration

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
