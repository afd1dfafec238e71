"""The zone as it is now, to be read in slices while it changes: zone files and zone transfers come from here.

A snapshot is an overlay: what every name had that was touched since, which the zone fills in while the snapshot is open
(`Zone.overlays`). A name that is not in it is still as it was. So opening one costs nothing, changes cost what they
touch, and nothing when none is open. Reading is a walk of small steps: whoever reads decides what happens in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from minidns.core import answers, names, reasons, records
from minidns.core.names import Name
from minidns.core.records import Rrset
from minidns.core.schema import Part
from minidns.core.zone import Zone

#: Names and records of one step of a walk: some 0.3 ms. Names of one step of finding them: 0.6 ms.
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

    def rrsets(self, origin: Name, step: int = STEP, found_at_once: int = FOUND) -> Iterator[list[Rrset]]:
        """All records at and below `origin` in canonical order (RFC 4034, 6.1), the SOA record first.

        A list for every `step` names and records, also an empty one; before these an empty one for every
        `found_at_once` names of the zone. All records of an rrset are in one list.
        """
        # The labels directly below each name, with their lengths in front: a bytearray costs the garbage collector
        # nothing, a list a look at each of its names.
        below: dict[Name, bytearray] = {}
        for some in self._names(found_at_once):
            for name in some:
                if not name.endswith(origin):
                    continue  # reverse names, a third of all, are in another zone
                end = name[0] + 1
                if (labels := below.get(name[end:])) is None:
                    below[name[end:]] = bytearray(name[:end])
                else:
                    labels += name[:end]
            yield []
        found: list[Rrset] = []
        count = 0
        for name in _in_order(origin, below):
            count += 1
            for rrset in self._at(name):
                found.append(rrset)
                count += len(rrset.rdata)
                if count >= step:
                    yield found
                    found, count = [], 0
        yield found

    def _names(self, step: int) -> Iterator[list[Name]]:
        """Every name that there was, but the root; some twice, and some that are new and have no records here."""
        zone = self._zone
        at, moves = 0, zone.moves
        # New names come behind the others: to look at those too would not end while every step brings some.
        end = len(zone.nodes)
        left = iter(zone.nodes)
        while at < end and (some := list(islice(left, step))):
            at += len(some)
            yield [name for name in some if name != names.ROOT]
            if at < end and zone.moves != moves:
                # Names that are left have moved up by one for each that went at most: look at some again.
                at, moves = max(0, at - (zone.moves - moves)), zone.moves
                left = islice(zone.nodes, at, None)
        # What went before it was looked at, with the names above that went with it.
        gone = list(self._overlay)
        for start in range(0, len(gone), step):
            yield [above for name in gone[start : start + step] for above in _with_above(name)]

    def _at(self, name: Name) -> Iterator[Rrset]:
        """The records of a name, SOA first."""
        parts = self._overlay.get(name)
        if parts is None:
            node = self._zone.nodes.get(name)
            parts = node.parts if node else ()
        types = reasons.types_of(parts)
        if records.SOA in types:
            types.sort(key=lambda type_: type_ != records.SOA)
        found = (answers.rrset_of(self.settings, self.serial, name, parts, type_) for type_ in types)
        return (rrset for rrset in found if rrset)


def _in_order(origin: Name, below: dict[Name, bytearray]) -> Iterator[Name]:
    """A name and those below it, given the labels directly below each. Its own stack: names can be 127 labels deep."""
    left: list[Iterator[Name]] = [iter((origin,))]
    while left:
        for name in left[-1]:
            yield name
            if labels := below.get(name):
                left.append(_children(name, bytes(labels)))
                break
        else:
            left.pop()


def _children(name: Name, labels: bytes) -> Iterator[Name]:
    """The names of these labels below a name, in order."""
    for label in sorted(set(names.labels(labels + names.ROOT))):
        yield bytes((len(label),)) + label + name


def _with_above(name: Name) -> Iterator[Name]:
    while name != names.ROOT:
        yield name
        name = names.parent(name)
