"""A zone of the index as a zone file (RFC 1035, 5), sorted, as Knot and NSD load it."""

from __future__ import annotations

from collections.abc import Generator

from minidns.core import records
from minidns.core.names import Name
from minidns.core.snapshot import STEP, Snapshot
from minidns.core.zone import Zone


def pieces(zone: Zone, origin: Name) -> Generator[str, None, None]:
    """The records at and below `origin`, one a line, the SOA record first, in pieces of some 0.3 ms of work each.

    It is the zone as it was when the first piece was taken, whatever changes between two pieces; a piece can be "".
    Names by pod address that are worked out from the question (`pods insecure`) are not in the index, and not here.
    """
    with Snapshot(zone) as snapshot:
        for rrsets in snapshot.in_order(origin):
            lines: list[str] = [""]
            for rrset in rrsets:
                for start in range(0, len(rrset.rdata), STEP):
                    lines[-1:-1] = records.to_text(rrset._replace(rdata=rrset.rdata[start : start + STEP]))
                    if len(lines) > STEP:
                        yield "\n".join(lines)
                        lines = [""]
            yield "\n".join(lines)
