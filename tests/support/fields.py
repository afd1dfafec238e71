"""The fields of the Kubernetes API's objects, from the models of its Python client.

python -m tests.support.fields > minidns/source/manifests/fields.json
"""

from __future__ import annotations

import json
import re

from kubernetes_asyncio.client import models

#: The kinds that minidns reads.
KINDS = (
    "Namespace", "Service", "Endpoints", "Pod", "EndpointSlice", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet",
    "Job", "CronJob",
)  # fmt: skip
#: What its client has no model of: the Multi-Cluster Services API's ServiceImport (v1alpha1).
CUSTOM = {
    "V1ServiceImport": {"apiVersion": "", "kind": "", "metadata": "V1ObjectMeta", "spec": "ImportSpec", "status": ""},
    "ImportSpec": {
        **dict.fromkeys(("internalTrafficPolicy", "ipFamilies", "ips", "sessionAffinity", "sessionAffinityConfig"), ""),
        **dict.fromkeys(("trafficDistribution", "type"), ""),
        "ports": "ImportPort",
    },
    "ImportPort": dict.fromkeys(("appProtocol", "name", "port", "protocol"), ""),
}


def table() -> dict[str, dict[str, str]]:
    """By type its fields, each with its own type; "" when there is nothing to look into, such as a map."""
    found: dict[str, dict[str, str]] = dict(CUSTOM)
    todo = [f"V1{kind}" for kind in KINDS]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        model = getattr(models, name)
        fields = found[name] = {}
        for attribute, field in model.attribute_map.items():
            inner = re.fullmatch(r"(?:list\[)?(\w+)\]?", model.openapi_types[attribute])
            fields[field] = inner[1] if inner and hasattr(models, inner[1]) else ""
            todo += [fields[field]] if fields[field] else []
    return {name: dict(sorted(fields.items())) for name, fields in sorted(found.items())}


if __name__ == "__main__":
    print(json.dumps(table(), indent=0, separators=(",", ":")))
