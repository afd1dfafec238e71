"""Whether a resource follows the API server, since when it does not, and why, in one line."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

import msgspec

from minidns.source.kubernetes.decode import Status

logger = logging.getLogger(__name__)

#: Seconds: the longest wait between two attempts, and the longest Retry-After that is obeyed.
LONGEST_WAIT = 30.0
LONGEST_RETRY_AFTER = 60.0
#: Seconds until a resource that the API server does not have is looked for again.
ABSENT_WAIT = 60.0


class ResourceStatus(msgspec.Struct, frozen=True):
    """One resource as seen from here.

    `synced`: a full list has been in. `lost_since`: the time (as the source's clock tells it) since which nothing could
    be followed, None while all is well. `reason`: why, in one line; "" while all is well. `awaited`: others that are
    synced wait for it.
    """

    resource: str
    synced: bool
    lost_since: float | None
    reason: str
    awaited: bool = True


class Link:
    """Keeps a resource's status, and how long to wait before the next attempt: exponential, jittered, capped."""

    def __init__(self, resource: str, random: Callable[[], float]) -> None:
        self.resource = resource
        self.synced = False
        self.awaited = True
        self._random = random
        self._attempt = 0
        self._lost_since: float | None = None
        self._reason = ""
        self._absent = False

    @property
    def status(self) -> ResourceStatus:
        return ResourceStatus(self.resource, self.synced, self._lost_since, self._reason, self.awaited)

    def wait(self, progress: bool, retry_after: float = 0.0) -> float:
        """Seconds until the next attempt. None after progress; a wait grows with each attempt that made none."""
        self._attempt = 0 if progress else self._attempt + 1
        backoff = min(LONGEST_WAIT, 0.25 * 2 ** min(self._attempt, 10)) * (0.5 + 0.5 * self._random())
        return max(backoff if self._attempt else 0.0, min(retry_after, LONGEST_RETRY_AFTER))

    def lost(self, verb: str, why: str, now: float) -> None:
        """The API server refused, or cannot be reached."""
        reason = f"cannot {verb} {self.resource}: {why}"
        if reason != self._reason:
            logger.warning("%s", reason)
        self._reason = reason
        if self._lost_since is None:
            self._lost_since = now

    def restored(self, now: float) -> None:
        """The API server answers again."""
        if self._lost_since is not None:
            logger.info("%s: followed again after %.0f s", self.resource, now - self._lost_since)
        self._lost_since, self._reason, self._absent = None, "", False

    def absent(self) -> float:
        """The API server does not have the resource, and need not. Seconds until it is looked for again."""
        if not self._absent:
            logger.info("%s: the API server has none, looked for every %.0f s", self.resource, ABSENT_WAIT)
        self._lost_since, self._reason, self._absent = None, "", True
        return ABSENT_WAIT


def describe(code: int, status: Status) -> str:
    """A refusal in a few words, with what to do about it."""
    if code == 401:
        return "401 unauthorized: the credentials are missing, wrong or expired"
    if code == 403:
        user = re.search(r'User "([^"]+)"', status.message)
        who = f" for {user[1]}" if user else ""
        return f"403 forbidden{who}: apply config/kubernetes/rbac.yaml"
    if code == 404:
        return "404 not found: this is no API server, or one older than Kubernetes 1.21"
    return f"{code} {status.message or status.reason or 'without a reason'}"[:300]
