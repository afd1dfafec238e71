"""`minidns compare`: does another server answer what the objects say?"""

from __future__ import annotations

import argparse
import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from minidns.cli.offline import OfflineError, followed, mirrored
from minidns.cli.running import add_admin
from minidns.compare import report
from minidns.compare.asking import asker
from minidns.compare.comparing import Comparison, SilentError
from minidns.compare.report import Report
from minidns.compare.seen import SILENCE
from minidns.config.settings import Cluster, Kubernetes, Manifests
from minidns.config.values import Listen, Network, UsageError, is_address, network, number, split_port
from minidns.core import names, records
from minidns.core.model import Service
from minidns.site import Site

QPS = 500.0
Refresh = Callable[[], Awaitable[None]]
MOST_SWEPT = 1 << 17
#: The Service that kubeadm and its like have for the cluster's DNS.
USUAL = ("kube-system", "kube-dns")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("server", nargs="?", metavar="SERVER[:PORT]", help="whom to ask; with --each kube-dns")
    parser.add_argument("--each", action="store_true", help="every replica of the Service that has this address")
    parser.add_argument("--qps", type=float, default=QPS, metavar="N", help=f"questions a second ({QPS:g})")
    parser.add_argument(
        "--sweep", action="append", metavar="CIDR", help="ask every address there for its name: finds what is gone"
    )
    parser.add_argument("--conf", type=Path, metavar="COREFILE", help="what is answered, from that server's Corefile")
    add_admin(parser)
    parser.add_argument("--json", action="store_true", help="for programs: a line for each server")


def compare_command(arguments: argparse.Namespace, source: Manifests | Cluster | None, kubernetes: Kubernetes) -> int:
    """0 when nothing is unexplained, 1 when something is."""
    if arguments.server is None and not arguments.each:
        raise UsageError("name the server to ask: minidns compare 10.96.0.10")
    if not 0 < arguments.qps <= 100_000:
        raise UsageError(f"--qps is a number of questions a second, more than 0, not {arguments.qps:g}")
    sweep = tuple(map(network, arguments.sweep or ()))
    for one in sweep:
        if one.num_addresses > MOST_SWEPT:
            raise UsageError(f"--sweep {one}: {MOST_SWEPT:,} addresses at most, such as a /15")
    found = asyncio.run(_compare(arguments, source, kubernetes, sweep))
    return 1 if any(one.unexplained for one in found) else 0


async def _compare(
    arguments: argparse.Namespace, source: Manifests | Cluster | None, kubernetes: Kubernetes, sweep: Sequence[Network]
) -> Sequence[Report]:
    found = []
    async with _site(arguments.admin, source, kubernetes) as (site, origin, refresh):
        for host, port in _servers(arguments, site):
            one = await _beside(site, origin, host, port, arguments.qps, sweep, refresh)
            if arguments.json:
                print(report.to_json(one).decode(), flush=True)
            else:
                report.render(one, Console(highlight=False))
            found.append(one)
    return found


def _servers(arguments: argparse.Namespace, site: Site) -> list[tuple[str, int]]:
    """Host and port of each server to ask."""
    host, port = split_port(arguments.server) if arguments.server else ("", None)
    asked = number(port, "a port", 1, 65535) if port is not None else 53
    if not arguments.each:
        return [(host, asked)]
    service = _service(site, host)
    found = {
        (names.address_text(address), port.number)
        for slice_ in site.zones[0].cluster.slices(service.key).values()
        for port in slice_.ports
        if port.protocol == "UDP" and port.number
        for endpoint in slice_.endpoints
        if endpoint.ready
        for address in endpoint.addresses
    }
    if not found:
        raise OfflineError(f"Service {'/'.join(service.key)} has no ready endpoint with a UDP port")
    return sorted(found)


def _service(site: Site, host: str) -> Service:
    cluster = site.zones[0].cluster
    if not host:
        if (usual := cluster.service(USUAL)) is not None:
            return usual
        raise UsageError(f"there is no Service {'/'.join(USUAL)}: name the address of the one that is meant")
    address = names.packed_address(host) if is_address(host) else b""
    for service in cluster.all(Service).values():
        if isinstance(service, Service) and address in service.cluster_ips:
            return service
    raise UsageError(f"--each: no Service has the address {host}")


async def _beside(
    site: Site, origin: str, host: str, port: int, qps: float, sweep: Sequence[Network], refresh: Refresh
) -> Report:
    server = str(Listen(host, port)) if is_address(host) else f"{host}:{port}"
    with _progress(server) as tell:
        async with asker(host, port) as asking:
            if await asking.ask((site.zones[0].settings.origin, records.SOA)) == SILENCE:
                raise OfflineError(f"{server} does not answer")
            label = f"no-{secrets.token_hex(6)}"
            comparison = Comparison(
                site.zones, asking.ask, label=label, qps=qps, refresh=refresh, tell=tell, sweep=sweep
            )
            try:
                return await comparison.run(server, origin)
            except SilentError as error:
                raise OfflineError(f"{server}: {error}") from None


@asynccontextmanager
async def _site(
    admin: str, source: Manifests | Cluster | None, kubernetes: Kubernetes
) -> AsyncIterator[tuple[Site, str, Refresh]]:
    """The objects as they change, what they are called, and what brings them up to date."""
    if source is None:
        async with mirrored(admin) as found:
            yield found
    else:
        async with followed(source, kubernetes) as (site, origin):
            yield site, origin, _nothing


async def _nothing() -> None:
    """The site changes by itself."""


@contextmanager
def _progress(server: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on the terminal, which goes when all is asked."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"asking {server}", total=None)
        yield lambda done, of: progress.update(task, completed=done, total=of)
