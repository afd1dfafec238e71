"""A Corefile that changes under load, the way a ConfigMap volume changes it: a link to another folder."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

from tests.running import Running, eventually, minidns

COREFILE = ". {{\n bind 127.0.0.1\n kubernetes cluster.local {{\n  ttl {ttl}\n }}\n reload 2s 0s\n {more}\n}}\n"
MANIFEST = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {clusterIP: 10.96.7.7}
"""
NAME = "web.default.svc.cluster.local"


def mount(folder: Path, version: str, corefile: str) -> None:
    """Make a version of the volume, and swap it in."""
    (folder / version).mkdir()
    (folder / version / "Corefile").write_text(corefile.replace(". {", ".:0 {", 1))
    (folder / "..new").symlink_to(version)
    (folder / "..new").replace(folder / "..data")
    if not (folder / "Corefile").is_symlink():
        (folder / "Corefile").symlink_to("..data/Corefile")


def ttl(running: Running) -> int:
    return running.ask(NAME).answer[0].ttl


def test_no_query_is_lost_while_the_configuration_changes(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(MANIFEST)
    (tmp_path / "queries").write_text(f"{NAME} A\n{NAME} AAAA\nnone.{NAME} A\n")
    volume = tmp_path / "volume"
    volume.mkdir()
    mount(volume, "1", COREFILE.format(ttl=11, more=""))
    arguments = ["--conf", str(volume / "Corefile"), "--manifests", str(tmp_path / "web.yaml")]
    with minidns(*arguments) as running:
        eventually(lambda: ttl(running) == 11)
        port = running.port
        load = ["dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", str(tmp_path / "queries"), "-Q", "20000"]
        with subprocess.Popen([*load, "-l", "60"], stdout=subprocess.PIPE, text=True) as dnsperf:
            mount(volume, "2", COREFILE.format(ttl=22, more=""))
            running.process.send_signal(signal.SIGHUP)
            eventually(lambda: ttl(running) == 22)
            mount(volume, "3", COREFILE.format(ttl=33, more="nonsense"))
            running.process.send_signal(signal.SIGHUP)
            eventually(lambda: any("unknown plugin 'nonsense'" in line for line in running.lines))
            assert ttl(running) == 22
            mount(volume, "4", COREFILE.format(ttl=44, more="errors"))
            eventually(lambda: ttl(running) == 44)
            dnsperf.send_signal(signal.SIGINT)
            report, _ = dnsperf.communicate(timeout=20)
        sent, lost = (re.search(rf"Queries {what}: +(\d+)", report) for what in ("completed", "lost"))
        assert sent is not None
        assert lost is not None
        assert int(sent[1]) > 1000
        assert int(lost[1]) == 0
        assert any("Corefile:7: unknown plugin 'nonsense'" in line for line in running.lines)
