"""A zone of the index as a zone file (RFC 1035, 5), sorted, as Knot and NSD load it."""

from __future__ import annotations

from collections.abc import Iterator

from minidns.core import answers, names, reasons, records
from minidns.core.names import Name
from minidns.core.zone import Zone


def lines(zone: Zone, origin: Name) -> Iterator[str]:
    """The records at and below `origin`, one a line, the SOA record first.

    Names by pod address that are worked out from the question (`pods insecure`) are not in the index, and not here.
    """
    below = sorted((names.labels(name)[::-1], name) for name in zone.nodes if names.is_below(name, origin))
    for _, name in below:
        types = reasons.types_at(zone, name)
        soa_first = sorted(types, key=lambda type_: type_ != records.SOA)
        for rrset in filter(None, (answers.rrset_at(zone, name, type_) for type_ in soa_first)):
            yield from records.to_text(rrset)
