"""What a measurement comes to, and whether that is what was promised."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slipform_runtime.bench.errors import BenchError
from slipform_runtime.bench.load import Load, Open, Tally
from slipform_runtime.bench.server import Executed

PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)

_PART = r"(\d+(?:\.\d+)?)(us|ms|s|m)"
_BOUND = re.compile(rf"p(\d{{1,2}}(?:\.\d+)?)=((?:{_PART})+)")
_AVAILABILITY = re.compile(r"availability=(\d{1,2}(?:\.\d+)?)")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
_LATE = 0.1
"""The share of the p50 by which this client may be late before its figures are called its own."""


@dataclass(frozen=True)
class Figures:
    """One cell of the table."""

    wire: str
    load: Load
    items: int
    """Items a request."""
    answered: int
    failures: dict[str, int]
    per_second: float
    """Items answered a second."""
    latency: dict[float, float]
    """Seconds by percentile; empty where nothing was answered."""
    slowest: float
    executed: Executed | None
    """What the server says that it did; None where it has no statistics."""
    late: float
    """Seconds by which this client sent its requests too late, at the 95th percentile; 0 in a closed loop."""

    @property
    def availability(self) -> float:
        """Percent of the requests that were answered."""
        sent = self.answered + sum(self.failures.values())
        return 100.0 * self.answered / sent if sent else 0.0

    @property
    def client_bound(self) -> bool:
        """Whether this client could not keep up with the rate, so that the figures are its own."""
        return bool(self.latency) and self.late > max(_LATE * self.latency[50.0], 1e-3)


@dataclass(frozen=True)
class Objective:
    """A promise: `percentile` of the latencies within `bound` seconds, or `bound` percent of the requests answered."""

    text: str
    percentile: float | None
    bound: float

    def measured(self, tally: "Figures") -> float | None:
        """The figure that is held against the bound; None where nothing was answered."""
        if self.percentile is None:
            return tally.availability
        return tally.latency.get(self.percentile)

    def met(self, tally: "Figures") -> bool:
        """Whether the measurement keeps the promise."""
        value = self.measured(tally)
        if value is None:
            return False
        return value >= self.bound if self.percentile is None else value <= self.bound


def parse_objective(text: str) -> Objective:
    """`p95=20ms` or `availability=99.9`; raises BenchError."""
    if match := _AVAILABILITY.fullmatch(text):
        return Objective(text, None, float(match[1]))
    if (match := _BOUND.fullmatch(text)) and float(match[1]) > 0:
        return Objective(
            text, float(match[1]), sum(float(count) * _SECONDS[unit] for count, unit in re.findall(_PART, match[2]))
        )
    raise BenchError(f"--objective {text}: p95=20ms (any percentile; us, ms, s) and availability=99.9 are objectives")


def figures(
    wire: str, load: Load, items: int, tally: Tally, executed: Executed | None, objectives: Sequence[Objective]
) -> Figures:
    """The tally in figures, with the percentiles that the objectives ask for."""
    asked = sorted({*PERCENTILES, *(each.percentile for each in objectives if each.percentile is not None)})
    values = np.percentile(tally.latencies, asked) if tally.latencies else ()
    return Figures(
        wire=wire,
        load=load,
        items=items,
        answered=len(tally.latencies),
        failures=dict(tally.failures.most_common()),
        per_second=len(tally.latencies) * items / tally.seconds if tally.seconds else 0.0,
        latency=dict(zip(asked, map(float, values), strict=False)),
        slowest=max(tally.latencies, default=0.0),
        executed=executed,
        late=float(np.percentile(tally.lateness, 95)) if isinstance(load, Open) and tally.lateness else 0.0,
    )
