"""`log`: a line per query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from minidns.config.values import ZoneName

#: What CoreDNS writes for each query when nothing else is said.
COMMON_LOG = (
    '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" '
    "{rcode} {>rflags} {rsize} {duration}"
)
COMBINED_LOG = COMMON_LOG + ' "{>opcode}"'
LogClass = Literal["all", "success", "denial", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A line per query below `zones`, in `format`, for answers of these classes or that took at least
    `min_duration`.
    """

    zones: tuple[ZoneName, ...] = (".",)
    format: str = COMMON_LOG
    classes: frozenset[LogClass] = frozenset({"all"})
    min_duration: float | None = None
