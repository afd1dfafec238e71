"""The command line as people use it and misuse it: one clear line and the exit code, never a traceback."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from minidns import __version__
from minidns.cli.arguments import main
from tests.support.neighbours import free_port
from tests.support.places import ROOT
from tests.support.running import PATIENCE, eventually, minidns

DEMO = str(ROOT / "config" / "demo")
COREFILE = str(ROOT / "config" / "Corefile")
#: Enough for a server that gets as far as answering.
SERVE = ["serve", "--manifests", DEMO, "--listen", "127.0.0.1:0", "--admin", "none"]


def program(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """`python -m minidns` with a home that has nothing in it, and no cluster around."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KUBE", "HOME"))}
    command = [sys.executable, "-m", "minidns", *arguments]
    env = {**kept, "HOME": "/nonexistent", "COLUMNS": "80", **environ}
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=PATIENCE, check=False)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit code and the last line of what is said about arguments that argparse or minidns refuses."""
    try:
        code = main(arguments)
    except SystemExit as end:
        code = int(end.code or 0)
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert not said.out
    lines = said.err.splitlines()
    assert len([line for line in lines if not line.startswith(("usage:", " "))]) == 1, said.err
    return code, lines[-1]


def test_help_fits_one_screen() -> None:
    done = program("--help")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert len(lines) <= 32
    assert max(map(len, lines)) <= 80
    for command in ("serve", "zone", "explain", "watch", "queries", "top", "status", "check"):
        assert any(line.strip().startswith(command) for line in lines)
    assert "on the pods of manifests: scale, delete, rollout restart, unready, ready, reset" in lines


@pytest.mark.parametrize(
    "command", ["serve", "zone", "explain", "watch", "queries", "top", "status", "ask", "check", "compare"]
)
def test_help_of_each_command(command: str) -> None:
    done = program(command, "--help")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) <= 40


def test_version() -> None:
    done = program("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"minidns {__version__}\n", "")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--listen dns.example:53", "'dns.example' is not an address to listen on"),
        ("--listen 127.0.0.1:99999", "a port must be a whole number from 0 to 65535, not '99999'"),
        ("--listen 127.0.0.1:domain", "not 'domain'"),
        ("--listen [::1]:0:0", "a port must be a whole number from 0 to 65535, not '0:0'"),
        ("--admin nowhere", "'nowhere' is not an address to listen on"),
        ("--zone a..b", "'a..b' is not a domain name: it has an empty label"),
        ("--zone in-addr.arpa", "kubernetes needs a zone that is not a reverse zone"),
        ("--ttl -1", "ttl must be from 0 to 3600 seconds, not -1"),
        ("--ttl 3601", "ttl must be from 0 to 3600 seconds, not 3601"),
        ("--ttl soon", "argument --ttl: invalid int value: 'soon'"),
        ("--pods maybe", "argument --pods: invalid choice: 'maybe'"),
        ("--workers many", "--workers must be a whole number from 1 to 256, not 'many'"),
        ("--workers 0", "--workers must be a whole number from 1 to 256, not '0'"),
        ("--workers 257", "not '257'"),
        ("--service-cidr 10.0.0.1/8", "'10.0.0.1/8' is not a network: 10.0.0.1/8 has host bits set"),
        ("--service-cidr here", "'here' is not a network"),
        ("--service-cidr 10.0.0.0/16 --service-cidr 10.1.0.0/16", "one IPv4 and one IPv6 network at most"),
        ("--pod-cidr 10.96.0.0/12", "the service CIDR 10.96.0.0/16 and the pod CIDR 10.96.0.0/12 overlap"),
        ("--forward resolver", "the upstream 'resolver' is neither an address nor a file"),
        ("--forward 192.0.2.1:0", "a port must be a whole number from 1 to 65535, not '0'"),
        ("--kubeconfig /none", "--manifests and --kubeconfig both name a source: keep one of them"),
        ("--conf /none/Corefile", "/none/Corefile:1: cannot read it"),
        ("--colour", "unrecognized arguments: --colour"),
    ],
)
def test_refused_values(options: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, line = refused(capsys, *SERVE, *options.split())
    assert said in line
    assert code == 2


def test_manifests_that_are_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    code, line = refused(capsys, "serve", "--manifests", "/none")
    assert line == "minidns: /none: No such file or directory: --manifests needs a folder of YAML, or a file"
    assert code == 2


def test_folder_with_a_broken_file_is_served_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("kind: [")
    (tmp_path / "web.yaml").write_text("kind: Service\napiVersion: v1\nmetadata: {name: web}\n")
    with minidns("--manifests", str(tmp_path)) as running:
        assert running.said("broken.yaml:2: not YAML")
        assert running.addresses("web.default.svc.cluster.local")


def test_no_cluster_says_what_to_do(tmp_path: Path) -> None:
    done = program("serve", "--listen", "127.0.0.1:0", HOME=str(tmp_path))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("minidns: no cluster found")
    assert "--kubeconfig" in line
    assert "--manifests" in line


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "there is no such file"), ("a: [", "while parsing"), ("a: 1", "kubeconfig")],
)
def test_kubeconfig_that_cannot_be_used(tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "config"
    if content is not None:
        file.write_text(content)
    done = program("serve", "--kubeconfig", str(file), "--listen", "127.0.0.1:0", "--admin", "none")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert str(file) in line
    assert said in line


@pytest.mark.parametrize("family", ["udp", "tcp", "http"])
def test_port_in_use_is_named(family: str) -> None:
    kind = socket.SOCK_DGRAM if family == "udp" else socket.SOCK_STREAM
    with socket.socket(type=kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        options = ["--admin", address] if family == "http" else ["--listen", address]
        done = program(*SERVE, "--log", "error", *options)
    what = f"{address} (HTTP)" if family == "http" else address
    assert done.stderr.splitlines() == [f"minidns: cannot listen on {what}: Address already in use"]
    assert done.returncode == 1


def test_address_of_another_machine_is_named() -> None:
    done = program(*SERVE, "--log", "error", "--listen", "192.0.2.1:0")
    assert done.stderr.splitlines() == ["minidns: cannot listen on 192.0.2.1:0: Cannot assign requested address"]
    assert done.returncode == 1


def test_check_tells_what_a_corefile_means(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", COREFILE]) == 0
    said = capsys.readouterr().out
    assert "kubernetes cluster.local. in-addr.arpa. ip6.arpa.: ttl 30, pods insecure" in said


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [(". {\n forwad . 192.0.2.1\n}", 2, "unknown plugin 'forwad'"), ("", 1, ""), (". {\n", 1, "")],
)
def test_check_of_a_wrong_corefile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, line: int, said: str
) -> None:
    (tmp_path / "Corefile").write_text(text)
    assert main(["check", str(tmp_path / "Corefile")]) == 1
    wrong = capsys.readouterr().err
    assert wrong.startswith(f"{tmp_path / 'Corefile'}:{line}: ")
    assert said in wrong


@pytest.mark.parametrize("path", ["/none", "/"])
def test_check_of_what_is_no_file(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", path]) == 1
    assert f"{path}:1: cannot read it" in capsys.readouterr().err


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, line = refused(capsys, "sevre")
    assert "invalid choice: 'sevre'" in line
    assert code == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("zone --origin example.org", "no zone example.org among cluster.local., in-addr.arpa., ip6.arpa."),
        ("zone --origin a..b", "'a..b' is not a domain name: it has an empty label"),
        ("explain a..b", "a..b is not a domain name"),
        ("explain web NONSENSE", "NONSENSE is not a record type"),
    ],
)
def test_questions_that_make_no_sense(arguments: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    command, *rest = arguments.split()
    code, line = refused(capsys, command, "--manifests", DEMO, *rest)
    assert line.startswith(f"minidns: {said}")
    assert code == 2


@pytest.mark.parametrize("command", ["status", "watch", "queries", "top --seconds 1", "explain web"])
def test_server_that_is_not_there(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, line = refused(capsys, *command.split(), "--admin", f"127.0.0.1:{free_port()}")
    assert line.startswith("minidns: no minidns at http://")
    assert "--manifests" in line
    assert code == 2


@pytest.mark.parametrize("command", ["status", "watch", "queries", "top --seconds 1", "explain web"])
@pytest.mark.parametrize("admin", ["127.0.0.1:http", "not a host"])
def test_what_is_no_server(command: str, admin: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, line = refused(capsys, *command.split(), "--admin", admin)
    assert line.startswith(f"minidns: --admin {admin}: ")
    assert code == 2


def test_conf_as_coredns_has_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["-conf", "/none"], ["-conf=/none"], ["serve", "--conf", "/none"]):
        code, line = refused(capsys, *words)
        assert line.startswith("minidns: /none:1: cannot read it")
        assert code == 2
    (tmp_path / "Corefile").write_text(".:0 {\n bind 127.0.0.1\n kubernetes cluster.local {\n  ttl 17\n }\n}\n")
    with minidns("-conf", str(tmp_path / "Corefile"), "--conf", str(tmp_path / "Corefile"), "--manifests", DEMO) as it:
        assert it.ask("redis.default.svc.cluster.local").answer[0].ttl == 17


def test_serve_is_what_is_meant() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = program("--manifests", DEMO, "--log", "error", "--admin", "none", "--listen", address)
    assert done.stderr.splitlines() == [f"minidns: cannot listen on {address}: Address already in use"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_interrupted_server_ends_in_order(number: signal.Signals, workers: str) -> None:
    with minidns("--manifests", DEMO, "--workers", workers) as running:
        assert running.addresses("redis.default.svc.cluster.local")
        running.process.send_signal(number)
        assert running.process.wait(PATIENCE) == 0
    assert running.lines[-1] == "stopping"


def test_interrupted_while_it_reads() -> None:
    """Ctrl-C before there is a server to end."""
    command = [sys.executable, "-m", "minidns", "zone", "--manifests", "/dev/stdin"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_channel = Path(f"/proc/{process.pid}/task")
        eventually(lambda: len(list(wait_channel.iterdir())) > 1)  # the thread that reads
        process.send_signal(signal.SIGINT)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(PATIENCE) == 130
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_reader_that_has_enough_of_a_zone() -> None:
    command = [sys.executable, "-m", "minidns", "zone", "--manifests", DEMO]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        process.wait(PATIENCE)


def test_log_levels() -> None:
    with minidns("--manifests", DEMO, "--log", "debug") as running:
        assert running.said("redis.yaml: StatefulSet default/redis: 2 pods, redis-0 redis-1")
    assert re.fullmatch(r"redis\.yaml: .*", next(line for line in running.lines if line.startswith("redis.yaml")))
