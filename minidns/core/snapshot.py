"""The zone as it is now, to be read in slices while it changes: zone files and zone transfers come from here.

A snapshot is an overlay: what every name had that was touched since, which the zone fills in while the snapshot is open
(`Zone.overlays`). A name that is not in it is still as it was. So opening one costs nothing, changes cost what they
touch, and nothing when none is open. Reading is a walk of small steps: whoever reads decides what happens in between.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import chain, islice

from minidns.core import answers, names
from minidns.core.names import Name
from minidns.core.records import Owned, Rrset
from minidns.core.schema import Part
from minidns.core.walk import walk
from minidns.core.zone import Zone

#: Names and records of one step of a walk: some 0.1 ms. Names of one step of finding them, and of putting them in
#: order: 0.1 ms and 0.6 ms.
STEP, FOUND = 100, 2000


class Snapshot:
    """A zone as it was when this was opened, until `close`, or as a context manager.

    serial: of the zone then.
    """

    def __init__(self, zone: Zone) -> None:
        self.serial = zone.serial
        self.settings = zone.settings
        self._zone = zone
        self._overlay: dict[Name, tuple[Part, ...]] = {}
        zone.overlays.append(self._overlay)

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it; what is read from then on may be of any time. Again is nothing."""
        # By identity: two overlays that are equal are still two.
        self._zone.overlays = [one for one in self._zone.overlays if one is not self._overlay]

    def bodies(
        self, origin: Name, step: int = STEP, found_at_once: int = FOUND, *, in_order: bool = False
    ) -> Iterator[list[Owned]]:
        """All records at and below `origin`, the SOA record first, otherwise in canonical order or as they come: mostly
        those of a Service together.

        A list for every `step` names and records, also an empty one, and one for every `found_at_once` names of the
        zone that are looked at. All records of an rrset are in one list.
        """
        settings, serial = self.settings, self.serial
        found: list[Owned] = []
        count = 0
        wanted = self._sorted if in_order else self._as_they_come
        # The loop of `_rrsets` again: one for both, told what there is of a name, takes a fifth more time here.
        for name in wanted(origin, found_at_once):
            if name is None:
                yield found
                found, count = [], 0
                continue
            count += 1
            for bodies in answers.bodies_of(settings, serial, name, self._at(name)):
                found.append((name, bodies))
                count += len(bodies)
                if count >= step:
                    yield found
                    found, count = [], 0
        yield found

    def rrsets(self, origin: Name, step: int = STEP, found_at_once: int = FOUND) -> Iterator[list[Rrset]]:
        """What `bodies` gives, as rrsets and as they come."""
        return self._rrsets(self._as_they_come(origin, found_at_once), step)

    def in_order(self, origin: Name, step: int = STEP, found_at_once: int = FOUND) -> Iterator[list[Rrset]]:
        """The same as `rrsets`, in canonical order (RFC 4034, 6.1)."""
        return self._rrsets(self._sorted(origin, found_at_once), step)

    def _rrsets(self, wanted: Iterator[Name | None], step: int) -> Iterator[list[Rrset]]:
        found: list[Rrset] = []
        count = 0
        for name in wanted:
            if name is None:
                yield found
                found, count = [], 0
                continue
            count += 1
            for rrset in answers.rrsets_of(self.settings, self.serial, name, self._at(name)):
                found.append(rrset)
                count += len(rrset.rdata)
                if count >= step:
                    yield found
                    found, count = [], 0
        yield found

    def _at(self, name: Name) -> tuple[Part, ...]:
        """What a name had."""
        parts = self._overlay.get(name)
        if parts is None:
            node = self._zone.nodes.get(name)
            parts = node.parts if node else ()
        return parts

    def _as_they_come(self, origin: Name, at_once: int) -> Iterator[Name | None]:
        """The origin, and the names below it; None wherever `at_once` were looked at."""
        yield origin
        last, inside = names.ROOT, origin == names.ROOT
        for some in self._names(at_once):
            for name in some:
                # The ends of the bytes first: reverse names, half of all, are in another zone.
                if name.endswith(origin) and name != origin:
                    above = names.parent(name)
                    if above != last:
                        last, inside = above, names.is_below(above, origin)
                    if inside:
                        yield name
            yield None

    def _sorted(self, origin: Name, at_once: int) -> Iterator[Name | None]:
        """The origin, and the names below it, in order; None wherever there was work for `at_once` names."""
        # The labels directly below each name, with their lengths in front: a bytearray costs the garbage collector
        # nothing, a list a look at each of its names.
        below: dict[Name, bytearray] = {}
        for some in chain(self._names(at_once), self._above(at_once)):
            for name in some:
                if not name.endswith(origin):
                    continue
                end = name[0] + 1
                if (labels := below.get(name[end:])) is None:
                    below[name[end:]] = bytearray(name[:end])
                else:
                    labels += name[:end]
            yield None
        yield from _in_order(origin, below, at_once)

    def _names(self, step: int) -> Iterator[Sequence[Name]]:
        """Every name that there was, once if it had records; some are new and have no records here. They are all found
        first, with () in between: later changes then move none of them."""
        found: deque[Sequence[Name]] = deque()
        for some in self._find(step):
            found.append(some)
            # A tuple of names is nothing to the garbage collector once it has looked at it. At all of a million names
            # it would look for 20 ms.
            gc.collect(0)
            yield ()
        while found:
            yield found.popleft()

    def _find(self, step: int) -> Iterator[Sequence[Name]]:
        overlay = self._overlay
        found: list[Sequence[Name]] = []
        for some, seen in walk(self._zone, step):
            if overlay:
                again = _last(found, seen)
                some = tuple([name for name in some if name not in overlay and name not in again])
            found.append(some)
            yield some
        # What was touched before it was looked at; what went is not among the nodes any more.
        touched = set(overlay)
        for some in found if touched else ():
            touched.difference_update(some)
            yield ()
        yield from _in_steps(touched, step)

    def _above(self, step: int) -> Iterator[Sequence[Name]]:
        """The names above those that were touched: they may have gone with these."""
        for some in _in_steps(self._overlay, step):
            yield [above for name in some for above in _with_above(name)]


def _last(found: list[Sequence[Name]], count: int) -> set[Name]:
    """As many names, or some more, of those that were found last."""
    last: set[Name] = set()
    for some in reversed(found):
        if count <= 0:
            break
        last.update(some)
        count -= len(some)
    return last


def _in_steps(some: Iterable[Name], step: int) -> Iterator[Sequence[Name]]:
    left = iter(list(some))
    while taken := tuple(islice(left, step)):
        yield taken


def _in_order(origin: Name, below: dict[Name, bytearray], at_once: int) -> Iterator[Name | None]:
    """A name and those below it, given the labels directly below each; None wherever `at_once` were sorted.

    Its own stack: names can be 127 labels deep.
    """
    left: list[Iterator[Name | None]] = [iter((origin,))]
    while left:
        for name in left[-1]:
            yield name
            if name is not None and (labels := below.get(name)):
                left.append(_children(name, bytes(labels), at_once))
                break
        else:
            left.pop()


def _children(name: Name, labels: bytes, at_once: int) -> Iterator[Name | None]:
    """The names of these labels below a name, in order, each once; None for every `at_once` labels that were sorted.

    10,000 labels take 4 ms to sort: in runs, which are merged while they are taken.
    """
    runs: list[list[bytes]] = [[]]
    position = 0
    while position < len(labels):
        start, position = position + 1, position + 1 + labels[position]
        runs[-1].append(labels[start:position])
        if len(runs[-1]) == at_once:
            runs[-1].sort()
            runs.append([])
            yield None
    runs[-1].sort()
    last = None
    for label in merge(*runs) if len(runs) > 1 else runs[0]:
        if label != last:
            yield bytes((len(label),)) + label + name
        last = label


def _with_above(name: Name) -> Iterator[Name]:
    while name != names.ROOT:
        yield name
        name = names.parent(name)
