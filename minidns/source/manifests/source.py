"""A folder of manifests (or one file) as the source of the cluster, followed while it is edited.

A file that cannot be read or understood keeps its last good state; everything else goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

from minidns.config.values import Network
from minidns.core import model
from minidns.source.manifests.controllers.manager import Controllers
from minidns.source.manifests.controllers.play import Play
from minidns.source.manifests.controllers.space import OF_A_SET, ORDER, Edit
from minidns.source.manifests.files import Written, parse
from minidns.source.manifests.folder import MOMENT, Signature
from minidns.source.manifests.log import changes, count, describe, log_some
from minidns.source.manifests.origins import Origins
from minidns.source.manifests.places import Kustomization, is_kustomization, not_built, open_folder
from minidns.source.manifests.report import Report
from minidns.source.manifests.shelf import Shelf
from minidns.source.manifests.stage import Publish, Stage

log = logging.getLogger("minidns.manifests")


class ManifestError(Exception):
    """There is nothing to start from. The text is one message for the person who named the path."""


class ManifestSource:
    """Objects from `path` and the cluster that minidns plays for them. Call `load` once, then `run`.

    Each CIDR list has at most one network per address family; the first is the default family of Services.
    namespace: of objects that name none.
    """

    def __init__(
        self,
        path: Path,
        service_cidrs: tuple[Network, ...],
        pod_cidrs: tuple[Network, ...],
        namespace: str = "default",
    ) -> None:
        self._folder = open_folder(path)
        self._namespace = namespace
        self._cluster = Controllers(service_cidrs, pod_cidrs)
        self.stage = Stage(Play(self._cluster))
        self._shelf = Shelf()
        self._signatures: dict[str, Signature] = {}
        # Emptied or missing since the last look: an editor may be about to write them.
        self._doubtful: set[str] = set()
        self._complaint = ""
        self._report = Report(self._shelf, self._cluster)
        self.origins = Origins(self._report, self._cluster)
        self._skipped: set[str] = set()

    def load(self) -> list[model.Change]:
        """Read everything. One `Replaced` for each kind, but for those of a cluster set that there are none of.

        ManifestError when the path does not exist, or when there are files and none of them can be read.
        """
        path = self._folder.path
        try:
            found = self._folder.scan()
        except OSError as error:
            raise ManifestError(f"{path}: {error.strerror}: --manifests needs a folder of YAML, or a file") from None
        touched = self._read(found)
        if found and not self._shelf.files:
            raise ManifestError(f"{path}: no file in it can be read: {self.complaints()[0]}")
        self._update(touched | {"default"})  # which exists even when nothing is written
        told = (f"{file}: {describe(each, self._cluster)}" for file, each in self._everything())
        log_some(logging.INFO, told, sum(map(len, self._shelf.files.values())))
        kinds = {kind: tuple(self._cluster.objects(kind)) for kind in ORDER}
        # Few have a cluster set: of those alone it is told.
        kinds = {kind: objects for kind, objects in kinds.items() if objects or kind not in OF_A_SET}
        sizes = ", ".join(count(len(objects), kind.__name__) for kind, objects in kinds.items())
        log.info("%s: %s %s %s", path, count(len(found), "file"), "makes" if len(found) == 1 else "make", sizes)
        return [model.Replaced(kind, objects) for kind, objects in kinds.items()]

    def complaints(self) -> list[str]:
        """Everything there is to say against the manifests, a line each, after `load`."""
        return self._report.everything()

    async def run(self, publish: Publish) -> None:
        """Publish what each edit and each step of a verb changes, all of it at once, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_files(publish), name="follow the manifests")
            tasks.create_task(self.stage.run(publish), name="play verbs")

    async def _follow_files(self, publish: Publish) -> None:
        async with aclosing(self._folder.news()) as news:
            async for names in news:
                await self._look(names, publish)
                while self._doubtful:
                    await asyncio.sleep(MOMENT)
                    await self._look(set(), publish)

    async def _look(self, names: set[str], publish: Publish) -> None:
        async with self.stage.changing:
            # In a thread: the loop answers queries meanwhile.
            edits = await asyncio.to_thread(self._follow, names)
            if edits:
                publish([edit.change for edit in edits])

    def _follow(self, suspects: set[str]) -> list[Edit]:
        """Read what is new, or is in `suspects`; what that changes in the cluster."""
        try:
            found = self._folder.scan()
        except OSError as error:
            self._complain(f"{self._folder.path}: {error.strerror}: its last state stays")
            return []
        self._complain("")
        before, self._doubtful = self._doubtful, set()
        gone = self._shelf.files.keys() - found.keys()
        self._doubtful |= gone - before
        touched = {space for name in gone & before for space in self._remove(name)}
        news = {name: s for name, s in found.items() if name in suspects or self._signatures.get(name) != s}
        touched |= self._read(news, before)
        self._signatures = {name: s for name, s in self._signatures.items() if name in found}
        edits = self._update(touched)
        changed = sorted(gone & before | news.keys())
        what = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
        log_some(logging.INFO, (f"{what} changed: {line}" for line in changes(edits)))
        return edits

    def _remove(self, name: str) -> set[str]:
        self._report.gone(name)
        return self._shelf.remove(name)

    def _read(self, files: dict[str, Signature], believed: set[str] | frozenset[str] = frozenset()) -> set[str]:
        """Read these files; the namespaces that this touches. `believed` are those that may be empty."""
        touched: set[str] = set()
        errors: list[str] = []
        warnings: list[str] = []
        skipped: Counter[str] = Counter()
        for name, signature in files.items():
            if is_kustomization(name) and not isinstance(self._folder, Kustomization):
                self._signatures[name] = signature
                warnings.append(self._report.unread(name, not_built(name)))
                continue
            try:
                text = self._folder.read(name)
            except OSError as error:
                self._signatures[name] = signature
                errors.append(self._report.unread(name, f"cannot be read: {error.strerror}"))
                continue
            before = self._shelf.files.get(name)
            if before and not text.strip() and name not in believed:
                self._doubtful.add(name)
                continue
            self._signatures[name] = signature
            content = parse(text, json=name.endswith(".json"), namespace=self._namespace)
            keeps = ": the file's last good state stays" if content.problems and before else ""
            for lines, new in zip((errors, warnings), self._report.read(name, content, keeps), strict=True):
                lines += new
            skipped += content.skipped
            if not content.problems or not before:
                touched |= self._shelf.put(name, content.objects)
        log_some(logging.ERROR, errors)
        log_some(logging.WARNING, warnings)
        self._log_skipped(skipped)
        return touched

    def _update(self, touched: set[str]) -> list[Edit]:
        edits = self._cluster.update({space: self._shelf.written(space) for space in touched}) if touched else []
        # A file that was moved is in two places until the old one is believed to be gone.
        if not self._doubtful:
            self._report.update(touched)
        return edits

    def _everything(self) -> Iterator[tuple[str, Written]]:
        return ((file, each) for file, objects in self._shelf.files.items() for each in objects.values())

    def _log_skipped(self, skipped: Counter[str]) -> None:
        new = {kind: count for kind, count in skipped.items() if kind not in self._skipped}
        if new:
            self._skipped |= new.keys()
            kinds = ", ".join(f"{count} {kind}" for kind, count in new.items())
            log.info("skipped, they make no names: %s", kinds)

    def _complain(self, complaint: str) -> None:
        if complaint and complaint != self._complaint:
            log.warning("%s", complaint)
        self._complaint = complaint
