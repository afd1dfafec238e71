"""A lesson's file becomes a Lesson, or an error that names file, line and field."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec
import yaml

from minidns.lessons.lesson import Lesson

#: Where the lessons are that come with minidns.
FOLDER = Path(__file__).parent
#: Bytes; a lesson is a few pages.
_LARGEST = 1 << 20
_PLACE = re.compile(r"(.*?) - at `\$(.*)`", re.DOTALL)


class LessonError(ValueError):
    """A lesson that cannot be played; the text says why, with file and line."""


def known() -> list[Path]:
    """The files of the lessons that come with minidns, in their order."""
    return [path for _, path in sorted((read(path).order, path) for path in FOLDER.glob("*.yaml"))]


def find(name: str) -> Path:
    """The file of a lesson by its name; a name with a slash or `.yaml` is a path. Raises LessonError."""
    if "/" in name or name.endswith((".yaml", ".yml")):
        return Path(name)
    names = [path.stem for path in known()]
    if name not in names:
        meant = get_close_matches(name, names, 1)
        raise LessonError(
            f"no lesson {name!r}{f', did you mean {meant[0]}' if meant else ''}? known: {', '.join(names)};"
            " or a path to a lesson's file, such as ./mine.yaml"
        )
    return FOLDER / f"{name}.yaml"


def read(path: Path) -> Lesson:
    """Raises LessonError, also for a file that is not there."""
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST + 1)
    except OSError as error:
        raise LessonError(f"{path}: {error.strerror}") from None
    if len(text) > _LARGEST:
        raise LessonError(f"{path}: more than {_LARGEST} bytes: that is no lesson")
    try:
        root, data = yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise LessonError(f"{path}:{line}: {error.problem or error}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise LessonError(f"{path}: {error}") from None
    try:
        return msgspec.convert(data, Lesson)
    except msgspec.ValidationError as error:
        found = _PLACE.fullmatch(str(error))
        problem, where = found.groups() if found else (str(error), "")
        raise LessonError(f"{path}:{_line(root, where, problem)}: {_said(where, problem)}") from None


def _said(where: str, problem: str) -> str:
    place = where.removeprefix(".")
    return f"{place}: {problem}" if place else problem


def _line(node: yaml.Node | None, where: str, problem: str) -> int:
    """The line of a field such as `.steps[1].answer`, or of the unknown one that the problem names."""
    unknown = re.search(r"unknown field `(.*?)`", problem)
    steps: list[Any] = [int(at) if at else name for name, at in re.findall(r"\.(\w+)|\[(\d+)\]", where)]
    for step in [*steps, *([unknown[1]] if unknown else [])]:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
        elif isinstance(node, yaml.MappingNode):
            pairs = [(key, value) for key, value in node.value if key.value == step]
            if not pairs:
                break
            key, node = pairs[0]
            if step == (unknown and unknown[1]):
                return int(key.start_mark.line) + 1
    return node.start_mark.line + 1 if node is not None else 1
