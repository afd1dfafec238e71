"""`kubernetes`: how names are answered, and where the objects come from."""

from __future__ import annotations

from pathlib import Path

from minidns.config.corefile.options import MANY, Context, Fields, Option, Options, choice, flag, zones, zones_or_all
from minidns.config.corefile.tree import Line
from minidns.config.settings import Cluster, Kubernetes, PodMode
from minidns.config.values import duration, number, selector


def _context(args: list[str]) -> Fields:
    return {"kubeconfig": Path(args[0]), "context": args[1] if len(args) > 1 else None}


def _on_off(args: list[str]) -> Fields:
    return {"ede": choice(args[0], ("on", "off"), "value of ede") == "on"}


KUBERNETES = Options(
    "kubernetes",
    {
        "kubeconfig": Option("FILE [CONTEXT]", _context, 1, 2),
        # Of several the first counts, as in CoreDNS.
        "endpoint": Option("URL", lambda args: {"endpoint": args[0]}, 1, MANY),
        "tls": Option(
            "CERT KEY CACERT",
            lambda args: dict(zip(("client_cert", "client_key", "ca_cert"), map(Path, args), strict=True)),
            3,
            3,
        ),
        "namespaces": Option("NAMESPACE...", lambda args: {"namespaces": tuple(args)}, 1, MANY),
        "labels": Option("SELECTOR", lambda args: {"labels": selector(" ".join(args))}, 1, MANY),
        "namespace_labels": Option("SELECTOR", lambda args: {"namespace_labels": selector(" ".join(args))}, 1, MANY),
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
        "multicluster": Option("ZONES...", lambda args: {"multicluster": zones(args)}, 1, MANY),
        "ede": Option("on|off", _on_off, 1, 1),
    },
)
_CLUSTER_FIELDS = frozenset(Cluster.__dataclass_fields__)


def kubernetes(line: Line, context: Context) -> tuple[Kubernetes, Cluster]:
    """How names are answered, and where the objects come from."""
    fields = KUBERNETES.read(line)
    cluster = {name: fields.pop(name) for name in _CLUSTER_FIELDS & set(fields)}
    return Kubernetes(zones=zones(line.values) or context.zones, **fields), Cluster(**cluster)
