"""A process that follows a cluster of a set: ServiceImports, and the slices that other clusters send."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.apiserver import Fault
from tests.support.running import eventually, minidns
from tests.support.threaded import api_server, endpoints, namespace, service

LABELS = {
    "multicluster.kubernetes.io/service-name": "db",
    "multicluster.kubernetes.io/source-cluster": "east",
}
HOST = "db-0.east.db.default.svc.clusterset.local"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_role_without_serviceimports_holds_up_the_names_of_the_set_alone(tmp_path: Path, workers: str) -> None:
    corefile = tmp_path / "Corefile"
    with api_server() as server:
        kubeconfig = server.kubeconfig(tmp_path)
        options = f"kubeconfig {kubeconfig}\n multicluster clusterset.local"
        zones = "cluster.local clusterset.local in-addr.arpa"
        corefile.write_text(f".:0 {{\n bind 127.0.0.1\n kubernetes {zones} {{\n {options}\n }}\n}}\n")
        server.put("namespaces", namespace("default"))
        server.put("services", service("web", clusterIP="10.96.0.1", ports=[{"name": "http", "port": 80}]))
        slice_ = endpoints("db", "10.2.0.1")
        slice_["metadata"]["labels"] = LABELS
        slice_["endpoints"][0]["hostname"] = "db-0"
        server.put("endpointslices", slice_)
        server.put(
            "serviceimports",
            {"metadata": {"name": "db", "namespace": "default"}, "spec": {"type": "Headless", "ports": []}},
        )
        server.do(lambda it: it.faults.append(Fault("serviceimports", status=403, message='User "dns"', times=10**9)))
        with minidns("--conf", str(corefile), "--workers", workers) as running:
            eventually(lambda: running.addresses("web.default.svc.cluster.local") == ["10.96.0.1"])
            printed = running.dig(HOST)
            assert "status: SERVFAIL" in printed
            assert "EDE: 14 (Not Ready)" in printed
            assert "cannot list serviceimports: 403 forbidden for dns" in running.status("/ready")[1]
            server.do(lambda it: it.faults.clear())
            eventually(lambda: running.addresses(HOST) == ["10.2.0.1"])
            assert running.addresses("db.default.svc.clusterset.local") == ["10.2.0.1"]
            server.do(lambda it: it.delete("serviceimports", "default", "db"))
            eventually(lambda: not running.addresses(HOST))
            assert "no ServiceImport of that name in namespace default" in running.dig(HOST)
