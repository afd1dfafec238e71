"""explain, zone and status beside a running server: how it is named, and what is wrong with what was asked."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from minidns.cli.arguments import main
from minidns.cli.running import ADMIN, url_of
from minidns.config.values import UsageError
from tests.support.neighbours import free_port
from tests.support.places import ROOT
from tests.support.running import Running, minidns

DEMO = str(ROOT / "config" / "demo")


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with minidns("--manifests", DEMO) as running:
        yield running


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    return code, *capsys.readouterr()


@pytest.mark.parametrize(
    "form", ["127.0.0.1:{}", "http://127.0.0.1:{}", "http://127.0.0.1:{}/", "{}", " localhost:{} "]
)
@pytest.mark.parametrize("command", ["explain nginx.default.svc.cluster.local", "zone", "status", "top --seconds 0.1"])
def test_the_admin_port_is_named_as_one_likes(
    server: Running, command: str, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = ran(capsys, *command.split(), "--admin", form.format(server.admin))
    assert (code, err) == (0, "")
    assert out


@pytest.mark.parametrize("text", ["", "localhost", "ftp://localhost:21", "127.0.0.1:port", "http://", ":8053"])
def test_what_names_no_admin_port(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--admin "):
        url_of(text)


def test_the_usual_admin_port() -> None:
    assert url_of(None) == f"http://{ADMIN}"


def test_a_type_behind_the_options_of_explain(server: Running, capsys: pytest.CaptureFixture[str]) -> None:
    admin = f"--admin=127.0.0.1:{server.admin}"
    code, out, _ = ran(capsys, "explain", "nginx", "--from", "default", "SRV", admin)
    assert code == 0
    assert "nginx.default.svc.cluster.local SRV: NOERROR, 2 records" in out


def test_a_second_type_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["explain", "nginx", "A", "--from", "default", "SRV"])
    assert "unrecognized arguments: SRV" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["", "--from", "default"], "NAME is empty: name what is to be explained"),
        (["nginx", "--from", ""], "--from is empty: name the namespace of a pod"),
        (["nginx", "--from", "defualt"], "no namespace defualt: there is default"),
        (["nginx", "--from", "default", "--ndots", "many"], "--ndots: many is not a number of dots"),
        (["nginx", "--from", "default", "--ndots=-1"], "--ndots: -1 is not a number of dots"),
        (
            ["nginx", "--from", "default", "--libc", "uclibc"],
            "--libc: uclibc is not a resolver known here: glibc or musl",
        ),
        (["nginx", "NOTYPE"], "NOTYPE is not a record type"),
    ],
)
@pytest.mark.parametrize("offline", [True, False])
def test_what_explain_is_asked_for_wrongly(
    server: Running, arguments: list[str], said: str, offline: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    source = ["--manifests", DEMO] if offline else ["--admin", f"127.0.0.1:{server.admin}"]
    code, out, err = ran(capsys, "explain", *arguments, *source)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1


def test_the_zone_of_the_running_server_is_that_of_its_manifests(
    server: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    online = ran(capsys, "zone", "--admin", f"127.0.0.1:{server.admin}")
    offline = ran(capsys, "zone", "--manifests", DEMO)
    assert online[0] == offline[0] == 0
    assert _records(online[1]) == _records(offline[1])
    reverse = ran(capsys, "zone", "--admin", f"127.0.0.1:{server.admin}", "--origin", "in-addr.arpa")
    assert "PTR" in reverse[1]


def _records(zone: str) -> set[str]:
    return {line for line in zone.splitlines() if " SOA " not in line and not line.startswith(";")}


def test_a_zone_of_no_server(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = ran(capsys, "zone", "--admin", f"127.0.0.1:{free_port()}")
    assert code == 2
    assert err.startswith("minidns: no minidns at http://127.0.0.1:")


def test_a_zone_that_the_server_has_not(server: Running, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = ran(capsys, "zone", "--admin", f"127.0.0.1:{server.admin}", "--origin", "example.com")
    assert (code, err) == (2, "minidns: no zone example.com here\n")


def test_status_for_programs(server: Running, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ran(capsys, "status", "--json", "--admin", f"127.0.0.1:{server.admin}")
    assert code == 0
    assert json.loads(out)["source"] == f"manifests in {DEMO}"
