"""Regular expressions as CoreDNS reads them: RE2's, which take time in proportion to the text, whatever the pattern."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

from minidns.config.values import ConfigError

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Any:
    """The pattern, ready to `search` text. Raises ConfigError for what is none."""
    try:
        return re2.compile(pattern, _OPTIONS)
    except re2.error as error:
        why = error.args[0].decode("utf-8", "replace") if error.args else "unknown"
        raise ConfigError(f"{pattern!r} is not a regular expression: {why}") from None
