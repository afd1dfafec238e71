"""A configuration in a few lines: what `minidns check` says it understood."""

from __future__ import annotations

from collections.abc import Iterator

from minidns.config.plugins.rewrite import AnyRewrite, Rewrite, RewriteRcode, RewriteTtl, RewriteType
from minidns.config.settings import Cache, Cluster, Config, Forward, Hosts, Kubernetes, Manifests, ServerBlock, Tsig
from minidns.config.values import ZoneName
from minidns.core import records
from minidns.core.records import type_text


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
    for rewrite in server.rewrites:
        yield f"  rewrite {_rewrite(rewrite)}"
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
        yield f"  cache {_cache(server.cache)}"
    on = [name for name, is_on in (("errors", server.errors), ("loop", server.loop)) if is_on]
    on += [f"log {' '.join(sorted(log.classes))}" for log in server.logs]
    if on:
        yield "  " + ", ".join(on)
    if server.without_effect:
        yield f"  does nothing here: {', '.join(dict.fromkeys(server.without_effect))}"


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
            return f"rcode {rule.before} of {rule.match} {rule.pattern} to {rule.after}"


def _kubernetes(options: Kubernetes) -> str:
    facts = [f"{' '.join(options.zones)}: ttl {options.ttl}", f"pods {options.pods}"]
    facts += [
        name.replace("_", " ")
        for name in ("endpoint_pod_names", "noendpoints", "ignore_empty_service")
        if getattr(options, name)
    ]
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
    return ", ".join(facts)


def _cache(options: Cache) -> str:
    facts = [f"up to {options.success.ttl}s, negative {options.denial.ttl}s"]
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
