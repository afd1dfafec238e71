"""Pods with their addresses, labels and conditions: what Services select."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from minidns.core import model
from minidns.source.manifests.controllers.pods import Plan, Source
from minidns.source.manifests.pods import ContainerPort, CronJob, Job, Pod, PodStatus, StatefulSet, Workload

#: "true" or "false", on a pod or a pod template: overrides every other sign of readiness.
READY = "minidns.dev/ready"
#: On a pod template: the pods that are not ready, by name or by number in their workload, blanks or commas between.
NOT_READY = "minidns.dev/not-ready"
POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"
JOB_INDEX = "batch.kubernetes.io/job-completion-index"
#: Labels that differ among the pods of a group.
POD_LABELS = (POD_NAME, POD_INDEX, JOB_INDEX)


class State(NamedTuple):
    """How a pod fares."""

    ready: bool = True
    terminating: bool = False


class Group(msgspec.Struct, frozen=True, eq=False, gc=False):
    """Pods that share everything but name, address and state: all of a workload, or a single written one.

    `numbered` pods are a StatefulSet's or an Indexed Job's: each has a hostname and labels of its own. `states` is of
    the pods whose state is not the `state` of all.
    """

    plan: Plan
    pods: tuple[model.Pod, ...]
    labels: dict[str, str]
    ports: tuple[ContainerPort, ...]
    hostname: str = ""
    subdomain: str = ""
    numbered: bool = False
    state: State = State()
    states: Mapping[str, State] = {}

    def members(self, selector: dict[str, str]) -> tuple[model.Pod, ...]:
        """The pods whose own labels match too; those that all share have been compared before."""
        own = {key: selector[key] for key in POD_LABELS if key in selector and key not in self.labels}
        if not self.numbered or not own:
            return self.pods
        return tuple(pod for pod in self.pods if self._own_labels(pod.name).items() >= own.items())

    def hostname_of(self, pod: str) -> str | None:
        """The hostname of one of the pods."""
        if not self.numbered:
            return self.hostname or None
        return pod if isinstance(self.plan.source, StatefulSet) else pod.rpartition("-")[0]

    def _own_labels(self, pod: str) -> dict[str, str]:
        if isinstance(self.plan.source, StatefulSet):
            return {POD_NAME: pod, POD_INDEX: pod.rpartition("-")[2]}
        return {JOB_INDEX: pod.split("-")[-2]}


def group(plan: Plan, address: Callable[[Plan, str], tuple[bytes, ...]]) -> Group:
    """The pods of a plan. `address` gives the addresses of the pod of that name."""
    source = plan.source
    pods = tuple(model.Pod(source.namespace, name, address(plan, name)) for name in plan.names)
    if isinstance(source, Pod):
        meta, spec = source.metadata, source.spec
        state = State(_ready(meta.annotations, source.status), meta.deletion_timestamp is not None)
        return Group(
            plan, pods, meta.labels, spec.ports, spec.hostname, spec.subdomain, state=state, states=_states(plan, state)
        )
    template, numbered = source.template, _numbered(source)
    state = State(_ready(template.metadata.annotations, PodStatus()))
    return Group(
        plan, pods, _labels(source), template.spec.ports,
        "" if numbered else template.spec.hostname,
        source.spec.service_name if isinstance(source, StatefulSet) else template.spec.subdomain,
        numbered, state, _states(plan, state),
    )  # fmt: skip


def not_ready(source: Source) -> list[str]:
    """The pods that the annotation of a template names: names, or numbers in the workload."""
    annotations = source.metadata.annotations if isinstance(source, Pod) else source.template.metadata.annotations
    return [word for word in re.split(r"[,\s]+", annotations.get(NOT_READY, "")) if word]


def named_pods(plan: Plan, words: list[str]) -> dict[str, str | None]:
    """By word, the pod that it names, or None."""
    places = dict(enumerate(plan.names)) if words else {}
    if words and isinstance(plan.source, StatefulSet):
        places = {int(name.rpartition("-")[2]): name for name in plan.names}
    known = set(plan.names) if words else set()
    return {word: word if word in known else places.get(int(word)) if word.isdecimal() else None for word in words}


def ready_as_written(group: Group, pod: str) -> bool:
    """Whether that pod is ready but for what verbs said about it."""
    return _states(replace(group.plan, said={}), group.state).get(pod, group.state).ready


def _states(plan: Plan, usual: State) -> dict[str, State]:
    """The pods that fare otherwise than all: by the template's annotation, by what verbs did and said."""
    states: dict[str, State] = {}
    for name in named_pods(plan, not_ready(plan.source)).values():
        if name is not None:
            states[name] = State(False, usual.terminating)
    for name, life in plan.lives.items():
        ready = states.get(name, usual).ready and life.ready
        states[name] = State(ready, usual.terminating or life.terminating)
    for name, said in plan.said.items():
        states[name] = states.get(name, usual)._replace(ready=said)
    return {name: state for name, state in states.items() if state != usual}


def _numbered(workload: Workload) -> bool:
    job = workload.job if isinstance(workload, CronJob) else workload
    return isinstance(job, StatefulSet) or (isinstance(job, Job) and job.spec.indexed)


def _labels(workload: Workload) -> dict[str, str]:
    labels = workload.template.metadata.labels
    job = workload.job if isinstance(workload, CronJob) else workload
    if isinstance(job, Job):
        return {**labels, "job-name": job.name, "batch.kubernetes.io/job-name": job.name}
    return labels


def _ready(annotations: dict[str, str], status: PodStatus) -> bool:
    if (said := annotations.get(READY, "").lower()) in ("true", "false"):
        return said == "true"
    conditions = [condition.status for condition in status.conditions if condition.type == "Ready"]
    return conditions[-1] == "True" if conditions else status.phase != "Pending"
