"""`autopath`: the search list of a client, walked by the server."""

from __future__ import annotations

from dataclasses import dataclass

from minidns.config.values import ZoneName


@dataclass(frozen=True, slots=True, kw_only=True)
class Autopath:
    """For names below `zones` and below the first element of a search list the others are tried too.

    kubernetes: the list is that of a pod, by the client's address: NS.svc.ZONE, svc.ZONE, ZONE, and then `search`.
    Otherwise `search` is the whole list, of every client.
    """

    zones: tuple[ZoneName, ...] = (".",)
    kubernetes: bool = False
    search: tuple[ZoneName, ...] = ()
