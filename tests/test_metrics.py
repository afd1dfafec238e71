"""Counters to the text that Prometheus reads."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from minidns.metrics import BUCKETS, HELP, Report, Timing, render

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
    made.timings[SERVER, "udp"] = Timing()
    made.timings[SERVER, "udp"].batch(4, 4 * 0.0001)
    made.timings[SERVER, "udp"].batch(3, 3 * 0.0003)
    made.timings[SERVER, "tcp"] = Timing()
    made.timings[SERVER, "tcp"].batch(1, 100.0)
    made.counters["coredns_cache_hits", (("server", SERVER),)] = 3
    made.gauges["minidns_source_synced", ()] = 1.0
    return made


def test_nothing_counted_yet() -> None:
    assert set(samples(Report()).values()) == {0.0}


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


def test_reports_add_up() -> None:
    total = Report()
    for _ in range(2):
        total.add(report())
    one, both = samples(report()), samples(total)
    assert both.keys() == one.keys()
    assert all(both[name] == pytest.approx(2 * value) for name, value in one.items())


def test_every_name_is_explained() -> None:
    made = Report()
    for name in HELP:
        made.counters[name, ()] = 1
    assert {f"{name}_total{{}}" for name in HELP} <= set(samples(made))
