"""Pods and the workloads that make them, as they are written."""

from __future__ import annotations

from typing import Annotated, Literal
from zlib import crc32

from msgspec import Meta, field

from minidns.source.manifests.objects import Metadata, Object, Part, Port, Protocol, check_label, packed

#: Kubernetes supports 150,000 pods in a cluster; the bound keeps a slip of the keyboard from filling the memory.
Replicas = Annotated[int, Meta(ge=0, le=150_000)]


class ContainerPort(Part, frozen=True):
    container_port: Port
    name: str = ""
    protocol: Protocol = "TCP"


class Container(Part, frozen=True):
    ports: tuple[ContainerPort, ...] = ()
    restart_policy: str = ""


class PodSpec(Part, frozen=True):
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    hostname: str = ""
    subdomain: str = ""
    host_network: bool = False

    def __post_init__(self) -> None:
        if self.hostname:
            check_label("hostname", self.hostname)
        if self.subdomain:
            check_label("subdomain", self.subdomain)

    @property
    def ports(self) -> tuple[ContainerPort, ...]:
        """The ports a targetPort may name: those of containers, and of init containers that stay (sidecars)."""
        sidecars = (box for box in self.init_containers if box.restart_policy == "Always")
        return tuple(port for box in (*self.containers, *sidecars) for port in box.ports if port.name)


class PodIP(Part, frozen=True):
    ip: str

    def __post_init__(self) -> None:
        packed(self.ip)


class Condition(Part, frozen=True):
    type: str
    status: str


class PodStatus(Part, frozen=True):
    phase: str = ""
    pod_ip: str = field(name="podIP", default="")
    pod_ips: tuple[PodIP, ...] = field(name="podIPs", default=())
    conditions: tuple[Condition, ...] = ()

    def __post_init__(self) -> None:
        if self.pod_ip:
            packed(self.pod_ip)

    @property
    def addresses(self) -> tuple[bytes, ...]:
        texts = [each.ip for each in self.pod_ips] or ([self.pod_ip] if self.pod_ip else [])
        return tuple(packed(text) for text in texts)


class Pod(Object, frozen=True):
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class TemplateMetadata(Part, frozen=True):
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)


class Template(Part, frozen=True):
    metadata: TemplateMetadata = TemplateMetadata()
    spec: PodSpec = PodSpec()


class LabelSelector(Part, frozen=True):
    match_labels: dict[str, str] = field(default_factory=dict)


class Ordinals(Part, frozen=True):
    start: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0


class MakerSpec(Part, frozen=True):
    template: Template


class WorkloadSpec(MakerSpec, frozen=True):
    selector: LabelSelector = LabelSelector()
    replicas: Replicas = 1
    service_name: str = ""
    ordinals: Ordinals = Ordinals()
    pod_management_policy: Literal["OrderedReady", "Parallel"] = "OrderedReady"

    def __post_init__(self) -> None:
        labels = self.template.metadata.labels
        for name, value in self.selector.match_labels.items():
            if labels.get(name) != value:
                raise ValueError(f"selector.matchLabels {name}={value} is not a label of the template")


class Workload(Object, frozen=True):
    """What makes pods from a template."""

    @property
    def template(self) -> Template:
        raise NotImplementedError

    @property
    def count(self) -> int:
        """How many pods it wants."""
        return 1


class Scalable(Workload, frozen=True):
    """A workload with replicas."""

    spec: WorkloadSpec

    @property
    def template(self) -> Template:
        return self.spec.template

    @property
    def count(self) -> int:
        return self.spec.replicas


class Deployment(Scalable, frozen=True):
    pass


class ReplicaSet(Scalable, frozen=True):
    pass


class DaemonSet(Workload, frozen=True):
    """One pod: there is one node."""

    spec: WorkloadSpec

    @property
    def template(self) -> Template:
        return self.spec.template


class StatefulSet(Scalable, frozen=True):
    def __post_init__(self) -> None:
        self.check_names(self.spec.replicas)

    def check_names(self, replicas: int) -> None:
        """Raise ValueError unless the name of every pod can be its hostname, one label."""
        last = self.spec.ordinals.start + max(replicas - 1, 0)
        check_label("the pod name", f"{self.name}-{last}")


class JobStatus(Part, frozen=True):
    conditions: tuple[Condition, ...] = ()

    @property
    def ended(self) -> bool:
        return any(each.type in ("Complete", "Failed") and each.status == "True" for each in self.conditions)


class JobSpec(MakerSpec, frozen=True):
    completions: Replicas | None = None
    parallelism: Replicas = 1
    completion_mode: Literal["NonIndexed", "Indexed"] = "NonIndexed"
    suspend: bool = False

    def __post_init__(self) -> None:
        if self.indexed and self.completions is None:
            raise ValueError("completionMode Indexed needs completions")

    @property
    def indexed(self) -> bool:
        return self.completion_mode == "Indexed"


class Job(Workload, frozen=True):
    """A Job as it is when it has begun: as many pods as run at once, the first indexes when they are numbered."""

    spec: JobSpec
    status: JobStatus = JobStatus()

    def __post_init__(self) -> None:
        if self.spec.indexed:
            # The hostname of a pod.
            check_label("the pod name", f"{self.name}-{max((self.spec.completions or 0) - 1, 0)}")

    @property
    def template(self) -> Template:
        return self.spec.template

    @property
    def count(self) -> int:
        completions = self.spec.parallelism if self.spec.completions is None else self.spec.completions
        return 0 if self.spec.suspend or self.status.ended else min(self.spec.parallelism, completions)


class JobTemplate(Part, frozen=True):
    spec: JobSpec


class CronJobSpec(Part, frozen=True):
    job_template: JobTemplate
    suspend: bool = False


class CronJob(Workload, frozen=True):
    """A CronJob with one Job, as at a time of its schedule."""

    spec: CronJobSpec

    @property
    def job(self) -> Job:
        """Its Job. Kubernetes names it after the minute of its time; here it is always the same one."""
        minute = 29_000_000 + crc32(f"{self.namespace}/{self.name}".encode()) % 1_000_000
        meta = Metadata(f"{self.name}-{minute}", self.namespace)
        return Job(meta, self.spec.job_template.spec)

    @property
    def template(self) -> Template:
        return self.spec.job_template.spec.template

    @property
    def count(self) -> int:
        return 0 if self.spec.suspend else self.job.count
