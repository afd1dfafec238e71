"""Which endpoints are offered where."""

from __future__ import annotations

from typing import cast

from minidns.admin import table
from minidns.admin.running import Running
from minidns.config.settings import Cluster, Config, Health, Kubernetes, ServerBlock
from minidns.config.values import Listen

ADMIN, PROBES, METRICS = Listen("127.0.0.1", 8053), Listen("", 8080), Listen("", 9153)
BLOCKS, SOURCE = (ServerBlock(kubernetes=Kubernetes()),), Cluster()
TABLE = table.endpoints(cast(Running, None))


def offered(config: Config) -> dict[Listen, list[str]]:
    return {listen: [one.path for one in some] for listen, some in table.by_address(config, TABLE).items()}


def test_every_endpoint_has_a_line_for_people_and_a_path_of_its_own() -> None:
    assert all(endpoint.doc and endpoint.path.startswith("/") for endpoint in TABLE)
    places = [(endpoint.method, endpoint.path) for endpoint in TABLE]
    assert len(set(places)) == len(places)


def test_the_cluster_is_offered_what_it_asks_for_and_no_more() -> None:
    config = Config(
        servers=BLOCKS, source=SOURCE, admin=ADMIN, health=(Health(listen=PROBES),), ready=(PROBES,), metrics=(METRICS,)
    )
    assert offered(config) == {
        ADMIN: [endpoint.path for endpoint in TABLE],
        PROBES: ["/health", "/ready"],
        METRICS: ["/metrics"],
    }
    public = {endpoint.path for endpoint in TABLE if endpoint.public}
    assert public == {"/health", "/ready", "/metrics"}


def test_addresses_that_are_the_same_are_one() -> None:
    config = Config(servers=BLOCKS, source=SOURCE, admin=ADMIN, ready=(ADMIN,))
    assert offered(config) == {ADMIN: [endpoint.path for endpoint in TABLE]}
    assert offered(Config(servers=BLOCKS, source=SOURCE)) == {}
