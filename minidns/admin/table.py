"""The table of endpoints, and which of them are on which address."""

from __future__ import annotations

from collections.abc import Sequence

from minidns.admin import (
    asking,
    changes,
    explaining,
    figures,
    lessons,
    mapping,
    page,
    queries,
    secondaries,
    state,
    verbs,
    zones,
)
from minidns.admin.running import Running
from minidns.config.settings import Config
from minidns.config.values import Listen
from minidns.server.http.endpoint import Endpoint


def endpoints(running: Running) -> tuple[Endpoint, ...]:
    """Every endpoint of the admin port."""
    questions = asking.Asking(running)
    others = (
        *state.endpoints(running, questions.answered),
        *figures.endpoints(running, questions.answered),
        *secondaries.endpoints(running),
        *explaining.endpoints(running),
        *asking.endpoints(running, questions),
        *mapping.endpoints(running),
        *zones.endpoints(running),
        *changes.endpoints(running),
        *queries.endpoints(running),
        *verbs.endpoints(running),
        *lessons.endpoints(running, questions),
    )
    return (*page.endpoints(others), *others)


def by_address(config: Config, table: Sequence[Endpoint]) -> dict[Listen, tuple[Endpoint, ...]]:
    """What is served where: everything on the admin port, and what a cluster asks for where it is wanted."""
    paths: dict[Listen, set[str]] = {}
    for listen, some in (
        (config.admin, {endpoint.path for endpoint in table}),
        *((health.listen, {"/health"}) for health in config.health),
        *((listen, {"/ready"}) for listen in config.ready),
        *((listen, {"/metrics"}) for listen in config.metrics),
    ):
        if listen is not None:
            paths.setdefault(listen, set()).update(some)
    return {listen: tuple(one for one in table if one.path in some) for listen, some in paths.items()}
