"""What a verb does to the pods of a workload, step by step, as its controller would do it.

A step is a moment in which DNS can be asked: a pod starts and is not ready, is ready, terminates (it still serves, and
is not ready any more), is gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from minidns.source.manifests.controllers.overlay import Fate, Laid, Life
from minidns.source.manifests.pods import DaemonSet, StatefulSet, Workload

#: Turns that a verb takes at most: of a workload with more pods, several take each of them together.
MOST = 50

#: Place and name of a pod.
Place = tuple[int, str]


class Step(NamedTuple):
    """One moment. `places` are who lives there from then on; `forget` names pods that are not the same any more."""

    text: str
    places: Mapping[int, tuple[Life, ...]] = {}
    replicas: int | None = None
    fate: Fate | None = None
    forget: Sequence[str] = ()


def scale(workload: Workload, laid: Laid, pods: Sequence[Place], old: int, new: int) -> Iterator[Step]:
    """From `old` replicas to `new`; a StatefulSet one by one, unless its podManagementPolicy is Parallel."""
    one_by_one = isinstance(workload, StatefulSet) and workload.spec.pod_management_policy != "Parallel"
    if new == old:
        yield Step(f"{_pods(old)}, as before", replicas=new)
    elif new > old:
        for some in _turns(range(old, new), one_by_one):
            lives = {place: laid.lives(place)[-1] for place in some}
            starting = {place: (replace(life, ready=False),) for place, life in lives.items()}
            yield Step(f"{_named(workload, some)} not ready yet", starting, some[-1] + 1)
            yield Step(f"{_named(workload, some)} ready", {place: (life,) for place, life in lives.items()})
    else:
        names = dict(pods)
        for some in _turns(range(old - 1, new - 1, -1), one_by_one):
            lives = {place: laid.lives(place)[-1] for place in some}
            ending = {place: (replace(life, terminating=True),) for place, life in lives.items()}
            next_ = {place: (_next(life),) for place, life in lives.items()}
            gone = [names[place] for place in some if place in names]
            yield Step(f"{_listed(gone)} terminating", ending)
            yield Step(f"{_listed(gone)} gone", next_, some[-1], forget=gone)


def delete(workload: Workload, laid: Laid, pod: Place) -> Iterator[Step]:
    """The pod ends, and another takes its place: at once, or after it where the place is its name or its node."""
    place, name = pod
    old = laid.lives(place)[-1]
    new = _next(old)
    ending, starting = replace(old, terminating=True), replace(new, ready=False)
    if isinstance(workload, StatefulSet | DaemonSet):
        yield Step(f"{name} terminating", {place: (ending,)})
        yield Step(f"{name} gone, the pod after it not ready yet", {place: (starting,)}, forget=[name])
        yield Step("the new pod ready", {place: (new,)})
    else:
        yield Step(f"{name} terminating, a new pod not ready yet", {place: (ending, starting)})
        yield Step("the new pod ready", {place: (ending, new)})
        yield Step(f"{name} gone", {place: (new,)}, forget=[name])


def restart(workload: Workload, laid: Laid, pods: Sequence[Place]) -> Iterator[Step]:
    """Each pod is exchanged: by a Deployment with the new one ready before the old one ends, by others after it."""
    after = isinstance(workload, StatefulSet | DaemonSet)
    names, before = dict(pods), ""
    ended: dict[int, tuple[Life, ...]] = {}
    for some in _turns(sorted(names, reverse=after), True):
        old = {place: laid.lives(place)[-1] for place in some}
        new = {place: replace(_next(life), restart=life.restart + 1) for place, life in old.items()}
        ending = {place: replace(life, terminating=True) for place, life in old.items()}
        starting = {place: replace(life, ready=False) for place, life in new.items()}
        gone = [names[place] for place in some]
        if after:
            yield Step(f"{_listed(gone)} terminating", {place: (ending[place],) for place in some})
            started = {place: (starting[place],) for place in some}
            yield Step(f"{_listed(gone)} gone, the pod after it not ready yet", started, forget=gone)
            yield Step("the new pod ready", {place: (new[place],) for place in some})
            continue
        begun = {place: (old[place], starting[place]) for place in some}
        yield Step(f"{before}a new pod not ready yet", {**ended, **begun})
        ready = {place: (ending[place], new[place]) for place in some}
        yield Step(f"the new pod ready, {_listed(gone)} terminating", ready)
        ended, before = {place: (new[place],) for place in some}, f"{_listed(gone)} gone, "
    if not names:
        yield Step("no pods")
    elif ended:
        yield Step(before.removesuffix(", "), ended)


def end(name: str) -> Iterator[Step]:
    """A pod that is written down by itself ends."""
    yield Step(f"{name} terminating", fate="terminating")
    yield Step(f"{name} gone", fate="gone", forget=[name])


def _next(life: Life) -> Life:
    return Life(life.incarnation + 1, life.restart)


def _turns(places: Sequence[int], one_by_one: bool) -> Iterator[list[int]]:
    size = -(-len(places) // MOST) if one_by_one else len(places)
    for at in range(0, len(places), max(size, 1)):
        yield list(places[at : at + size])


def _named(workload: Workload, places: list[int]) -> str:
    if not isinstance(workload, StatefulSet):
        return f"{len(places)} new {'pod' if len(places) == 1 else 'pods'}"
    start = workload.spec.ordinals.start
    return _listed([f"{workload.name}-{start + place}" for place in places])


def _listed(names: list[str]) -> str:
    return " ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _pods(number: int) -> str:
    return f"{number} pod{'' if number == 1 else 's'}"
