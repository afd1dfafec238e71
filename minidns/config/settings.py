"""The configuration: frozen, checked when it is made, the same whether flags or a Corefile wrote it.

A `Config` has one source of objects and any number of `ServerBlock`s, which say what is answered on which
address. Durations are seconds. Zones are `ZoneName`s: lowercase, absolute, with the final dot. In every
`fallthrough` and `except_zones`, no zones means "never" and (".",) means "always". `ConfigError` is raised
for values that make no sense.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from minidns.config.plugins.acl import Acl
from minidns.config.plugins.autopath import Autopath
from minidns.config.plugins.cache import Cache, CacheClass
from minidns.config.plugins.chaos import Chaos
from minidns.config.plugins.dns64 import Dns64
from minidns.config.plugins.forward import Forward, Policy, Upstream
from minidns.config.plugins.hosts import Hosts
from minidns.config.plugins.log import Log
from minidns.config.plugins.rewrite import AnyRewrite, Rewrite
from minidns.config.plugins.template import Template
from minidns.config.plugins.transfer import Secondary, Transfer
from minidns.config.plugins.tsig import Tsig
from minidns.config.values import ConfigError, Listen, Network, ZoneName, network, zone_name
from minidns.core.schema import PodMode

__all__ = [
    "Cache", "CacheClass", "Cluster", "Config", "ConfigError", "Forward", "Health", "Hosts", "Kubernetes",
    "Listen", "Log", "Manifests", "Network", "PodMode", "Policy", "Reload", "Rewrite", "Secondary",
    "ServerBlock", "Transfer", "Tsig", "Upstream", "ZoneName", "zone_name",
]  # fmt: skip

#: The zones of every cluster that kubeadm makes: the cluster's own, and the reverse trees of both families.
DEFAULT_ZONES: tuple[ZoneName, ...] = ("cluster.local.", "in-addr.arpa.", "ip6.arpa.")
MAX_WORKERS = 256
#: Where people and tools ask minidns itself, unless it is told otherwise: on this machine only.
ADMIN = Listen("127.0.0.1", 8053)
#: CoreDNS's ports.
DNS, HEALTH, READY, METRICS = Listen("", 53), Listen("", 8080), Listen("", 8181), Listen("localhost", 9153)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifests:
    """Objects from a folder of YAML (or one file; "-" is standard input), the part of a cluster played by minidns.

    `namespace`: of objects that name none.
    Each CIDR list has at most one network per address family; without one, Services or pods have no address
    of it.
    """

    path: Path
    namespace: str = "default"
    service_cidrs: tuple[Network, ...] = (network("10.96.0.0/16"), network("fd00:10:96::/112"))
    pod_cidrs: tuple[Network, ...] = (network("10.244.0.0/16"), network("fd00:10:244::/64"))

    def __post_init__(self) -> None:
        for what, networks in (("service", self.service_cidrs), ("pod", self.pod_cidrs)):
            versions = [net.version for net in networks]
            if len(set(versions)) < len(versions):
                raise ConfigError(f"{what} CIDR: one IPv4 and one IPv6 network at most")
        for service in self.service_cidrs:
            for pod in self.pod_cidrs:
                if service.version == pod.version and service.overlaps(pod):
                    raise ConfigError(f"the service CIDR {service} and the pod CIDR {pod} overlap")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Objects from an API server, and which of them.

    With neither `kubeconfig` nor `endpoint` the usual places are tried: in-cluster, $KUBECONFIG,
    ~/.kube/config.
    `endpoint` is a URL, used with `client_cert`, `client_key` and `ca_cert` when they are given.
    `labels` selects Services and EndpointSlices, `namespace_labels` namespaces; both are label selectors as
    the API takes them, "" selects all. `namespaces` names the only namespaces that are served, all when
    empty.
    `startup_timeout`: seconds that the first full list may take when a running server changes to this one; until
    then it answers from the one before. A start answers at once, in the zone with SERVFAIL until there is a list.
    """

    kubeconfig: Path | None = None
    context: str | None = None
    endpoint: str | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    ca_cert: Path | None = None
    namespaces: tuple[str, ...] = ()
    labels: str = ""
    namespace_labels: str = ""
    startup_timeout: float = 5.0

    def __post_init__(self) -> None:
        if self.endpoint is not None and not self.endpoint.startswith(("http://", "https://")):
            raise ConfigError(f"the API server {self.endpoint!r} is not a URL: it starts with http:// or https://")
        if self.endpoint is not None and self.kubeconfig is not None:
            raise ConfigError("kubeconfig and endpoint both name an API server: keep one of them")
        if self.namespaces and self.namespace_labels:
            raise ConfigError("namespaces and namespace_labels cannot both be set")
        if self.context is not None and self.kubeconfig is None:
            raise ConfigError("a context needs the kubeconfig that it is in")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubernetes:
    """How a server block answers from the cluster's objects.

    `zones`: the first that is not a reverse zone is the one that PTR records point into.
    `ttl`: seconds, of every record but the version's. `noendpoints`: no names for endpoints, headless
    Services included.
    `multicluster`: those of `zones` that are a cluster set's: their names come from ServiceImports (KEP-1645).
    `ignore_empty_service`: a ClusterIP Service without a ready endpoint is NXDOMAIN.
    `fallthrough`: names below these that do not exist go on to what follows. `ede`: answers say why (RFC
    8914).
    """

    zones: tuple[ZoneName, ...] = DEFAULT_ZONES
    ttl: int = 5
    pods: PodMode = PodMode.DISABLED
    endpoint_pod_names: bool = False
    noendpoints: bool = False
    ignore_empty_service: bool = False
    multicluster: tuple[ZoneName, ...] = ()
    fallthrough: tuple[ZoneName, ...] = ()
    ede: bool = True

    def __post_init__(self) -> None:
        if not self.forward_zones:
            raise ConfigError("kubernetes needs a zone that is not a reverse zone, such as cluster.local")
        if not 0 <= self.ttl <= 3600:
            raise ConfigError(f"ttl must be from 0 to 3600 seconds, not {self.ttl}")
        for zone in self.multicluster:
            if zone not in self.zones:
                raise ConfigError(f"multicluster {zone} is none of the zones of kubernetes: {' '.join(self.zones)}")

    @property
    def forward_zones(self) -> tuple[ZoneName, ...]:
        """The zones that hold Services; the others are reverse zones."""
        return tuple(z for z in self.zones if not f".{z}".endswith((".in-addr.arpa.", ".ip6.arpa.")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Where GET /health is answered, and for how many seconds the process goes on serving after SIGTERM."""

    listen: Listen = HEALTH
    lameduck: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """How often the Corefile is looked at, in seconds; up to `jitter` more, so that replicas do not move
    as one.
    """

    interval: float = 30.0
    jitter: float = 15.0

    def __post_init__(self) -> None:
        if self.interval < 2:
            raise ConfigError(f"a reload interval must be at least 2s, not {self.interval:g}s")
        if not 0 <= self.jitter <= self.interval:
            raise ConfigError(f"a reload jitter must be within 0s and the interval, not {self.jitter:g}s")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerBlock:
    """What is answered for names below `zones` on the addresses of `listen`.

    Among blocks that share an address the one with the longest matching zone answers. Whatever order they
    were written in, a question meets the plugins in that of `minidns.config.plugins.coredns`; of `forwards` the
    first whose zone matches. Without any match the answer is REFUSED.
    `loop`: at start, find out whether the block's upstreams lead back here. `errors`: log answers that failed.
    `nsid`: the text that answers with the option of that name (RFC 5001). `bufsize`: the most bytes of a UDP answer.
    `any`: questions for ANY are answered with a word about RFC 8482. `minimal`: answers leave out what was not asked
    for. `whoami`: what nobody else answers is told who asks. `prefer`: addresses
    of these networks come first in answers; None without the plugin, which rotates them, as is done in any case.
    `without_effect`: plugins that are about CoreDNS's own
    process.
    """

    zones: tuple[ZoneName, ...] = (".",)
    listen: tuple[Listen, ...] = (DNS,)
    kubernetes: Kubernetes | None = None
    forwards: tuple[Forward, ...] = ()
    cache: Cache | None = None
    hosts: Hosts | None = None
    rewrites: tuple[AnyRewrite, ...] = ()
    logs: tuple[Log, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    tsig: Tsig | None = None
    errors: bool = False
    loop: bool = False
    nsid: str | None = None
    bufsize: int | None = None
    dns64: Dns64 | None = None
    acls: tuple[Acl, ...] = ()
    any: bool = False
    chaos: Chaos | None = None
    autopath: Autopath | None = None
    minimal: bool = False
    templates: tuple[Template, ...] = ()
    whoami: bool = False
    prefer: tuple[Network, ...] | None = None
    without_effect: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.zones or not self.listen:
            raise ConfigError("a server block needs a zone and an address")
        keys = {key.name for key in self.tsig.keys} if self.tsig else set()
        for transfer in self.transfers:
            for secondary in transfer.to:
                if secondary.key is not None and secondary.key not in keys:
                    raise ConfigError(f"transfer to {secondary}: tsig has no key of that name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One process.

    `source` is None when no block has `kubernetes`. `admin` is minidns's own port (explain, state, everything
    below too);
    `health`, `ready` and `metrics` are CoreDNS's ports, of each server block. `workers`: processes that share the
    ports, 0 for one per core.
    `state`: a file that keeps the last synced objects for a start while the API server is away.
    `reload` is None when the file is read once.
    """

    servers: tuple[ServerBlock, ...]
    source: Manifests | Cluster | None = None
    admin: Listen | None = None
    health: tuple[Health, ...] = ()
    ready: tuple[Listen, ...] = ()
    metrics: tuple[Listen, ...] = ()
    workers: int = 1
    state: Path | None = None
    reload: Reload | None = None

    def __post_init__(self) -> None:
        if not self.servers:
            raise ConfigError("nothing to serve: there is no server block")
        if not 0 <= self.workers <= MAX_WORKERS:
            raise ConfigError(f"workers must be from 0 (one per core) to {MAX_WORKERS}, not {self.workers}")
        taken: set[tuple[ZoneName, Listen]] = set()
        for block in self.servers:
            for zone in block.zones:
                for listen in block.listen:
                    if (zone, listen) in taken and listen.port:
                        raise ConfigError(f"zone {zone} on {listen} is served twice")
                    taken.add((zone, listen))
        if self.source is None and any(block.kubernetes for block in self.servers):
            raise ConfigError("kubernetes needs a source: a cluster or a folder of manifests")
