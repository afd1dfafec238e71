"""Requests to a running server, by its admin port."""

from __future__ import annotations

import argparse
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from typing import cast
from urllib.parse import urlencode, urlsplit

from minidns.config import settings
from minidns.config.values import UsageError

#: Where a server is asked that is not named.
ADMIN = str(settings.ADMIN)

#: Seconds.
PATIENCE = 10.0
#: Without the proxies of the environment: the server is on this machine or beside it.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class NoServerError(UsageError):
    """There is no server to ask."""


def add_admin(parser: argparse.ArgumentParser, default: str | None = ADMIN) -> None:
    """The option that names the running server. default: None where it matters whether one is named."""
    parser.add_argument(
        "--admin", default=default, metavar="HOST:PORT", help=f"of a running server, or its URL ({ADMIN})"
    )


def url_of(admin: str | None) -> str:
    """The URL of an admin port that is named as HOST:PORT, PORT, or a URL; of ADMIN for None. Raises UsageError."""
    text = (ADMIN if admin is None else admin).strip()
    text = f"127.0.0.1:{text}" if text.isdecimal() else text
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port
    except ValueError as error:
        raise UsageError(f"--admin {text}: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or (port is None and "://" not in text):
        raise UsageError(f"--admin {text or repr(text)}: neither HOST:PORT nor the URL of a running server")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


@contextmanager
def asked(
    admin: str | None,
    path: str,
    query: Mapping[str, str] | None = None,
    *,
    body: bytes | None = None,
    patience: float | None = PATIENCE,
) -> Iterator[HTTPResponse]:
    """What an admin endpoint answers; with a body, which is JSON, to a POST.

    admin: as `url_of` takes it. Raises UsageError with its own words, NoServerError with what to do when there is none.
    """
    server = url_of(admin)
    url = f"{server}{path}" + (f"?{urlencode(query)}" if query else "")
    headers = {} if body is None else {"Content-Type": "application/json"}
    try:
        request = urllib.request.Request(url, body, headers)
        with _OPENER.open(request, timeout=patience) as response:
            yield cast(HTTPResponse, response)
    except urllib.error.HTTPError as error:
        raise UsageError(error.read().decode(errors="replace").strip()) from None
    except (urllib.error.URLError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise NoServerError(
            f"no minidns at {server} ({reason}): name it with --admin, or use --manifests or --kubeconfig"
        ) from None
