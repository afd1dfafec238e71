"""A configuration in a few lines: what `minidns check` says it understood."""

from __future__ import annotations

from collections.abc import Iterator

from minidns.config.plugins.rewrite import AnyRewrite, Rewrite, RewriteRcode, RewriteTtl, RewriteType
from minidns.config.plugins.template import Template
from minidns.config.settings import (
    Cache,
    Cluster,
    Config,
    Forward,
    Hosts,
    Kubernetes,
    Manifests,
    ServerBlock,
    Tsig,
)
from minidns.config.values import ZoneName
from minidns.core import records
from minidns.core.records import RCODES, type_text

_ANY = 255
#: What is not worth a word.
_CACHE = Cache()


def describe(config: Config) -> str:
    """What is served, from where, and on which ports; a line per fact."""
    lines = [line for server in config.servers for line in _server(server)]
    if isinstance(config.source, Manifests):
        lines.append(f"objects from the manifests in {config.source.path}")
    elif config.source:
        lines.append(f"objects from {_cluster(config.source)}")
    ports = [f"{name} {listen}" for name, listen in _ports(config) if listen]
    if ports:
        lines.append(", ".join(ports))
    if config.reload:
        lines.append(f"read again when it changes, a look every {_seconds(config.reload.interval)}")
    return "\n".join(lines)


def _server(server: ServerBlock) -> Iterator[str]:
    zones = "every name" if server.zones == (".",) else " ".join(server.zones)
    yield f"{' '.join(map(str, server.listen))} serves {zones}"
    yield from _before(server)
    for rewrite in server.rewrites:
        yield f"  rewrite {_rewrite(rewrite)}"
    yield from _made_up(server)
    if server.hosts:
        yield f"  hosts {_hosts(server.hosts)}"
    if server.kubernetes:
        yield f"  kubernetes {_kubernetes(server.kubernetes)}"
    for forward in server.forwards:
        yield f"  forward {_forward(forward)}"
    for transfer in server.transfers:
        yield f"  transfer {_zones(transfer.zones)} to {' '.join(map(str, transfer.to))}"
    if server.tsig:
        yield f"  tsig {_tsig(server.tsig)}"
    if server.cache:
        yield f"  cache {_cache(server.cache, server.zones)}"
    if server.whoami:
        yield "  whoami for what nobody else answers"
    switches = (("errors", server.errors), ("loop", server.loop), ("loadbalance", server.prefer == ()))
    on = [name for name, is_on in switches if is_on]
    on += [f"log {' '.join(sorted(log.classes))}" for log in server.logs]
    if on:
        yield "  " + ", ".join(on)
    if server.without_effect:
        yield f"  does nothing here: {', '.join(dict.fromkeys(server.without_effect))}"


def _before(server: ServerBlock) -> Iterator[str]:
    """What comes before the rules of rewrite."""
    if server.nsid is not None:
        yield f"  nsid {server.nsid}"
    if server.bufsize is not None:
        yield f"  UDP answers of at most {server.bufsize} bytes"
    if dns64 := server.dns64:
        whom = "every client" if dns64.allow_ipv4 else "clients over IPv6"
        what = "every name" if dns64.translate_all else "names without an IPv6 address"
        yield f"  dns64 {dns64.prefix} for {what}, {whom}"


def _made_up(server: ServerBlock) -> Iterator[str]:
    """What comes between the rules of rewrite and hosts."""
    for acl in server.acls:
        for policy in acl.policies:
            types = " ".join(map(type_text, sorted(policy.types))) or "every type"
            networks = " ".join(map(str, policy.networks)) or "everywhere"
            yield f"  acl for {' '.join(acl.zones)}: {policy.action} {types} from {networks}"
    if server.any:
        yield "  any: a word about RFC 8482 for questions for ANY"
    if server.chaos:
        yield f"  chaos version {server.chaos.version}, authors {', '.join(server.chaos.authors)}"
    if server.prefer:
        yield f"  loadbalance: first the addresses of {', then '.join(map(str, server.prefer))}"
    if autopath := server.autopath:
        of = "of the pod that asks" if autopath.kubernetes else " ".join(autopath.search) or "of nobody"
        yield f"  autopath: the search list {of}, for {' '.join(autopath.zones)}"
    if server.minimal:
        yield "  minimal: answers without authority and additional records"
    for template in server.templates:
        yield f"  template {_template(template)}"


def _template(template: Template) -> str:
    type_ = "every type" if template.type == _ANY else type_text(template.type)
    names = f" matching {' or '.join(template.patterns)}" if template.patterns else ""
    records = len(template.answer) + len(template.authority) + len(template.additional)
    through = f", fallthrough {' '.join(template.fallthrough)}" if template.fallthrough else ""
    return f"for {type_} below {' '.join(template.zones)}{names}: {_rcode(template.rcode)}, {records} records{through}"


def _rcode(number: int) -> str:
    return RCODES.get(number, f"rcode {number}")


def _rewrite(rule: AnyRewrite) -> str:
    match rule:
        case Rewrite():
            return f"{rule.match} {rule.pattern} to {rule.replacement}"
        case RewriteType():
            return f"questions for {type_text(rule.before)} to {type_text(rule.after)}"
        case RewriteTtl():
            seconds = f"{rule.low}" if rule.low == rule.high else f"{rule.low} to {rule.high}"
            return f"TTLs of {rule.match} {rule.pattern} to {seconds}s"
        case RewriteRcode():
            return f"{_rcode(rule.before)} of {rule.match} {rule.pattern} to {_rcode(rule.after)}"


def _kubernetes(options: Kubernetes) -> str:
    facts = [f"{' '.join(options.zones)}: ttl {options.ttl}", f"pods {options.pods}"]
    facts += [
        name.replace("_", " ")
        for name in ("endpoint_pod_names", "noendpoints", "ignore_empty_service")
        if getattr(options, name)
    ]
    if options.multicluster:
        facts.append(f"ServiceImports of the cluster set in {' '.join(options.multicluster)}")
    if options.fallthrough:
        facts.append(f"fallthrough {' '.join(options.fallthrough)}")
    return ", ".join(facts if options.ede else [*facts, "ede off"])


def _tsig(options: Tsig) -> str:
    keys = f"{_zones(options.zones)} by {' '.join(key.name.rstrip('.') for key in options.keys)}"
    if options.require is None:
        return f"{keys}, every question signed"
    types = " ".join(map(records.type_text, sorted(options.require)))
    return f"{keys}, questions for {types} signed" if types else keys


def _zones(zones: tuple[ZoneName, ...]) -> str:
    return "every zone" if zones == (".",) else " ".join(zones)


def _cluster(cluster: Cluster) -> str:
    if cluster.kubeconfig:
        where = f"{cluster.kubeconfig}" + (f" (context {cluster.context})" if cluster.context else "")
    else:
        where = cluster.endpoint or "the cluster it runs in, or the usual kubeconfig"
    chosen = [f"namespaces {' '.join(cluster.namespaces)}"] if cluster.namespaces else []
    chosen += [f"labels {cluster.labels}"] if cluster.labels else []
    chosen += [f"namespace labels {cluster.namespace_labels}"] if cluster.namespace_labels else []
    return ", ".join([where, *chosen])


def _forward(options: Forward) -> str:
    zone = "every other name" if options.zone == "." else options.zone
    facts = [f"{zone} to {' '.join(map(str, options.upstreams))}"]
    if len(options.upstreams) > 1:
        facts.append(str(options.policy))
    if options.max_concurrent:
        facts.append(f"at most {options.max_concurrent} at once")
    if options.except_zones:
        facts.append(f"except {' '.join(options.except_zones)}")
    facts += [text for text, is_on in _switches(options) if is_on]
    return ", ".join(facts)


def _switches(options: Forward) -> Iterator[tuple[str, object]]:
    """What is said of a forward that has it, and whether it has."""
    yield "over TCP", options.force_tcp
    yield "UDP first", options.prefer_udp
    yield f"the next one at {_rcodes(options.next)}", options.next
    yield f"another upstream at {_rcodes(options.failover)}", options.failover
    yield "fails fast", options.fail_fast
    yield f"an attempt takes {_seconds(options.read_timeout)} at most", options.read_timeout != 2
    yield f"{options.max_connect_attempts} attempts at most", options.max_connect_attempts
    yield f"from {options.source_address}", options.source_address
    yield f"unhealthy after {options.max_fails} failed checks", options.max_fails != 2
    yield f"checks every {_seconds(options.health_interval)}", options.health_interval != 0.5


def _rcodes(numbers: tuple[int, ...]) -> str:
    return " ".join(map(_rcode, numbers))


def _below(zones: tuple[ZoneName, ...]) -> str:
    return "at all" if zones == (".",) else f"below {' '.join(zones)}"


def _cache(options: Cache, zones: tuple[ZoneName, ...]) -> str:
    facts = [f"up to {options.success.ttl}s, negative {options.denial.ttl}s"]
    if options.zones != zones:
        facts.insert(0, f"below {' '.join(options.zones)}")
    for name, limits in (("answers", options.success), ("negative answers", options.denial)):
        if limits.min_ttl != _CACHE.success.min_ttl:
            facts.append(f"{name} at least {limits.min_ttl}s")
        if limits.capacity != _CACHE.success.capacity:
            facts.append(f"{limits.capacity} {name}")
    for name, disabled in (("answers", options.disable_success), ("negative answers", options.disable_denial)):
        if disabled:
            facts.append(f"no {name} {_below(disabled)}")
    if options.servfail != _CACHE.servfail:
        facts.append(f"failures {_seconds(options.servfail)}")
    if options.keep_ttl:
        facts.append("TTLs are not counted down")
    if options.serve_stale:
        facts.append(f"stale for {_seconds(options.serve_stale)} when no upstream answers")
    if options.prefetch:
        facts.append(f"prefetch of names asked {options.prefetch} times")
    return ", ".join(facts)


def _hosts(options: Hosts) -> str:
    inline = f" and {len(options.inline)} lines here" if options.inline else ""
    through = f", fallthrough {' '.join(options.fallthrough)}" if options.fallthrough else ""
    return f"{options.path}{inline}: ttl {options.ttl}{through}"


def _ports(config: Config) -> Iterator[tuple[str, object]]:
    for health in config.health:
        lameduck = f" (lameduck {_seconds(health.lameduck)})" if health.lameduck else ""
        yield "health", f"{health.listen}{lameduck}"
    for listen in config.ready:
        yield "ready", listen
    for listen in config.metrics:
        yield "metrics", listen
    yield "admin", config.admin


def _seconds(value: float) -> str:
    return f"{value:g}s"
