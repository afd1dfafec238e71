"""What another server is asked: every name and type of a zone, and a sample of names that it must not have.

What is expected comes from the objects in every case (`minidns.compare.verdicts`): a sample that does exist is one more
question, and no wrong one.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import TypeVar

from minidns.compare.differences import Question
from minidns.compare.seen import Seen, rdata_of, type_of
from minidns.core import answers, names, reasons, records
from minidns.core.model import Service
from minidns.core.names import Name
from minidns.core.schema import PodMode
from minidns.core.zone import Zone

#: Names of each kind that are made up, at most.
MOST = 100
_ORDINAL = re.compile(rb"(.*-)(\d{1,6})")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_T = TypeVar("_T")
_FAMILIES = (records.A, records.AAAA)


def questions(zone: Zone, label: str, sweep: Iterable[Network] = ()) -> list[Question]:
    """Every question, once. label: what nobody calls anything. sweep: networks whose every address is asked for its
    name, which alone finds what is left of objects that nobody knows any more."""
    found = dict.fromkeys(_of_the_zone(zone))
    found.update(dict.fromkeys(_missing(zone, label)))
    backs = (names.reverse(address.packed) for network in sweep for address in network)
    found.update({(back, records.PTR): None for back in backs if zone.origin(back)})
    own = set(server_names(zone))
    return [question for question in found if question[0] not in own]


def server_names(zone: Zone) -> Iterator[Name]:
    """`ns.dns.Z` where no Service gives it addresses: each server then answers its own."""
    for origin in zone.origins:
        name = names.child("ns", names.child("dns", origin) or origin)
        if name and not reasons.types_at(zone, name):
            yield name


def _of_the_zone(zone: Zone) -> Iterator[Question]:
    for name, node in zone.nodes.items():
        types = reasons.types_of(node.parts)
        if names.is_below(name, zone.settings.origin):
            if not types:
                yield name, records.A
            elif records.CNAME in types:
                types += _FAMILIES
                ends = answers.end_of_aliases(zone, name)
                yield from ((end, type_) for end in ends if zone.origin(end) for type_ in _FAMILIES)
            elif reasons.service_at(zone, name) and name[1:2] != b"_":
                # The other family of a Service is what resolvers ask for too.
                types = list(dict.fromkeys([*types, *_FAMILIES]))
        yield from ((name, type_) for type_ in types)
    yield from ((origin, records.ANY) for origin in zone.origins)
    if zone.settings.pods is PodMode.INSECURE:
        yield from _pods(zone)


def _pods(zone: Zone) -> Iterator[Question]:
    """Names by address, which are in no index: an endpoint's in its own namespace."""
    for service in _some(zone.cluster.all(Service).values()):
        if isinstance(service, Service):
            below = names.child(service.namespace, names.child("pod", zone.settings.origin) or names.ROOT)
            for address in islice(_addresses(zone, service), 1):
                if below and (name := names.child(names.address_label(address), below)):
                    yield name, records.A if len(address) == 4 else records.AAAA


def _addresses(zone: Zone, service: Service) -> Iterator[bytes]:
    for slice_ in zone.cluster.slices(service.key).values():
        for endpoint in slice_.endpoints:
            yield from endpoint.addresses


def _missing(zone: Zone, label: str) -> Iterator[Question]:
    made_up = (*_beside(zone, label), *_some(zone.not_ready), *_some(_next_ordinals(zone)), *_some(_elsewhere(zone)))
    yield from ((name, records.A) for name in made_up if name not in zone.nodes)
    for name in (*_unready_pointers(zone), *_neighbours(zone)):
        if name not in zone.nodes and zone.origin(name):
            yield name, records.PTR


def _beside(zone: Zone, label: str) -> Iterator[Name]:
    """A name that nobody has at every level, and a wildcard, which CoreDNS had until version 1.9."""
    origin = zone.settings.origin
    tops = [origin, *(top for tree in ("svc", "pod") if (top := names.child(tree, origin)))]
    spaces = (at for top in tops[1:] for name in _spaces(zone) if (at := names.child(name, top)))
    services = (_name(zone, service) for service in zone.cluster.all(Service).values() if isinstance(service, Service))
    for parent in (*tops, *_some(spaces), *_some(filter(None, services))):
        yield from (name for text in (label, "*") if (name := names.child(text, parent)))


def _spaces(zone: Zone) -> list[str]:
    return sorted({namespace for namespace, _ in zone.cluster.all(Service)})


def _name(zone: Zone, service: Service) -> Name | None:
    return _place(zone, service.namespace, service.name)


def _place(zone: Zone, namespace: str, service: str) -> Name | None:
    top = names.child("svc", zone.settings.origin)
    below = top and names.child(namespace, top)
    return below and names.child(service, below)


def _next_ordinals(zone: Zone) -> Iterator[Name]:
    """The pods that a StatefulSet had before it was scaled down: those behind the last of each."""
    last: dict[tuple[bytes, Name], int] = {}
    for name in zone.nodes:
        if match := _ORDINAL.fullmatch(name[1 : name[0] + 1]):
            key = match[1], names.parent(name)
            last[key] = max(last.get(key, 0), int(match[2]))
    for (base, parent), number in last.items():
        if zone.nodes[parent].parts and names.is_below(parent, zone.settings.origin):
            for ordinal in (number + 1, number + 2):
                if beside := names.child(f"{base.decode('utf-8', 'surrogateescape')}{ordinal}", parent):
                    yield beside


def _elsewhere(zone: Zone) -> Iterator[Name]:
    """The Services of one namespace in the next one."""
    spaces = _spaces(zone)
    for namespace, service in zone.cluster.all(Service):
        beside = spaces[(spaces.index(namespace) + 1) % len(spaces)]
        if found := _place(zone, beside, service):
            yield found


def _unready_pointers(zone: Zone) -> Iterator[Name]:
    """The reverse names of endpoints that are not ready."""
    for name in _some(zone.not_ready):
        if service := reasons.service_at(zone, name):
            yield from map(names.reverse, _some(_addresses(zone, service)))


def _neighbours(zone: Zone) -> Iterator[Name]:
    """The reverse names of the addresses beside those in use: Services and pods that are gone had such."""
    found = 0
    for name in zone.nodes:
        if found < 2 * MOST and (address := names.reversed_address(name)) is not None:
            for step in (-1, 1):
                number = int.from_bytes(address, "big") + step
                if 0 <= number < 1 << 8 * len(address):
                    beside = names.reverse(number.to_bytes(len(address), "big"))
                    found += beside not in zone.nodes
                    yield beside


def _some(all_: Iterable[_T]) -> Iterator[_T]:
    return islice(all_, MOST)


def leads(zone: Zone, theirs: Seen) -> Iterator[Question]:
    """What an answer that differs leads to, and the zone does not have: the names of other records, and the way back
    from addresses."""
    for record in (*theirs.answer, *theirs.additional):
        data, type_ = rdata_of(record), type_of(record)
        if type_ in ("A", "AAAA"):
            back = names.reverse(names.packed_address(data))
            if back not in zone.nodes and zone.origin(back):
                yield back, records.PTR
        elif type_ in ("SRV", "PTR", "CNAME"):
            with suppress(ValueError):
                yield from _unknown(zone, names.from_text(data.rpartition(" ")[2]))


def _unknown(zone: Zone, name: Name) -> Iterator[Question]:
    """A name that the zone does not have, and those above it."""
    while zone.origin(name) and name not in zone.nodes:
        yield from ((name, type_) for type_ in (*_FAMILIES, records.SRV))
        name = names.parent(name)
