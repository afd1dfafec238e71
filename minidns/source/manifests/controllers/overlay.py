"""What verbs lay over the manifests of a namespace: replicas, pods made anew, pods that end, pods that are not ready.

A workload has a place for each of its pods, counted from 0. In each lives one pod, while it is exchanged up to two: the
old and the new. Everything here is frozen: whoever holds an equal overlay may keep what was made of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

#: Kind and name of what pods come from.
GroupKey = tuple[str, str]
#: What a verb did to a pod that is written down by itself.
Fate = Literal["terminating", "gone"]


class Life(msgspec.Struct, frozen=True, gc=False):
    """One pod in one place of its workload.

    incarnation: how many pods had the place before. restart: how often the workload had been restarted when the pod
    was made, which is another template. ready: False until its readiness probe passes for the first time.
    """

    incarnation: int = 0
    restart: int = 0
    ready: bool = True
    terminating: bool = False

    def address_owner(self, pod: str) -> str:
        """The name under which the pod's address is kept: each incarnation of a name has another."""
        return f"{pod}#{self.incarnation}" if self.incarnation else pod


class Laid(msgspec.Struct, frozen=True, eq=False):
    """What is laid over one workload. Places that are not in `places` have a pod of their first incarnation.

    replicas: None while the manifest says how many. deleted: names of the pods that were.
    """

    replicas: int | None = None
    restarts: int = 0
    deleted: tuple[str, ...] = ()
    places: Mapping[int, tuple[Life, ...]] = {}

    def lives(self, place: int) -> tuple[Life, ...]:
        """Who lives in that place."""
        return self.places.get(place) or (Life(restart=self.restarts),)


class Overlay(msgspec.Struct, frozen=True, eq=False):
    """Everything that is laid over a namespace. `ready` is by pod, `fates` by written pod."""

    workloads: Mapping[GroupKey, Laid] = {}
    ready: Mapping[str, bool] = {}
    fates: Mapping[str, Fate] = {}


NOTHING = Overlay()
