"""Pods and the workloads that make them, as they are written."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from minidns.source.manifests.objects import Object, Part, Port, Protocol, check_label, packed

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


class WorkloadSpec(Part, frozen=True):
    template: Template
    selector: LabelSelector = LabelSelector()
    replicas: Replicas = 1
    service_name: str = ""
    ordinals: Ordinals = Ordinals()

    def __post_init__(self) -> None:
        labels = self.template.metadata.labels
        for name, value in self.selector.match_labels.items():
            if labels.get(name) != value:
                raise ValueError(f"selector.matchLabels {name}={value} is not a label of the template")


class Workload(Object, frozen=True):
    """What makes pods from a template."""

    spec: WorkloadSpec


class Deployment(Workload, frozen=True):
    pass


class ReplicaSet(Workload, frozen=True):
    pass


class DaemonSet(Workload, frozen=True):
    pass


class StatefulSet(Workload, frozen=True):
    def __post_init__(self) -> None:
        # The pod's name becomes its hostname, one label.
        last = self.spec.ordinals.start + max(self.spec.replicas - 1, 0)
        check_label("the pod name", f"{self.name}-{last}")
