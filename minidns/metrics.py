"""Counters that cost nothing on the hot path: plain numbers, added up per batch, and put into words when asked."""

from __future__ import annotations

from bisect import bisect_left

#: Upper bounds in seconds of the duration histogram: CoreDNS's `coredns_dns_request_duration_seconds`.
BUCKETS = tuple(0.00025 * 2**power for power in range(16))


class Timing:
    """How long answers took: each answer of a batch counts with the batch's mean, one reading of the clock for all."""

    __slots__ = ("buckets", "count", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.count = 0
        self.seconds = 0.0

    def batch(self, count: int, seconds: float) -> None:
        """`count` answers took `seconds` together."""
        self.count += count
        self.seconds += seconds
        self.buckets[bisect_left(BUCKETS, seconds / count)] += count
