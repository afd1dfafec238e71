"""Counters to the text that Prometheus reads."""

from __future__ import annotations

import logging

import pytest
from prometheus_client.parser import text_string_to_metric_families

from minidns import __version__
from minidns.metrics import BUCKETS, HELP, Panics, Report, Timing, Traffic, render

SERVER = "dns://:53"


def samples(report: Report) -> dict[str, float]:
    """Every sample, by its name and labels as they are written."""
    found = {}
    for family in text_string_to_metric_families(render(report).decode()):
        assert family.documentation
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def report() -> Report:
    made = Report()
    made.answered[SERVER, "udp", "1", "A", "NOERROR"] = 5
    made.answered[SERVER, "udp", "1", "A", "NXDOMAIN"] = 2
    made.answered[SERVER, "tcp", "2", "SRV", "NOERROR"] = 1
    made.traffic[SERVER, "udp"] = Traffic()
    made.traffic[SERVER, "udp"].batch(4, 4 * 0.0001)
    made.traffic[SERVER, "udp"].batch(3, 3 * 0.0003)
    made.traffic[SERVER, "tcp"] = Traffic()
    made.traffic[SERVER, "tcp"].batch(1, 100.0)
    made.counters["coredns_cache_hits", (("server", SERVER),)] = 3
    made.gauges["minidns_source_synced", ()] = 1.0
    return made


def test_nothing_counted_yet() -> None:
    found = samples(Report())
    assert {value for name, value in found.items() if not name.startswith("coredns_build_info")} == {0.0}


def test_requests_and_responses() -> None:
    found = samples(report())
    common = f"server={SERVER}"
    assert found[f"coredns_dns_requests_total{{family=1,proto=udp,{common},type=A,view=,zone=.}}"] == 7
    assert found[f"coredns_dns_requests_total{{family=2,proto=tcp,{common},type=SRV,view=,zone=.}}"] == 1
    assert found[f"coredns_dns_responses_total{{plugin=,rcode=NOERROR,{common},view=,zone=.}}"] == 6
    assert found[f"coredns_dns_responses_total{{plugin=,rcode=NXDOMAIN,{common},view=,zone=.}}"] == 2
    assert found[f"coredns_cache_hits_total{{{common}}}"] == 3
    assert found["minidns_source_synced{}"] == 1


def test_durations_of_both_transports_are_one_histogram() -> None:
    found = samples(report())

    def bucket(bound: str) -> float:
        return found[f"coredns_dns_request_duration_seconds_bucket{{le={bound},server={SERVER},view=,zone=.}}"]

    assert bucket("0.00025") == 4
    assert bucket("0.0005") == 7
    assert bucket(str(BUCKETS[-1])) == 7
    assert bucket("+Inf") == 8
    assert found[f"coredns_dns_request_duration_seconds_count{{server={SERVER},view=,zone=.}}"] == 8
    assert found[f"coredns_dns_request_duration_seconds_sum{{server={SERVER},view=,zone=.}}"] == pytest.approx(100.0013)


def test_batch_counts_by_its_mean_and_bounds_are_included() -> None:
    timing = Timing()
    timing.batch(10, 10 * BUCKETS[0])
    timing.batch(1, BUCKETS[0] * 1.01)
    timing.batch(1, BUCKETS[-1] * 2)
    assert timing.buckets == [10, 1, *[0] * (len(BUCKETS) - 2), 1]
    assert timing.count == 12


def test_sizes_are_by_transport() -> None:
    made = report()
    made.traffic[SERVER, "udp"].messages([b"x" * 50, b"x" * 101], [b"x" * 100, None])
    found = samples(made)

    def bucket(name: str, bound: str) -> float:
        return found[f"coredns_dns_{name}_size_bytes_bucket{{le={bound},proto=udp,server={SERVER},view=,zone=.}}"]

    assert [bucket("request", bound) for bound in ("0", "100", "200", "+Inf")] == [0, 1, 2, 2]
    assert [bucket("response", bound) for bound in ("0", "100", "200", "+Inf")] == [0, 1, 1, 1]
    assert found[f"coredns_dns_request_size_bytes_sum{{proto=udp,server={SERVER},view=,zone=.}}"] == 151
    assert found[f"coredns_dns_response_size_bytes_count{{proto=udp,server={SERVER},view=,zone=.}}"] == 1
    assert found[f"coredns_dns_response_size_bytes_count{{proto=tcp,server={SERVER},view=,zone=.}}"] == 0


@pytest.mark.parametrize("count", [1, 3, 4, 7, 63, 64])
def test_of_a_large_batch_some_messages_stand_for_all(count: int) -> None:
    traffic = Traffic()
    traffic.messages([b"x" * 60] * count, [b"x" * 120] * count)
    assert (traffic.requests.count, traffic.requests.total) == (count, 60 * count)
    assert (traffic.responses.count, traffic.responses.total) == (count, 120 * count)


def test_upstreams_by_address_and_rcode() -> None:
    made = report()
    made.upstreams["192.0.2.53:53", "NXDOMAIN"] = Timing()
    made.upstreams["192.0.2.53:53", "NXDOMAIN"].batch(1, 0.003)
    total = Report()
    total.add(made)
    total.add(made)
    labels = "proxy_name=forward,rcode=NXDOMAIN,to=192.0.2.53:53"
    assert samples(total)[f"coredns_proxy_request_duration_seconds_count{{{labels}}}"] == 2


def test_build_is_told_in_the_label_that_dashboards_show() -> None:
    (version,) = (name for name in samples(Report()) if name.startswith("coredns_build_info"))
    assert f"version=minidns {__version__}" in version


def test_panics_are_logged_tracebacks() -> None:
    logger, panics = logging.Logger("one"), Panics()
    logger.addHandler(panics)
    logger.error("an upstream does not answer")
    try:
        raise ValueError("a bug")
    except ValueError:
        logger.exception("cannot answer")
    assert panics.count == 1


def test_reports_add_up() -> None:
    total = Report()
    for _ in range(2):
        total.add(report())
    one, both = samples(report()), samples(total)
    assert both.keys() == one.keys()
    added = {name for name in one if not name.startswith("coredns_build_info")}
    assert all(both[name] == pytest.approx(2 * one[name]) for name in added)


def test_every_name_is_explained() -> None:
    made = Report()
    for name in HELP:
        made.counters[name, ()] = 1
    assert {f"{name}_total{{}}" for name in HELP} <= set(samples(made))
