"""The five tutorials, asked with the very programs that they use, with a pod's search list (`config/demo`)."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.places import DEMO
from tests.support.running import Running, eventually, minidns

#: The pod that a StatefulSet makes, with the address that it has got this time.
POD = """
apiVersion: v1
kind: Pod
metadata: {name: web-1, labels: {app: nginx}}
spec: {hostname: web-1, subdomain: nginx}
status: {podIP: 10.244.9.9}
"""


@pytest.fixture(scope="module")
def demo() -> Iterator[Running]:
    with minidns("--manifests", str(DEMO), "--ttl", "30") as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the demo, to be edited."""
    return Path(shutil.copytree(DEMO, tmp_path / "demo"))


def candidates(name: str, namespace: str) -> list[str]:
    """What a pod's resolver asks for, in turn (ndots:5)."""
    search = [f"{namespace}.svc.cluster.local", "svc.cluster.local", "cluster.local"]
    return [f"{name}.{suffix}" for suffix in search]


def host(running: Running, name: str, namespace: str = "default") -> str:
    """`host` with a pod's search list: resolv.conf is no test's to write, so each candidate is asked in turn."""
    for candidate in candidates(name, namespace):
        command = ["host", "-p", str(running.port), candidate + ".", "127.0.0.1"]
        printed = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).stdout
        if "not found" not in printed:
            return printed
    return printed


def nslookup(running: Running, name: str, *options: str, namespace: str = "default") -> str:
    """busybox's `nslookup`, the one in the tutorials' busybox pods."""
    for candidate in candidates(name, namespace):
        command = ["busybox", "nslookup", *options, candidate, f"127.0.0.1:{running.port}"]
        printed = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).stdout
        if "NXDOMAIN" not in printed:
            return printed
    return printed


def found(printed: str) -> list[str]:
    """The IPv4 addresses that nslookup found, without its server's."""
    return sorted(set(re.findall(r"^Address(?: \d+)?: ([\d.]+)$", printed, re.MULTILINE)))


def records(printed: str) -> list[list[str]]:
    """The fields of each record in the answer section that `dig` printed."""
    section = printed.partition(";; ANSWER SECTION:\n")[2].partition("\n\n")[0]
    return [line.split() for line in section.splitlines()]


def rewrite(file: Path, old: str, new: str) -> None:
    """What an editor does: the file is replaced as a whole."""
    text = file.read_text()
    assert old in text
    (file.parent / ".new").write_text(text.replace(old, new))
    (file.parent / ".new").replace(file)


def test_redis_pod_by_its_short_name(demo: Running) -> None:
    (address,) = demo.addresses("redis-0.redis.default.svc.cluster.local")
    printed = host(demo, "redis-0.redis.default")
    assert f"redis-0.redis.default.svc.cluster.local has address {address}" in printed.splitlines()


def test_nginx_behind_a_headless_service(demo: Running) -> None:
    printed = demo.dig("headless-service.default.svc.cluster.local")
    assert "status: NOERROR" in printed
    assert ";; flags: qr aa rd; QUERY: 1, ANSWER: 1," in printed
    (record,) = records(printed)
    assert record[:4] == ["headless-service.default.svc.cluster.local.", "30", "IN", "A"]
    assert re.fullmatch(r"10\.244\.\d+\.\d+", record[4])


def test_mydb_pods_by_their_short_names(demo: Running) -> None:
    first = found(nslookup(demo, "mydb-0.my-service"))
    second = found(nslookup(demo, "mydb-1.my-service"))
    assert len(first) == len(second) == 1
    assert first != second
    assert found(nslookup(demo, "my-service")) == sorted(first + second)


def test_selector_without_pods(demo: Running) -> None:
    printed = demo.dig("my-headless-service.default.svc.cluster.local")
    assert "status: NXDOMAIN" in printed
    assert not records(printed)
    assert "headless Service default/my-headless-service has no endpoints" in printed


def test_web_pods_together_and_one_by_one(demo: Running) -> None:
    both = found(nslookup(demo, "nginx"))
    each = [found(nslookup(demo, f"web-{number}.nginx")) for number in range(2)]
    assert [len(one) for one in each] == [1, 1]
    assert both == sorted(each[0] + each[1])


def test_cluster_ip_service_has_one_virtual_address(demo: Running) -> None:
    (address,) = found(nslookup(demo, "my-nginx-svc"))
    assert address.startswith("10.96.")


def test_mysql_ports_and_pods(demo: Running) -> None:
    printed = nslookup(demo, "mysql-svc", "-type=srv")
    name = "mysql-svc.default.svc.cluster.local"
    services = [line for line in printed.splitlines() if "service = " in line]
    assert services == [f"{name}\tservice = 0 33 3306 mysql-{number}.{name}" for number in range(3)]


def test_mysql_is_connected_to_by_the_pods_name(demo: Running) -> None:
    """What `mysql -h mysql-0.mysql-svc` asks its C library, which asks for both families at once."""
    printed = nslookup(demo, "mysql-0.mysql-svc")
    assert found(printed) == demo.addresses("mysql-0.mysql-svc.default.svc.cluster.local")


def test_http_ports_of_another_namespace(demo: Running) -> None:
    printed = nslookup(demo, "web", "-type=srv", namespace="lesson-web")
    services = [line.split("service = ")[1] for line in printed.splitlines() if "service = " in line]
    assert services == [f"0 33 8080 web-{number}.web.lesson-web.svc.cluster.local" for number in range(3)]


def test_external_name_is_an_alias(demo: Running) -> None:
    printed = demo.dig("external-db.default.svc.cluster.local")
    assert "status: NOERROR" in printed
    assert records(printed) == [["external-db.default.svc.cluster.local.", "30", "IN", "CNAME", "db.example.com."]]


def test_endpoints_written_by_hand(demo: Running) -> None:
    name = "by-hand.default.svc.cluster.local"
    assert sorted(record[4] for record in records(demo.dig(name))) == ["192.0.2.10", "192.0.2.11"]
    assert [record[4] for record in records(demo.dig(f"primary.{name}"))] == ["192.0.2.10"]
    assert [record[4] for record in records(demo.dig(f"replica.{name}"))] == ["192.0.2.11"]
    assert "status: NXDOMAIN" in demo.dig(f"broken.{name}")


def test_scaling_adds_and_removes_names(folder: Path) -> None:
    name = "mysql-svc.default.svc.cluster.local"

    def targets() -> list[str]:
        printed = nslookup(running, "mysql-svc", "-type=srv")
        return [line.split("service = ")[1] for line in printed.splitlines() if "service = " in line]

    with minidns("--manifests", str(folder), "--ttl", "30") as running:
        before = running.addresses(name)
        rewrite(folder / "mysql.yaml", "replicas: 3", "replicas: 4")
        eventually(lambda: targets() == [f"0 25 3306 mysql-{number}.{name}" for number in range(4)])
        assert set(running.addresses(name)) > set(before)
        rewrite(folder / "mysql.yaml", "replicas: 4", "replicas: 1")
        eventually(lambda: targets() == [f"0 100 3306 mysql-0.{name}"])
        assert "status: NXDOMAIN" in running.dig(f"mysql-1.{name}")


def test_deleted_pod_comes_back_under_its_name_with_another_address(folder: Path) -> None:
    name = "web-1.nginx.default.svc.cluster.local"
    with minidns("--manifests", str(folder)) as running:
        (before,) = running.addresses(name)
        rewrite(folder / "web.yaml", "replicas: 2", "replicas: 1")
        eventually(lambda: "status: NXDOMAIN" in running.dig(name))
        (folder / "web-1.yaml").write_text(POD)
        rewrite(folder / "web.yaml", "replicas: 1", "replicas: 2")
        eventually(lambda: running.addresses(name) == ["10.244.9.9"])
        addresses = running.addresses("nginx.default.svc.cluster.local")
        assert "10.244.9.9" in addresses
        assert before not in addresses
        assert len(addresses) == 2


def test_pod_that_is_not_ready_leaves_and_returns(folder: Path) -> None:
    name = "headless-service.default.svc.cluster.local"
    with minidns("--manifests", str(folder)) as running:
        before = running.addresses(name)
        rewrite(folder / "my-nginx.yaml", "# annotations", "annotations")
        eventually(lambda: "has 1 endpoint, 0 ready" in running.dig(name))
        assert "status: NXDOMAIN" in running.dig(name)
        rewrite(folder / "my-nginx.yaml", "annotations", "# annotations")
        eventually(lambda: running.addresses(name) == before)


def test_file_that_goes_and_one_that_comes(folder: Path) -> None:
    with minidns("--manifests", str(folder)) as running:
        (folder / "redis.yaml").rename(folder.parent / "redis.yaml")
        eventually(lambda: "status: NXDOMAIN" in running.dig("redis.default.svc.cluster.local"))
        (folder.parent / "redis.yaml").rename(folder / "again.yaml")
        eventually(lambda: len(running.addresses("redis.default.svc.cluster.local")) == 2)
