"""Where each record of an answer comes from."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from minidns.core import names, reasons, records, schema
from minidns.core.model import Pod, Service
from minidns.core.names import Name
from minidns.core.records import Rrset
from minidns.core.schema import PodMode
from minidns.core.why import shown
from minidns.core.zone import Zone
from minidns.explain.behind import Behind, Row, port_text
from minidns.explain.question import host, name_text, path
from minidns.explain.types import Record

#: Records that are listed one by one.
LISTED = 30


def listed(zone: Zone, rrsets: Iterable[Rrset], behind: Behind | None = None) -> tuple[Record, ...]:
    """The first LISTED records, each with its source. behind: what is known already to be behind a Service."""
    sources = _Sources(zone, behind)
    every = ((rrset, rdata) for rrset in rrsets for rdata in rrset.rdata)
    return tuple(sources.record(rrset, rdata) for rrset, rdata in islice(every, LISTED))


class _Sources:
    def __init__(self, zone: Zone, behind: Behind | None) -> None:
        self._zone = zone
        self._known = {behind.key: behind} if behind else {}

    def record(self, rrset: Rrset, rdata: bytes) -> Record:
        data = records.rdata_text(rrset.type, rdata)
        return Record(name_text(rrset.owner), rrset.ttl, records.type_text(rrset.type), data, self._of(rrset, rdata))

    def _of(self, rrset: Rrset, rdata: bytes) -> str:
        service = reasons.service_at(self._zone, rdata if rrset.type == records.PTR else rrset.owner)
        match rrset.type:
            case records.PTR if service:
                address = names.reversed_address(rrset.owner)
                return self._of_address(service, rdata, address or b"")
            case records.CNAME if service:
                return f"spec.externalName of Service {shown('/'.join(service.key))}"
            case records.SRV if service:
                return self._of_port(service, rrset.owner, rdata)
            case records.A | records.AAAA if service:
                return self._of_address(service, rrset.owner, rdata)
            case records.A | records.AAAA:
                return self._of_other_address(rrset.owner, rdata)
        return "the zone itself"

    def _of_address(self, service: Service, owner: Name, address: bytes) -> str:
        own = owner == schema.service_name(self._zone.settings, *service.key)
        if own and not service.headless:
            what = "a ClusterSetIP" if self._zone.settings.multicluster else "a cluster IP"
            return f"{what} of {type(service).__name__} {shown('/'.join(service.key))}"
        row = self._behind(service).ready(None if own else self._host(owner), address)
        return _place(row) if row else "an endpoint"

    def _of_port(self, service: Service, owner: Name, rdata: bytes) -> str:
        number, target = int.from_bytes(rdata[4:6], "big"), rdata[6:]
        if target == schema.service_name(self._zone.settings, *service.key):
            port = next((port for port in service.ports if port.number == number), None)
            return (
                f"port {port_text(port)} of {type(service).__name__} {shown('/'.join(service.key))}"
                if port
                else "a port"
            )
        row = self._behind(service).ready(self._host(target), None)
        wanted = path(self._zone, owner)[4:]
        ports = [port for port in row.slice.ports if port.number == number] if row else []
        named = [port for port in ports if wanted == ["_" + port.name.lower()]]
        return f"port {', '.join(map(port_text, named or ports))} of {_place(row)}" if row else "an endpoint"

    def _of_other_address(self, owner: Name, address: bytes) -> str:
        below = path(self._zone, owner)
        settings = self._zone.settings
        if below[:1] == ["pod"]:
            if settings.pods is PodMode.INSECURE:
                return "the name itself says its address (pods insecure)"
            pods = (pod for pod in self._zone.cluster.all(Pod).values() if isinstance(pod, Pod))
            found = next((pod for pod in pods if pod.namespace == below[1] and address in pod.addresses), None)
            return f"Pod {shown('/'.join(found.key))}" if found else "a pod"
        service = self._zone.cluster.own_service(settings.ns_service)
        if service and address in service.cluster_ips:
            return f"a cluster IP of Service {shown('/'.join(service.key))}"
        return "an address of this server"

    def _host(self, name: Name) -> str | None:
        return host(self._zone, path(self._zone, name))

    def _behind(self, service: Service) -> Behind:
        if service.key not in self._known:
            self._known[service.key] = Behind(self._zone, service.key)
        return self._known[service.key]


def _place(row: Row) -> str:
    return f"{row.who} in EndpointSlice {shown('/'.join(row.slice.key))}"
