"""The change feed: what happened to which object, and the records that came and went with it. Pure.

Around `Zone.apply`, and only while somebody watches:

    before = versions(zone.cluster, change)
    touches: list[Touch] = []
    zone.apply(change, touches)
    event = event_of(zone, before, touches)      # None when nothing changed

`text(event)` is for people, `to_json(event)` is the data of one server-sent event. The old versions have to be taken
before the change is applied; the records are compared with the index right after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import msgspec

from minidns.core import names, records
from minidns.core.cluster import Cluster
from minidns.core.model import Change, Deleted, Endpoint, EndpointSlice, Object, Service, Upserted
from minidns.core.why import shown
from minidns.core.zone import Touch, Zone
from minidns.explain.behind import state, title
from minidns.explain.question import name_text
from minidns.views import differences

#: Endpoints and records that an event lists; beside them are the counts of all.
LISTED = 10

Action = Literal["new", "changed", "gone", "listed"]
_ORDER = (records.A, records.AAAA, records.CNAME, records.SRV, records.TXT, records.PTR)


class Version(NamedTuple):
    """An object before and after a change; None where it did not or does not exist."""

    old: Object | None
    new: Object | None


class EndpointChange(msgspec.Struct, frozen=True):
    """An endpoint of a slice that is new, gone, or has other conditions or addresses than before.

    `name`: its pod's name, its hostname, or its addresses. `now` and `before` are its conditions in words: "ready",
    "not ready", "ready, terminating"; null where it does not exist.
    """

    name: str
    before: str | None
    now: str | None


class Record(msgspec.Struct, frozen=True):
    """A record that was added or removed. `name` is without the final dot."""

    name: str
    type: str
    data: str


class Event(msgspec.Struct, frozen=True):
    """One change. `service` is the Service that the object is, or that a slice belongs to; "" for others.

    `action` tells about the object of `kind`; "listed" means that a whole list came in, and `objects` how many of its
    objects differ: namespace and name are "" then. Lists are cut; the counts are of everything. An SRV record counts
    as the same while its port and target stay: its weight moves with the number of records. `serial` is the zone's
    after the change.
    """

    kind: str
    namespace: str
    name: str
    service: str
    action: Action
    objects: int
    endpoints: tuple[EndpointChange, ...]
    endpoint_count: int
    added: tuple[Record, ...]
    added_count: int
    removed: tuple[Record, ...]
    removed_count: int
    serial: int


def versions(cluster: Cluster, change: Change) -> tuple[Version, ...]:
    """What the change makes different, from the objects as they are before it is applied."""
    if isinstance(change, Upserted):
        pairs = [Version(cluster.all(type(change.object)).get(change.object.key), change.object)]
    elif isinstance(change, Deleted):
        pairs = [Version(cluster.all(change.kind).get(change.key), None)]
    else:
        known = cluster.all(change.kind)
        gone = known.keys() - {obj.key for obj in change.objects}
        pairs = [Version(known[key], None) for key in sorted(gone)]
        pairs += [Version(known.get(obj.key), obj) for obj in change.objects]
    return tuple(pair for pair in pairs if pair.old is not pair.new and pair.old != pair.new)


def event_of(zone: Zone, changed: tuple[Version, ...], touches: Iterable[Touch]) -> Event | None:
    """The event of a change that was just applied to `zone`; None when it made nothing different.

    changed: what `versions` said before. touches: the feed of `Zone.apply`.
    """
    if not changed:
        return None
    added, removed = (sorted(some, key=_rank) for some in differences.differences(zone, touches))
    first = changed[0].new or changed[0].old
    assert first is not None
    endpoints: list[EndpointChange] = []
    namespace, name, service = "", "", ""
    action: Action = "listed"
    if len(changed) == 1:
        namespace, name = map(shown, first.key)
        action = "new" if changed[0].old is None else "gone" if changed[0].new is None else "changed"
        endpoints = list(_endpoint_changes(*changed[0]))
        service = name if isinstance(first, Service) else ""
        service = shown(first.service) if isinstance(first, EndpointSlice) else service
    return Event(
        type(first).__name__,
        namespace,
        name,
        service,
        action,
        len(changed),
        tuple(endpoints[:LISTED]),
        len(endpoints),
        tuple(map(_shown, added[:LISTED])),
        len(added),
        tuple(map(_shown, removed[:LISTED])),
        len(removed),
        zone.serial,
    )


def concerns(event: Event, namespace: str = "", service: str = "") -> bool:
    """Whether an event is about that namespace and Service, "" for any; a list may be about every one."""
    return event.action == "listed" or (
        (not namespace or namespace == (event.name if event.kind == "Namespace" else event.namespace))
        and (not service or service == event.service)
    )


def text(event: Event) -> str:
    """The event in lines: the object, its endpoints and the first record in one, further records below."""
    what = f"a list of {event.kind}s: {event.objects} of them differ"
    if event.action != "listed":
        what = f"{event.kind} {event.namespace + '/' if event.namespace else ''}{event.name}:"
    news = [_endpoint_text(one) for one in event.endpoints]
    if more := event.endpoint_count - len(event.endpoints):
        news.append(f"{more} more endpoints")
    if event.action in ("new", "gone"):
        news.insert(0, event.action)
    changes = [f"-{_record_text(one)}" for one in event.removed] + [f"+{_record_text(one)}" for one in event.added]
    if not changes:
        news.append("no record differs")
    head = f"{what} {', '.join(news + changes[:1])}"
    more_records = event.added_count + event.removed_count - len(changes)
    below = changes[1:] + ([f"and {more_records} more records"] if more_records else [])
    return "\n".join([head, *(f"    {line}" for line in below)])


def to_json(event: Event) -> bytes:
    """The event in JSON, on one line."""
    return msgspec.json.encode(event)


def _endpoint_text(one: EndpointChange) -> str:
    if one.now is None:
        return f"{one.name} gone"
    if one.now == one.before:
        return f"{one.name} changed, {one.now}"
    return f"{one.name} new, {one.now}" if one.before is None else f"{one.name} {one.now}"


def _record_text(one: Record) -> str:
    return f"{one.name} {one.type} {one.data.removesuffix('.')}"


def _endpoint_changes(old: Object | None, new: Object | None) -> Iterator[EndpointChange]:
    before, after = _endpoints(old), _endpoints(new)
    for name in before | after:
        was, now = before.get(name), after.get(name)
        if was != now:
            yield EndpointChange(name, state(was) if was else None, state(now) if now else None)


def _endpoints(slice_: Object | None) -> dict[str, Endpoint]:
    return {title(one): one for one in slice_.endpoints} if isinstance(slice_, EndpointSlice) else {}


def _rank(record: differences.Record) -> tuple[int, int, bytes]:
    """Addresses first, of endpoints before those of their Service; reverse names last."""
    return _ORDER.index(record.type), -len(names.labels(record.name)), record.name


def _shown(record: differences.Record) -> Record:
    data = records.rdata_text(record.type, record.rdata)
    return Record(name_text(record.name), records.type_text(record.type), data)
