"""Every plugin that CoreDNS 1.14 has, in the order in which a question meets them there, and what minidns makes of it.

The one place that says so: the reader of Corefiles knows from here what is an error, a server block in which order its
plugins act, and docs/corefile.md is printed from it (`python -m minidns.config.plugins.coredns`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Here(StrEnum):
    """What there is of a CoreDNS plugin."""

    SAME = "same"
    DIFFERENT = "different"
    NO_EFFECT = "accepted without effect"
    NOT_HERE = "not here"


@dataclass(frozen=True, slots=True)
class Plugin:
    """text: how it is different, why it has no effect, or why it is not here and what to do instead.

    numbers: the differences of docs/coredns.md that its answers show.
    """

    name: str
    here: Here
    text: str = ""
    numbers: tuple[int, ...] = ()


#: Where the differences are listed and numbered.
DOCUMENT = "docs/coredns.md"
_SAME, _DIFFERENT, _NO_EFFECT, _NOT_HERE = Here
_CLOUD = "no cloud's zones: `forward` the zone to the provider's resolver"
_ENCRYPTED = "clients are served over UDP and TCP: put a proxy that ends the encryption in front"
_FILES = "serves the cluster's zone and no other: `forward` the zone to a name server that holds it, as Knot or NSD do"

PLUGINS = (
    Plugin("root", _NO_EFFECT, "paths are relative to the file that they are in"),
    Plugin("metadata", _NO_EFFECT, "no plugin here publishes metadata"),
    Plugin("geoip", _NOT_HERE, "answers do not depend on where a client is"),
    Plugin("cancel", _NO_EFFECT, "a question that is forwarded ends after 5 s in any case"),
    Plugin("tls", _NOT_HERE, _ENCRYPTED),
    Plugin("proxyproto", _NOT_HERE, "clients are known by their own address: let the load balancer keep it"),
    Plugin("quic", _NOT_HERE, _ENCRYPTED),
    Plugin("grpc_server", _NOT_HERE, _ENCRYPTED),
    Plugin("https", _NOT_HERE, _ENCRYPTED),
    Plugin("https3", _NOT_HERE, _ENCRYPTED),
    Plugin("timeouts", _NO_EFFECT, "minidns has its own limits for idle TCP clients"),
    Plugin("multisocket", _NO_EFFECT, "`--workers N` is what uses several cores"),
    Plugin("reload", _DIFFERENT, "also notices imported files and resolv.conf"),
    Plugin("nsid", _DIFFERENT, "DO is set in an answer when it was in the question, and not otherwise", (14,)),
    Plugin("bufsize", _DIFFERENT, "for answers: a UDP answer is 1232 bytes long at most in any case", (14, 15)),
    Plugin("bind", _DIFFERENT, "of an interface all addresses but link-local ones"),
    Plugin("debug", _NO_EFFECT, "`--log debug` is what logs more"),
    Plugin("trace", _NO_EFFECT, "no traces are sent anywhere"),
    Plugin("ready", _SAME),
    Plugin("health", _SAME),
    Plugin("pprof", _NO_EFFECT, "it is about CoreDNS's own process"),
    Plugin("prometheus", _DIFFERENT, "the metrics of docs/metrics.md"),
    Plugin("errors", _DIFFERENT, "each failure is a line of the log: nothing is summed up by `consolidate`"),
    Plugin("log", _SAME),
    Plugin("dnstap", _NOT_HERE, "`log` writes a line per query"),
    Plugin("local", _NOT_HERE, "write `template` or `hosts` for localhost"),
    Plugin("dns64", _DIFFERENT, "an upstream's failure is passed on: no empty answer is made of it", (17,)),
    Plugin("rewrite", _DIFFERENT, "`name`, `type`, `ttl`, `rcode`; not `class`, `edns0`, `cname`", (16, 22)),
    Plugin("acl", _SAME),
    Plugin("any", _SAME),
    Plugin(
        "chaos",
        _DIFFERENT,
        "minidns's version and authors unless they are given; other names of class CH are refused",
        (19,),
    ),
    Plugin(
        "loadbalance",
        _DIFFERENT,
        "`round_robin` and `prefer`: addresses rotate from answer to answer, with the plugin or without",
    ),
    Plugin("tsig", _DIFFERENT, "hmac-sha256 and stronger; the key file's `algorithm` counts"),
    Plugin(
        "cache",
        _DIFFERENT,
        "answers of upstreams are kept; of what is made here the TTLs are bounded, and not counted down",
        (20, 23, 25, 26),
    ),
    Plugin("header", _NOT_HERE, "flags are what the RFCs say"),
    Plugin("dnssec", _NOT_HERE, "nothing is signed: `forward` the zone to a server that signs it"),
    Plugin("autopath", _DIFFERENT, "where pods share an address, each is in the namespace that it asks from"),
    Plugin("minimal", _SAME),
    Plugin("template", _DIFFERENT, "Go's template language without `range` and `define`; no metadata"),
    Plugin(
        "transfer",
        _DIFFERENT,
        "also IXFR and NOTIFY; `key NAME` in its block is the TSIG key that secondaries have to sign with",
    ),
    Plugin(
        "hosts",
        _DIFFERENT,
        "a line that is none is an error; names come back in the letter case of the question",
        (22,),
    ),
    Plugin("route53", _NOT_HERE, _CLOUD),
    Plugin("azure", _NOT_HERE, _CLOUD),
    Plugin("clouddns", _NOT_HERE, _CLOUD),
    Plugin("k8s_external", _NOT_HERE, "names from outside the cluster are external-dns's or a Gateway controller's"),
    Plugin(
        "kubernetes",
        _DIFFERENT,
        "the numbered differences of coredns.md; one cluster; `multicluster` too",
        (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 18),
    ),
    Plugin("file", _NOT_HERE, _FILES),
    Plugin("auto", _NOT_HERE, _FILES),
    Plugin("secondary", _NOT_HERE, _FILES),
    Plugin("etcd", _NOT_HERE, "no other store than the cluster's API: `forward` the zone to a CoreDNS with `etcd`"),
    Plugin("loop", _SAME),
    Plugin(
        "forward",
        _DIFFERENT,
        "UDP, TCP and TLS upstreams by address; `max_concurrent` is 1000 unless it is set",
        (13, 15, 16),
    ),
    Plugin("grpc", _NOT_HERE, "`forward` over UDP, TCP or TLS"),
    Plugin("erratic", _NOT_HERE, "a server that fails on purpose is for tests"),
    Plugin("whoami", _SAME),
    Plugin("on", _NOT_HERE, "an init container or a sidecar runs commands"),
    Plugin("sign", _NOT_HERE, "nothing is signed: sign zone files where they are served"),
    Plugin("view", _NOT_HERE, "every client gets the same answers: run a second server for others"),
    Plugin("nomad", _NOT_HERE, "no other store than the cluster's API: `forward` the zone to Nomad's own DNS"),
)
#: The place of each plugin in that order.
ORDER = {plugin.name: place for place, plugin in enumerate(PLUGINS)}
BY_NAME = {plugin.name: plugin for plugin in PLUGINS}


def table() -> str:
    """docs/corefile.md."""
    lines = ["| plugin | here | |", "|---|---|---|"]
    lines += [
        f"| `{plugin.name}` | {plugin.here} | {plugin.text} |" for plugin in sorted(PLUGINS, key=lambda p: p.name)
    ]
    counts = ", ".join(f"{sum(plugin.here is here for plugin in PLUGINS)} {here}" for here in Here)
    return f"{_HEAD}\n{counts}.\n\n" + "\n".join(lines) + "\n"


_HEAD = """\
# CoreDNS's plugins in minidns

A Corefile is minidns's configuration language. This is every plugin of CoreDNS 1.14, and what
`minidns serve --conf` makes of it. "Same" means: its options are known and its answers equal
CoreDNS's, but for the numbered differences of [coredns.md](coredns.md). What is "not here" is an
error that says so, with file and line.

Printed by `python -m minidns.config.plugins.coredns`, from the table that the reader of Corefiles and the server go by.
"""


if __name__ == "__main__":
    print(table(), end="")
