"""`forward`: where questions that are not the cluster's go."""

from __future__ import annotations

from pathlib import Path

from minidns.config.corefile.options import (
    MANY,
    Context,
    Fields,
    Option,
    Options,
    choice,
    flag,
    rcode_number,
    unknown,
    zones,
)
from minidns.config.corefile.tree import Line
from minidns.config.plugins.forward import Forward, Policy, Upstream, tls_context
from minidns.config.values import ConfigError, duration, is_address, number, split_port, zone_name


def _health_check(args: list[str]) -> Fields:
    # Without a pause between them checks would be a load: 0 is the usual one.
    fields: Fields = {"health_interval": interval} if (interval := duration(args[0])) else {}
    rest = args[1:]
    while rest:
        word = choice(rest.pop(0), ("no_rec", "domain"), "argument of health_check")
        if word == "no_rec":
            fields["health_recursion"] = False
        elif rest:
            fields["health_zone"] = zone_name(rest.pop(0))
        else:
            raise ConfigError("health_check: domain needs a name")
    return fields


def _tls(args: list[str]) -> Fields:
    files = list(map(Path, args))
    fields: Fields = {"ca_cert": files.pop()} if len(files) in (1, 3) else {}
    return {**fields, **dict(zip(("client_cert", "client_key"), files, strict=False))}


def _failover(args: list[str]) -> Fields:
    codes = _rcodes(args)
    if 0 in codes:
        raise ConfigError("failover NOERROR: an answer is not accepted then that is none to improve on")
    return {"failover": codes}


def _rcodes(args: list[str]) -> tuple[int, ...]:
    return tuple(rcode_number(arg.upper()) for arg in args)


def _count(name: str) -> Option:
    return Option("NUMBER", lambda args: {name: number(args[0], name, 0, 2**31 - 1)}, 1, 1)


def _read_timeout(args: list[str]) -> Fields:
    seconds = duration(args[0])
    if not seconds:
        raise ConfigError("read_timeout must be above 0s")
    return {"read_timeout": seconds}


def _source_address(args: list[str]) -> Fields:
    if not is_address(args[0]):
        raise ConfigError(f"the source address {args[0]!r} is not an IP address")
    return {"source_address": args[0]}


def _policy(args: list[str]) -> Fields:
    return {"policy": Policy(choice(args[0], list(Policy), "policy"))}


FORWARD = Options(
    "forward",
    {
        "except": Option("ZONES...", lambda args: {"except_zones": zones(args)}, 1, MANY),
        "force_tcp": flag("force_tcp"),
        "prefer_udp": flag("prefer_udp"),
        "expire": Option("DURATION", lambda args: {"expire": duration(args[0])}, 1, 1),
        "max_fails": _count("max_fails"),
        "max_concurrent": _count("max_concurrent"),
        "max_idle_conns": _count("max_idle_conns"),
        "max_connect_attempts": _count("max_connect_attempts"),
        "read_timeout": Option("DURATION", _read_timeout, 1, 1),
        "source_address": Option("ADDRESS", _source_address, 1, 1),
        "health_check": Option("DURATION [no_rec] [domain NAME]", _health_check, 1, 4),
        "policy": Option("random|round_robin|sequential", _policy, 1, 1),
        "tls": Option("[CERT KEY] [CA]", _tls, 0, 3),
        "tls_servername": Option("NAME", lambda args: {"server_name": args[0]}, 1, 1),
        "next": Option("RCODE...", lambda args: {"next": _rcodes(args)}, 1, MANY),
        "failfast_all_unhealthy_upstreams": flag("fail_fast"),
        "failover": Option("RCODE...", _failover, 1, MANY),
    },
)


def forward(line: Line, context: Context) -> Forward:
    """`forward ZONE TO...`; TO is an address, tls://address, or a file with `nameserver` lines
    (resolv.conf(5)).
    """
    if len(line.args) < 2:
        raise ConfigError("write: forward ZONE TO..., as in `forward . /etc/resolv.conf`")
    zone, *targets = line.values
    names = zones([zone])
    if len(names) > 1:
        raise ConfigError(f"forward takes one zone, and {zone} is {len(names)} zones: {', '.join(names)}")
    fields = FORWARD.read(line)
    server_name = fields.pop("server_name", None)
    upstreams = tuple(up for target in targets for up in _upstreams(target, server_name, context))
    made = Forward(zone=names[0], upstreams=upstreams, **fields)
    if context.expander.files is None and (made.ca_cert or made.client_cert):
        tls_context(made)
    return made


def _upstreams(target: str, server_name: str | None, context: Context) -> list[Upstream]:
    scheme, _, rest = target.rpartition("://")
    if scheme not in ("", "dns", "tls"):
        raise unknown(scheme, ("dns", "tls"), "protocol of an upstream")
    tls = scheme == "tls"
    host, port = split_port(rest)
    if tls and "%" in host:
        host, _, server_name = host.partition("%")
    if is_address(host):
        default = "853" if tls else "53"
        number_ = number(default if port is None else port, "a port", 1, 65535)
        return [Upstream(host=host, port=number_, tls=tls, server_name=server_name if tls else None)]
    if scheme:
        raise ConfigError(f"{host!r} is not an IP address")
    return _from_file(context.expander.path(target))


def _from_file(path: Path) -> list[Upstream]:
    """The upstreams that the `nameserver` lines of a file name."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError) as error:
        raise ConfigError(f"the upstream {str(path)!r} is neither an address nor a file: {error}") from None
    words = [line.split() for line in text.splitlines()]
    found = [line[1] for line in words if len(line) > 1 and line[0] == "nameserver"]
    if not found:
        raise ConfigError(f"{path} names no upstream: it has no nameserver line")
    return [Upstream(host=host) for host in found]
