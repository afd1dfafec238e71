"""`acl`: who may ask for what."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from minidns.config.values import Network, ZoneName


class Action(StrEnum):
    """What happens to a question: it goes on, is refused, gets an empty answer, or none at all."""

    ALLOW = "allow"
    BLOCK = "block"
    FILTER = "filter"
    DROP = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """An action for questions of these types from these networks; no types and no networks mean all of them."""

    action: Action
    types: frozenset[int] = frozenset()
    networks: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Acl:
    """For names below `zones` the first policy that fits counts; without any the question goes on to the next acl."""

    zones: tuple[ZoneName, ...] = (".",)
    policies: tuple[Policy, ...] = ()
