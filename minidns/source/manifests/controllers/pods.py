"""What the workload controllers and the kubelet do: pods with names, hostnames and addresses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import msgspec

from minidns.core import model
from minidns.source.manifests.controllers.addresses import suffix, template_hash
from minidns.source.manifests.pods import (
    ContainerPort,
    DaemonSet,
    Deployment,
    Pod,
    PodStatus,
    StatefulSet,
    Workload,
)

#: "true" or "false", on a pod or a pod template: overrides every other sign of readiness.
READY = "minidns.dev/ready"
POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"
#: Labels that differ among the pods of a StatefulSet.
POD_LABELS = (POD_NAME, POD_INDEX)
# A generated name is at most 63 characters, five of them random (apiserver's names.SimpleNameGenerator).
_MAX_BASE = 58

Source = Pod | Workload
#: Kind and name of what the pods come from.
GroupKey = tuple[str, str]


class Plan(msgspec.Struct, frozen=True, eq=False, gc=False):
    """The names of the pods that something stands for."""

    source: Source
    names: tuple[str, ...]
    #: How many more were written down by themselves.
    owned: int


class Group(msgspec.Struct, frozen=True, eq=False, gc=False):
    """Pods that share everything but name and address: all of a workload, or a single written one.

    `numbered` pods are a StatefulSet's: each has its own name as hostname and two labels of its own.
    """

    plan: Plan
    pods: tuple[model.Pod, ...]
    labels: dict[str, str]
    ports: tuple[ContainerPort, ...]
    hostname: str = ""
    subdomain: str = ""
    numbered: bool = False
    ready: bool = True
    terminating: bool = False

    def members(self, selector: dict[str, str]) -> tuple[model.Pod, ...]:
        """The pods whose own labels match too; those that all share have been compared before."""
        name, index = selector.get(POD_NAME), selector.get(POD_INDEX)
        if not self.numbered or (name is None and index is None):
            return self.pods
        return tuple(
            pod
            for pod in self.pods
            if (name is None or pod.name == name) and (index is None or pod.name.rpartition("-")[2] == index)
        )


def plan(pods: list[Pod], workloads: list[Workload], old: Mapping[GroupKey, Plan]) -> dict[GroupKey, Plan]:
    """The pods that should be, by name; the very plan of `old` where it is the same.

    Pods that have ended (phase Succeeded or Failed) are not among them. A pod that is written down takes the place of
    one that a workload would make, under the same name or as its owner reference says; so does a written
    ReplicaSet of a Deployment. That is what a folder of `kubectl get -o yaml` holds.
    """
    written = {pod.name for pod in pods}
    owners = (owner for each in (*pods, *workloads) for owner in each.metadata.owner_references)
    owned = Counter((owner.kind, owner.name) for owner in owners)
    planned: dict[GroupKey, Plan] = {}
    for pod in pods:
        if pod.status.phase not in ("Succeeded", "Failed"):
            key, before = ("Pod", pod.name), old.get(("Pod", pod.name))
            planned[key] = before if before and before.source is pod else Plan(pod, (pod.name,), 0)
    for workload in workloads:
        key = type(workload).__name__, workload.name
        before = old.get(key)
        same = before and before.source is workload and before.owned == owned[key]
        # Hashes are worth keeping. A StatefulSet's names are made fast, and a written pod may come or go under any.
        if before and same and not isinstance(workload, StatefulSet):
            planned[key] = before
        else:
            names = tuple(_names(workload, owned[key], written))
            planned[key] = before if before and same and before.names == names else Plan(workload, names, owned[key])
    return planned


def _names(workload: Workload, owned: int, written: set[str]) -> Iterable[str]:
    spec = workload.spec
    match workload:
        case StatefulSet():
            start = spec.ordinals.start
            names = (f"{workload.name}-{number}" for number in range(start, start + spec.replicas))
            return (name for name in names if name not in written)
        case Deployment():
            # What makes other pods, and so other names: not the annotations, which say how pods fare.
            made_from = msgspec.json.encode((spec.template.metadata.labels, spec.template.spec), order="sorted")
            base = f"{workload.name}-{template_hash(made_from.decode())}"
            return _random_names(workload, base, 0 if owned else spec.replicas)
        case DaemonSet():
            return _random_names(workload, workload.name, 1 - owned)
        case _:
            return _random_names(workload, workload.name, spec.replicas - owned)


def _random_names(workload: Workload, base: str, count: int) -> Iterable[str]:
    """Names as good as random, yet the same every time; the first ones do not depend on how many there are."""
    base, names = f"{base}-"[:_MAX_BASE], dict[str, None]()
    seed = f"{type(workload).__name__}/{workload.namespace}/{base}"
    attempt = 0
    while len(names) < count:
        names[base + suffix(f"{seed}/{attempt}")] = None
        attempt += 1
    return names


def group(plan: Plan, address: Callable[[Source, str], tuple[bytes, ...]]) -> Group:
    """The pods of a plan. `address` gives the addresses of the pod of that name."""
    source = plan.source
    pods = tuple(model.Pod(source.namespace, name, address(source, name)) for name in plan.names)
    if isinstance(source, Pod):
        meta, spec = source.metadata, source.spec
        return Group(
            plan, pods, meta.labels, spec.ports, spec.hostname, spec.subdomain,
            ready=_ready(meta.annotations, source.status), terminating=meta.deletion_timestamp is not None,
        )  # fmt: skip
    template = source.spec.template
    numbered = isinstance(source, StatefulSet)
    return Group(
        plan, pods, template.metadata.labels, template.spec.ports,
        "" if numbered else template.spec.hostname,
        source.spec.service_name if numbered else template.spec.subdomain,
        numbered, _ready(template.metadata.annotations, PodStatus()),
    )  # fmt: skip


def _ready(annotations: dict[str, str], status: PodStatus) -> bool:
    if (said := annotations.get(READY, "").lower()) in ("true", "false"):
        return said == "true"
    conditions = [condition.status for condition in status.conditions if condition.type == "Ready"]
    return conditions[-1] == "True" if conditions else status.phase != "Pending"
