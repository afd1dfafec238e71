"""Reasons found in the index, for whatever is asked: short, plain, and never in the network's own words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from minidns.core import names, reasons, why
from minidns.core.model import Namespace
from minidns.core.responder import Responder
from minidns.core.schema import PodMode, ZoneSettings
from minidns.core.zone import Zone
from tests.support.client import explained, parsed
from tests.support.clusters import endpoints, external, headless, pod, service, zone_of

#: Capitals, which no object has: what the network sends is told from what the cluster holds.
STRANGE = st.sampled_from(["QQ", "_QQ", "_tcp", "_udp", "_http", "10-0-0-9", "QQ\x1b[31m", "Q\\Q", "qq.qq"])
KNOWN = st.sampled_from(
    ["web", "db", "sad", "none", "out", "default", "svc", "pod", "h", "_http", "_tcp", "ns", "dns", "u"]
)


def sample(mode: PodMode) -> Zone:
    return zone_of(
        Namespace("default"),
        Namespace("other"),
        service("default/web", "10.96.0.1", ports="http:80"),
        service("default/u", "10.96.0.2", ports=":80"),
        headless("default/db"),
        endpoints("default/db-1", "10.1.0.1 host=h", "10.1.0.2 host=i unready", ports="sql:3306"),
        headless("default/sad", selector="x"),
        endpoints("default/sad-1", "10.1.0.3 unready"),
        headless("default/none"),
        external("default/out", "www.example.com"),
        external("default/ip", "192.0.2.1"),
        pod("default/p", "10.1.0.1"),
        settings=ZoneSettings(pods=mode),
    )


ZONES = {mode: sample(mode) for mode in PodMode}


@given(
    st.sampled_from(PodMode),
    st.lists(STRANGE | KNOWN, max_size=4),
    st.sampled_from(
        ["cluster.local", "svc.cluster.local", "default.svc.cluster.local", "default.pod.cluster.local", "in-addr.arpa"]
    ),
    st.sampled_from([1, 28, 33, 12, 16, 252, 255, 99]),
)
def test_sentences_hold_nothing_of_the_network(mode: PodMode, labels: list[str], below: str, type_: int) -> None:
    name = names.from_text(below)
    for label in reversed(labels):
        raw = label.encode()
        name = bytes((len(raw),)) + raw + name
    packet = b"\0\1\1\0\0\1\0\0\0\0\0\1" + name + type_.to_bytes(2, "big") + b"\0\1\0\0\x29\4\xd0\0\0\0\0\0\0"
    responder = Responder(ZONES[mode])
    reply = parsed(responder.respond(packet, responder.channel("tcp", "1")))
    for code, text in explained(reply):
        assert 0 < len(text.encode()) <= why.LONGEST == 160
        assert text.isprintable()
        assert "qq" not in text.lower()
        assert code in (0, 21)
    assert bool(explained(reply)) == (not reply.answer or bool(reply.authority))


def test_types_at() -> None:
    zone = ZONES[PodMode.DISABLED]
    for text, types in (
        ("cluster.local", [2, 6]),
        ("dns-version.cluster.local", [16]),
        ("web.default.svc.cluster.local", [1, 33]),
        ("out.default.svc.cluster.local", [5]),
        ("1.0.96.10.in-addr.arpa", [12]),
        ("svc.cluster.local", []),
        ("nobody.cluster.local", []),
    ):
        assert reasons.types_at(zone, names.from_text(text)) == types
