"""Everything there is to say against manifests, and what of it is new."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from minidns.source.manifests.controllers.manager import Controllers
from minidns.source.manifests.files import Content, ObjectKey, Problem
from minidns.source.manifests.findings import findings
from minidns.source.manifests.log import log_some
from minidns.source.manifests.shelf import Shelf


class Report:
    """What is wrong with files, with objects among each other, and with what the controllers could do for them."""

    def __init__(self, shelf: Shelf, cluster: Controllers) -> None:
        self._shelf = shelf
        self._cluster = cluster
        self._files: dict[str, tuple[str, ...]] = {}
        self._lines: dict[str, dict[ObjectKey, int]] = {}
        self._notes: dict[str, dict[tuple[ObjectKey, str], int]] = {}
        self._spaces: dict[str, tuple[str, ...]] = {}
        self._told: set[str] = set()

    def read(self, name: str, content: Content, keeps: str) -> tuple[list[str], list[str]]:
        """A file was read: its errors and its warnings. keeps: what becomes of a file with errors."""
        errors = [f"{_place(name, line)}: {text}{keeps}" for line, text in content.problems]
        warnings = [_warning(name, each) for each in content.warnings]
        self._files[name], self._lines[name] = (*errors, *warnings), content.lines
        self._notes[name] = content.notes
        return errors, warnings

    def unread(self, name: str, why: str) -> str:
        """A file was not read."""
        line = f"{name}: {why}"
        self._files[name] = (line,)
        return line

    def gone(self, name: str) -> None:
        """A file is gone."""
        self._files.pop(name, None)
        self._lines.pop(name, None)
        self._notes.pop(name, None)

    def place(self, key: ObjectKey, annotation: str = "") -> str:
        """Where an object, or an annotation of it, is written: FILE:LINE; "" for what no file holds."""
        file = self._shelf.holder(key)
        line = self._notes.get(file, {}).get((key, annotation)) or self._lines.get(file, {}).get(key, 0)
        return _place(file, line)

    def update(self, namespaces: set[str]) -> None:
        """The cluster has followed its manifests in these namespaces: log what was not to be said before."""
        for space in namespaces:
            self._spaces[space] = tuple(self._of_space(space))
        errors, warnings = self._shared(), [line for space in self._spaces.values() for line in space]
        log_some(logging.ERROR, [line for line in errors if line not in self._told])
        log_some(logging.WARNING, [line for line in warnings if line not in self._told])
        self._told = {*errors, *warnings}

    def everything(self) -> list[str]:
        """All of it, by file."""
        of_files = [line for _, lines in sorted(self._files.items()) for line in lines]
        return [*of_files, *self._shared(), *sorted(line for space in self._spaces.values() for line in space)]

    def _shared(self) -> Sequence[str]:
        return [*self._shelf.clashes(), *self._cluster.problems()]

    def _of_space(self, space: str) -> Iterator[str]:
        for key, text in findings(self._cluster, space, self._shelf.written(space)):
            kind, namespace, name = key
            yield f"{self.place(key)}: {kind} {namespace}/{name}: {text}"


def _place(file: str, line: int) -> str:
    return f"{file}:{line}" if line else file


def _warning(file: str, problem: Problem) -> str:
    return f"{_place(file, problem.line)}: {problem.text}"
