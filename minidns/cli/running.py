"""Requests to a running server, by its admin port."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from typing import cast
from urllib.parse import urlencode

from minidns.config.values import UsageError

#: Seconds.
PATIENCE = 10.0
#: Without the proxies of the environment: the server is on this machine or beside it.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextmanager
def asked(
    admin: str,
    path: str,
    query: Mapping[str, str] | None = None,
    *,
    body: bytes | None = None,
    patience: float | None = PATIENCE,
) -> Iterator[HTTPResponse]:
    """What an admin endpoint answers; with a body, which is JSON, to a POST.

    Raises UsageError with its own words, or with what to do when there is none.
    """
    url = f"http://{admin}{path}" + (f"?{urlencode(query)}" if query else "")
    headers = {} if body is None else {"Content-Type": "application/json"}
    try:
        request = urllib.request.Request(url, body, headers)
        with _OPENER.open(request, timeout=patience) as response:
            yield cast(HTTPResponse, response)
    except urllib.error.HTTPError as error:
        raise UsageError(error.read().decode(errors="replace").strip()) from None
    except (urllib.error.URLError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise UsageError(
            f"no minidns at http://{admin} ({reason}): name it with --admin, or use --manifests or --kubeconfig"
        ) from None
