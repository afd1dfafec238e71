"""What the API server does to a Service: its address families and its ClusterIPs."""

from __future__ import annotations

from collections.abc import Iterable
from socket import AF_INET, AF_INET6, inet_ntop

from minidns.config.values import Network
from minidns.core import model
from minidns.source.manifests.controllers.addresses import Addresses
from minidns.source.manifests.objects import Service, ServiceSpec, packed

_SIZES = {"IPv4": 4, "IPv6": 16}
_FAMILIES = {4: "IPv4", 16: "IPv6"}
#: The Services whose places in the range are the same in every cluster.
_PLACES = {("default", "kubernetes"): 1, ("kube-system", "kube-dns"): 10}


def text(address: bytes) -> str:
    """An address as people write it."""
    return inet_ntop(AF_INET if len(address) == 4 else AF_INET6, address)


class ClusterIPs:
    """The addresses of Services, from the service CIDRs. The first one's family is the default of a Service."""

    def __init__(self, cidrs: tuple[Network, ...]) -> None:
        # The part of the range that Kubernetes keeps for addresses chosen by hand (KEP-3070).
        bands = {net: min(max(16, net.num_addresses // 16), 256) + 1 for net in cidrs}
        self._ranges = {net.max_prefixlen // 8: Addresses(net, bands[net]) for net in cidrs}
        self._primary = next(iter(self._ranges), 4)

    def sizes(self, spec: ServiceSpec) -> tuple[int, ...]:
        """The families of a Service, as bytes of an address (API reference: spec.ipFamilyPolicy)."""
        given = [len(packed(ip)) for ip in spec.given_ips]
        sizes = [_SIZES[family] for family in spec.ip_families]
        sizes = max(given, sizes, key=len) or [self._primary]
        policy = spec.ip_family_policy or ("SingleStack" if len(sizes) == 1 else "RequireDualStack")
        if policy == "SingleStack":
            return (sizes[0],)
        other = 20 - sizes[0]
        free = spec.headless and not spec.selector
        return (sizes[0], other) if free or other in self._ranges or other in sizes else (sizes[0],)

    def settle(self, gone: set[model.Key], services: Iterable[Service]) -> set[model.Key]:
        """Take back the addresses of Services that are gone; keep those that are written down.

        Returns the Services elsewhere to which that matters.
        """
        concerned: set[model.Key] = set()
        for addresses in self._ranges.values():
            for key in gone:
                addresses.release(key)
                concerned |= addresses.pin(key, ())
            for service in services:
                key = (service.namespace, service.name)
                if service.spec.headless or service.spec.type == "ExternalName":
                    addresses.release(key)
                concerned |= addresses.pin(key, self._written(service))
        return concerned

    def _written(self, service: Service) -> tuple[bytes, ...]:
        spec = service.spec
        place = _PLACES.get((service.namespace, service.name))
        if spec.given_ips or place is None or spec.headless or spec.type == "ExternalName":
            return tuple(packed(ip) for ip in spec.given_ips)
        return tuple(self._ranges[size].place(place) for size in self.sizes(spec) if size in self._ranges)

    def model(self, service: Service, problems: list[str]) -> model.Service:
        """The Service as the cluster has it; adds what is wrong with it to `problems`."""
        spec = service.spec
        external = spec.type == "ExternalName"
        virtual = not external and not spec.headless
        return model.Service(
            service.namespace,
            service.name,
            self._addresses(service, problems) if virtual else (),
            spec.headless and not external,
            spec.external_name if external else None,
            tuple(model.Port(port.name, port.protocol, port.port) for port in spec.ports),
            () if external else tuple(sorted(spec.selector.items())),
            spec.publish_not_ready_addresses,
        )

    def _addresses(self, service: Service, problems: list[str]) -> tuple[bytes, ...]:
        key = (service.namespace, service.name)
        written = {len(address): address for address in self._written(service)}
        sizes, ips = self.sizes(service.spec), []
        if service.spec.ip_family_policy == "RequireDualStack" and len(sizes) < 2:
            problems.append("spec.ipFamilyPolicy: RequireDualStack needs a service CIDR of each family")
        for size in sizes:
            addresses, address = self._ranges.get(size), written.get(size)
            if address and addresses and (first := min(addresses.pinned_by(address))) != key:
                problems.append(
                    f"spec.clusterIP {text(address)} belongs to Service {'/'.join(first)}: another is given"
                )
                address = None
            if not address and not addresses:
                problems.append(f"has no {_FAMILIES[size]} address: there is no {_FAMILIES[size]} service CIDR")
            elif not address and addresses and not (address := addresses.give(key)):
                problems.append(f"has no address: the service CIDR {addresses.network} is full")
            ips += [address] if address else []
        return tuple(ips)
