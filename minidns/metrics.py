"""Counters that cost nothing on the hot path: plain numbers, added up per batch, and put into words when asked.

A `Report` is what one process counted; `render` turns the sum of all into the text that Prometheus scrapes. Names that
CoreDNS has, with the same meaning, are used as they are (docs/metrics.md lists the rest).
"""

from __future__ import annotations

import logging
import platform
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import ClassVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from minidns import __version__

#: Upper bounds in seconds of the duration histogram: those of `coredns_dns_request_duration_seconds`.
BUCKETS = tuple(0.00025 * 2**power for power in range(16))


#: Upper bounds in bytes of the size histograms: those of `coredns_dns_request_size_bytes`.
SIZES = (0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16000, 32000, 48000, 64000)


class Histogram:
    """Numbers, counted by the first of some upper bounds that holds them. Each kind names its bounds."""

    __slots__ = ("buckets", "count", "total")
    bounds: ClassVar[tuple[float, ...]]

    def __init__(self) -> None:
        self.buckets = [0] * (len(self.bounds) + 1)
        self.count = 0
        self.total = 0.0

    def add(self, other: Histogram) -> None:
        """Count what another one of the same kind has counted, too."""
        self.count += other.count
        self.total += other.total
        self.buckets = [mine + theirs for mine, theirs in zip(self.buckets, other.buckets, strict=True)]


class Timing(Histogram):
    """How many seconds answers took: each answer of a batch counts with the batch's mean, one reading of the clock for
    all."""

    __slots__ = ()
    bounds = BUCKETS

    def batch(self, count: int, seconds: float) -> None:
        """`count` answers took `seconds` together."""
        self.count += count
        self.total += seconds
        self.buckets[bisect_left(BUCKETS, seconds / count)] += count


class Sizes(Histogram):
    """How long messages were, in bytes: of many at once, a few stand for all."""

    __slots__ = ()
    bounds = SIZES

    def one(self, size: int) -> None:
        """A message of `size` bytes."""
        self.buckets[bisect_left(SIZES, size)] += 1
        self.total += size
        self.count += 1

    def batch(self, count: int, sizes: Sequence[int]) -> None:
        """`count` messages, some of which, at least one, were as long as `sizes`."""
        each, more = divmod(count, len(sizes))
        for index, size in enumerate(sizes):
            alike = each + (index < more)
            self.buckets[bisect_left(SIZES, size)] += alike
            self.total += alike * size
        self.count += count


class Traffic(Timing):
    """What went over the sockets of a transport: how long answers took, and how long the messages were."""

    __slots__ = ("requests", "responses")

    def __init__(self) -> None:
        super().__init__()
        self.requests, self.responses = Sizes(), Sizes()

    def messages(self, packets: Sequence[bytes], replies: Sequence[object]) -> None:
        """A batch of packets and what became of each: replies that are bytes were sent. Of a large batch two messages
        stand for all: 0.03 us a message instead of 0.4."""
        if len(packets) == 1:
            self.requests.one(len(packets[0]))
            if type(replies[0]) is bytes:
                self.responses.one(len(replies[0]))
            return
        step = max(1, len(packets) >> 1)
        self.requests.batch(len(packets), [len(packet) for packet in packets[::step]])
        looked_at = replies[::step]
        if sent := [len(reply) for reply in looked_at if type(reply) is bytes]:
            self.responses.batch(round(len(replies) * len(sent) / len(looked_at)), sent)

    def add_traffic(self, other: Traffic) -> None:
        """Count what another one has counted, too."""
        self.add(other)
        self.requests.add(other.requests)
        self.responses.add(other.responses)


class Panics(logging.Handler):
    """Counts what CoreDNS would call a panic: every logged traceback is a bug that was survived."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += record.exc_info is not None


@dataclass(slots=True)
class Report:
    """What one process counted since it started.

    answered: by (server, transport, family, type, rcode). traffic: by (server, transport). upstreams: how
    long upstreams took, by (address, rcode).
    counters, gauges: by name (a key of HELP) and labels such as (("server", "dns://:53"),).
    programming: how long changes of the cluster took to be answered by.
    asked: of each secondary (zone, address, key), when it last asked for a transfer.
    """

    answered: Counter[tuple[str, str, str, str, str]] = field(default_factory=Counter)
    traffic: dict[tuple[str, str], Traffic] = field(default_factory=dict)
    upstreams: dict[tuple[str, str], Timing] = field(default_factory=dict)
    counters: Counter[tuple[str, tuple[tuple[str, str], ...]]] = field(default_factory=Counter)
    gauges: dict[tuple[str, tuple[tuple[str, str], ...]], float] = field(default_factory=dict)
    programming: Timing = field(default_factory=Timing)
    asked: dict[tuple[str, str, str], float] = field(default_factory=dict)

    def add(self, other: Report) -> None:
        """Sum up with what another process counted. Its gauges add to ours."""
        self.answered.update(other.answered)
        self.counters.update(other.counters)
        for place, traffic in other.traffic.items():
            self.traffic.setdefault(place, Traffic()).add_traffic(traffic)
        for upstream, timing in other.upstreams.items():
            self.upstreams.setdefault(upstream, Timing()).add(timing)
        for who, when in other.asked.items():
            self.asked[who] = max(when, self.asked.get(who, when))
        for gauge, value in other.gauges.items():
            self.gauges[gauge] = self.gauges.get(gauge, 0.0) + value


#: What each counter and gauge of a Report means.
HELP = {
    "coredns_cache_hits": "Forwarded questions that the cache answered.",
    "coredns_cache_misses": "Forwarded questions that the cache had no answer to.",
    "coredns_cache_requests": "Forwarded questions that came to the cache.",
    "coredns_cache_evictions": "Answers that made room for others.",
    "coredns_cache_prefetch": "Answers that were asked for again before they ended.",
    "coredns_cache_served_stale": "Answers served after their end (RFC 8767).",
    "coredns_cache_entries": "Answers in the cache.",
    "coredns_forward_healthcheck_broken": "Questions for which every upstream was unhealthy.",
    "coredns_proxy_healthcheck_failures": "Failed health checks of an upstream.",
    "coredns_panics": "Bugs that were survived, each with a traceback in the log.",
    "coredns_forward_max_concurrent_rejects": "Questions refused because max_concurrent were under way.",
    "minidns_zone_names": "Names in the zone index, empty non-terminals included.",
    "minidns_zone_serial": "The SOA serial number of the zone.",
    "minidns_admin_answers": "Answers to questions that were asked over HTTP.",
    "minidns_zone_changes": "Changes of the cluster that touched a name.",
    "minidns_zone_touched_names": "Names that changes touched.",
    "minidns_source_synced": "1 once the first full list of everything is in.",
    "minidns_source_lost_seconds": "Seconds since the API server was last followed without a gap; 0 while it is.",
    "minidns_source_stale": "1 while answers come from the state file of an earlier run.",
    "minidns_tcp_connections": "Clients' TCP connections.",
    "minidns_tcp_held_bytes": "Bytes of questions and answers that wait on them.",
    "minidns_tcp_connections_cut": "TCP connections closed because they were idle or others wanted their place.",
    "minidns_transfers": "Questions for zone transfers by kind of answer: axfr, ixfr, current, refused.",
    "minidns_notifications": "Notifications sent to secondaries, repeated ones included.",
    "minidns_notifications_acknowledged": "Notifications that a secondary answered.",
    "minidns_secondary_behind_changes": "Changes that a secondary does not have yet.",
    "minidns_secondary_behind_seconds": "Age of the oldest change that a secondary does not have yet.",
    "minidns_secondary_asked_timestamp_seconds": "When a secondary last asked for a transfer.",
    "minidns_workers": "Processes that answer.",
    "minidns_worker_restarts": "Workers that ended and were started again.",
}


def render(report: Report) -> bytes:
    """The text format of Prometheus."""
    registry = CollectorRegistry()
    registry.register(_Collector(report))
    return generate_latest(registry)


class _Collector:
    def __init__(self, report: Report) -> None:
        self._report = report

    def collect(self) -> Iterator[Metric]:
        yield from _answers(self._report)
        yield _build()
        yield _durations(self._report)
        yield from _sizes(self._report)
        yield _upstreams(self._report)
        yield _programming(self._report.programming)
        yield from _plain(self._report.counters.items(), CounterMetricFamily)
        yield from _plain(self._report.gauges.items(), GaugeMetricFamily)


def _answers(report: Report) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "coredns_dns_requests", "Answered queries.", labels=["server", "zone", "view", "proto", "family", "type"]
    )
    responses = CounterMetricFamily(
        "coredns_dns_responses", "Answers by rcode.", labels=["server", "zone", "view", "rcode", "plugin"]
    )
    by_type: Counter[tuple[str, str, str, str]] = Counter()
    by_rcode: Counter[tuple[str, str]] = Counter()
    for (server, transport, family, type_, rcode), count in report.answered.items():
        by_type[server, transport, family, type_] += count
        by_rcode[server, rcode] += count
    for (server, transport, family, type_), count in sorted(by_type.items()):
        requests.add_metric([server, ".", "", transport, family, type_], count)
    for (server, rcode), count in sorted(by_rcode.items()):
        responses.add_metric([server, ".", "", rcode, ""], count)
    yield requests
    yield responses


def _durations(report: Report) -> Metric:
    family = HistogramMetricFamily(
        "coredns_dns_request_duration_seconds",
        "Seconds from receiving to sending; each answer of a batch counts with the batch's mean.",
        labels=["server", "zone", "view"],
    )
    servers: dict[str, Timing] = {}
    for (server, _), traffic in report.traffic.items():
        servers.setdefault(server, Timing()).add(traffic)
    for server, timing in sorted(servers.items()):
        family.add_metric([server, ".", ""], _buckets(timing), timing.total)
    return family


def _build() -> Metric:
    family = GaugeMetricFamily(
        "coredns_build_info",
        "1, with the version of minidns and of Python in the labels for those of CoreDNS and Go.",
        labels=["version", "revision", "goversion"],
    )
    family.add_metric([f"minidns {__version__}", "", f"python {platform.python_version()}"], 1)
    return family


def _sizes(report: Report) -> Iterator[Metric]:
    requests, responses = (
        HistogramMetricFamily(f"coredns_dns_{name}_size_bytes", text, labels=["server", "zone", "view", "proto"])
        for name, text in (("request", "Bytes of a question."), ("response", "Bytes of an answer."))
    )
    for (server, transport), traffic in sorted(report.traffic.items()):
        for family, sizes in ((requests, traffic.requests), (responses, traffic.responses)):
            family.add_metric([server, ".", "", transport], _buckets(sizes), sizes.total)
    yield requests
    yield responses


def _upstreams(report: Report) -> Metric:
    family = HistogramMetricFamily(
        "coredns_proxy_request_duration_seconds",
        "Seconds until an upstream had answered.",
        labels=["proxy_name", "to", "rcode"],
    )
    for (to, rcode), timing in sorted(report.upstreams.items()):
        family.add_metric(["forward", to, rcode], _buckets(timing), timing.total)
    return family


def _programming(timing: Timing) -> Metric:
    family = HistogramMetricFamily(
        "minidns_programming_duration_seconds",
        "Seconds from reading a change of the API server until questions are answered by it.",
    )
    family.add_metric([], _buckets(timing), timing.total)
    return family


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    texts = (*map(str, histogram.bounds), "+Inf")
    return [(text, float(total)) for text, total in zip(texts, accumulate(histogram.buckets), strict=True)]


def _plain(
    values: Iterable[tuple[tuple[str, tuple[tuple[str, str], ...]], float]],
    make: type[CounterMetricFamily | GaugeMetricFamily],
) -> Iterator[Metric]:
    families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
    for (name, labels), value in values:
        family = families.get(name)
        if family is None:
            family = families[name] = make(name, HELP[name], labels=[label for label, _ in labels])
        family.add_metric([text for _, text in labels], value)
    yield from families.values()
