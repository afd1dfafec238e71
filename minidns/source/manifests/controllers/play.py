"""Verbs on the cluster that manifests make: what is in force, and the steps that are still to come. No I/O, no clock.

`Play.do` begins a verb with its first step, `Play.advance` takes the next of every verb under way; `Play.take_edits`
gives what that changed.
"""

from __future__ import annotations

import difflib
from collections import Counter, deque
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from minidns.source.manifests.controllers import scenes, verbs
from minidns.source.manifests.controllers.groups import Group, ready_as_written
from minidns.source.manifests.controllers.manager import Controllers
from minidns.source.manifests.controllers.overlay import NOTHING, GroupKey, Laid, Overlay
from minidns.source.manifests.controllers.scenes import Step
from minidns.source.manifests.controllers.space import Edit
from minidns.source.manifests.controllers.verbs import (
    Delete,
    Ready,
    Reset,
    Restart,
    Scale,
    Unready,
    Verb,
    VerbError,
)
from minidns.source.manifests.pods import Pod, StatefulSet, Workload


class Moved(NamedTuple):
    """A step that was taken. `left`: how many of its verb are still to come."""

    command: str
    text: str
    left: int


class InForce(msgspec.Struct, frozen=True):
    """Something that verbs laid over the manifests. `left`: steps that are still to come."""

    namespace: str
    target: str
    text: str
    left: int = 0

    def __str__(self) -> str:
        where = f" in namespace {self.namespace}" if self.namespace != "default" else ""
        return f"{self.target}{where} {self.text}{f', {self.left} steps to come' if self.left else ''}"


class _Scene(NamedTuple):
    command: str
    steps: deque[Step]


class Play:
    """The verbs on one cluster."""

    def __init__(self, cluster: Controllers) -> None:
        self._cluster = cluster
        self._overlays: dict[str, Overlay] = {}
        self._scenes: dict[tuple[str, GroupKey], _Scene] = {}
        self._touched: set[str] = set()
        self._edits: list[Edit] = []

    @property
    def under_way(self) -> int:
        """How often `advance` will take a step."""
        # A list: another thread may begin a verb meanwhile.
        return max((len(scene.steps) for scene in list(self._scenes.values())), default=0)

    def do(self, verb: Verb) -> Moved:
        """Begin with the first step. A verb that is under way on the same workload is brought to its end before.

        Raises VerbError when the verb cannot be done to this cluster.
        """
        if isinstance(verb, Reset):
            self._touched |= self._overlays.keys()
            self._overlays.clear()
            self._scenes.clear()
            self._update()
            return Moved(verbs.command(verb), "as the manifests have it", 0)
        kind, name = verbs.check(verb)
        if isinstance(verb, Ready | Unready):
            return self._probe(verb, name)
        place = verb.namespace, self._find(verb.namespace, kind, name)[0]
        self._finish(place)
        steps = deque(self._steps(verb, *self._find(verb.namespace, kind, name)))
        self._scenes[place] = _Scene(verbs.command(verb), steps)
        return self._advance([place])[0]

    def advance(self) -> list[Moved]:
        """The next step of every verb under way."""
        return self._advance(list(self._scenes))

    def take_edits(self) -> list[Edit]:
        """What has become different since the last time, also when a verb was refused: one before it may have ended."""
        edits, self._edits = self._edits, []
        return edits

    def in_force(self) -> Iterator[InForce]:
        """Everything that is not as the manifests have it."""
        for space, overlay in sorted(self._overlays.items()):
            for (kind, name), laid in sorted(overlay.workloads.items()):
                scene = self._scenes.get((space, (kind, name)))
                yield InForce(space, f"{kind.lower()}/{name}", _laid_text(laid), len(scene.steps) if scene else 0)
            for name, ready in sorted(overlay.ready.items()):
                yield InForce(space, f"pod/{name}", "ready" if ready else "not ready")
            for name, fate in sorted(overlay.fates.items()):
                yield InForce(space, f"pod/{name}", fate, int(fate == "terminating"))

    def _update(self) -> None:
        touched, self._touched = self._touched, set()
        if touched:
            self._edits += self._cluster.update({}, {space: self._overlays.get(space, NOTHING) for space in touched})

    def _finish(self, place: tuple[str, GroupKey]) -> None:
        scene = self._scenes.pop(place, None)
        for step in scene.steps if scene else ():
            self._take(*place, step)
        self._update()

    def _probe(self, verb: Ready | Unready, name: str) -> Moved:
        _, group, _ = self._find(verb.namespace, "Pod", name)
        overlay = self._overlays.get(verb.namespace, NOTHING)
        ready = {pod: said for pod, said in overlay.ready.items() if pod != name}
        wanted = isinstance(verb, Ready)
        if wanted != ready_as_written(group, name):
            ready[name] = wanted
        self._lay(verb.namespace, replace(overlay, ready=ready))
        self._update()
        return Moved(verbs.command(verb), f"{name} {'ready' if wanted else 'not ready'}", 0)

    def _steps(self, verb: Verb, key: GroupKey, group: Group, pod: str) -> Iterator[Step]:
        source = group.plan.source
        if isinstance(source, Pod):
            return scenes.end(source.name)
        assert isinstance(verb, Scale | Delete | Restart)
        laid = self._laid(verb.namespace, key)
        members = group.plan.places
        if isinstance(verb, Delete):
            self._lay_workload(verb.namespace, key, replace(laid, deleted=(*laid.deleted, pod)))
            return scenes.delete(source, laid, next(each for each in members if each[1] == pod))
        if group.plan.owned:
            raise VerbError(f"the pods of {verb.target} are written down beside it: change those manifests")
        if isinstance(verb, Scale):
            _check_names(source, verb.replicas)
            old = source.count if laid.replicas is None else laid.replicas
            return scenes.scale(source, laid, members, old, verb.replicas)
        every = {place: laid.lives(place) for place, _ in members}
        again = replace(laid, restarts=laid.restarts + 1, places={**laid.places, **every})
        self._lay_workload(verb.namespace, key, again)
        return scenes.restart(source, laid, members)

    def _find(self, namespace: str, kind: str, name: str) -> tuple[GroupKey, Group, str]:
        """The group that a target is or is in, and the pod, "" when a workload is named. Raises VerbError."""
        groups = self._cluster.groups(namespace)
        if kind != "Pod":
            group = groups.get((kind, name))
            if group is not None:
                return (kind, name), group, ""
            names = [f"{kind.lower()}/{each}" for kind, each in groups if kind != "Pod"]
        else:
            for key, group in groups.items():
                if any(pod.name == name for pod in group.pods):
                    if group.states.get(name, group.state).terminating:
                        raise VerbError(f"pod/{name} in namespace {namespace} is terminating")
                    return key, group, name
            names = [f"pod/{pod.name}" for group in groups.values() for pod in group.pods]
        raise VerbError(f"no {kind.lower()}/{name} in namespace {namespace}{_nearest(f'{kind.lower()}/{name}', names)}")

    def _advance(self, keys: list[tuple[str, GroupKey]]) -> list[Moved]:
        moved = []
        for space, key in keys:
            scene = self._scenes[space, key]
            step = scene.steps.popleft()
            self._take(space, key, step)
            if not scene.steps:
                del self._scenes[space, key]
            moved.append(Moved(scene.command, step.text, len(scene.steps)))
        self._update()
        return moved

    def _take(self, space: str, key: GroupKey, step: Step) -> None:
        overlay = self._overlays.get(space, NOTHING)
        ready = {pod: said for pod, said in overlay.ready.items() if pod not in step.forget}
        if step.fate is not None:
            self._lay(space, replace(overlay, ready=ready, fates={**overlay.fates, key[1]: step.fate}))
            return
        self._lay(space, replace(overlay, ready=ready))
        laid = self._laid(space, key)
        replicas = laid.replicas if step.replicas is None else step.replicas
        self._lay_workload(space, key, replace(laid, replicas=replicas, places={**laid.places, **step.places}))

    def _laid(self, space: str, key: GroupKey) -> Laid:
        return self._overlays.get(space, NOTHING).workloads.get(key) or Laid()

    def _lay_workload(self, space: str, key: GroupKey, laid: Laid) -> None:
        overlay = self._overlays.get(space, NOTHING)
        self._lay(space, replace(overlay, workloads={**overlay.workloads, key: laid}))

    def _lay(self, space: str, overlay: Overlay) -> None:
        self._touched.add(space)
        if overlay.workloads or overlay.ready or overlay.fates:
            self._overlays[space] = overlay
        else:
            self._overlays.pop(space, None)


def _check_names(workload: Workload, replicas: int) -> None:
    if isinstance(workload, StatefulSet):
        try:
            workload.check_names(replicas)
        except ValueError as error:
            raise VerbError(str(error)) from None


def _laid_text(laid: Laid) -> str:
    said = [] if laid.replicas is None else [f"scaled to {laid.replicas}"]
    if laid.restarts:
        said.append(f"restarted {_times(laid.restarts)}")
    for name, times in Counter(laid.deleted).items():
        said.append(f"pod {name} deleted {_times(times)}")
    return ", ".join(said)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _nearest(wanted: str, names: list[str]) -> str:
    """What may have been meant, or what there is."""
    if close := difflib.get_close_matches(wanted, names, 1, 0.75):
        return f", did you mean {close[0]}?"
    if not names:
        return f": there is no {wanted.partition('/')[0]} at all"
    return f": there are {', '.join(names[:5])}{' and more' if len(names) > 5 else ''}"
