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
