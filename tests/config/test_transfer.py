"""`transfer` and `tsig` of a Corefile and of the command line, and key files."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidns.config import corefile
from minidns.config.corefile.lexer import CorefileError
from minidns.config.plugins.transfer import Secondary
from minidns.config.plugins.tsig import parse_keys
from minidns.config.settings import ServerBlock
from minidns.config.values import ConfigError

SECRET = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def block(inner: str, file: str = "Corefile") -> ServerBlock:
    (found,) = corefile.parse(f"cluster.local {{\n kubernetes\n{inner}\n}}", file=file, env={}).servers
    return found


@pytest.mark.parametrize(
    ("text", "host", "port", "key"),
    [
        ("192.0.2.1", "192.0.2.1", 53, None),
        ("192.0.2.1:5353#K1", "192.0.2.1", 5353, "k1."),
        ("[2001:db8::1]:5353", "2001:db8::1", 5353, None),
        ("2001:db8::1#k.example.", "2001:db8::1", 53, "k.example."),
        ("*", "*", 53, None),
        ("*#k", "*", 53, "k."),
    ],
)
def test_a_secondary(text: str, host: str, port: int, key: str | None) -> None:
    found = Secondary.parse(text)
    assert found == Secondary(host, port, key)
    assert Secondary.parse(str(found)) == found


@pytest.mark.parametrize("text", ["", "ns1", "192.0.2.1:0", "192.0.2.1:x", "192.0.2.1#", "192.0.2.0/24", "#k"])
def test_what_is_no_secondary(text: str) -> None:
    with pytest.raises(ConfigError):
        Secondary.parse(text)


def test_transfers_of_a_corefile() -> None:
    found = block(" transfer {\n to * 192.0.2.1\n to 192.0.2.2:54\n }\n transfer in-addr.arpa 10.0.0.0/8 {\n to *\n }")
    first, second = found.transfers
    assert (first.zones, first.to) == (
        ("cluster.local.",),
        tuple(map(Secondary.parse, ("*", "192.0.2.1", "192.0.2.2:54"))),
    )
    assert second.zones == ("in-addr.arpa.", "10.in-addr.arpa.")


def test_keys_of_a_corefile(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f'key "b" {{ algorithm hmac-sha512; secret "{SECRET}"; }};')
    found = block(
        f" tsig {{\n secret A. {SECRET}\n secrets keys\n require axfr TYPE251\n }}", str(tmp_path / "Corefile")
    )
    assert found.tsig is not None
    assert [(key.name, key.algorithm) for key in found.tsig.keys] == [("a.", None), ("b.", "hmac-sha512")]
    assert found.tsig.require == frozenset({252, 251})
    assert SECRET not in repr(found)
    assert "0123456789" not in repr(found)


@pytest.mark.parametrize(
    ("inner", "line", "says"),
    [
        (" transfer", 3, "to whom"),
        (" transfer {\n to\n }", 4, "write: to ADDRESS..."),
        (" transfer {\n from *\n }", 4, "unknown option of transfer 'from'"),
        (" transfer {\n to ns1\n }", 4, "not an IP address"),
        (" transfer {\n to 192.0.2.1\n key k\n }", 1, "transfer to 192.0.2.1#k: tsig has no key of that name"),
        (" tsig", 3, "needs a key"),
        (" tsig {\n secret a\n }", 4, "write: secret NAME KEY"),
        (" tsig {\n secret a ???\n }", 4, "not base64"),
        (f" tsig {{\n secret a {SECRET}\n secret A {SECRET}\n }}", 3, "two keys are called a."),
        (
            f" tsig {{\n secret a {SECRET}\n require AXFRS\n }}",
            5,
            "unknown type of questions 'AXFRS'",
        ),
        (" tsig {\n secrets /none/such\n }", 4, "cannot read the keys in /none/such"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(inner: str, line: int, says: str) -> None:
    with pytest.raises(CorefileError) as error:
        block(inner)
    assert str(error.value).startswith(f"Corefile:{line}: ")
    assert says in str(error.value)


def test_a_key_file() -> None:
    text = f"""
    // made by tsig-keygen
    key "one.example." {{ # a comment
        algorithm hmac-sha256; /* over
        lines */ secret "{SECRET}";
    }};
    key two {{ secret {SECRET}; }}
    """
    one, two = parse_keys(text)
    assert (one.name, one.algorithm, two.name, two.algorithm) == ("one.example.", "hmac-sha256", "two.", None)
    assert one.secret == two.secret == base64.b64decode(SECRET)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("keys a {}", "keys:1: 'key' is missing before 'keys'"),
        ("\nkey a {\n}", "keys:3: key a has no secret"),
        ("\nkey a {\n secret;", "keys:3: the secret is missing before ';'"),
        ("key a { secret", "keys:1: the secret is missing at the end"),
        ("/* \n\n */ key a { algorithm hmac-md5; secret AAAA; }", "keys:3: key a: hmac-md5 is none of"),
        ("key a { colour red; }", "keys:1: unknown option of a key 'colour'"),
        ("key a { secret AAAA }", "keys:1: ';' is missing before '}'"),
    ],
)
def test_what_is_wrong_with_a_key_file(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_keys(text)
    assert says in str(error.value)


@given(st.text(alphabet='key a{};"secret\n/*#', max_size=60))
def test_any_text_is_keys_or_an_error(text: str) -> None:
    try:
        found = parse_keys(text)
    except ConfigError:
        return
    assert all(key.secret for key in found)


def test_check_tells_of_both() -> None:
    inner = (
        f' transfer . {{\n to "*#k" 192.0.2.1:54\n key l\n }}\n tsig {{\n secret k {SECRET}\n secret l {SECRET}\n }}'
    )
    config = corefile.parse(f". {{\n kubernetes cluster.local\n{inner}\n}}", env={})
    text = corefile.describe(config)
    assert "  transfer every zone to *#k 192.0.2.1:54#l\n" in text
    assert "  tsig every zone by k l" in text
