"""The text of one manifest file to typed objects, and everything that is wrong with it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterator
from typing import Any, NamedTuple, TypeAlias

import msgspec
import yaml

try:  # libyaml's parser is eight times as fast as the one in Python, and in every wheel
    from yaml import CSafeLoader as Loader
except ImportError:
    from yaml import SafeLoader as Loader  # type: ignore[assignment]

from minidns.source.manifests.objects import Namespace, Object, Service, ServiceImport
from minidns.source.manifests.pods import CronJob, DaemonSet, Deployment, Job, Pod, ReplicaSet, StatefulSet
from minidns.source.manifests.slices import Endpoints, EndpointSlice, WrittenSlice
from minidns.source.manifests.strict import Path, unknown_fields

_DEEPEST = 100
#: What the names of our annotations begin with, and the fields that they are below.
_OURS = "minidns.dev/"
_ABOVE_ANNOTATIONS = ("metadata", "spec", "template", "jobTemplate")

#: By API group and kind: a Service of another group (Knative has one) is another thing.
_KINDS: dict[tuple[str, str], type[Object]] = {
    ("", "Namespace"): Namespace,
    ("", "Service"): Service,
    ("", "Endpoints"): Endpoints,
    ("", "Pod"): Pod,
    ("multicluster.x-k8s.io", "ServiceImport"): ServiceImport,
    ("discovery.k8s.io", "EndpointSlice"): WrittenSlice,
    ("apps", "Deployment"): Deployment,
    ("apps", "ReplicaSet"): ReplicaSet,
    ("apps", "StatefulSet"): StatefulSet,
    ("apps", "DaemonSet"): DaemonSet,
    ("batch", "Job"): Job,
    ("batch", "CronJob"): CronJob,
}

Written: TypeAlias = Object | EndpointSlice
#: Kind, namespace, name. A Namespace is in the namespace it makes.
ObjectKey = tuple[str, str, str]


class _Loader(Loader):
    """Refuses what is nested too deep (libyaml's loader recurses in C, and overflows its stack), and a key that is
    there twice: mostly that is two objects without a line of --- between them, and one would be lost.
    """

    _depth = 0

    def descend_resolver(self, _node: yaml.Node | None, _index: Any) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise yaml.YAMLError(f"nested more than {_DEEPEST} levels deep")

    def ascend_resolver(self) -> None:
        self._depth -= 1

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        keys = (key for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<")
        for key in keys:
            if key.value in seen:
                problem = f"{key.value!r} is there twice (a line of --- before it may be missing)"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class Problem(NamedTuple):
    """Something wrong: the line where it starts (0 when unknown), and what and where it is."""

    line: int
    text: str


class Content(msgspec.Struct, frozen=True):
    """What a file holds.

    problems: what could not be read. warnings: what was, and is hardly meant. skipped: counts the objects of kinds that
    make no names. lines: where each object begins, 0 when unknown. notes: where each annotation of minidns is, by
    object and annotation.
    """

    objects: dict[ObjectKey, Written]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    skipped: Counter[str]
    lines: dict[ObjectKey, int]
    notes: dict[tuple[ObjectKey, str], int]


class _Item(NamedTuple):
    """A document, or an item of a List in one."""

    value: Any
    node: yaml.Node | None
    label: str


def parse(text: bytes, *, json: bool = False, namespace: str = "default") -> Content:
    """Every object in a file, in YAML (any number of documents) or JSON. Never raises: see `Content.problems`.

    namespace: of objects that name none.
    """
    objects: dict[ObjectKey, Written] = {}
    problems: list[Problem] = []
    warnings: list[Problem] = []
    skipped: Counter[str] = Counter()
    lines: dict[ObjectKey, int] = {}
    notes: dict[tuple[ObjectKey, str], int] = {}
    items = _json_items(text) if json else _yaml_items(text)
    while True:
        try:
            item = next(items)
        except StopIteration:
            break
        except Exception as error:  # beside its own errors PyYAML raises many others, such as KeyError for "!!bool x"
            problems.append(_syntax(error, "JSON" if json else "YAML"))
            break
        found = _object(item, namespace)
        if isinstance(found, Problem):
            problems.append(found)
        elif isinstance(found, str):
            skipped[found] += 1
        else:
            key = type(found).__name__, found.namespace, found.name
            if key in objects:
                again = f"{key[0]} {key[1]}/{key[2]} is in this file before: this one counts, as with kubectl apply"
                warnings.append(Problem(_line(item.node, ""), f"{item.label}: {again}"))
            objects[key], lines[key] = found, _line(item.node, "")
            warnings += _unknown(item, *key)
            if _OURS.encode() in text:
                notes |= {(key, name): line for name, line in _notes(item.node)}
    return Content(objects, tuple(problems), tuple(warnings), skipped, lines, notes)


def _notes(node: yaml.Node | None) -> Iterator[tuple[str, int]]:
    """The annotations of minidns on an object and its pod template, with their lines."""
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        if key.value == "annotations" and isinstance(value, yaml.MappingNode):
            ours = (each for each, _ in value.value if str(each.value).startswith(_OURS))
            yield from ((each.value, each.start_mark.line + 1) for each in ours)
        elif key.value in _ABOVE_ANNOTATIONS:
            yield from _notes(value)


def _json_items(text: bytes) -> Iterator[_Item]:
    if text.strip():
        yield from _items(msgspec.json.decode(text), None, "document 1")


def _yaml_items(text: bytes) -> Iterator[_Item]:
    loader = _Loader(text)
    try:
        number = 0
        while loader.check_node():
            node = loader.get_node()
            number += 1
            yield from _items(loader.construct_document(node), node, f"document {number}")
    finally:
        loader.dispose()


def _items(value: Any, node: yaml.Node | None, label: str) -> Iterator[_Item]:
    if not isinstance(value, dict) or "items" not in value or not str(value.get("kind")).endswith("List"):
        if value is not None:
            yield _Item(value, node, label)
        return
    # The items of a typed list, as the API answers it, do not repeat their kind.
    kind = str(value["kind"]).removesuffix("List")
    common = {"apiVersion": value.get("apiVersion"), "kind": kind} if kind else {}
    items = value["items"] if isinstance(value["items"], list) else []
    for number, item in enumerate(items):
        inner = {**common, **item} if isinstance(item, dict) else item
        yield from _items(inner, _descend(node, ["items", number]), f"{label}, items[{number}]")


def _unknown(item: _Item, kind: str, namespace: str, name: str) -> Iterator[Problem]:
    """Fields that the API does not know."""
    for field in unknown_fields(item.value, kind):
        yield Problem(_key_line(item.node, field.path), f"{item.label} ({kind} {namespace}/{name}): {field}")


def _object(item: _Item, namespace: str) -> Written | Problem | str:
    """The object, or what is wrong with it, or its kind when that makes no names."""
    value, node, label = item
    if not isinstance(value, dict):
        return Problem(_line(node, ""), f"{label}: not an object with apiVersion and kind")
    version, kind = value.get("apiVersion"), value.get("kind")
    if not isinstance(version, str) or not isinstance(kind, str):
        return Problem(_line(node, ""), f"{label}: apiVersion and kind must both be given")
    wanted = _KINDS.get((version.rpartition("/")[0], kind))
    if wanted is None:
        return f"{kind} ({version})"
    if namespace != "default":
        value = _placed(value, namespace)
    try:
        return _convert(value, wanted)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `$")
        path = path.removesuffix("`").lstrip(".")
        if "Expected `str`, got" in text:
            text += " (write it in quotes)"
        where = f"{label} ({_called(kind, value)}){path and ': '}{path}"
        return Problem(_line(node, path), f"{where}: {text[:1].lower()}{text[1:]}")


def _placed(value: dict[str, Any], namespace: str) -> dict[str, Any]:
    """The object in that namespace, unless it names one."""
    meta = value.get("metadata")
    if not isinstance(meta, dict) or meta.get("namespace"):
        return value
    return {**value, "metadata": {**meta, "namespace": namespace}}


def _convert(value: dict[str, Any], wanted: type[Object]) -> Written:
    try:
        made = msgspec.convert(value, wanted)
    except msgspec.ValidationError:
        # The API server takes null for absent. Rare, so looked for only when it may be the reason.
        made = msgspec.convert(_without_nulls(value), wanted)
    return EndpointSlice.of(made) if isinstance(made, WrittenSlice) else made


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _called(kind: str, value: dict[str, Any]) -> str:
    meta = value.get("metadata")
    if not isinstance(meta, dict) or "name" not in meta:
        return f"{kind} without a name"
    return f"{kind} {meta.get('namespace') or 'default'}/{meta['name']}"


def _syntax(error: Exception, language: str) -> Problem:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return Problem(error.problem_mark.line + 1, f"not {language}: {error.problem or error.context}")
    return Problem(0, f"not {language}: {' '.join(str(error).split()) or type(error).__name__}")


def _line(node: yaml.Node | None, path: str) -> int:
    """The line of the field, or of the innermost part of its path that is written down."""
    steps = [int(number) if number else name for name, number in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path)]
    found = _descend(node, steps)
    return found.start_mark.line + 1 if found else 0


def _key_line(node: yaml.Node | None, path: Path) -> int:
    """The line of the name of a field."""
    *parents, last = path
    inside = _descend(node, parents)
    if isinstance(inside, yaml.MappingNode):
        return next((key.start_mark.line + 1 for key, _ in inside.value if key.value == last), 0)
    return 0


def _descend(node: yaml.Node | None, steps: list[str | int]) -> yaml.Node | None:
    for step in steps:
        inner: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            inner = next((value for key, value in node.value if key.value == step), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            inner = node.value[step]
        if inner is None:
            break
        node = inner
    return node
