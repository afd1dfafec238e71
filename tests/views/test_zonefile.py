"""Zone files: every record of the index, sorted, and read by dnspython as the same zone."""

from __future__ import annotations

import dns.name
import dns.rdatatype
import dns.zone

from minidns.core import names, reasons
from minidns.core.model import Deleted, Namespace, Service, Upserted
from minidns.core.responder import Responder
from minidns.core.schema import PodMode, ZoneSettings
from minidns.core.snapshot import STEP
from minidns.core.zone import Zone
from minidns.views import zonefile
from tests.support.client import ask
from tests.support.clusters import address, endpoints, external, headless, service, zone_of


def sample() -> Zone:
    return zone_of(
        Namespace("default"),
        service("default/web", "10.96.0.1", "fd00::1", ports="http:80"),
        headless("default/db"),
        endpoints("default/db-1", "10.1.0.1 host=a.b", "10.1.0.2", ports="sql:3306"),
        external("default/out", "www.example.com"),
        settings=ZoneSettings(ttl=30, pods=PodMode.INSECURE, ns_addresses=(address("192.0.2.1"),)),
    )


def test_the_file_is_the_zone() -> None:
    zone = sample()
    responder = Responder(zone)
    asked = 0
    for origin in ("cluster.local.", "in-addr.arpa.", "ip6.arpa."):
        text = "".join(zonefile.pieces(zone, names.from_text(origin)))
        read = dns.zone.from_text(text, dns.name.from_text(origin), relativize=False)
        for name, rdataset in read.iterate_rdatasets():
            asked += 1
            reply = ask(responder, str(name), dns.rdatatype.to_text(rdataset.rdtype))
            assert reply.answer[0].to_rdataset() == rdataset
            assert reply.answer[0].ttl == rdataset.ttl
    assert asked == sum(len(reasons.types_at(zone, name)) for name in zone.nodes)


def test_sorted_with_the_soa_record_first() -> None:
    lines = "".join(zonefile.pieces(sample(), names.from_text("cluster.local"))).splitlines()
    assert " SOA " in lines[0]
    owners = [dns.name.from_text(line.split()[0]) for line in lines]
    assert owners == sorted(owners)
    assert sum(" SOA " in line for line in lines) == 1
    assert r"a\.b.db.default.svc.cluster.local. 30 IN A 10.1.0.1" in lines


def test_a_name_of_many_records_comes_in_many_pieces() -> None:
    zone = zone_of(
        headless("default/db"),
        endpoints("default/db-1", *(f"10.1.{n >> 8}.{n & 255}" for n in range(2000)), ports="a:1"),
    )
    longest = max(piece.count("\n") for piece in zonefile.pieces(zone, names.from_text("cluster.local")))
    assert longest <= 2 * STEP


def test_it_is_the_zone_of_its_first_piece() -> None:
    zone = sample()
    origin = names.from_text("cluster.local")
    wanted = "".join(zonefile.pieces(zone, origin))
    pieces = zonefile.pieces(zone, origin)
    first = next(pieces)
    zone.apply(Deleted(Service, ("default", "web")))
    zone.apply(Upserted(service("default/more", "10.96.0.2")))
    assert first + "".join(pieces) == wanted
    assert "".join(zonefile.pieces(zone, origin)) != wanted
    assert zone.overlays == []
