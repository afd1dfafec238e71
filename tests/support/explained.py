"""Every reason that an answer can have, from objects to the sentence that tells it."""

from __future__ import annotations

from dataclasses import dataclass, field

from minidns.core import names
from minidns.core.model import Namespace, Object
from minidns.core.schema import PodMode, ZoneSettings
from minidns.core.why import Why
from minidns.core.zone import Zone
from tests.support.clusters import (
    endpoints,
    external,
    headless,
    imported,
    imported_slice,
    pod,
    service,
    zone_of,
)

DEFAULT = Namespace("default")
WEB = headless("default/web", ports="http:80", selector="web")


@dataclass(frozen=True)
class Case:
    """A cluster, a question, and what is to be said: the reason, its sentence, rcode and INFO-CODE."""

    id: str
    why: Why
    question: str
    sentence: str
    objects: tuple[Object, ...]
    type: str = "A"
    rcode: str = "NXDOMAIN"
    code: int = 0
    settings: ZoneSettings = field(default_factory=ZoneSettings)
    synced: bool = True

    @property
    def zone(self) -> Zone:
        return zone_of(*self.objects, settings=self.settings, synced=self.synced)


def replicas(*states: str, ports: str = "http:80") -> Object:
    """Slice `default/web-1` with the endpoints web-0, web-1, ... of these states, "" for ready."""
    members = (f"10.244.0.{at + 2} host=web-{at} pod=web-{at} {state}" for at, state in enumerate(states))
    return endpoints("default/web-1", *members, ports=ports)


CLUSTER_SET = ZoneSettings(origin=names.from_text("clusterset.local"), reverse=(), multicluster=True)
DB = (
    Namespace("shop"),
    imported(headless("shop/db", ports="sql:5432")),
    imported_slice(endpoints("shop/db-east", "10.1.0.1 host=a", ports="sql:5432"), "east"),
    imported_slice(endpoints("shop/db-south", "10.3.0.1 host=b unready", ports="sql:5432"), "south"),
)
LOOP = (
    external("default/this", "that.default.svc.cluster.local"),
    external("default/that", "this.default.svc.cluster.local"),
)
SHORT = ZoneSettings(pods=PodMode.INSECURE)
VERIFIED = ZoneSettings(pods=PodMode.VERIFIED)
LONG = "n" * 63
THE_WEB = "web.default.svc.cluster.local"

CASES = (
    # The failure modes of the tutorials.
    Case("pod not ready", Why.HOST_NOT_READY, f"web-1.{THE_WEB}",
         "endpoint web-1 of Service default/web is not ready", (DEFAULT, WEB, replicas("", "unready"))),
    Case("no pod ready", Why.NONE_READY, THE_WEB,
         "headless Service default/web has 2 endpoints, 0 ready", (DEFAULT, WEB, replicas("unready", "unready"))),
    Case("wrong namespace", Why.ELSEWHERE, "web.shop.svc.cluster.local",
         "no Service shop/web; there is one in namespace default", (DEFAULT, Namespace("shop"), WEB)),
    Case("unnamed port", Why.PORT_UNNAMED, f"_http._tcp.{THE_WEB}",
         "Service default/web has unnamed ports only: ask for SRV at the Service's own name",
         (DEFAULT, headless("default/web", ports=":80"), replicas("", ports=":80")), type="SRV"),
    Case("no selector match", Why.NO_ENDPOINTS, THE_WEB,
         "headless Service default/web has no endpoints: its selector app=web matches no running pod",
         (DEFAULT, WEB, replicas())),
    Case("deleted pod", Why.NO_HOST, f"web-1.{THE_WEB}",
         "Service default/web has 1 endpoint, none of that name", (DEFAULT, WEB, replicas(""))),
    # Services.
    Case("no Service", Why.NO_SERVICE, "wep.default.svc.cluster.local",
         "no Service of that name in namespace default", (DEFAULT, WEB, replicas(""))),
    Case("a slice without its Service", Why.NO_SERVICE, THE_WEB,
         "no Service of that name in namespace default", (DEFAULT, replicas(""))),
    Case("in many namespaces", Why.ELSEWHERE, THE_WEB,
         "no Service default/web; there is one in namespace a, b, c and more",
         (DEFAULT, *(headless(f"{name}/web") for name in "abcd"))),
    Case("no slices", Why.NO_SLICES, THE_WEB,
         "no EndpointSlice of headless Service default/web is known", (DEFAULT, WEB)),
    Case("no endpoints, no selector", Why.NO_ENDPOINTS, THE_WEB,
         "headless Service default/web has no endpoints", (DEFAULT, headless("default/web"), replicas())),
    Case("one endpoint", Why.NONE_READY, THE_WEB,
         "headless Service default/web has 1 endpoint, 0 ready", (DEFAULT, WEB, replicas("unready"))),
    Case("one endpoint of two families", Why.NONE_READY, THE_WEB,
         "headless Service default/web has 1 endpoint, 0 ready",
         (DEFAULT, WEB, replicas("unready"), endpoints("default/web-6", "fd00::1 host=web-0 pod=web-0 unready"))),
    Case("a port of which no endpoint is ready", Why.NONE_READY, f"_http._tcp.{THE_WEB}",
         "headless Service default/web has 1 endpoint, 0 ready", (DEFAULT, WEB, replicas("unready")), type="SRV"),
    Case("an empty Service is ignored", Why.IGNORED, THE_WEB,
         "Service default/web has 1 endpoint, 0 ready, and such Services are left out here",
         (DEFAULT, service("default/web", "10.96.0.7"), replicas("unready")),
         settings=ZoneSettings(ignore_empty_service=True)),
    Case("no cluster IP yet", Why.NO_ADDRESS, THE_WEB,
         "Service default/web has no cluster IP yet", (DEFAULT, service("default/web")), rcode="NOERROR"),
    Case("no AAAA of an IPv4 Service", Why.OTHER_FAMILY, THE_WEB,
         "Service default/web has IPv4 addresses only",
         (DEFAULT, service("default/web", "10.96.0.7")), type="AAAA", rcode="NOERROR"),
    Case("no A of an IPv6 Service", Why.OTHER_FAMILY, THE_WEB,
         "Service default/web has IPv6 addresses only",
         (DEFAULT, service("default/web", "fd00:10:96::7")), rcode="NOERROR"),
    Case("no AAAA of an IPv4 endpoint", Why.OTHER_FAMILY, f"web-0.{THE_WEB}",
         "the name has IPv4 addresses only", (DEFAULT, WEB, replicas("")), type="AAAA", rcode="NOERROR"),
    Case("another type", Why.NO_TYPE, THE_WEB,
         "Service default/web has no such record here, only A, SRV", (DEFAULT, WEB, replicas("")),
         type="MX", rcode="NOERROR"),
    # Ports.
    Case("no such port", Why.NO_PORT, f"_htp._tcp.{THE_WEB}",
         "Service default/web has no port of that name, only http/TCP", (DEFAULT, WEB, replicas("")), type="SRV"),
    Case("no ports", Why.NO_PORT, f"_http._tcp.{THE_WEB}",
         "Service default/web has no ports", (DEFAULT, headless("default/web"), replicas("", ports="")), type="SRV"),
    Case("another protocol", Why.OTHER_PROTOCOL, f"_http._udp.{THE_WEB}",
         "port http of Service default/web is TCP", (DEFAULT, WEB, replicas("")), type="SRV"),
    Case("a port that no ready endpoint has", Why.PORT_NOT_READY, f"_admin._tcp.{THE_WEB}",
         "no ready endpoint of Service default/web has port admin",
         (DEFAULT, WEB, replicas(""), endpoints("default/web-2", "10.244.0.9 unready", ports="admin:81")), type="SRV"),
    Case("a port whose number no record can hold", Why.PORT_NUMBER, f"_http._tcp.{THE_WEB}",
         "port http of Service default/web has no number that a record can hold, only 70000",
         (DEFAULT, WEB, replicas("", ports="http:70000")), type="SRV"),
    Case("a port without its underscore", Why.NO_UNDERSCORE, f"http._tcp.{THE_WEB}",
         "a port of Service default/web is asked for with underscores: _http._tcp",
         (DEFAULT, WEB, replicas("")), type="SRV"),
    Case("a protocol without its underscore", Why.NO_UNDERSCORE, f"_http.tcp.{THE_WEB}",
         "a port of Service default/web is asked for with underscores: _http._tcp",
         (DEFAULT, WEB, replicas("")), type="SRV"),
    Case("a port and a protocol without underscores", Why.NO_UNDERSCORE, f"http.tcp.{THE_WEB}",
         "a port of Service default/web is asked for with underscores: _http._tcp",
         (DEFAULT, service("default/web", "10.96.0.7", ports="http:80")), type="SRV"),
    Case("a targetPort that no container has, of the only port", Why.PORT_NOWHERE, f"_http._tcp.{THE_WEB}",
         "port http of Service default/web is in none of its EndpointSlices",
         (DEFAULT, WEB, replicas("", ports="")), type="SRV"),
    Case("a targetPort that no container has, beside another port", Why.PORT_NOWHERE, f"_http._tcp.{THE_WEB}",
         "port http of Service default/web is in none of its EndpointSlices",
         (DEFAULT, headless("default/web", ports="http:80 admin:81"), replicas("", ports="admin:81")), type="SRV"),
    Case("too deep below a port", Why.TOO_DEEP, f"a._http._tcp.{THE_WEB}",
         "no names that deep below Service default/web", (DEFAULT, WEB, replicas("")), type="SRV"),
    Case("too deep below an endpoint", Why.TOO_DEEP, f"a.web-0.{THE_WEB}",
         "no names that deep below Service default/web", (DEFAULT, WEB, replicas(""))),
    # Aliases.
    Case("an alias of what is missing", Why.ALIAS_TARGET, "db.default.svc.cluster.local",
         "the target of ExternalName Service default/db has no such record",
         (DEFAULT, external("default/db", "gone.default.svc.cluster.local"))),
    Case("an alias in a circle", Why.ALIAS_LOOP, "this.default.svc.cluster.local",
         "the aliases that ExternalName Service default/this leads to never end", (DEFAULT, *LOOP), rcode="NOERROR"),
    Case("an alias of an address", Why.NO_RECORDS, "db.default.svc.cluster.local",
         "ExternalName Service default/db does not hold a domain name", (DEFAULT, external("default/db", "192.0.2.1"))),
    Case("below an alias", Why.BELOW_ALIAS, "_sql._tcp.db.default.svc.cluster.local",
         "ExternalName Service default/db is an alias: there are no names below it",
         (DEFAULT, external("default/db", "db.example.com")), type="SRV"),
    # Places.
    Case("no namespace", Why.NO_NAMESPACE, "web.defualt.svc.cluster.local", "no such namespace", (DEFAULT, WEB)),
    Case("no namespace of pods", Why.NO_NAMESPACE, "10-244-0-2.shop.pod.cluster.local",
         "no such namespace", (DEFAULT,)),
    Case("a namespace", Why.NAMESPACE, "default.svc.cluster.local",
         "default is a namespace: ask for a name below it", (DEFAULT,), rcode="NOERROR"),
    Case("an empty non-terminal", Why.EMPTY, f"_tcp.{THE_WEB}",
         "nothing here, only names below", (DEFAULT, WEB, replicas("")), rcode="NOERROR"),
    Case("a name without records", Why.NOTHING, "ns.dns.cluster.local",
         "the name exists, without any record", (), rcode="NOERROR"),
    Case("no such tree", Why.NO_NAME, "web.default.cluster.local",
         "no such name in the zone; Services are below svc", (DEFAULT, WEB, replicas(""))),
    Case("pods disabled", Why.PODS_DISABLED, "10-244-0-2.default.pod.cluster.local",
         "names by pod address are switched off (pods disabled)", (DEFAULT,)),
    Case("no such pod", Why.NO_POD, "10-244-0-3.default.pod.cluster.local",
         "no pod with that address in namespace default",
         (DEFAULT, pod("default/web-0", "10.244.0.2")), settings=VERIFIED),
    Case("no pod's address", Why.NOT_AN_ADDRESS, "web-0.default.pod.cluster.local",
         "a pod's name is its address with dashes, such as 10-244-0-5", (DEFAULT,), settings=SHORT),
    Case("an address of nobody", Why.NO_POINTER, "9.9.244.10.in-addr.arpa",
         "no Service or ready endpoint has that address", (DEFAULT, WEB, replicas("")), type="PTR"),
    Case("not synced", Why.NOT_SYNCED, THE_WEB,
         "waiting for the first full list of Services and EndpointSlices", (), rcode="SERVFAIL", code=14, synced=False),
    Case("outside", Why.OUTSIDE, "web.default",
         "outside of every zone served here, and no forwarder is configured",
         (DEFAULT, WEB, replicas("")), rcode="REFUSED", code=20),
    Case("a transfer", Why.TRANSFER, "cluster.local",
         "zone transfers are not offered", (), type="AXFR", rcode="REFUSED", code=21),
    # Names of every length and kind.
    Case("names too long for a sentence", Why.NONE_READY, f"{LONG}.{LONG}.svc.cluster.local",
         f"headless Service {LONG[:27]}.../{LONG[:27]}... has 1 endpoint, 0 ready",
         (Namespace(LONG), headless(f"{LONG}/{LONG}"), endpoints(f"{LONG}/x", "10.0.0.1 unready", of=LONG))),
    Case("control characters in a port's name", Why.NO_PORT, f"_http._tcp.{THE_WEB}",
         r"Service default/web has no port of that name, only \027[31m[bold]/TCP",
         (DEFAULT, headless("default/web", ports="\x1b[31m[bold]:80"), endpoints("default/web-1", "10.0.0.1")),
         type="SRV"),
    Case("no such cluster", Why.NO_CLUSTER, "a.north.db.shop.svc.clusterset.local",
         "below ServiceImport shop/db are names HOST.CLUSTER, with CLUSTER one of east, south",
         DB, settings=CLUSTER_SET),
    Case("a cluster without a ready endpoint", Why.CLUSTER_NOT_READY, "south.db.shop.svc.clusterset.local",
         "ServiceImport shop/db has no ready endpoint in cluster south", DB, settings=CLUSTER_SET),
)  # fmt: skip
