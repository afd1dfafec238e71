"""What is well written and hardly meant: a selector that matches nothing, a port that no container has.

All of it is about one namespace, after the controllers have run. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from minidns.core import model
from minidns.source.manifests.controllers.groups import named_pods, not_ready
from minidns.source.manifests.controllers.manager import Controllers
from minidns.source.manifests.controllers.slices import Selection
from minidns.source.manifests.files import ObjectKey, Written
from minidns.source.manifests.objects import Service
from minidns.source.manifests.pods import Pod, StatefulSet, Workload


def findings(cluster: Controllers, namespace: str, written: Iterable[Written]) -> Iterator[tuple[ObjectKey, str]]:
    """The object, and what there is to say about it."""
    groups = cluster.groups(namespace)
    selection = Selection(groups.values())
    for each in written:
        key = type(each).__name__, namespace, each.name
        if isinstance(each, Service):
            yield from ((key, text) for text in _of_service(each, selection))
        elif isinstance(each, StatefulSet):
            yield from ((key, text) for text in _of_stateful_set(each, cluster, selection))
        if isinstance(each, Pod | Workload) and (words := not_ready(each)):
            group = groups.get((key[0], each.name))
            found = named_pods(group.plan, words) if group else dict.fromkeys(words)
            lost = [word for word, pod in found.items() if pod is None]
            if lost:
                yield key, f"annotation minidns.dev/not-ready: no pod {' or '.join(lost)} among its pods"


def _of_service(service: Service, selection: Selection) -> Iterator[str]:
    selector = service.spec.selector
    if not selector or service.spec.type == "ExternalName":
        return
    groups = [group for group in selection.select(selector) if group.members(selector) or not group.pods]
    if not groups:
        yield f"its selector {_selector(selector)} matches no pod"
        return
    known = {(port.name, port.protocol) for group in groups for port in group.ports}
    for port in service.spec.ports:
        if isinstance(port.target_port, str) and (port.target_port, port.protocol) not in known:
            yield f"targetPort {port.target_port} ({port.protocol}): no container of its pods has a port of that name"


def _of_stateful_set(workload: StatefulSet, cluster: Controllers, selection: Selection) -> Iterator[str]:
    name = workload.spec.service_name
    if not name:
        yield "no serviceName: its pods have no names of their own in DNS"
        return
    service = cluster.find(model.Service, workload.namespace, name)
    if not isinstance(service, model.Service):
        yield f"serviceName {name}: there is no such Service, so its pods have no names of their own in DNS"
    elif service.selector and workload not in _sources(selection, dict(service.selector)):
        yield f"serviceName {name}: that Service does not select its pods, so they have no names of their own in DNS"


def _sources(selection: Selection, selector: dict[str, str]) -> list[Pod | Workload]:
    return [group.plan.source for group in selection.select(selector)]


def _selector(selector: dict[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in selector.items())
