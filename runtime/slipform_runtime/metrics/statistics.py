"""What is counted for one model version. Every metric and the statistics extension are views of it."""

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass

from slipform_runtime.errors import Outcome

DEFAULT_LATENCY_BUCKETS_MS = (0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0)
RATE_WINDOW_SECONDS = 10


@dataclass(slots=True)
class Duration:
    """How often, and for how long in all."""

    count: int = 0
    ns: int = 0

    def add(self, ns: int, count: int = 1) -> None:
        """Count `count` events of `ns` nanoseconds in all."""
        self.count += count
        self.ns += ns


class Histogram:
    """Counts by upper bound, as Prometheus has it (the bounds are inclusive)."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    @property
    def count(self) -> int:
        """Observations in all."""
        return sum(self.counts)

    def observe(self, values: list[float]) -> None:
        """Count observations."""
        for value in values:
            self.counts[bisect_left(self.bounds, value)] += 1
        self.total += sum(values)


@dataclass(slots=True)
class ComputeTimes:
    """How often something was executed, and the nanoseconds of each phase in all."""

    count: int = 0
    input_ns: int = 0
    infer_ns: int = 0
    output_ns: int = 0

    def add(self, count: int, input_ns: int, infer_ns: int, output_ns: int) -> None:
        """Count `count` executions, each of so many nanoseconds."""
        self.count += count
        self.input_ns += input_ns * count
        self.infer_ns += infer_ns * count
        self.output_ns += output_ns * count


class VersionStatistics:
    """Counters of one version, since it was loaded."""

    def __init__(self, latency_buckets_ms: tuple[float, ...] = DEFAULT_LATENCY_BUCKETS_MS) -> None:
        self.failures: dict[Outcome, int] = {outcome: 0 for outcome in Outcome if outcome is not Outcome.SUCCESS}
        self.errors: dict[str, int] = {}
        self.latency_ms = Histogram(latency_buckets_ms)
        self.success = Duration()
        self.fail = Duration()
        self.queue = Duration()
        self.computed = ComputeTimes()  # by request, each of which spent the whole batch's time
        self.cache_hit = Duration()
        self.cache_miss = Duration()
        self.inference_count = 0
        self.execution_count = 0
        self.last_inference_ms = 0
        self.active = 0
        self.load_seconds = 0.0
        self.busy_ns: dict[int, int] = {}
        self.batches: dict[int, ComputeTimes] = {}  # by rows
        self._seconds: deque[list[int]] = deque(maxlen=RATE_WINDOW_SECONDS + 1)  # [second, finished requests]

    @property
    def outcomes(self) -> dict[Outcome, int]:
        """Requests that have ended, by how."""
        return {Outcome.SUCCESS: self.success.count, **self.failures}

    def succeeded(self, seconds: list[float], now: float) -> None:
        """Count requests that were answered at `now` of the monotonic clock, and how long after they came."""
        if seconds:
            self.success.add(int(sum(seconds) * 1e9), len(seconds))
            self.latency_ms.observe([value * 1e3 for value in seconds])
            self._ended(int(now), len(seconds))

    def failed(self, outcome: Outcome, seconds: float, now: float) -> None:
        """Count a request that was not."""
        self.failures[outcome] += 1
        self.fail.add(int(seconds * 1e9))
        self._ended(int(now), 1)

    def _ended(self, second: int, requests: int) -> None:
        if self._seconds and self._seconds[-1][0] == second:
            self._seconds[-1][1] += requests
        else:
            self._seconds.append([second, requests])

    def executed(self, rows: int, requests: int, input_ns: int, infer_ns: int, output_ns: int) -> None:
        """Count one run of `rows` rows for `requests` requests, each of which spent the whole run's time."""
        self.execution_count += 1
        self.inference_count += rows
        self.computed.add(requests, input_ns, infer_ns, output_ns)
        batch = self.batches.get(rows)
        if batch is None:
            batch = self.batches[rows] = ComputeTimes()
        batch.add(1, input_ns, infer_ns, output_ns)

    def requests_per_second(self, now: float) -> float:
        """Finished requests a second, over the last whole seconds."""
        current = int(now)
        first = current - RATE_WINDOW_SECONDS
        return sum(n for second, n in self._seconds if first <= second < current) / RATE_WINDOW_SECONDS

    def latency_quantile_ms(self, quantile: float) -> float:
        """The quantile by linear interpolation within its bucket, as Prometheus' histogram_quantile."""
        rank = quantile * self.latency_ms.count
        below, lower = 0, 0.0
        for bound, count in zip(self.latency_ms.bounds, self.latency_ms.counts, strict=False):
            if count and below + count >= rank:
                return lower + (bound - lower) * (rank - below) / count
            below, lower = below + count, bound
        return lower if self.latency_ms.count else 0.0
