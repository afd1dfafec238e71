"""The table of answers: objects, then questions with every record of their answers, in zone-file text.

Names without a final dot are below `cluster.local.`, which itself is `@`. A question is `? name type`, with the rcode
when that is not NOERROR. Below it are the records of the answer section, those of the authority section behind `=`,
those of the additional section behind `+`. `= SOA` is the SOA record of the zone as negative answers have it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import dns.flags
import pytest

from minidns.core import answers, names, reasons, records
from minidns.core.answers import Answer
from minidns.core.model import Namespace, Object
from minidns.core.reasons import Why
from minidns.core.responder import Responder
from minidns.core.schema import PodMode, ZoneSettings
from tests.support.client import Said, ask, said
from tests.support.clusters import address, endpoints, external, headless, pod, service, zone_of

ORIGIN = "cluster.local."
NS = (address("192.0.2.53"), address("fd00::53"))


@dataclass(frozen=True)
class Case:
    """Objects, and what is said about them."""

    objects: tuple[Object, ...]
    text: str
    settings: ZoneSettings = field(default_factory=ZoneSettings)


DUAL = ["10.96.0.1", "fd00::1"]
STATEFUL = (
    Namespace("default"),
    headless("default/db", ports="sql:3306"),
    endpoints(
        "default/db-1",
        "10.1.0.1 host=db-0 pod=db-0",
        "10.1.0.2 host=db-1 pod=db-1",
        "10.1.0.3 host=db-2 unready",
        ports="sql:3306",
    ),
    endpoints("default/db-2", "fd00::a host=db-0 pod=db-0", ports="sql:3306"),
)

CASES: dict[str, Case] = {
    "the zone itself": Case(
        (),
        """
        ? dns-version TXT
        dns-version 28800 TXT "1.1.0"
        ? @ SOA
        @ 30 SOA ns.dns hostmaster SERIAL 7200 1800 86400 5
        ? @ NS
        @ 30 NS ns.dns
        + ns.dns 30 A 192.0.2.53
        + ns.dns 30 AAAA fd00::53
        ? ns.dns A
        ns.dns 30 A 192.0.2.53
        ? in-addr.arpa. SOA
        in-addr.arpa. 30 SOA ns.dns.in-addr.arpa. hostmaster.in-addr.arpa. SERIAL 7200 1800 86400 5
        ? in-addr.arpa. NS
        in-addr.arpa. 30 NS ns.dns.in-addr.arpa.
        + ns.dns.in-addr.arpa. 30 A 192.0.2.53
        + ns.dns.in-addr.arpa. 30 AAAA fd00::53
        ? foo A NXDOMAIN
        = SOA
        ? foo.bar.baz MX NXDOMAIN
        = SOA
        ? 1.2.3.4.in-addr.arpa. PTR NXDOMAIN
        = in-addr.arpa. 5 SOA ns.dns.in-addr.arpa. hostmaster.in-addr.arpa. SERIAL 7200 1800 86400 5
        ? example.com. A REFUSED
        ? . NS REFUSED
        ? @ AXFR REFUSED
        ? foo IXFR REFUSED
        """,
        ZoneSettings(ttl=30, ns_addresses=NS),
    ),
    "the DNS Service gives ns.dns its addresses": Case(
        (service("kube-system/kube-dns", "10.96.0.10", ports="dns:53/UDP dns-tcp:53"),),
        """
        ? @ NS
        @ 5 NS ns.dns
        + ns.dns 5 A 10.96.0.10
        ? kube-dns.kube-system.svc SRV
        kube-dns.kube-system.svc 5 SRV 0 100 53 kube-dns.kube-system.svc
        + kube-dns.kube-system.svc 5 A 10.96.0.10
        ? _dns._udp.kube-dns.kube-system.svc SRV
        _dns._udp.kube-dns.kube-system.svc 5 SRV 0 100 53 kube-dns.kube-system.svc
        + kube-dns.kube-system.svc 5 A 10.96.0.10
        """,
        ZoneSettings(ns_addresses=NS),
    ),
    "a ClusterIP Service of both families": Case(
        (service("default/web", *DUAL, ports="http:80 https:443 :9000"),),
        """
        ? web.default.svc A
        web.default.svc 5 A 10.96.0.1
        ? web.default.svc AAAA
        web.default.svc 5 AAAA fd00::1
        ? web.default.svc SRV
        web.default.svc 5 SRV 0 33 80 web.default.svc
        web.default.svc 5 SRV 0 33 443 web.default.svc
        web.default.svc 5 SRV 0 33 9000 web.default.svc
        + web.default.svc 5 A 10.96.0.1
        + web.default.svc 5 AAAA fd00::1
        ? _http._tcp.web.default.svc SRV
        _http._tcp.web.default.svc 5 SRV 0 100 80 web.default.svc
        + web.default.svc 5 A 10.96.0.1
        + web.default.svc 5 AAAA fd00::1
        ? _HTTP._TCP.Web.Default.SVC SRV
        _HTTP._TCP.Web.Default.SVC 5 SRV 0 100 80 web.default.svc
        + Web.Default.SVC 5 A 10.96.0.1
        + Web.Default.SVC 5 AAAA fd00::1
        ? _http._udp.web.default.svc SRV NXDOMAIN
        = SOA
        ? web.default.svc MX
        = SOA
        ? 1.0.96.10.in-addr.arpa. PTR
        1.0.96.10.in-addr.arpa. 5 PTR web.default.svc
        ? 1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa. PTR
        1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa. 5 PTR web.default.svc
        """,
    ),
    "one family is NODATA for the other": Case(
        (service("default/web", "10.96.0.1"),),
        """
        ? web.default.svc AAAA
        = SOA
        ? web.default.svc SRV
        = SOA
        """,
    ),
    "a Service that waits for its address": Case(
        (service("default/new", ports="http:80"),),
        """
        ? new.default.svc A
        = SOA
        ? new.default.svc SRV
        new.default.svc 5 SRV 0 100 80 new.default.svc
        """,
    ),
    "a headless Service": Case(
        STATEFUL,
        """
        ? db.default.svc A
        db.default.svc 5 A 10.1.0.1
        db.default.svc 5 A 10.1.0.2
        ? db.default.svc AAAA
        db.default.svc 5 AAAA fd00::a
        ? db.default.svc SRV
        db.default.svc 5 SRV 0 50 3306 db-0.db.default.svc
        db.default.svc 5 SRV 0 50 3306 db-1.db.default.svc
        + db-0.db.default.svc 5 A 10.1.0.1
        + db-0.db.default.svc 5 AAAA fd00::a
        + db-1.db.default.svc 5 A 10.1.0.2
        ? _sql._tcp.db.default.svc SRV
        _sql._tcp.db.default.svc 5 SRV 0 50 3306 db-0.db.default.svc
        _sql._tcp.db.default.svc 5 SRV 0 50 3306 db-1.db.default.svc
        + db-0.db.default.svc 5 A 10.1.0.1
        + db-0.db.default.svc 5 AAAA fd00::a
        + db-1.db.default.svc 5 A 10.1.0.2
        ? db-0.db.default.svc A
        db-0.db.default.svc 5 A 10.1.0.1
        ? db-0.db.default.svc AAAA
        db-0.db.default.svc 5 AAAA fd00::a
        ? db-0.db.default.svc SRV
        db-0.db.default.svc 5 SRV 0 100 3306 db-0.db.default.svc
        + db-0.db.default.svc 5 A 10.1.0.1
        + db-0.db.default.svc 5 AAAA fd00::a
        ? db-2.db.default.svc A NXDOMAIN
        = SOA
        ? db-0.default.svc A NXDOMAIN
        = SOA
        ? x.db-0.db.default.svc A NXDOMAIN
        = SOA
        ? 1.0.1.10.in-addr.arpa. PTR
        1.0.1.10.in-addr.arpa. 5 PTR db-0.db.default.svc
        ? 3.0.1.10.in-addr.arpa. PTR NXDOMAIN
        = in-addr.arpa. 5 SOA ns.dns.in-addr.arpa. hostmaster.in-addr.arpa. SERIAL 7200 1800 86400 5
        """,
    ),
    "three records weigh 33 each": Case(
        (
            headless("default/mysql", ports="mysql:3306"),
            endpoints("default/mysql-1", *(f"10.1.0.{n} host=mysql-{n}" for n in range(3)), ports="mysql:3306"),
        ),
        """
        ? mysql.default.svc SRV
        mysql.default.svc 5 SRV 0 33 3306 mysql-0.mysql.default.svc
        mysql.default.svc 5 SRV 0 33 3306 mysql-1.mysql.default.svc
        mysql.default.svc 5 SRV 0 33 3306 mysql-2.mysql.default.svc
        + mysql-0.mysql.default.svc 5 A 10.1.0.0
        + mysql-1.mysql.default.svc 5 A 10.1.0.1
        + mysql-2.mysql.default.svc 5 A 10.1.0.2
        """,
    ),
    "endpoints without a hostname": Case(
        (
            headless("default/web"),
            endpoints(
                "default/web-1", "10.1.0.1 pod=web-x", "fd00:2:: pod=web-y", f"10.1.0.3 pod={'p' * 64}", ports=":80"
            ),
        ),
        """
        ? 10-1-0-1.web.default.svc A
        10-1-0-1.web.default.svc 5 A 10.1.0.1
        ? fd00-2--0.web.default.svc AAAA
        fd00-2--0.web.default.svc 5 AAAA fd00:2::
        ? web-x.web.default.svc A NXDOMAIN
        = SOA
        ? _tcp.web.default.svc SRV NXDOMAIN
        = SOA
        """,
    ),
    "endpoints named after their pods": Case(
        (
            headless("default/web"),
            endpoints(
                "default/web-1", "10.1.0.1 pod=web-x", f"10.1.0.3 pod={'p' * 64}", "10.1.0.4 pod=q host=h", "10.1.0.5"
            ),
        ),
        """
        ? web-x.web.default.svc A
        web-x.web.default.svc 5 A 10.1.0.1
        ? 10-1-0-1.web.default.svc A NXDOMAIN
        = SOA
        ? 10-1-0-3.web.default.svc A
        10-1-0-3.web.default.svc 5 A 10.1.0.3
        ? h.web.default.svc A
        h.web.default.svc 5 A 10.1.0.4
        ? 10-1-0-5.web.default.svc A
        10-1-0-5.web.default.svc 5 A 10.1.0.5
        ? 1.0.1.10.in-addr.arpa. PTR
        1.0.1.10.in-addr.arpa. 5 PTR web-x.web.default.svc
        """,
        ZoneSettings(endpoint_pod_names=True),
    ),
    "several endpoints share a hostname": Case(
        (
            headless("default/db"),
            endpoints(
                "default/db-1", "10.1.0.1 host=h", "10.1.0.2+10.1.0.3 host=h", "10.1.0.1 host=h", ports="a:1 b:2/UDP"
            ),
        ),
        """
        ? h.db.default.svc A
        h.db.default.svc 5 A 10.1.0.1
        h.db.default.svc 5 A 10.1.0.2
        h.db.default.svc 5 A 10.1.0.3
        ? h.db.default.svc SRV
        h.db.default.svc 5 SRV 0 50 1 h.db.default.svc
        h.db.default.svc 5 SRV 0 50 2 h.db.default.svc
        + h.db.default.svc 5 A 10.1.0.1
        + h.db.default.svc 5 A 10.1.0.2
        + h.db.default.svc 5 A 10.1.0.3
        ? db.default.svc A
        db.default.svc 5 A 10.1.0.1
        db.default.svc 5 A 10.1.0.2
        db.default.svc 5 A 10.1.0.3
        """,
    ),
    "a slice without ports, and one with all of them": Case(
        (
            headless("default/db"),
            endpoints("default/db-1", "10.1.0.1"),
            endpoints("default/db-2", "10.1.0.2", ports="any:"),
        ),
        """
        ? db.default.svc A
        db.default.svc 5 A 10.1.0.1
        db.default.svc 5 A 10.1.0.2
        ? db.default.svc SRV
        = SOA
        ? _any._tcp.db.default.svc SRV NXDOMAIN
        = SOA
        """,
    ),
    "a slice without ports beside one with a port": Case(
        (
            headless("default/db"),
            endpoints("default/db-1", "10.1.0.1"),
            endpoints("default/db-2", "10.1.0.2", ports="x:1"),
        ),
        """
        ? db.default.svc SRV
        db.default.svc 5 SRV 0 100 1 10-1-0-2.db.default.svc
        + 10-1-0-2.db.default.svc 5 A 10.1.0.2
        """,
    ),
    "a headless Service without ready endpoints does not exist": Case(
        (
            Namespace("default"),
            headless("default/none"),
            headless("default/empty"),
            endpoints("default/empty-1"),
            headless("default/sad"),
            endpoints("default/sad-1", "10.1.0.1 host=h unready", ports="http:80"),
        ),
        """
        ? none.default.svc A NXDOMAIN
        = SOA
        ? empty.default.svc SRV NXDOMAIN
        = SOA
        ? sad.default.svc A NXDOMAIN
        = SOA
        ? h.sad.default.svc A NXDOMAIN
        = SOA
        ? _http._tcp.sad.default.svc SRV NXDOMAIN
        = SOA
        """,
    ),
    "endpoints of a ClusterIP Service have names too": Case(
        (
            service("default/web", "10.96.0.1", ports="http:80"),
            endpoints("default/web-1", "10.1.0.1 host=h", ports="http:8080"),
        ),
        """
        ? web.default.svc A
        web.default.svc 5 A 10.96.0.1
        ? h.web.default.svc A
        h.web.default.svc 5 A 10.1.0.1
        ? h.web.default.svc SRV
        h.web.default.svc 5 SRV 0 100 8080 h.web.default.svc
        + h.web.default.svc 5 A 10.1.0.1
        ? 1.0.1.10.in-addr.arpa. PTR
        1.0.1.10.in-addr.arpa. 5 PTR h.web.default.svc
        """,
    ),
    "one address, several Services": Case(
        (
            headless("default/a"),
            headless("default/b"),
            endpoints("default/a-1", "10.1.0.1 host=h", "10.1.0.2"),
            endpoints("default/b-1", "10.1.0.1", "10.1.0.2"),
            service("default/v", "10.1.0.2"),
        ),
        """
        ? 1.0.1.10.in-addr.arpa. PTR
        1.0.1.10.in-addr.arpa. 5 PTR h.a.default.svc
        1.0.1.10.in-addr.arpa. 5 PTR 10-1-0-1.b.default.svc
        ? 2.0.1.10.in-addr.arpa. PTR
        2.0.1.10.in-addr.arpa. 5 PTR v.default.svc
        """,
    ),
    "ExternalName": Case(
        (
            Namespace("default"),
            external("default/out", "www.example.com"),
            external("default/dot", "WWW.example.com."),
            external("default/ip", "192.0.2.1"),
            external("default/ipdot", "192.0.2.1."),
            external("default/ip6", "fd00::1"),
            external("default/empty", ""),
            external("default/bad", "a..b"),
            endpoints("default/out-1", "10.1.0.1 host=h"),
        ),
        """
        ? out.default.svc A
        out.default.svc 5 CNAME www.example.com.
        ? out.default.svc CNAME
        out.default.svc 5 CNAME www.example.com.
        ? out.default.svc TXT
        out.default.svc 5 CNAME www.example.com.
        ? dot.default.svc A
        dot.default.svc 5 CNAME www.example.com.
        ? ip.default.svc A NXDOMAIN
        = SOA
        ? ipdot.default.svc CNAME NXDOMAIN
        = SOA
        ? ip6.default.svc AAAA NXDOMAIN
        = SOA
        ? empty.default.svc A NXDOMAIN
        = SOA
        ? bad.default.svc A NXDOMAIN
        = SOA
        ? h.out.default.svc A NXDOMAIN
        = SOA
        """,
    ),
    # Difference 5: an alias is given for every type, and whatever its target is.
    "ExternalName inside the zone": Case(
        (
            service("default/web", "10.96.0.1", ports="http:80"),
            external("default/in", "web.default.svc.cluster.local"),
            external("default/twice", "in.default.svc.cluster.local"),
            external("default/lost", "nobody.default.svc.cluster.local"),
            external("default/self", "self.default.svc.cluster.local"),
            external("default/ping", "pong.default.svc.cluster.local"),
            external("default/pong", "ping.default.svc.cluster.local"),
            external("default/far", "twice.default.svc.cluster.local"),
        ),
        """
        ? in.default.svc A
        in.default.svc 5 CNAME web.default.svc
        web.default.svc 5 A 10.96.0.1
        ? in.default.svc SRV
        in.default.svc 5 CNAME web.default.svc
        web.default.svc 5 SRV 0 100 80 web.default.svc
        + web.default.svc 5 A 10.96.0.1
        ? in.default.svc AAAA
        in.default.svc 5 CNAME web.default.svc
        = SOA
        ? in.default.svc CNAME
        in.default.svc 5 CNAME web.default.svc
        ? far.default.svc A
        far.default.svc 5 CNAME twice.default.svc
        twice.default.svc 5 CNAME in.default.svc
        in.default.svc 5 CNAME web.default.svc
        web.default.svc 5 A 10.96.0.1
        ? lost.default.svc A NXDOMAIN
        lost.default.svc 5 CNAME nobody.default.svc
        = SOA
        ? self.default.svc A
        self.default.svc 5 CNAME self.default.svc
        ? ping.default.svc A
        ping.default.svc 5 CNAME pong.default.svc
        pong.default.svc 5 CNAME ping.default.svc
        """,
    ),
    # Difference 1: a name that exists, exists for every type, and one that does not, for none.
    "a name that exists, exists for every type": Case(
        (Namespace("default"),),
        """
        ? @ TXT
        = SOA
        ? svc TXT
        = SOA
        ? pod A
        = SOA
        ? default.svc A
        = SOA
        ? default.pod TYPE65280
        = SOA
        ? dns-version A
        = SOA
        ? foo SOA NXDOMAIN
        = SOA
        ? other.svc A NXDOMAIN
        = SOA
        ? other.pod A NXDOMAIN
        = SOA
        ? web.other.svc A NXDOMAIN
        = SOA
        """,
    ),
    # Difference 2.
    "empty non-terminals are NODATA": Case(
        (service("ns/web", "10.96.0.1", ports="http:80"),),
        """
        ? dns A
        = SOA
        ? _tcp.web.ns.svc SRV
        = SOA
        ? ns.svc A
        = SOA
        ? 10.in-addr.arpa. PTR
        = in-addr.arpa. 5 SOA ns.dns.in-addr.arpa. hostmaster.in-addr.arpa. SERIAL 7200 1800 86400 5
        ? 0.96.10.in-addr.arpa. PTR
        = in-addr.arpa. 5 SOA ns.dns.in-addr.arpa. hostmaster.in-addr.arpa. SERIAL 7200 1800 86400 5
        """,
    ),
    # Difference 3.
    "a port's name holds SRV only": Case(
        (service("default/web", "10.96.0.1", ports="http:80"), *STATEFUL),
        """
        ? _http._tcp.web.default.svc A
        = SOA
        ? _sql._tcp.db.default.svc AAAA
        = SOA
        """,
    ),
    # Difference 4.
    "weights count records": Case(
        (
            headless("default/db"),
            endpoints("default/db-1", "10.1.0.1 host=a", "10.1.0.2 host=b", "10.1.0.3 host=c", ports="x:1 y:2"),
            endpoints("default/db-2", "fd00::1 host=a", "fd00::2 host=b", "fd00::3 host=c", ports="x:1 y:2"),
        ),
        """
        ? db.default.svc SRV
        db.default.svc 5 SRV 0 16 1 a.db.default.svc
        db.default.svc 5 SRV 0 16 1 b.db.default.svc
        db.default.svc 5 SRV 0 16 1 c.db.default.svc
        db.default.svc 5 SRV 0 16 2 a.db.default.svc
        db.default.svc 5 SRV 0 16 2 b.db.default.svc
        db.default.svc 5 SRV 0 16 2 c.db.default.svc
        + a.db.default.svc 5 A 10.1.0.1
        + a.db.default.svc 5 AAAA fd00::1
        + b.db.default.svc 5 A 10.1.0.2
        + b.db.default.svc 5 AAAA fd00::2
        + c.db.default.svc 5 A 10.1.0.3
        + c.db.default.svc 5 AAAA fd00::3
        """,
    ),
    # Difference 6.
    "no PTR for an endpoint whose Service is gone": Case(
        (endpoints("default/gone-1", "10.1.0.1 host=h"),),
        """
        ? 1.0.1.10.in-addr.arpa. PTR NXDOMAIN
        = in-addr.arpa. 5 SOA ns.dns.in-addr.arpa. hostmaster.in-addr.arpa. SERIAL 7200 1800 86400 5
        """,
    ),
    # Difference 7.
    "negative answers live 5 seconds at most": Case(
        (service("default/web", "10.96.0.1"),),
        """
        ? web.default.svc A
        web.default.svc 3600 A 10.96.0.1
        ? web.default.svc AAAA
        = SOA
        ? foo A NXDOMAIN
        = SOA
        ? @ SOA
        @ 3600 SOA ns.dns hostmaster SERIAL 7200 1800 86400 5
        """,
        ZoneSettings(ttl=3600),
    ),
    "a zone of no time to live": Case(
        (service("default/web", "10.96.0.1"),),
        """
        ? web.default.svc A
        web.default.svc 0 A 10.96.0.1
        ? foo A NXDOMAIN
        = @ 0 SOA ns.dns hostmaster SERIAL 7200 1800 86400 0
        """,
        ZoneSettings(ttl=0),
    ),
    # Difference 8.
    "ANY is one HINFO": Case(
        (service("default/web", "10.96.0.1"), external("default/out", "example.com")),
        """
        ? web.default.svc ANY
        web.default.svc 5 HINFO "RFC8482" ""
        ? out.default.svc ANY
        out.default.svc 5 HINFO "RFC8482" ""
        ? svc ANY
        svc 5 HINFO "RFC8482" ""
        ? foo ANY NXDOMAIN
        = SOA
        """,
    ),
    "pods disabled": Case(
        (Namespace("default"), pod("default/p", "10.1.0.1")),
        """
        ? 10-1-0-1.default.pod A NXDOMAIN
        = SOA
        """,
    ),
    "pods insecure": Case(
        (Namespace("default"),),
        """
        ? 10-1-0-1.default.pod A
        10-1-0-1.default.pod 5 A 10.1.0.1
        ? 10-1-0-1.default.pod AAAA
        = SOA
        ? fd00--1.default.pod AAAA
        fd00--1.default.pod 5 AAAA fd00::1
        ? 1-2-3-4.default.pod ANY
        1-2-3-4.default.pod 5 A 1.2.3.4
        ? 1-2-3-400.default.pod A NXDOMAIN
        = SOA
        ? x.default.pod A NXDOMAIN
        = SOA
        ? x.1-2-3-4.default.pod A NXDOMAIN
        = SOA
        ? 10-1-0-1.other.pod A NXDOMAIN
        = SOA
        """,
        ZoneSettings(pods=PodMode.INSECURE),
    ),
    # Difference 11: all addresses of a pod.
    "pods verified": Case(
        (Namespace("default"), Namespace("other"), pod("default/p", "10.1.0.1", "fd00::1")),
        """
        ? 10-1-0-1.default.pod A
        10-1-0-1.default.pod 5 A 10.1.0.1
        ? fd00--1.default.pod AAAA
        fd00--1.default.pod 5 AAAA fd00::1
        ? 10-1-0-1.default.pod SRV
        = SOA
        ? 10-1-0-2.default.pod A NXDOMAIN
        = SOA
        ? 10-1-0-1.other.pod A NXDOMAIN
        = SOA
        """,
        ZoneSettings(pods=PodMode.VERIFIED),
    ),
    "empty Services ignored": Case(
        (
            Namespace("default"),
            service("default/idle", "10.96.0.1", ports="http:80"),
            endpoints("default/idle-1", "10.1.0.1 unready"),
            service("default/busy", "10.96.0.2"),
            endpoints("default/busy-1", "10.1.0.2"),
            external("default/out", "example.com"),
        ),
        """
        ? idle.default.svc A NXDOMAIN
        = SOA
        ? _http._tcp.idle.default.svc SRV NXDOMAIN
        = SOA
        ? 1.0.96.10.in-addr.arpa. PTR NXDOMAIN
        = in-addr.arpa. 5 SOA ns.dns.in-addr.arpa. hostmaster.in-addr.arpa. SERIAL 7200 1800 86400 5
        ? busy.default.svc A
        busy.default.svc 5 A 10.96.0.2
        ? out.default.svc A
        out.default.svc 5 CNAME example.com.
        """,
        ZoneSettings(ignore_empty_service=True),
    ),
    "only exposed namespaces": Case(
        (
            Namespace("default"),
            service("default/web", "10.96.0.1"),
            service("hidden/web", "10.96.0.2"),
            pod("hidden/p", "10.1.0.1"),
            pod("default/p", "10.1.0.2"),
        ),
        """
        ? web.default.svc A
        web.default.svc 5 A 10.96.0.1
        ? web.hidden.svc A NXDOMAIN
        = SOA
        ? hidden.svc A NXDOMAIN
        = SOA
        ? 2.0.96.10.in-addr.arpa. PTR NXDOMAIN
        = in-addr.arpa. 5 SOA ns.dns.in-addr.arpa. hostmaster.in-addr.arpa. SERIAL 7200 1800 86400 5
        ? 10-1-0-1.hidden.pod A NXDOMAIN
        = SOA
        ? 10-1-0-2.default.pod A
        10-1-0-2.default.pod 5 A 10.1.0.2
        """,
        ZoneSettings(exposed_namespaces_only=True, pods=PodMode.VERIFIED),
    ),
    "no reverse zones": Case(
        (service("default/web", "10.96.0.1"),),
        """
        ? 1.0.96.10.in-addr.arpa. PTR REFUSED
        """,
        ZoneSettings(reverse=()),
    ),
    "a reverse zone of a part": Case(
        (service("default/web", "10.96.0.1"), service("default/far", "110.96.0.1")),
        """
        ? 1.0.96.10.in-addr.arpa. PTR
        1.0.96.10.in-addr.arpa. 5 PTR web.default.svc
        ? 1.0.96.110.in-addr.arpa. PTR REFUSED
        """,
        ZoneSettings(reverse=(names.from_text("10.in-addr.arpa"),)),
    ),
}


def short(text: str) -> str:
    """A name or record with names below the zone cut short."""
    words = (
        word if not word.endswith(ORIGIN) else word.removesuffix(ORIGIN).removesuffix(".") or "@"
        for word in text.split(" ")
    )
    return " ".join(words)


def questions(case: Case) -> list[tuple[str, str, Said]]:
    ttl = case.settings.negative_ttl
    soa = f"@ {ttl} SOA ns.dns hostmaster SERIAL 7200 1800 86400 {ttl}"
    found: list[tuple[str, str, Said]] = []
    for line in filter(None, map(str.strip, case.text.splitlines())):
        mark, _, rest = line.partition(" ")
        if mark == "?":
            name, type_, *rcode = rest.split()
            found.append((name, type_, Said((rcode or ["NOERROR"])[0], [], [], [])))
        elif mark in "=+":
            (found[-1][2].authority if mark == "=" else found[-1][2].additional).append(soa if rest == "SOA" else rest)
        else:
            found[-1][2].answer.append(line)
    return found


@pytest.mark.parametrize("case", CASES)
def test_answers(case: str) -> None:
    table = CASES[case]
    responder = Responder(zone_of(*table.objects, settings=table.settings))
    for name, type_, expected in questions(table):
        absolute = name if name.endswith(".") else f"{name}.{ORIGIN}".removeprefix("@.")
        message = ask(responder, absolute, type_)
        seen = said(message)
        shown = Said(seen.rcode, *(sorted(map(short, section)) for section in seen[1:]))
        assert (name, type_, shown) == (name, type_, Said(expected.rcode, *(sorted(part) for part in expected[1:])))
        assert bool(message.flags & dns.flags.AA) == (seen.rcode != "REFUSED")


def test_the_order_in_which_objects_come_changes_no_answer() -> None:
    case = CASES["a headless Service"]
    backwards = Responder(zone_of(*reversed(case.objects)))
    for name, type_, expected in questions(case):
        absolute = name if name.endswith(".") else f"{name}.{ORIGIN}"
        seen = said(ask(backwards, absolute, type_))
        assert sorted(map(short, seen.answer)) == sorted(expected.answer)


def chain(length: int) -> Answer:
    links = [external(f"default/c{n}", f"c{n + 1}.default.svc.cluster.local") for n in range(length)]
    zone = zone_of(*links, service(f"default/c{length}", "10.96.0.1"))
    return answers.answer(zone, names.from_text("c0.default.svc.cluster.local"), 1)


def test_the_longest_chain_of_aliases() -> None:
    whole, cut = chain(16), chain(17)
    assert (len(whole.answer), whole.reason.why) == (17, Why.ALIAS)
    assert (len(cut.answer), cut.reason.why) == (16, Why.ALIAS_LOOP)
    assert all(rrset.type == 5 for rrset in cut.answer)


def test_where_a_chain_leads_out_of_the_zone() -> None:
    zone = zone_of(external("default/a", "b.default.svc.cluster.local"), external("default/b", "example.com"))
    found = answers.answer(zone, names.from_text("a.default.svc.cluster.local"), 1)
    assert found.outside == names.from_text("example.com")
    assert len(found.answer) == 2
    assert answers.answer(zone, names.from_text("a.default.svc.cluster.local"), 5).outside is None


@pytest.mark.parametrize(("count", "additional"), [(900, True), (2000, False)])
def test_targets_of_an_answer_that_fills_any_message_are_not_looked_up(count: int, additional: bool) -> None:
    members = (f"10.1.{number >> 8}.{number & 255}" for number in range(count))
    zone = zone_of(headless("default/db"), endpoints("default/db-1", *members, ports="x:1"))
    found = answers.answer(zone, names.from_text("db.default.svc.cluster.local"), 33)
    assert len(found.answer[0].rdata) == count
    assert len(found.additional) == (count if additional else 0)


def test_all_records_of_a_name_are_those_of_each_type_alone() -> None:
    zone = zone_of(
        service("a/web", "10.96.0.1", "fd00::1", ports="http:80 https:443"),
        service("a/one", "10.96.0.2", ports="http:80"),
        service("a/six", "fd00::2", ports="http:80"),
        external("a/out", "www.example.com"),
        headless("a/db"),
        endpoints("a/db-1", "10.1.0.1 host=a", "10.1.0.2 host=b", "10.1.0.3", ports="sql:1 more:2"),
        endpoints("a/db-2", "10.1.0.1 host=A", "10.1.0.4 host=a", ports="sql:1"),
        endpoints("a/db-3", "10.1.0.5 host=c", "10.1.0.6 host=d", ports="sql:1"),
        endpoints("a/plain-1", "10.1.0.7", of="web"),
    )
    for name, node in zone.nodes.items():
        types = reasons.types_of(node.parts)
        wanted = {answers.rrset_of(zone.settings, 7, name, node.parts, type_) for type_ in types}
        found = list(answers.rrsets_of(zone.settings, 7, name, node.parts))
        assert set(found) == wanted - {None}
        assert len(found) == len(set(found))
        assert all(len(rrset.rdata) == len(set(rrset.rdata)) for rrset in found)
        if records.SOA in types:
            assert found[0].type == records.SOA
        bodies = [body for one in found for body in records.bodies(one.type, one.ttl, one.rdata)]
        assert [body for some in answers.bodies_of(zone.settings, 7, name, node.parts) for body in some] == bodies


def test_bodies_of_records_are_their_bytes_behind_the_owner() -> None:
    (first, second) = records.bodies(records.TXT, 300, [b"\1x", b"\2yy"])
    assert first == b"\0\x10\0\1\0\0\1\x2c\0\2\1x"
    assert second == b"\0\x10\0\1\0\0\1\x2c\0\3\2yy"
