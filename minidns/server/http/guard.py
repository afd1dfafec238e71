"""Who may ask: a web page of somebody else's must not, whatever name it was loaded by.

A browser lets any page send requests to 127.0.0.1, and lets it read the answers once the page's own name resolves to
127.0.0.1 (DNS rebinding). Such a request says so itself: its Host is that name, or its Origin is that page. Programs
that are not browsers ask by address or as localhost, and send no Origin.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def foreign(host: str | None, origin: str | None) -> str:
    """Why a request with these headers is not for this server, in one line; "" when it is.

    host: an address, `localhost` or a name below it (RFC 6761, 6.3), with any port: a forwarded port is another one.
    A name cannot be told from one that was rebound. None: a program of HTTP/1.0. origin: that of a page of ours.
    """
    if host is not None and not _is_here(host):
        return f"the Host {host!r} is not this server: ask by its address, or as localhost"
    if origin is not None and _authority(origin) != (host or "").lower():
        return f"a page of {origin!r} may not ask here"
    return ""


def is_loopback(address: str | None) -> bool:
    """Whether a peer is on this machine, or in this pod."""
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False


def _is_here(host: str) -> bool:
    try:
        parts = urlsplit(f"//{host}")
        name = (parts.hostname or "").removesuffix(".")
        if parts.netloc != host or parts.username is not None or parts.port == 0:
            return False
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _authority(origin: str) -> str | None:
    scheme, _, authority = origin.lower().partition("://")
    return authority if scheme in ("http", "https") else None
