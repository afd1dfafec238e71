"""What explanations need to know of manifests: where an object is written, and what makes a pod ready again."""

from __future__ import annotations

from minidns.core.why import shown
from minidns.source.manifests.controllers import verbs
from minidns.source.manifests.controllers.groups import NOT_READY, READY, Group, named_pods, not_ready
from minidns.source.manifests.controllers.manager import Controllers
from minidns.source.manifests.pods import Pod
from minidns.source.manifests.report import Report


class Origins:
    """A `minidns.explain.Ground`. Reads what the controllers published last; nothing in it is changed afterwards."""

    def __init__(self, report: Report, cluster: Controllers) -> None:
        self._report = report
        self._cluster = cluster

    def written(self, kind: str, namespace: str, name: str) -> str:
        """Where an object is written, FILE:LINE; "" for one that the cluster made."""
        return shown(self._report.place((kind, namespace, name)))

    def unready(self, namespace: str, pod: str) -> str:
        """Why a pod is not ready, and what makes it ready, in a sentence; "" when there is no such pod."""
        for (kind, _), group in self._cluster.groups(namespace).items():
            if any(each.name == pod for each in group.pods):
                return shown(self._why(kind, group, pod))
        return ""

    def _why(self, kind: str, group: Group, pod: str) -> str:
        plan, source = group.plan, group.plan.source
        life = plan.life(pod)
        ready = verbs.command(verbs.Ready(target=f"pod/{pod}", namespace=source.namespace))
        if life.terminating or group.states.get(pod, group.state).terminating:
            return f"pod {pod} ends: no name comes back with it"
        if plan.said.get(pod) is False:
            return f"a verb made pod {pod} not ready: {ready} takes it back"
        if not life.ready:
            return f"pod {pod} has just been made, and is ready in a moment"
        key = (type(source).__name__, source.namespace, source.name)
        if pod in named_pods(plan, not_ready(source)).values():
            place = self._report.place(key, NOT_READY)
            return f"annotation {NOT_READY} of {kind} {source.name} ({place}) names it: take it out, or {ready}"
        meta = source.metadata if isinstance(source, Pod) else source.template.metadata
        if READY in meta.annotations:
            where = f"{kind} {source.name} ({self._report.place(key, READY)})"
            return f"annotation {READY} of {where} plays a probe that fails: take it away, or {ready}"
        return f"the status of {kind} {source.name} ({self._report.place(key)}) says so: change it, or {ready}"
