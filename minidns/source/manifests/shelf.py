"""The objects of all files together, by namespace. An object that several files hold is taken from the last."""

from __future__ import annotations

from collections.abc import Sequence

from minidns.source.manifests.files import ObjectKey, Written


class Shelf:
    """Files and their objects. Nothing here is compared by content alone: an equal object stays the very same."""

    def __init__(self) -> None:
        self._files: dict[str, dict[ObjectKey, Written]] = {}
        #: By object the files that hold it.
        self._holders: dict[ObjectKey, dict[str, Written]] = {}
        self._clashes: set[ObjectKey] = set()
        self._spaces: dict[str, dict[ObjectKey, Written]] = {}

    @property
    def files(self) -> dict[str, dict[ObjectKey, Written]]:
        """By file, what it holds."""
        return self._files

    def put(self, file: str, objects: dict[ObjectKey, Written]) -> set[str]:
        """These are the objects of that file now. Returns the namespaces touched."""
        old = self._files.get(file, {})
        new = {key: old[key] if old.get(key) == obj else obj for key, obj in objects.items()}
        touched = set()
        for key in (*new, *(old.keys() - new.keys())):
            if old.get(key) is not new.get(key):
                touched.add(key[1])
                self._hold(file, key, new.get(key))
        self._files[file] = new
        return touched

    def remove(self, file: str) -> set[str]:
        """The file is gone. Returns the namespaces touched."""
        touched = self.put(file, {})
        del self._files[file]
        return touched

    def _hold(self, file: str, key: ObjectKey, obj: Written | None) -> None:
        holders = self._holders.setdefault(key, {})
        if obj is not None:
            holders[file] = obj
        else:
            del holders[file]
        space = self._spaces.setdefault(key[1], {})
        if holders:
            space[key] = holders[max(holders)]
        else:
            del self._holders[key], space[key]
        if len(holders) > 1:
            self._clashes.add(key)
        else:
            self._clashes.discard(key)

    def holder(self, key: ObjectKey) -> str:
        """The file whose object counts; "" when no file holds it."""
        return max(list(self._holders.get(key, ())), default="")

    def clashes(self) -> list[str]:
        """Objects that several files hold, a line each."""
        lines = []
        for key in sorted(self._clashes):
            kind, namespace, name = key
            files = sorted(self._holders[key])
            where = " and in ".join(files)
            lines.append(f"{kind} {namespace}/{name} is in {where}: {files[-1]} counts, as with kubectl apply")
        return lines

    def written(self, namespace: str) -> Sequence[Written]:
        """What counts in a namespace."""
        return list(self._spaces.get(namespace, {}).values())
