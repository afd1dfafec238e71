"""Zones for tests: from recorded lists, and from a few words."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from minidns.model import EndpointSlice, Kind, Namespace, Object, Pod, Replaced, Service
from minidns.schema import ZoneSettings
from minidns.source.decode import DECODE
from minidns.zone import Zone

RECORDINGS = Path(__file__).parent / "data" / "recordings"
LISTS: dict[str, Kind] = {
    "namespaces": Namespace,
    "services": Service,
    "endpointslices": EndpointSlice,
    "pods": Pod,
}


def recorded_objects(folder: Path, name: str) -> tuple[Object, ...]:
    """The objects of a recorded list, `NAME.list.json`."""
    items = json.loads((folder / f"{name}.list.json").read_bytes())["items"]
    return tuple(DECODE[LISTS[name]](msgspec.json.encode(item)) for item in items)


def recorded_zone(settings: ZoneSettings, folder: Path = RECORDINGS / "after") -> Zone:
    """A synced zone that holds the recorded lists of a folder."""
    zone = Zone(settings)
    for name, kind in LISTS.items():
        zone.apply(Replaced(kind, recorded_objects(folder, name)))
    zone.synced = True
    return zone
