"""What is recorded about a model, once, so that alerts, dashboards and people read the same numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...engines.metrics import Histogram, Measure, Metrics, NoHistogram, required
from ...engines.sizes import instances_per_replica
from ...spec.modelspec import ModelSpec
from ...spec.rollout import Shadow
from ...spec.units import Duration
from ..queries import joined, latency_seconds, matchers, slower, without_candidate
from ..slo import SCRAPES, Objective, objectives
from .kinds import Recording

RATE_WINDOW = Duration.parse("5m")
LONGEST_READ = Duration.parse("6h")
QUANTILES = (0.5, 0.95, 0.99)
EVALUATION_SECONDS = 30
"""Between evaluations, at least; more often than scraping would only compute the same again."""


@dataclass(frozen=True)
class Subject:
    """One model in one server: what its rules are about."""

    spec: ModelSpec
    server: str
    metrics: Metrics
    namespace: str
    workloads: tuple[str, ...]
    """The Deployments or Rollouts that serve it, stable first, then the candidate."""
    scrape_interval: int

    @property
    def labels(self) -> dict[str, str]:
        """Labels of everything that is recorded about the model."""
        return {"namespace": self.namespace, "model": self.spec.name}

    @property
    def alert_labels(self) -> dict[str, str]:
        """Labels of the model's alerts: what routes them to those who own it."""
        team = {"team": self.spec.team} if self.spec.team else {}
        return {**self.labels, "server": self.server, **team}

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What is promised of it and can be measured."""
        slo = self.spec.slo
        return objectives(slo, self.metrics, self.scrape_interval)[0] if slo else ()

    @property
    def pod(self) -> str:
        """A pod's name, for cases."""
        return f"{self.workloads[0]}-6f5d8c7b9-abcde"

    @property
    def window(self) -> Duration:
        """Of rates: five minutes, or longer where scrapes are rare."""
        return max(RATE_WINDOW, Duration(self.scrape_interval * SCRAPES * 1_000_000))

    @property
    def evaluation(self) -> Duration:
        """Between two evaluations of the model's rules."""
        return Duration(max(EVALUATION_SECONDS, self.scrape_interval) * 1_000_000)

    def matchers(self, measured: Measure | Histogram) -> str:
        """The model's series, without a shadow's: nobody gets a shadow's answers, so they spend no budget."""
        shadowed = isinstance(self.spec.rollout, Shadow)
        found = matchers(
            measured,
            self.metrics.model_label,
            namespace=self.namespace,
            model=self.spec.name,
            workloads=self.workloads[:1] if shadowed else self.workloads,
        )
        return without_candidate(found) if shadowed and not measured.workload_label else found

    def query(self, measure: Measure, *, by: str = "", window: Duration | None = None) -> str:
        return measure.promql(
            self.matchers(measure), window=str(window or self.window), by=by, instances=instances_per_replica(self.spec)
        )

    def rate(self, what: str, window: Duration | None = None) -> str:
        """The recorded rate of ``requests``, ``errors``, …, as a query has it."""
        return self.recorded(f"slipform:{what}:rate{window or self.window}")

    def recorded(self, name: str, **labels: str) -> str:
        return Recording(name, "", {**self.labels, **labels}).selector


def recordings(subject: Subject, objectives: tuple[Objective, ...]) -> tuple[Recording, ...]:
    """The rules of one model: rates first, what is made of them after."""
    rules = [*_rates(subject), *_gauges(subject), *_latencies(subject)]
    for objective in objectives:
        rules += _bad_shares(subject, objective)
    return tuple({rule.selector: rule for rule in rules}.values())


def bad_share(subject: Subject, objective: Objective, window: Duration) -> str:
    """The recorded share of bad requests within a window, as a query has it."""
    if objective.bound is None:
        return subject.recorded(f"slipform:errors:ratio_rate{window}")
    return subject.recorded(f"slipform:slow:ratio_rate{window}", objective=objective.name)


def bad_count(subject: Subject, objective: Objective, window: Duration) -> str:
    """The recorded number of bad requests within a window, as a query has it."""
    if objective.bound is None:
        return subject.recorded(f"slipform:errors:count{window}")
    return subject.recorded(f"slipform:slow:count{window}", objective=objective.name)


def _rates(subject: Subject) -> Iterator[Recording]:
    if subject.metrics.requests is not None:
        yield Recording(f"slipform:requests:rate{subject.window}", _requests(subject, subject.window), subject.labels)
    if subject.metrics.errors is not None:
        yield Recording(f"slipform:errors:rate{subject.window}", _errors(subject, subject.window), subject.labels)


def _requests(subject: Subject, window: Duration) -> str:
    return subject.query(required(subject.metrics.requests), window=window)


def _errors(subject: Subject, window: Duration) -> str:
    """A counter of errors that nothing has counted yet is no data: 0 where there are requests."""
    errors = subject.query(required(subject.metrics.errors), window=window)
    return f"({errors}) or 0 * ({_requests(subject, window)})"


def _gauges(subject: Subject) -> Iterator[Recording]:
    metrics, labels = subject.metrics, subject.labels
    if metrics.utilization is not None:
        yield Recording("slipform:utilization:avg", f"avg({subject.query(metrics.utilization, by='pod')})", labels)
    if metrics.queue_length is not None:
        yield Recording("slipform:queue_length:max", f"max({subject.query(metrics.queue_length, by='pod')})", labels)
    if metrics.rejected is not None:
        window = subject.window
        yield Recording(f"slipform:rejected:rate{window}", subject.query(metrics.rejected), labels)
    for name, measure in metrics.extra:
        if not measure.of_replica:
            yield Recording(f"slipform:{name}:{subject.window}", subject.query(measure), labels)


def _latencies(subject: Subject) -> Iterator[Recording]:
    if isinstance(histogram := subject.metrics.latency, Histogram):
        for quantile in QUANTILES:
            query = latency_seconds(histogram, quantile, subject.matchers(histogram), str(subject.window))
            yield Recording(f"slipform:latency_seconds:p{quantile * 100:.0f}_{subject.window}", query, subject.labels)


def _bad_shares(subject: Subject, objective: Objective) -> Iterator[Recording]:
    """The share of bad requests within each window of an objective; without requests there is none.

    Long windows are averages of recorded rates: one series each, where the counters of three days and of every pod
    would be read again at each evaluation. Short ones are read from the counters: an average of rates rises later.
    """
    kind, labels = "errors", subject.labels
    if objective.bound is not None:
        kind, labels = "slow", {**labels, "objective": objective.name}
        bad, counted = _slow(subject, objective, subject.window)
        yield Recording(f"slipform:slow:rate{subject.window}", bad, labels)
        yield Recording(f"slipform:timed:rate{subject.window}", counted, subject.labels)
    for window in sorted({span for burn in objective.alerts for span in (burn.long, burn.short)}):
        if window <= LONGEST_READ:
            bad, counted = _counted(subject, objective, window)
            share = f"({bad}) / ({counted} > 0)"
        else:
            bad = Recording(f"slipform:{kind}:rate{subject.window}", "", labels).selector
            counted = subject.rate("requests" if kind == "errors" else "timed")
            match = "" if kind == "errors" else "ignoring (objective) "
            share = f"avg_over_time({bad}[{window}]) / {match}(avg_over_time({counted}[{window}]) > 0)"
        yield Recording(f"slipform:{kind}:ratio_rate{window}", share, labels)
    for window in sorted({burn.long for burn in objective.alerts}):
        # A sum of what was recorded, not an average: of a model that is new, the time before counts as none.
        recorded = Recording(f"slipform:{kind}:rate{subject.window}", "", labels).selector
        count = f"sum_over_time({recorded}[{window}]) * {subject.evaluation.seconds:g}"
        yield Recording(f"slipform:{kind}:count{window}", count, labels)


def _counted(subject: Subject, objective: Objective, window: Duration) -> tuple[str, str]:
    """Bad requests and all requests per second, from the counters."""
    if objective.bound is None:
        return _errors(subject, window), f"({_requests(subject, window)})"
    return _slow(subject, objective, window)


def _slow(subject: Subject, objective: Objective, window: Duration) -> tuple[str, str]:
    """Requests per second over an objective's bound, and all that were timed."""
    histogram = subject.metrics.latency
    if objective.bound is None or isinstance(histogram, NoHistogram):
        raise ValueError(f"{objective.name} is no objective on a latency that is measured")
    found = subject.matchers(histogram)
    timed = f"{histogram.metric}_count{{{joined(found, histogram.extra_matchers)}}}"
    return slower(histogram, objective.bound, found, str(window)), f"sum(rate({timed}[{window}]))"
