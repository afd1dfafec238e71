"""The list of CoreDNS's plugins, against the code that it speaks of."""

from __future__ import annotations

import pytest

from minidns.config.corefile import CorefileError, describe, parse
from minidns.config.corefile.table import READINGS
from minidns.config.plugins import coredns
from minidns.config.plugins.coredns import PLUGINS, Here
from tests.support.places import ROOT

NOT_HERE = [plugin for plugin in PLUGINS if plugin.here is Here.NOT_HERE]


def test_the_document_is_printed_from_the_code() -> None:
    assert (ROOT / "docs" / "corefile.md").read_text() == coredns.table()


def test_every_plugin_is_here_once_and_read_unless_it_is_not_here() -> None:
    names = [plugin.name for plugin in PLUGINS]
    assert len(set(names)) == len(names)
    assert set(READINGS) == set(names) - {plugin.name for plugin in NOT_HERE}
    assert [plugin.name for plugin in PLUGINS if plugin.here is not Here.SAME and not plugin.text] == []


@pytest.mark.parametrize("plugin", NOT_HERE, ids=lambda plugin: plugin.name)
def test_what_is_not_here_says_why(plugin: coredns.Plugin) -> None:
    with pytest.raises(CorefileError) as caught:
        parse(f". {{\n log\n {plugin.name} a b\n}}")
    what = f"Corefile:3: {plugin.name} is a CoreDNS plugin that minidns does not have: "
    assert str(caught.value) == what + plugin.text.replace("`", "")


def test_switches_of_corednss_own_process_are_accepted_and_named() -> None:
    config = parse(". {\n debug\n pprof :6053 {\n  block 1\n }\n debug\n errors {\n }\n}")
    assert config.servers[0].errors
    assert describe(config).splitlines() == [
        ":53 serves every name",
        "  errors",
        "  does nothing here: debug, pprof",
    ]


def test_check_says_what_every_plugin_means() -> None:
    lines = """
        nsid here
        bufsize 512
        dns64 { translate_all
          allow_ipv4
        }
        rewrite type ANY HINFO
        rewrite ttl suffix .example.org 5-60
        rewrite rcode regex ^a SERVFAIL NXDOMAIN
        acl a.example { block type A AAAA net 10.0.0.0/8
          filter
        }
        any
        chaos v1 somebody
        autopath @nosuch
        minimal
        template IN AAAA a.example { match ^a ^b
          rcode NXDOMAIN
          fallthrough
        }
        whoami
    """
    assert describe(parse(f". {{\n{lines}\n}}")).splitlines()[1:] == [
        "  nsid here",
        "  UDP answers of at most 512 bytes",
        "  dns64 64:ff9b::/96 for every name, every client",
        "  rewrite questions for ANY to HINFO",
        "  rewrite TTLs of suffix .example.org. to 5 to 60s",
        "  rewrite SERVFAIL of regex ^a to NXDOMAIN",
        "  acl for a.example.: block A AAAA from 10.0.0.0/8",
        "  acl for a.example.: filter every type from everywhere",
        "  any: a word about RFC 8482 for questions for ANY",
        "  chaos version v1, authors somebody",
        "  autopath: the search list of nobody, for .",
        "  minimal: answers without authority and additional records",
        "  template for AAAA below a.example. matching ^a or ^b: NXDOMAIN, 0 records, fallthrough .",
        "  whoami for what nobody else answers",
    ]
