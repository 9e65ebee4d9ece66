"""How long a batch takes, the original and the artefact in turn, so that both meet the machine's same moods."""

import gc
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import perf_counter_ns

import msgspec
import numpy as np

from slipform_runtime.build.samples import Batch
from slipform_runtime.build.targets.base import Runner


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """One model at one batch size: milliseconds for a batch, samples a second one batch after the other."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    throughput: float


class BatchTiming(msgspec.Struct, frozen=True, kw_only=True):
    """Both models at one batch size; `speedup` is the original's median over the artefact's.

    `speedup_range` is the least and the largest such ratio in ten successive parts of the run: how far the machine's
    other work moves it.
    """

    batch_size: int
    runs: int
    original: Timing
    built: Timing
    speedup: float
    speedup_range: tuple[float, float]


_PARTS = 10


@dataclass(frozen=True)
class Effort:
    """How long each batch size is measured, for each of the two models."""

    least_runs: int = 100
    least_seconds: float = 1.0
    most_runs: int = 3000
    most_seconds: float = 10.0


def measure(
    original: Runner, built: Runner, batches: Iterable[tuple[int, Batch]], effort: Effort
) -> Iterator[BatchTiming]:
    """Time both on each (size, batch), in that order."""
    for size, batch in batches:
        yield _one_size(original, built, size, batch, effort)


def _one_size(original: Runner, built: Runner, size: int, batch: Batch, effort: Effort) -> BatchTiming:
    for runner in (original, built):
        for _ in range(3):  # the first runs allocate, and choose algorithms
            runner.run(batch)
    first: list[int] = []
    second: list[int] = []
    gc.collect()
    gc.disable()
    try:
        while not _enough(first, second, effort):
            # Now one first, now the other: whoever comes second finds the caches that the other left.
            order = ((original, first), (built, second)) if len(first) % 2 else ((built, second), (original, first))
            for runner, times in order:
                began = perf_counter_ns()
                runner.run(batch)
                times.append(perf_counter_ns() - began)
    finally:
        gc.enable()
    one, other = _timing(first, size), _timing(second, size)
    return BatchTiming(
        batch_size=size,
        runs=len(first),
        original=one,
        built=other,
        speedup=round(one.p50_ms / other.p50_ms, 3),
        speedup_range=_range(first, second),
    )


def _enough(first: list[int], second: list[int], effort: Effort) -> bool:
    runs, seconds = len(first), max(sum(first), sum(second)) / 1e9
    if runs >= effort.most_runs or (seconds >= effort.most_seconds and runs >= 5):
        return True
    return runs >= effort.least_runs and min(sum(first), sum(second)) / 1e9 >= effort.least_seconds


def _range(first: list[int], second: list[int]) -> tuple[float, float]:
    """The least and the largest ratio of the medians in successive parts of the run."""
    parts = min(_PARTS, len(first))
    pairs = zip(np.array_split(first, parts), np.array_split(second, parts), strict=True)
    ratios = [float(np.median(one) / np.median(other)) for one, other in pairs]
    return round(min(ratios), 3), round(max(ratios), 3)


def _timing(times: list[int], size: int) -> Timing:
    p50, p95, p99 = (float(value) / 1e6 for value in np.percentile(times, (50, 95, 99)))
    throughput = size * len(times) / (sum(times) / 1e9)
    return Timing(p50_ms=_digits(p50), p95_ms=_digits(p95), p99_ms=_digits(p99), throughput=_digits(throughput))


def _digits(value: float) -> float:
    return float(f"{value:.4g}")
