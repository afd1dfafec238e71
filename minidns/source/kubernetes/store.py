"""The objects of one resource that have been published, and the list that may take their place.

A re-list decodes each object anew and keeps the one that is here already when the two are equal: in memory there is
one copy of what stayed, and the zone index sees at a glance (the same object) what it need not look at.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

import msgspec

from minidns.core import schema
from minidns.core.model import Change, Deleted, Key, Kind, Object, Replaced, Upserted
from minidns.core.why import shown
from minidns.source.kubernetes.decode import DECODE, Meta, decode_identity

logger = logging.getLogger(__name__)


class Store:
    """Published objects by key. `selects` says which namespaces' objects are wanted at all.

    An object that cannot be decoded is logged with its name, and its last good version stays.
    """

    def __init__(self, kind: Kind, selects: Callable[[Object], bool], initial: Iterable[Object] = ()) -> None:
        self.kind = kind
        self.objects: dict[Key, Object] = {obj.key: obj for obj in initial}
        self._selects = selects
        self._decode = DECODE[kind]
        self._listed: dict[Key, Object] = {}
        #: What was said about the fields of an object that no record can hold: once, not with each of its versions.
        self._told: dict[Key, str] = {}

    def put(self, raw: msgspec.Raw) -> list[Change]:
        """An added or modified object. No change where DNS sees no difference."""
        obj = self._read(raw)
        if obj is None or self.objects.get(obj.key) is obj:
            return []
        self.objects[obj.key] = obj
        return [Upserted(obj)]

    def drop(self, meta: Meta) -> list[Change]:
        """A deleted object; no change when it was not here."""
        key = self._key(meta)
        self._told.pop(key, None)
        return [Deleted(self.kind, key)] if self.objects.pop(key, None) is not None else []

    def begin_list(self) -> None:
        """Forget what was listed so far: a list starts."""
        self._listed = {}

    def list_put(self, raw: msgspec.Raw) -> None:
        """The list has this object."""
        if (obj := self._read(raw)) is not None:
            self._listed[obj.key] = obj

    def list_drop(self, meta: Meta) -> None:
        """An object was deleted while it was being listed."""
        self._listed.pop(self._key(meta), None)

    def end_list(self) -> Change:
        """The list is complete: what it does not have is gone."""
        self.objects, self._listed = self._listed, {}
        self._told = {key: text for key, text in self._told.items() if key in self.objects}
        return Replaced(self.kind, tuple(self.objects.values()))

    def _key(self, meta: Meta) -> Key:
        return meta.namespace, meta.name

    def _read(self, raw: msgspec.Raw) -> Object | None:
        try:
            obj = self._decode(raw)
        except msgspec.MsgspecError as error:
            return self._last_good(raw, error)
        if not self._selects(obj):
            return None
        self._tell_left_out(obj)
        known = self.objects.get(obj.key)
        return known if known == obj else obj

    def _tell_left_out(self, obj: Object) -> None:
        text = shown("; ".join(schema.left_out(obj)))
        if text != self._told.get(obj.key, ""):
            if text:
                logger.warning(
                    "%s %s: left out, because no record can hold it: %s",
                    self.kind.__name__,
                    shown("/".join(obj.key)),
                    text,
                )
            self._told[obj.key] = text

    def _last_good(self, raw: msgspec.Raw, error: msgspec.MsgspecError) -> Object | None:
        kind = self.kind.__name__
        try:
            meta = decode_identity(raw).metadata
        except msgspec.MsgspecError:
            logger.warning("skipped a %s without a readable name: %s", kind, error)
            return None
        known = self.objects.get(self._key(meta))
        outcome = "its last good version stays" if known else "it is left out"
        logger.warning("cannot read %s %s/%s, %s: %s", kind, meta.namespace, meta.name, outcome, error)
        return known
