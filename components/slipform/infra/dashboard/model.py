"""What is drawn about one model, from what its rules record; only of what its engine measures."""

from __future__ import annotations

from collections.abc import Iterator

from ...engines.metrics import Histogram, Measure
from ..queries import latency_seconds, matchers
from ..rules.recording import QUANTILES, Subject, bad_share
from ..slo import Objective
from .panels import Panel, Query, Row


def model_row(subject: Subject) -> Row:
    """Promises first, then what callers notice, then why."""
    return Row(
        f"{subject.spec.name}: requests",
        (*_budgets(subject), *_callers(subject), *_versions(subject), *_inside(subject)),
    )


def _budgets(subject: Subject) -> Iterator[Panel]:
    for objective in subject.objectives:
        within = f" within {objective.bound}" if objective.bound else ""
        yield Panel(
            f"Error budget left: {objective.name}",
            f"Promised: {objective.target * 100:g} % of the requests are good{within}, over {objective.window} or as"
            " long as Prometheus keeps what it recorded. Below 0 the promise is broken.",
            (Query(_budget_left(subject, objective), objective.name),),
            unit="percentunit",
            kind="left",
        )
    if promised := subject.objectives:
        yield Panel(
            "How fast the budgets are spent",
            "1 spends a budget just within its window; 14.4 over an hour wakes somebody.",
            tuple(
                Query(f"{bad_share(subject, objective, span)} / {objective.budget:g}", f"{objective.name} over {span}")
                for objective in promised
                for span in sorted({burn.long for burn in objective.alerts})[:2]
            ),
            bound=1,
        )


def _budget_left(subject: Subject, objective: Objective) -> str:
    """From recorded rates: counters of a month, of pods long gone, would be read at each look."""
    if objective.bound is None:
        bad, counted, match = subject.rate("errors"), subject.rate("requests"), ""
    else:
        bad = subject.recorded(f"slipform:slow:rate{subject.window}", objective=objective.name)
        counted, match = subject.rate("timed"), "ignoring (objective) "
    spent = f"sum_over_time({bad}[{objective.window}]) / {match}(sum_over_time({counted}[{objective.window}]) > 0)"
    return f"1 - {spent} / {objective.budget:g}"


def _callers(subject: Subject) -> Iterator[Panel]:
    metrics = subject.metrics
    if metrics.requests is not None:
        yield _requests(subject)
    if metrics.requests is not None and metrics.errors is not None:
        yield _errors(subject)
    if isinstance(metrics.latency, Histogram):
        yield _latency(subject)


def _requests(subject: Subject) -> Panel:
    peak = subject.spec.traffic.peak_rps
    measured = {
        "requests": subject.metrics.requests,
        "errors": subject.metrics.errors,
        "rejected": subject.metrics.rejected,
    }
    return Panel(
        "Requests",
        "Of all replicas; those that are rejected found the queue full."
        + (" The line is traffic.peak_rps." if peak else ""),
        tuple(Query(subject.rate(name), name) for name, measure in measured.items() if measure is not None),
        unit="reqps",
        bound=peak,
    )


def _errors(subject: Subject) -> Panel:
    budget = next((objective.budget for objective in subject.objectives if objective.bound is None), None)
    return Panel(
        "Share of errors",
        "What is the server's fault." + (" The line is what slo.availability allows." if budget else ""),
        (Query(f"{subject.rate('errors')} / ({subject.rate('requests')} > 0)", "errors"),),
        unit="percentunit",
        bound=budget,
    )


def _latency(subject: Subject) -> Panel:
    promised = next((objective.bound for objective in subject.objectives if objective.bound), None)
    names = {f"p{quantile * 100:.0f}" for quantile in QUANTILES}
    return Panel(
        "Latency",
        "Of requests that were answered." + (" The line is the first bound of slo.latency." if promised else ""),
        tuple(
            Query(subject.recorded(f"slipform:latency_seconds:{name}_{subject.window}"), name) for name in sorted(names)
        ),
        unit="s",
        bound=promised.seconds if promised else None,
    )


def _versions(subject: Subject) -> Iterator[Panel]:
    """Side by side while a rollout goes on; a shadow's too, whom nobody waits for."""
    requests, latency, window = subject.metrics.requests, subject.metrics.latency, str(subject.window)
    if requests is not None:
        query = requests.promql(_everyone(subject, requests), by=_version(subject, requests), window=window)
        yield Panel(
            "Requests by version",
            "While a rollout goes on there are two; a shadow's are copies.",
            (_by_version(subject, requests, query),),
            unit="reqps",
        )
    if isinstance(latency, Histogram):
        query = latency_seconds(latency, 0.95, _everyone(subject, latency), window, _version(subject, latency))
        yield Panel("Latency by version", "p95 of each.", (_by_version(subject, latency, query),), unit="s")


def _everyone(subject: Subject, measured: Measure | Histogram) -> str:
    return matchers(
        measured,
        subject.metrics.model_label,
        namespace=subject.namespace,
        model=subject.spec.name,
        workloads=subject.workloads,
    )


def _version(subject: Subject, measured: Measure | Histogram) -> str:
    """The label that tells versions apart; of a mesh it is the workload, for each track has one."""
    return measured.workload_label or subject.metrics.version_label


def _by_version(subject: Subject, measured: Measure | Histogram, query: str) -> Query:
    return Query(query, f"{{{{{_version(subject, measured)}}}}}")


def _inside(subject: Subject) -> Iterator[Panel]:
    metrics, scaling = subject.metrics, subject.spec.scaling.metrics
    if metrics.queue_length is not None:
        yield Panel(
            "Queue",
            "Requests that wait in the fullest replica. The line is serving.batching.max_queue_size.",
            (Query(subject.recorded("slipform:queue_length:max"), "waiting"),),
            bound=subject.spec.serving.batching.max_queue_size,
        )
    if metrics.utilization is not None:
        target = scaling.utilization
        yield Panel(
            "Utilization",
            "The share of time in which the instances execute."
            + (" The line is what scaling aims at." if target else ""),
            (Query(subject.recorded("slipform:utilization:avg"), "utilization"),),
            unit="percentunit",
            bound=target / 100 if target else None,
        )
    for name, measure in metrics.extra:
        if not measure.of_replica and (name != "cache_hit_ratio" or subject.spec.serving.cache):
            yield Panel(
                name.replace("_", " ").capitalize(),
                f"{measure.series}, as it was recorded over {subject.window}.",
                (Query(subject.recorded(f"slipform:{name}:{subject.window}"), name.replace("_", " ")),),
                unit="percentunit" if name.endswith("_ratio") else "short",
            )
