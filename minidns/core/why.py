"""Why an answer is what it is: a value that travels with it, and the one sentence that says it.

`sentence` is what an Extended DNS Error (RFC 8914) carries and what explanations begin with, so that both agree. What
the network sent is never part of a sentence; names of the cluster's objects are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from minidns.core.model import Key


class Why(Enum):
    """Every way in which an answer can come about."""

    RECORDS = "records of the type asked for"
    ALIAS = "an ExternalName Service"
    ALIAS_LOOP = "an ExternalName Service that leads into a loop of aliases"
    ALIAS_TARGET = "an ExternalName Service whose target has no such record"
    NO_TYPE = "the name exists, without this type"
    OTHER_FAMILY = "the name has addresses of the other family only"
    EMPTY = "the name exists only because there are names below it"
    NOTHING = "the name exists, and has no records"
    NAMESPACE = "the name is a namespace's"
    NO_NAME = "no such name in the zone"
    NO_NAMESPACE = "no such namespace"
    NO_SERVICE = "no such Service in the namespace"
    ELSEWHERE = "the Service is in another namespace"
    NO_SLICES = "a headless Service without EndpointSlices"
    NO_ENDPOINTS = "a headless Service without endpoints"
    NONE_READY = "a headless Service of which no endpoint is ready"
    NO_RECORDS = "a Service that gives no name"
    NO_ADDRESS = "the Service has no address yet"
    BELOW_ALIAS = "a name below an ExternalName Service"
    IGNORED = "a Service without ready endpoints does not exist here"
    NO_HOST = "no endpoint of that name behind the Service"
    HOST_NOT_READY = "the endpoint is not ready"
    NO_PORT = "the Service has no port of that name"
    PORT_UNNAMED = "the Service's ports have no names"
    OTHER_PROTOCOL = "the port has another protocol"
    PORT_NOT_READY = "no ready endpoint has the port"
    PORT_NUMBER = "the port has a number that no record can hold"
    PORT_NOWHERE = "no EndpointSlice of the Service has the port"
    NO_UNDERSCORE = "a port's name and protocol without their underscores"
    NO_CLUSTER = "no cluster of that name behind the ServiceImport"
    CLUSTER_NOT_READY = "no endpoint in that cluster is ready"
    TOO_DEEP = "more labels than the name of an endpoint or port has"
    PODS_DISABLED = "names by pod address are switched off"
    NO_POD = "no pod with that address in the namespace"
    NOT_AN_ADDRESS = "the label is not a pod's address"
    NO_POINTER = "no Service or ready endpoint has that address"
    NOT_SYNCED = "the first full list is not in yet"
    OUTSIDE = "the name is outside every zone"
    TRANSFER = "zone transfers are not offered"
    CLASS = "only class IN is served"


#: What is said of each reason; {service} and the like are filled in by `_sentence`. Records need no words.
_SENTENCES = {
    Why.ALIAS_LOOP: "the aliases that ExternalName {service} leads to never end",
    Why.ALIAS_TARGET: "the target of ExternalName {service} has no such record",
    Why.NO_TYPE: "{subject} has no such record here, only {others}",
    Why.OTHER_FAMILY: "{subject} has {others} addresses only",
    Why.EMPTY: "nothing here, only names below",
    Why.NOTHING: "the name exists, without any record",
    Why.NAMESPACE: "{place} is a namespace: ask for a name below it",
    Why.NO_NAME: "no such name in the zone; Services are below svc",
    Why.NO_NAMESPACE: "no such namespace",
    Why.NO_SERVICE: "no {kind} of that name in namespace {place}",
    Why.ELSEWHERE: "no {service}; there is one in namespace {others}",
    Why.NO_SLICES: "no EndpointSlice of headless {service} is known",
    Why.NO_ENDPOINTS: "headless {service} has no endpoints{selector}",
    Why.NONE_READY: "headless {service} has {many}, 0 ready",
    Why.NO_RECORDS: "ExternalName {service} does not hold a domain name",
    Why.NO_ADDRESS: "{service} has no {address} yet",
    Why.BELOW_ALIAS: "ExternalName {service} is an alias: there are no names below it",
    Why.IGNORED: "{service} has {many}, 0 ready, and such {kind}s are left out here",
    Why.NO_HOST: "{service} has {many}, none of that name",
    Why.HOST_NOT_READY: "endpoint {place} of {service} is not ready",
    Why.NO_PORT: "{service} has no port of that name, only {others}",
    Why.PORT_UNNAMED: "{service} has unnamed ports only: ask for SRV at the {kind}'s own name",
    Why.OTHER_PROTOCOL: "port {place} of {service} is {others}",
    Why.PORT_NOT_READY: "no ready endpoint of {service} has port {place}",
    Why.PORT_NUMBER: "port {place} of {service} has no number that a record can hold, only {others}",
    Why.PORT_NOWHERE: "port {place} of {service} is in none of its EndpointSlices",
    Why.NO_UNDERSCORE: "a port of {service} is asked for with underscores: {place}",
    Why.NO_CLUSTER: "below {service} are names HOST.CLUSTER, with CLUSTER one of {others}",
    Why.CLUSTER_NOT_READY: "{service} has no ready endpoint in cluster {place}",
    Why.TOO_DEEP: "no names that deep below {service}",
    Why.PODS_DISABLED: "names by pod address are switched off (pods disabled)",
    Why.NO_POD: "no pod with that address in namespace {place}",
    Why.NOT_AN_ADDRESS: "a pod's name is its address with dashes, such as 10-244-0-5",
    Why.NO_POINTER: "no Service or ready endpoint has that address",
    Why.NOT_SYNCED: "waiting for the first full list of Services and EndpointSlices",
    Why.OUTSIDE: "outside of every zone served here, and no forwarder is configured",
    Why.TRANSFER: "zone transfers are not offered",
    Why.CLASS: "only class IN is served",
}
#: RFC 8914, 4: Not Ready, Not Authoritative, Not Supported. All else is 0, Other.
_CODES = {Why.NOT_SYNCED: 14, Why.OUTSIDE: 20, Why.TRANSFER: 21, Why.CLASS: 21}
#: The longest sentence in bytes: what an Extended DNS Error takes without getting in the way of anything.
LONGEST = 160


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, and about what.

    service: the Service that the name led to, or the nearest to it.
    place: the namespace, the cluster, the endpoint's or the port's name, or the selector, that the sentence is about.
    elsewhere: namespaces, clusters, protocols or types that there are instead.
    endpoints: how many endpoints the Service has.
    imported: it is a ServiceImport, in the zone of a cluster set.
    general: true for every name that is missing at the same place, so that the answer can be kept there.
    """

    why: Why
    service: Key | None = None
    place: str = ""
    elsewhere: tuple[str, ...] = ()
    endpoints: int = 0
    general: bool = False
    imported: bool = False

    @property
    def code(self) -> int:
        """The INFO-CODE of RFC 8914."""
        return _CODES.get(self.why, 0)


def shown(text: str) -> str:
    """Text of the network or of the cluster as it may be shown anywhere: what a terminal would not print is escaped as
    in a zone file (RFC 1035, 5.1), byte by byte."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else "".join(f"\\{byte:03d}" for byte in char.encode("utf-8", "surrogatepass"))
        for char in text
    )


def sentence(reason: Reason) -> str:
    """The reason for people, in one short sentence of at most LONGEST bytes; "" where records need none.

    Where long names would push the reason out, they are cut.
    """
    text = shown(_sentence(reason))
    if len(text.encode()) > LONGEST:
        service = reason.service and (_cut(reason.service[0]), _cut(reason.service[1]))
        short = replace(
            reason, service=service, place=_cut(reason.place), elsewhere=tuple(map(_cut, reason.elsewhere[:4]))
        )
        text = shown(_sentence(short))
    return _cut(text, LONGEST)


def _cut(text: str, longest: int = 30) -> str:
    """At most `longest` bytes of a text, "..." at the end of what was cut."""
    raw = text.encode("utf-8", "replace")
    return text if len(raw) <= longest else raw[: longest - 3].decode("utf-8", "ignore") + "..."


def _sentence(reason: Reason) -> str:
    template = _SENTENCES.get(reason.why, "")
    if reason.why is Why.NO_PORT and not reason.elsewhere:
        template = "{service} has no ports"
    kind = "ServiceImport" if reason.imported else "Service"
    service = f"{kind} {'/'.join(reason.service)}" if reason.service else ""
    return template.format(
        service=service,
        kind=kind,
        address="ClusterSetIP" if reason.imported else "cluster IP",
        subject=service or "the name",
        place=reason.place,
        selector=f": its selector {reason.place} matches no running pod" if reason.place else "",
        others=", ".join(reason.elsewhere[:3]) + (" and more" if len(reason.elsewhere) > 3 else ""),
        many=f"{reason.endpoints} endpoint" + ("" if reason.endpoints == 1 else "s"),
    )
