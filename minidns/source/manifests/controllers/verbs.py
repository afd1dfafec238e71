"""What can be done to the cluster that manifests make, in kubectl's words, and how it says what it did.

A verb is data: it comes as JSON, `{"verb": "scale", "target": "statefulset/web", "replicas": 3}`.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

#: By kubectl's names and short names, the kind.
KINDS = {
    "statefulset": "StatefulSet", "sts": "StatefulSet", "deployment": "Deployment", "deploy": "Deployment",
    "replicaset": "ReplicaSet", "rs": "ReplicaSet", "daemonset": "DaemonSet", "ds": "DaemonSet",
    "pod": "Pod", "po": "Pod", "job": "Job", "cronjob": "CronJob", "cj": "CronJob",
}  # fmt: skip
#: kubectl prints the API group with these.
_GROUPS = {"StatefulSet": "apps", "Deployment": "apps", "ReplicaSet": "apps", "DaemonSet": "apps"}

#: Every step works through a namespace; a manifest may say more.
MOST_REPLICAS = 10_000


class VerbError(ValueError):
    """It cannot be done. The text says why, and what could be."""


Namespace = Annotated[str, Meta(min_length=1)]


class _Verb(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb", kw_only=True):
    target: str
    namespace: Namespace = "default"

    #: What it is for.
    kinds: ClassVar[tuple[str, ...]] = ("Pod",)


class Scale(_Verb, frozen=True, tag="scale"):
    """Another number of pods."""

    replicas: Annotated[int, Meta(ge=0, le=MOST_REPLICAS)]

    kinds: ClassVar[tuple[str, ...]] = ("StatefulSet", "Deployment", "ReplicaSet")


class Delete(_Verb, frozen=True, tag="delete"):
    """A pod ends; what made it makes another."""


class Restart(_Verb, frozen=True, tag="rollout restart"):
    """Every pod of a workload is exchanged, one after the other."""

    kinds: ClassVar[tuple[str, ...]] = ("StatefulSet", "Deployment", "DaemonSet")


class Unready(_Verb, frozen=True, tag="unready"):
    """The readiness probe of a pod fails from now on."""


class Ready(_Verb, frozen=True, tag="ready"):
    """The readiness probe of a pod passes from now on."""


class Reset(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb", tag="reset"):
    """The cluster is as the manifests have it."""


Verb = Scale | Delete | Restart | Unready | Ready | Reset

_DECODER: msgspec.json.Decoder[Verb] = msgspec.json.Decoder(Verb)


def decode(body: bytes) -> Verb:
    """A verb from JSON. Raises VerbError, which names the field."""
    try:
        return _DECODER.decode(body)
    except msgspec.MsgspecError as error:
        text, _, field = str(error).partition(" - at `$.")
        where = f"{field.removesuffix('`')}: " if field else ""
        raise VerbError(f"not a verb: {where}{text[:1].lower()}{text[1:]}") from None


def parse_target(target: str) -> tuple[str, str]:
    """Kind and name of "statefulset/web", "sts/web", "statefulsets.apps/web". Raises VerbError."""
    kind, slash, name = target.partition("/")
    word = kind.partition(".")[0].lower()
    found = KINDS.get(word) or KINDS.get(word.removesuffix("s"))
    if not slash or not name or found is None:
        known = ", ".join(dict.fromkeys(KINDS.values())).lower()
        raise VerbError(f"{target!r} is not KIND/NAME, with KIND one of {known}")
    return found, name


def check(verb: _Verb) -> tuple[str, str]:
    """Kind and name of its target. Raises VerbError when the verb is not for such a kind, as with kubectl."""
    kind, name = parse_target(verb.target)
    if kind not in verb.kinds:
        kinds = " or ".join(each.lower() for each in verb.kinds)
        raise VerbError(f"{verb.__struct_config__.tag} is for a {kinds}, not for a {kind.lower()}")
    return kind, name


def command(verb: Verb, program: str = "minidns") -> str:
    """The command line that asks for it."""
    if isinstance(verb, Reset):
        return f"{program} reset"
    words = [program, str(verb.__struct_config__.tag), verb.target]
    if isinstance(verb, Scale):
        words.append(f"--replicas={verb.replicas}")
    if verb.namespace != "default":
        words += ["-n", verb.namespace]
    return " ".join(words)


def kubectl(verb: Verb) -> str:
    """What does that to a real cluster, in a sentence."""
    match verb:
        case Scale() | Delete() | Restart():
            return command(verb, "kubectl")
        case Unready() | Ready():
            kind, name = parse_target(verb.target)
            where = f" -n {verb.namespace}" if verb.namespace != "default" else ""
            what = "fails" if isinstance(verb, Unready) else "passes"
            return (
                f"kubectl has no such verb: a {kind.lower()} is {verb.__struct_config__.tag} while its readiness probe "
                f"{what}; kubectl exec{where} {name} -- COMMAND can change what the probe looks at"
            )
        case _:
            return "kubectl apply -f FOLDER brings a cluster back to its manifests"


def said(verb: Verb) -> str:
    """What was done, as kubectl tells it."""
    if isinstance(verb, Reset):
        return "every verb taken back"
    kind, name = parse_target(verb.target)
    if isinstance(verb, Delete):
        return f'pod "{name}" deleted'
    group = f".{_GROUPS[kind]}" if kind in _GROUPS else ""
    done = {"scale": "scaled", "rollout restart": "restarted", "ready": "ready", "unready": "unready"}
    return f"{kind.lower()}{group}/{name} {done[str(verb.__struct_config__.tag)]}"
