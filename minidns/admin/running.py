"""The server that is told about."""

from __future__ import annotations

from typing import Protocol

from minidns.config.settings import Config
from minidns.config.values import Listen
from minidns.generation import Answering, Generation


class Running(Protocol):
    """A running server. A reload changes `config` and `generation`: ask each time, keep neither.

    started: by `time.time()`. stopping: SIGTERM came, and it answers on for a while.
    """

    @property
    def config(self) -> Config: ...

    @property
    def generation(self) -> Generation: ...

    @property
    def answering(self) -> Answering: ...

    @property
    def addresses(self) -> list[Listen]: ...

    @property
    def admin_ports(self) -> dict[Listen, int]:
        """The port of each address for HTTP, also where the system chose it."""

    @property
    def started(self) -> float: ...

    @property
    def stopping(self) -> bool: ...
