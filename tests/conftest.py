"""Hypothesis without a clock; the same examples each time where CI is set, so that a failure can be seen again."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "minidns",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("minidns")
