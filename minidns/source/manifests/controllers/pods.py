"""The pods that workloads make, with the names a controller would give them.

Start reading: `plan`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from minidns.source.manifests.controllers.addresses import suffix, template_hash
from minidns.source.manifests.controllers.overlay import NOTHING, GroupKey, Laid, Life, Overlay
from minidns.source.manifests.pods import (
    CronJob,
    Deployment,
    Job,
    Pod,
    StatefulSet,
    Workload,
)

# A generated name is at most 63 characters, five of them random (apiserver's names.SimpleNameGenerator).
_MAX_BASE = 58
_FIRST = (Life(),)

Source = Pod | Workload


class Plan(msgspec.Struct, frozen=True, eq=False, gc=False):
    """The names of the pods that something stands for."""

    source: Source
    names: tuple[str, ...]
    #: How many more were written down by themselves.
    owned: int
    #: Those that are not the first in their place, or not as usual.
    lives: Mapping[str, Life] = {}
    #: What verbs said about the readiness of some.
    said: Mapping[str, bool] = {}
    laid: Laid | None = None

    def life(self, pod: str) -> Life:
        return self.lives.get(pod, _FIRST[0])

    @property
    def address_owners(self) -> set[str]:
        """The names under which its pods keep addresses."""
        return {self.life(name).address_owner(name) for name in self.names} if self.lives else set(self.names)

    @property
    def places(self) -> list[tuple[int, str]]:
        """Place and name of each pod of a workload; of two in one place, the one that stays is the later."""
        assert isinstance(self.source, Workload)
        found = _members(self.source, self.laid or Laid(), self.owned, frozenset())
        names = set(self.names)
        return [(place, name) for place, _, name in found if name in names]


def plan(
    pods: list[Pod], workloads: list[Workload], old: Mapping[GroupKey, Plan], overlay: Overlay = NOTHING
) -> dict[GroupKey, Plan]:
    """The pods that should be, by name; the very plan of `old` where it is the same.

    Pods that have ended (phase Succeeded or Failed) are not among them. A pod that is written down takes the place of
    one that a workload would make, under the same name or as its owner reference says; so does a written
    ReplicaSet of a Deployment, and a Job of a CronJob. That is what a folder of `kubectl get -o yaml` holds.
    """
    pods = [pod for pod in pods if overlay.fates.get(pod.name) != "gone"]
    written = {pod.name for pod in pods}
    owners = (owner for each in (*pods, *workloads) for owner in each.metadata.owner_references)
    owned = Counter((owner.kind, owner.name) for owner in owners)
    planned: dict[GroupKey, Plan] = {}
    for pod in pods:
        if pod.status.phase not in ("Succeeded", "Failed"):
            ending = overlay.fates.get(pod.name) == "terminating"
            lives = {pod.name: Life(terminating=True)} if ending else {}
            new = Plan(pod, (pod.name,), 0, lives, _said((pod.name,), overlay))
            planned["Pod", pod.name] = _same_or(old.get(("Pod", pod.name)), new)
    for workload in workloads:
        key = type(workload).__name__, workload.name
        laid, before = overlay.workloads.get(key), old.get(key)
        same = before and before.source is workload and before.owned == owned[key] and before.laid is laid
        # Hashes are worth keeping. A StatefulSet's names are made fast, and a written pod may come or go under any.
        if before and same and not isinstance(workload, StatefulSet):
            new = Plan(workload, before.names, before.owned, before.lives, _said(before.names, overlay), laid)
        else:
            members = list(_members(workload, laid or Laid(), owned[key], written))
            usual = _FIRST[0]
            lives = {name: life for _, life, name in members if life is not usual and life != usual}
            names = tuple(name for _, _, name in members)
            new = Plan(workload, names, owned[key], lives, _said(names, overlay), laid)
        planned[key] = _same_or(before, new)
    return planned


def _same_or(old: Plan | None, new: Plan) -> Plan:
    """The old plan where the new one says the same: what was made of it is kept."""
    same = (
        old is not None
        and old.source is new.source
        and (old.names is new.names or old.names == new.names)
        and (old.owned, old.lives, old.said) == (new.owned, new.lives, new.said)
        and old.laid is new.laid
    )
    return old if old is not None and same else new


def _said(names: tuple[str, ...], overlay: Overlay) -> dict[str, bool]:
    return {name: overlay.ready[name] for name in names if name in overlay.ready} if overlay.ready else {}


def _members(
    workload: Workload, laid: Laid, owned: int, written: set[str] | frozenset[str]
) -> Iterator[tuple[int, Life, str]]:
    """Place, life and name of every pod that the workload makes."""
    count = workload.count if laid.replicas is None else laid.replicas
    if isinstance(workload, StatefulSet):
        start = workload.spec.ordinals.start
        for place in range(count):
            name = f"{workload.name}-{start + place}"
            if name not in written:
                yield from ((place, life, name) for life in laid.lives(place))
        return
    if isinstance(workload, CronJob):
        workload, count = workload.job, 0 if owned else count
    count = max(_left(workload, count, owned), 0)
    if isinstance(workload, Job) and workload.spec.indexed:
        for place in range(count):
            for life in laid.lives(place):
                base = f"{workload.name}-{place}-"[:_MAX_BASE]
                yield place, life, base + suffix(f"{_seed(workload)}/{base}/{life.incarnation}")
        return
    if not laid.places and not laid.restarts:
        names = _random_names(workload, _base(workload, 0), count)
        yield from ((place, _FIRST[0], name) for place, name in enumerate(names))
        return
    yield from _lives(workload, laid, count)


def _lives(workload: Workload, laid: Laid, count: int) -> Iterator[tuple[int, Life, str]]:
    """The pods of a workload some of which were made anew."""
    names = dict[str, None].fromkeys(_random_names(workload, _base(workload, 0), count))
    first = list(names)
    for place in range(count):
        for life in laid.lives(place):
            if life.incarnation == life.restart == 0:
                yield place, life, first[place]
                continue
            base, attempt = _base(workload, life.restart), 0
            seed = f"{_seed(workload)}/{base}/{place}/{life.incarnation}"
            while (name := base + suffix(f"{seed}/{attempt}")) in names:
                attempt += 1
            names[name] = None
            yield place, life, name


def _left(workload: Workload, count: int, owned: int) -> int:
    """How many pods are still to be made beside those that are written down for it."""
    if isinstance(workload, Deployment | Job):
        return 0 if owned else count
    return count - owned


def _seed(workload: Workload) -> str:
    return f"{type(workload).__name__}/{workload.namespace}"


def _base(workload: Workload, restart: int) -> str:
    base = workload.name
    if isinstance(workload, Deployment):
        # What makes other pods, and so other names: not the annotations, which say how pods fare.
        template = workload.template
        made_from = msgspec.json.encode((template.metadata.labels, template.spec), order="sorted").decode()
        base += "-" + template_hash(f"{made_from}/{restart}" if restart else made_from)
    return f"{base}-"[:_MAX_BASE]


def _random_names(workload: Workload, base: str, count: int) -> Iterable[str]:
    """Names as good as random, yet the same every time; the first ones do not depend on how many there are."""
    names = dict[str, None]()
    seed = f"{_seed(workload)}/{base}"
    attempt = 0
    while len(names) < count:
        names[base + suffix(f"{seed}/{attempt}")] = None
        attempt += 1
    return names
