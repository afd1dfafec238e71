"""`minidns compare` beside other servers: an older minidns, Knot, CoreDNS's recorded answers, and made-up ones."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import msgspec
import pytest

from minidns.cli import main
from minidns.compare.report import Report
from minidns.compare.seen import Seen
from minidns.core.responder import Responder
from minidns.core.zone import Zone
from tests.support.clusters import endpoints, headless, service, zone_of
from tests.support.neighbours import Script, free_port, knot_with, scripted
from tests.support.places import DEMO, MANIFESTS, RECORDINGS
from tests.support.running import eventually, minidns
from tests.support.threaded import api_server
from tests.support.threaded import service as service_object
from tests.whole.test_parity import question, recorded, state

#: A Service, and endpoints for it as its manifest has them.
WEB = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {clusterIP: None, ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-a, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 80}]
endpoints:
- {addresses: [10.1.0.1], hostname: web-0}
- {addresses: [10.1.0.2], hostname: web-1}
"""


def compare(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "minidns", "compare", "--qps", "2000", *arguments]


async def run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*compare(*arguments), stdout=pipe, stderr=pipe)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def reports(*arguments: str) -> tuple[int, list[Report]]:
    code, out, err = await run("--json", *arguments)
    assert out, err
    return code, [msgspec.json.decode(line, type=Report) for line in out.splitlines()]


def shown(report: Report) -> set[str]:
    return {f"{one.verdict} {one.name} {one.type}" for one in report.unexplained}


def answering(zone: Zone) -> Script:
    """What minidns answers from a zone."""
    responder = Responder(zone)

    def script(packet: bytes, transport: str) -> list[bytes]:
        reply = responder.respond(packet, responder.channel(transport, "1"))
        assert isinstance(reply, bytes)
        return [reply]

    return script


@pytest.mark.asyncio
async def test_yesterdays_manifests_are_what_changed_and_nothing_else(tmp_path: Path) -> None:
    today = Path(shutil.copytree(DEMO, tmp_path / "demo"))
    web = today / "web.yaml"
    with minidns("--manifests", str(DEMO)) as yesterday:
        server = f"127.0.0.1:{yesterday.port}"
        code, (same,) = await reports(server, "--manifests", str(today))
        assert (code, same.unexplained, same.on_purpose) == (0, (), {})
        assert same.same == same.asked > 200

        web.write_text(web.read_text().replace("replicas: 2", "replicas: 3"))
        code, (found,) = await reports(server, "--manifests", str(today))
    nginx = "nginx.default.svc.cluster.local."
    (pointer,) = (one for one in found.unexplained if one.type == "PTR")
    assert code == 1
    assert shown(found) == {
        f"missing {nginx} A", f"missing {nginx} SRV", f"missing _web._tcp.{nginx} SRV",
        f"missing web-2.{nginx} A", f"missing web-2.{nginx} AAAA", f"missing web-2.{nginx} SRV",
        f"missing {pointer.name} PTR",
    }  # fmt: skip
    assert pointer.lacking == (f"{pointer.name} PTR web-2.{nginx}",)


@pytest.mark.asyncio
async def test_yesterdays_state_file(tmp_path: Path) -> None:
    file = tmp_path / "state"
    with api_server() as api:
        api.put("services", service_object("api", clusterIP="10.96.0.7", clusterIPs=["10.96.0.7"], ports=[]))
        kubeconfig = api.kubeconfig(tmp_path)
        with minidns("--kubeconfig", kubeconfig, "--state", str(file)) as running:
            eventually(lambda: running.addresses("api.default.svc.cluster.local"))
            eventually(file.exists)
        api.stop()
        with minidns("--kubeconfig", kubeconfig, "--state", str(file)) as yesterday:
            eventually(lambda: yesterday.addresses("api.default.svc.cluster.local"))
            (tmp_path / "elsewhere").mkdir()
            with api_server() as now:
                now.put("services", service_object("api", clusterIP="10.96.0.8", clusterIPs=["10.96.0.8"], ports=[]))
                today = now.kubeconfig(tmp_path / "elsewhere")
                code, (found,) = await reports(f"127.0.0.1:{yesterday.port}", "--kubeconfig", today)
        api.start()
    assert code == 1
    assert shown(found) == {
        "stale api.default.svc.cluster.local. A",
        "missing 8.0.96.10.in-addr.arpa. PTR",
        "invented 7.0.96.10.in-addr.arpa. PTR",
    }


@pytest.mark.asyncio
@pytest.mark.parametrize("manifests", [DEMO, MANIFESTS / "edges.yaml"], ids=["demo", "edges"])
async def test_knot_with_our_zone_files_has_nothing_unexplained(manifests: Path, tmp_path: Path) -> None:
    origins = ("cluster.local", "in-addr.arpa", "ip6.arpa")
    for origin in origins:
        command = [sys.executable, "-m", "minidns", "zone", "--manifests", str(manifests), "--origin", origin]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        (tmp_path / origin).write_bytes((await process.communicate())[0])
    with knot_with(tmp_path, {origin: origin for origin in origins}) as port:
        code, (found,) = await reports(f"127.0.0.1:{port}", "--manifests", str(manifests))
    assert (code, found.unexplained) == (0, ())
    assert set(found.on_purpose) <= {8}
    assert found.same > 100
    assert found.unwritten > 0


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("mode", "options"),
    [("insecure", "--ttl 30 --pods insecure"), ("verified", "--ttl 5 --pods verified --endpoint-pod-names")],
)
async def test_recorded_answers_of_coredns_have_nothing_unexplained(tmp_path: Path, mode: str, options: str) -> None:
    """What was not recorded, the samples, is answered from the objects."""
    theirs = {question(*asked): seen for asked, seen in recorded(mode).items()}
    responder, used = Responder(state(mode)), 0

    def replay(packet: bytes, transport: str) -> list[bytes]:
        nonlocal used
        query = dns.message.from_wire(packet)
        (asked,) = query.question
        seen = theirs.get((asked.name.to_wire().lower(), int(asked.rdtype)))  # type: ignore[union-attr]
        if seen is None:
            reply = responder.respond(packet, responder.channel(transport, "1"))
            assert isinstance(reply, bytes)
            return [reply]
        used += 1
        return [written(query, seen, 65535 if transport == "tcp" else 1232)]

    with api_server() as api:
        api.do(lambda it: it.load_recording(RECORDINGS / "after"))
        async with scripted(replay) as server:
            arguments = [f"127.0.0.1:{server.port}", "--kubeconfig", api.kubeconfig(tmp_path), *options.split()]
            code, (found,) = await reports(*arguments)
    assert found.unexplained == ()
    assert code == 0
    assert used > 150
    assert set(found.on_purpose) == {2, 4, 5, 8} | ({7} if mode == "insecure" else {11})


def written(query: dns.message.Message, seen: Seen, most: int) -> bytes:
    """A recorded answer as a packet."""
    reply = dns.message.make_response(query)
    reply.set_rcode(dns.rcode.from_text(seen.rcode))
    for section, lines in (
        (reply.answer, seen.answer),
        (reply.authority, seen.authority),
        (reply.additional, seen.additional),
    ):
        for line in lines:
            owner, ttl, type_, rdata = line.replace(" SERIAL ", " 1 ").split(" ", 3)
            section.append(dns.rrset.from_text(owner, int(ttl), "IN", type_, rdata))
    try:
        return reply.to_wire(max_size=most)
    except dns.exception.TooBig:
        reply.answer, reply.authority, reply.additional = [], [], []
        reply.flags |= dns.flags.TC
        return reply.to_wire()


@pytest.mark.asyncio
async def test_stale_and_invented_are_told_apart_for_people(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(WEB)
    theirs = zone_of(
        headless("default/web", ports="http:80"),
        endpoints("default/web-a", "10.1.0.1 host=web-0", "10.1.0.3 host=web-1", ports="http:80"),
        service("default/db", "10.1.0.4"),
    )
    async with scripted(answering(theirs)) as server:
        code, out, err = await run(f"127.0.0.1:{server.port}", "--manifests", str(tmp_path))
    assert (code, err) == (1, "")
    assert "stale web.default.svc.cluster.local. A\n    only there: A 10.1.0.3\n" in out
    assert "only in the objects: A 10.1.0.2\n" in out
    assert "invented 3.0.1.10.in-addr.arpa. PTR\n    1 record there, NXDOMAIN by the objects" in out


@pytest.mark.asyncio
async def test_answers_that_do_not_fit_come_over_tcp(tmp_path: Path) -> None:
    rows = "".join(f"- {{addresses: [10.1.{number}.1], hostname: web-{number}}}\n" for number in range(200))
    (tmp_path / "web.yaml").write_text(WEB.partition("endpoints:")[0] + "endpoints:\n" + rows)
    with minidns("--manifests", str(tmp_path)) as running:
        code, (found,) = await reports(f"127.0.0.1:{running.port}", "--manifests", str(tmp_path))
        assert 'proto="tcp",server="dns://127.0.0.1:0",type="SRV"' in running.get("/metrics")
    assert (code, found.unexplained) == (0, ())


@pytest.mark.asyncio
async def test_each_replica_is_asked_and_the_stale_one_is_found(tmp_path: Path) -> None:
    """Replicas on addresses of this machine, as the slice of the Service has them."""
    port = free_port()
    (tmp_path / "dns.yaml").write_text(f"""
apiVersion: v1
kind: Service
metadata: {{name: kube-dns, namespace: kube-system}}
spec: {{clusterIP: 10.96.0.10, ports: [{{name: dns, port: 53, protocol: UDP}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: kube-dns-a, namespace: kube-system, labels: {{kubernetes.io/service-name: kube-dns}}}}
addressType: IPv4
ports: [{{name: dns, port: {port}, protocol: UDP}}]
endpoints:
- {{addresses: [127.0.0.2]}}
- {{addresses: [127.0.0.3]}}
- {{addresses: [127.0.0.4], conditions: {{ready: false}}}}
""")
    old = tmp_path / "old"
    old.mkdir()
    (old / "dns.yaml").write_text((tmp_path / "dns.yaml").read_text())
    (tmp_path / "web.yaml").write_text(WEB)
    (old / "web.yaml").write_text(WEB.replace("10.1.0.2", "10.1.0.9"))
    now = tmp_path / "now"
    now.mkdir()
    for name in ("dns.yaml", "web.yaml"):
        shutil.copy(tmp_path / name, now / name)
    fresh, stale = ["--listen", f"127.0.0.2:{port}"], ["--listen", f"127.0.0.3:{port}"]
    with minidns("--manifests", str(now), *fresh), minidns("--manifests", str(old), *stale):
        for arguments in ((), ("10.96.0.10",)):
            code, found = await reports("--each", *arguments, "--manifests", str(now))
            assert code == 1
            assert [one.server for one in found] == [f"127.0.0.2:{port}", f"127.0.0.3:{port}"]
            assert found[0].unexplained == ()
            assert "stale web.default.svc.cluster.local. A" in shown(found[1])


@pytest.mark.asyncio
async def test_settings_come_from_a_corefile(tmp_path: Path) -> None:
    corefile = tmp_path / "Corefile"
    corefile.write_text(
        ".:0 {\n bind 127.0.0.1\n kubernetes k8s.test in-addr.arpa ip6.arpa {\n pods insecure\n ttl 30\n }\n}\n"
    )
    with minidns("--conf", str(corefile), "--manifests", str(DEMO)) as running:
        arguments = [f"127.0.0.1:{running.port}", "--conf", str(corefile), "--manifests", str(DEMO)]
        code, (found,) = await reports(*arguments)
    assert (code, found.unexplained) == (0, ())
    assert found.same > 200


@pytest.mark.asyncio
async def test_running_server_lends_its_objects_and_settings(tmp_path: Path) -> None:
    options = ["--zone", "k8s.test", "--zone", "in-addr.arpa", "--ttl", "30", "--pods", "verified"]
    today = Path(shutil.copytree(DEMO, tmp_path / "demo"))
    with minidns("--manifests", str(DEMO), *options) as one, minidns("--manifests", str(today), *options) as two:
        admin = ["--admin", f"127.0.0.1:{two.admin}"]
        code, (found,) = await reports(f"127.0.0.1:{one.port}", *admin)
        assert (code, found.unexplained) == (0, ())
        assert found.source == f"the objects of http://127.0.0.1:{two.admin}"
        (today / "redis.yaml").unlink()
        eventually(lambda: not two.addresses("redis.default.svc.k8s.test"))
        code, (found,) = await reports(f"127.0.0.1:{two.port}", "--admin", str(one.admin))
        assert code == 1
        assert {one.verdict for one in found.unexplained} == {"missing"}
        assert "missing redis.default.svc.k8s.test. A" in shown(found)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name the server to ask"),
        (("192.0.2.1", "--qps", "0"), "--qps is a number of questions a second"),
        (("192.0.2.1", "--sweep", "10.0.0.0/8"), "--sweep 10.0.0.0/8: 131,072 addresses at most"),
        (("192.0.2.1:x",), "a port must be a whole number"),
        (("--each",), "Service kube-system/kube-dns has no ready endpoint with a UDP port"),
        (("--each", "--conf", "none"), "none:1: cannot read it"),
        (("192.0.2.1", "--each"), "--each: no Service has the address 192.0.2.1"),
    ],
)
def test_what_makes_no_sense(arguments: tuple[str, ...], said: str, capsys: Any, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(WEB)
    assert main(["compare", *arguments, "--manifests", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err


def test_server_that_is_not_there(capsys: Any, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(WEB)
    port = free_port()
    assert main(["compare", f"127.0.0.1:{port}", "--manifests", str(tmp_path)]) == 2
    assert f"127.0.0.1:{port} does not answer" in capsys.readouterr().err
