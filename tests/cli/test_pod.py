"""`minidns pod`: real programs that resolve short names as in a pod, as root and as a user without any right."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.places import DEMO
from tests.support.running import Running, minidns

WEB = ["10.244.107.218", "10.244.221.77"]
#: A user of another number than root, in a user namespace: what he may is what every user may.
AS_USER = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
CALLERS = [pytest.param([], id="as-it-is"), pytest.param(AS_USER, id="as-a-user")]


@pytest.fixture(scope="module")
def demo() -> Iterator[Running]:
    with minidns("--manifests", str(DEMO)) as running:
        yield running


def pod(
    running: Running,
    *command: str,
    namespace: str = "default",
    options: tuple[str, ...] = (),
    caller: list[str] | None = None,
) -> subprocess.CompletedProcess[str]:
    server = f"127.0.0.1:{running.port}"
    line = [sys.executable, "-m", "minidns", "pod", "--server", server, "--from", namespace, *options, "--", *command]
    return subprocess.run([*(caller or []), *line], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("caller", CALLERS)
def test_short_names_resolve_with_the_programs_of_this_machine(demo: Running, caller: list[str]) -> None:
    found = pod(demo, "getent", "ahostsv4", "nginx", caller=caller)
    assert found.returncode == 0, found.stderr
    assert sorted({line.split()[0] for line in found.stdout.splitlines()}) == WEB
    printed = pod(demo, "busybox", "nslookup", "nginx", caller=caller).stdout
    assert sorted(re.findall(r"^Address: ([\d.]+)$", printed, re.MULTILINE)) == WEB
    assert "10.96.0.10:53" in printed


@pytest.mark.parametrize("caller", CALLERS)
def test_over_tcp_too_and_a_ping_has_an_answer(demo: Running, caller: list[str]) -> None:
    found = pod(demo, "dig", "+search", "+tcp", "+short", "web-0.nginx", caller=caller)
    assert found.stdout == f"{WEB[0]}\n"
    assert "1 packets received" in pod(demo, "busybox", "ping", "-c", "1", "web-0.nginx").stdout


def test_its_files_are_those_of_a_pod_and_the_machines_own_stay(demo: Running) -> None:
    before = Path("/etc/resolv.conf").read_text()
    found = pod(demo, "cat", "/etc/resolv.conf", namespace="lesson-web", options=("--ndots", "2"))
    assert found.stdout.splitlines() == [
        "search lesson-web.svc.cluster.local svc.cluster.local cluster.local",
        "nameserver 10.96.0.10",
        "options ndots:2",
    ]
    assert Path("/etc/resolv.conf").read_text() == before


def test_a_name_of_another_namespace_is_not_found_by_its_short_name(demo: Running) -> None:
    assert pod(demo, "getent", "hosts", "nginx", namespace="lesson-web").returncode == 2
    assert pod(demo, "getent", "hosts", "nginx.default", namespace="lesson-web").returncode == 0


@pytest.mark.parametrize("caller", CALLERS)
def test_the_user_stays_who_he_is(demo: Running, caller: list[str]) -> None:
    uid = "1000" if caller else str(os.getuid())
    assert pod(demo, "id", "-u", caller=caller).stdout.strip() == uid


@pytest.mark.parametrize(
    ("command", "code"), [(["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -9 $$"], 137), (["no-such-program"], 127)]
)
def test_the_exit_code_is_the_commands(demo: Running, command: list[str], code: int) -> None:
    assert pod(demo, *command).returncode == code


def test_without_a_command_it_is_a_shell(demo: Running) -> None:
    line = [sys.executable, "-m", "minidns", "pod", "--server", f"127.0.0.1:{demo.port}", "--from", "default"]
    done = subprocess.run(
        line, input="getent hosts web-0.nginx\n", capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "SHELL": "/bin/sh"},
    )  # fmt: skip
    assert done.stdout.split()[0] == WEB[0]


def test_what_musl_would_do_is_said_before(demo: Running) -> None:
    found = pod(demo, "true", options=("--libc", "musl"))
    assert "a name with 5 dots or more is asked as it is, and never with the search list" in found.stderr
    assert pod(demo, "true", options=("--libc", "glibc")).stderr == ""


def test_a_server_that_is_not_there_a_namespace_that_is_none(demo: Running) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        silent.close()
        found = pod(demo, "true", options=("--server", f"127.0.0.1:{port}"))
    assert (found.returncode, found.stdout) == (2, "")
    assert f"no DNS server at 127.0.0.1:{port}" in found.stderr
    found = pod(demo, "true", namespace="Shop")
    assert (found.returncode, found.stderr.count("\n")) == (2, 1)
    assert "--from 'Shop' is not a DNS label" in found.stderr


def test_where_the_kernel_gives_no_namespaces_it_says_what_to_do(demo: Running) -> None:
    # In a user namespace whose limit of further ones is 0, as a system without them has it; and without sudo.
    path = os.path.dirname(str(shutil.which("unshare")))
    inner = (
        "echo 0 > /proc/sys/user/max_user_namespaces; exec setpriv --reuid=0 --bounding-set=-all --inh-caps=-all "
        f"{sys.executable} -m minidns pod --server 127.0.0.1:{demo.port} --from default -- true"
    )
    found = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", inner],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "PATH": path},
    )  # fmt: skip
    assert found.returncode == 2, found.stdout
    assert "this kernel gives no namespaces of its own to a process (unshare:" in found.stderr
    assert "user.max_user_namespaces" in found.stderr


def test_else_it_is_done_with_sudo_as_the_same_user(tmp_path: Path) -> None:
    sudo = tmp_path / "sudo"
    sudo.write_text('#!/bin/sh\nshift; shift; printf "%s\\n" "$@"\n')
    sudo.chmod(0o755)
    program = (
        "from minidns.cli.pod.command import with_sudo\n"
        f"with_sudo('unshare: no', ['--from', 'default', '--', 'id'], lambda _: {str(sudo)!r})"
    )
    done = subprocess.run([*AS_USER, sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["-m", "minidns", "pod", "--as-user=1000:1000", "--from", "default", "--", "id"]
    assert done.stderr == "minidns: unshare: no: with sudo\n"


def test_from_root_it_becomes_the_user_again(demo: Running) -> None:
    # Only root can become somebody else; whoever is not root stays who he is without being asked.
    root = os.geteuid() == 0
    found = pod(demo, "sh", "-c", "id -u; getent hosts web-0.nginx", options=("--as-user=65534:65534",) if root else ())
    assert found.stdout.split()[:2] == ["65534" if root else str(os.getuid()), WEB[0]]
