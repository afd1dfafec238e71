"""A folder of files (or one file) on disk: what is there, and when to look again."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from pathlib import Path

import watchfiles

log = logging.getLogger("minidns.manifests")

SUFFIXES = (".yaml", ".yml", ".json")
#: Seconds until a path that is missing is tried again, and until an emptied or missing file is believed.
MOMENT = 0.2
#: Seconds between looks without any news: for file systems that report none, and a folder that was replaced.
TICK = 2.0

#: Changes whenever a file does: change time in nanoseconds, size, inode, device.
Signature = tuple[int, int, int, int]


class Folder:
    """Manifests below `path`, in subfolders too; or the one file that `path` is.

    Names that start with a dot are not looked at: editors and ConfigMap volumes keep their own things under them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def scan(self) -> dict[str, Signature]:
        """Every file, by its path below the folder, sorted. OSError when the folder or a subfolder is not readable."""
        about = os.stat(self.path)
        if not stat.S_ISDIR(about.st_mode):
            return {self.path.name: signature(about)}
        found: dict[str, Signature] = {}
        folders, seen = [""], set()
        while folders:
            folder = folders.pop()
            for entry in sorted(os.listdir(self.path / folder)):
                name = os.path.join(folder, entry)
                try:
                    about = os.stat(self.path / name)
                except FileNotFoundError:  # gone since, or a link to nowhere
                    continue
                if entry.startswith("."):
                    continue
                if stat.S_ISDIR(about.st_mode):
                    # A link to a folder is followed, but not in circles.
                    if (about.st_dev, about.st_ino) not in seen:
                        seen.add((about.st_dev, about.st_ino))
                        folders.append(name)
                elif entry.endswith(SUFFIXES) and stat.S_ISREG(about.st_mode):
                    found[name] = signature(about)
        return dict(sorted(found.items()))

    def read(self, name: str) -> bytes:
        """The content of a file that `scan` named. OSError when it is not readable."""
        return (self.path / name).read_bytes() if self.path.is_dir() else self.path.read_bytes()

    async def news(self) -> AsyncGenerator[set[str], None]:
        """The names of files that may have changed, for ever; an empty set means "look for yourself".

        Nothing that happens after the first item is missed.
        """
        complained = False
        while True:
            try:
                identity = self._identity()
                async with aclosing(self._watch()) as events:
                    async for names in events:
                        yield names
                        # Another folder under the same name, or none: what is watched is not what is read.
                        if self._identity() != identity:
                            break
            except FileNotFoundError:
                yield set()
                await asyncio.sleep(MOMENT)
            except (OSError, RuntimeError) as error:  # watchfiles: no inotify watches left, for example
                if not complained:
                    log.warning("%s cannot be watched (%s): looking every %g s", self.path, error, TICK)
                complained = True
                yield set()
                await asyncio.sleep(TICK)

    async def _watch(self) -> AsyncGenerator[set[str], None]:
        # Editors replace a file by renaming another to it, so it is its folder that has the news, as the parent has of
        # a folder that is missing.
        single = not self.path.is_dir()
        target = self.path.parent if single else self.path
        events = watchfiles.awatch(
            target,
            watch_filter=None,
            debounce=400,
            step=50,
            rust_timeout=int(TICK * 1000),
            yield_on_timeout=True,
            recursive=not single,
            ignore_permission_denied=True,
        )
        async with aclosing(events):
            first = asyncio.ensure_future(anext(events))
            try:
                # One turn of the loop later the watch is set up.
                await asyncio.sleep(0)
                yield set()
                batch = await first
            finally:
                first.cancel()
                await asyncio.wait((first,))  # a generator that still runs cannot be closed
            while True:
                yield _below(target, (path for _, path in batch))
                batch = await anext(events)

    def _identity(self) -> tuple[int, int]:
        about = os.stat(self.path if self.path.is_dir() else self.path.parent)
        return about.st_dev, about.st_ino


def _below(folder: Path, paths: Iterable[str]) -> set[str]:
    return {os.path.relpath(path, folder) for path in paths}


def signature(about: os.stat_result) -> Signature:
    """What tells a file's content from another, as far as its status does."""
    return about.st_ctime_ns, about.st_size, about.st_ino, about.st_dev
