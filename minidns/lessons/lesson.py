"""What is in a lesson's file. docs/lessons/writing.md explains every field to those who write one."""

from __future__ import annotations

from typing import Literal

import msgspec

from minidns.explain import NDOTS, parse_libc, parse_name, parse_type

#: What a learner may be asked to say about an answer.
Give = Literal["records", "one record", "count", "rcode", "ttl", "negative ttl", "queries", "found"]
_OF_A_WALK = ("queries", "found")
_OF_AN_ANSWER = ("rcode", "count", "at_least", "at_most", "records", "truncated", "reason")


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Part of a lesson's file."""


class Look(_Part, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A real question to the zone: `ask` one name, or `walk` a pod's search list.

    ask: "NAME TYPE", the type A by default. over: the transport. edns: whether 1232 bytes are offered, or 512 it is.
    at: the zone's server, or the lesson's second one. walk: a name as a program in a pod writes it.
    """

    ask: str | None = None
    over: Literal["udp", "tcp"] = "udp"
    edns: bool = True
    at: Literal["zone", "cache"] = "zone"
    walk: str | None = None
    from_: str = "default"
    ndots: int = NDOTS
    libc: str = "glibc"

    def __post_init__(self) -> None:
        if self.ask is not None:
            name, type_ = self.question
            parse_name(name)
            parse_type(type_)
        if self.walk is not None:
            parse_name(self.walk)
            parse_libc(self.libc)
        if self.ask is not None and self.walk is not None:
            raise ValueError("`ask` and `walk` are two looks: keep one of them")

    @property
    def question(self) -> tuple[str, str]:
        """Name and type of `ask`. Raises ValueError."""
        name, type_, *more = [*(self.ask or "").split(), "A"][:2] + (self.ask or "").split()[2:]
        if more:
            raise ValueError(f"ask: {self.ask!r} is not NAME or NAME TYPE")
        return name, type_

    def _needs(self) -> None:
        if self.ask is None and self.walk is None:
            raise ValueError("nothing to look at: `ask: NAME TYPE`, or `walk: NAME`")


class Condition(Look, frozen=True, kw_only=True):
    """What is seen when the zone is as it should be. Every field that is given has to hold.

    rcode: NOERROR (with records), NODATA, NXDOMAIN, ... records: data of the answer section that is among it.
    count, at_least, at_most: how many records of the type. truncated: whether the answer was cut off.
    reason: a part of the sentence in the answer (Extended DNS Error). queries, found: of a walk.
    say: to a learner, while it does not hold.
    """

    rcode: str | None = None
    count: int | None = None
    at_least: int | None = None
    at_most: int | None = None
    records: tuple[str, ...] | None = None
    truncated: bool | None = None
    reason: str | None = None
    queries: int | None = None
    found: str | None = None
    say: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._needs()
        asked, walked = (
            [name for name in some if getattr(self, name) is not None] for some in (_OF_AN_ANSWER, _OF_A_WALK)
        )
        wrong, what = (walked, "walk") if self.ask is not None else (asked, "ask")
        if wrong:
            raise ValueError(f"`{wrong[0]}` is seen by `{what}` alone")
        if not asked and not walked:
            raise ValueError(f"nothing is expected: {', '.join(_OF_AN_ANSWER if self.ask else _OF_A_WALK)}")


class Value(Look, frozen=True, kw_only=True):
    """What a learner may type: one of the words of `text`, or what the zone answers just now, as `give` has it.

    exact: a final dot counts (capital letters never do).
    """

    text: tuple[str, ...] = ()
    give: Give | None = None
    exact: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if bool(self.text) == (self.give is not None):
            raise ValueError("either `text`, or `give` with something to look at")
        if self.give is None:
            return
        self._needs()
        if (self.walk is not None) != (self.give in _OF_A_WALK):
            raise ValueError(f"`give: {self.give}` is seen by `{'walk' if self.give in _OF_A_WALK else 'ask'}` alone")


class Wrong(Value, frozen=True, kw_only=True):
    """A wrong answer that is worth a sentence of its own."""

    say: str


class Answer(_Part, frozen=True, kw_only=True):
    """The learner types something. wrong: in turn, the first that fits speaks; otherwise: to any other answer."""

    right: Value
    wrong: tuple[Wrong, ...] = ()
    otherwise: str


class Mistake(_Part, frozen=True, kw_only=True):
    """A wrong change that is worth a sentence of its own.

    how: a command that makes it, for a rehearsal. undo: one that takes back what `how` did besides editing the file.
    """

    when: tuple[Condition, ...]
    say: str
    how: str
    undo: str = ""

    def __post_init__(self) -> None:
        if not self.when:
            raise ValueError("a mistake is seen by something: `when` is empty")


class Change(_Part, frozen=True, kw_only=True):
    """The learner changes the cluster, until all of `goal` holds. solution: a command that does it."""

    goal: tuple[Condition, ...]
    mistakes: tuple[Mistake, ...] = ()
    solution: str

    def __post_init__(self) -> None:
        if not self.goal:
            raise ValueError("a change is seen by something: `goal` is empty")
        if not all(one.say for one in self.goal):
            raise ValueError("each condition of `goal` needs `say`: what a learner reads while it does not hold")


class Step(_Part, frozen=True, kw_only=True):
    """A task, and the learner's answer or change. hints: in turn. explain: once it is done."""

    task: str
    answer: Answer | None = None
    change: Change | None = None
    hints: tuple[str, ...]
    explain: str

    def __post_init__(self) -> None:
        if (self.answer is None) == (self.change is None):
            raise ValueError("a step has either an `answer` or a `change`")
        if not self.hints:
            raise ValueError("a step has at least one hint")


class Lesson(_Part, frozen=True, kw_only=True):
    """A lesson. order: among the others. minutes: what a class needs. starts: what holds in the lesson's cluster.

    manifests: the cluster, as kubectl takes it. ttl: of the zone's records, in seconds. cache: for a second server that
    forwards to the zone and caches: the options of the Corefile's `cache`, empty lines for the defaults.
    """

    title: str
    order: int = 100
    minutes: int
    about: str
    manifests: str
    ttl: int = 30
    cache: str | None = None
    starts: tuple[Condition, ...]
    steps: tuple[Step, ...]
    end: str

    def __post_init__(self) -> None:
        if not self.steps:
            raise ValueError("a lesson has at least one step")
        if not self.starts:
            raise ValueError("`starts` says by which answers the lesson's cluster is known: it is empty")
