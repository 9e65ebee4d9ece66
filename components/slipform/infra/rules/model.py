"""Alerts on what goes wrong inside a server with one model: its queue, its versions, its cache."""

from __future__ import annotations

from ...spec.stack import StackConfig
from ...spec.units import Duration
from .kinds import Alert, Checked, series, steady, two_cases
from .recording import Subject
from .samples import constant

NEARLY_FULL = 0.9
"""The share of a queue from which on it counts as full, where the engine does not count what it refuses."""
COLD = 0.1
"""The share of hits under which a cache only costs memory."""


def model_alerts(subject: Subject, stack: StackConfig) -> tuple[Checked, ...]:
    """Alerts about one model, only of what its engine measures."""
    extra = dict(subject.metrics.extra)
    made = [_queue_full(subject)]
    if "load_failures" in extra:
        made.append(_load_failed(subject))
    if "rollbacks" in extra:
        made.append(_rolled_back(subject))
    if subject.spec.progressive and not stack.lacks("argo-rollouts"):
        made.append(_rollout_aborted(subject))
    if subject.spec.serving.cache and "cache_hit_ratio" in extra:
        made.append(_cold_cache(subject))
    return tuple(made)


def _queue_full(subject: Subject) -> Checked:
    """By what the engine refuses, else by how many wait in the fullest replica, where it measures one of them."""
    model, size = subject.spec.name, subject.spec.serving.batching.max_queue_size
    remedy = (
        "Requests come faster than they are executed. Raise scaling.max_replicas if the replicas are at their maximum, "
        "lower scaling.metrics.queue_length to scale earlier, or raise serving.batching.max_queue_size if callers wait."
    )
    rejected, waiting = subject.metrics.rejected, subject.metrics.queue_length
    if rejected is not None:
        expr, threshold = subject.rate("rejected"), 0.0
        query, firing, quiet = subject.query(rejected), 5.0, 0.0
        description = f"{model} refuses VALUE requests per second: its queue ({size} requests a replica) is full."
    elif waiting is not None:
        expr, threshold = subject.recorded("slipform:queue_length:max"), NEARLY_FULL * size
        query, firing, quiet = subject.query(waiting, by="pod"), float(size), size / 2
        description = f"VALUE requests wait in one replica of {model}; from {size} on they are refused."
    else:
        return Checked()
    alert = Alert(
        name="SlipformQueueFull",
        expr=f"{expr} > {threshold:.12g}",
        hold=Duration.parse("2m"),
        severity="ticket",
        labels=subject.alert_labels,
        summary=f"{model}: the queue is full",
        description=description,
        remedy=remedy,
    )
    # Where the queue is made of a rate, that is right when it has a window to look back on.
    lasting, pod = Duration(subject.window.microseconds + Duration.parse("5m").microseconds), {"pod": subject.pod}
    return two_cases(
        alert,
        firing,
        constant(query, pod, lasting, value=firing),
        constant(query, pod, lasting, value=quiet),
        lasting,
    )


def _load_failed(subject: Subject) -> Checked:
    return _counted(
        subject,
        "load_failures",
        "SlipformModelLoadFailed",
        summary="a version could not be loaded",
        description="VALUE loads of {model} failed lately; the versions that were loaded before go on serving.",
        remedy="Read the server's log: a wrong digest, an engine for another GPU or TensorRT, or too little memory.",
    )


def _rolled_back(subject: Subject) -> Checked:
    return _counted(
        subject,
        "rollbacks",
        "SlipformVersionRolledBack",
        summary="a version was taken back",
        description="VALUE times lately the server of {model} went back to the version before.",
        remedy="The version before serves. Compare the errors and latencies of both versions before trying it again.",
    )


def _counted(subject: Subject, extra: str, name: str, *, summary: str, description: str, remedy: str) -> Checked:
    """An alert on something that should never happen, as the engine counts it."""
    recorded = subject.recorded(f"slipform:{extra}:{subject.window}")
    model, lasting = subject.spec.name, Duration.parse("10m")
    alert = Alert(
        name=name,
        expr=f"{recorded} > 0",
        hold=Duration(0),
        severity="ticket",
        labels=subject.alert_labels,
        summary=f"{model}: {summary}",
        description=description.format(model=model),
        remedy=remedy,
    )
    return two_cases(alert, 1, {recorded: steady(1, lasting)}, {recorded: steady(0, lasting)}, lasting)


def _rollout_aborted(subject: Subject) -> Checked:
    model, lasting = subject.spec.name, Duration.parse("10m")
    found = {"namespace": subject.namespace, "name": subject.workloads[0]}
    degraded = series("rollout_info", {**found, "phase": "Degraded"})
    alert = Alert(
        name="SlipformVersionRolledBack",
        expr=f"max({degraded}) > 0",
        hold=Duration.parse("1m"),
        severity="ticket",
        labels=subject.alert_labels,
        summary=f"{model}: the new version was taken back",
        description=f"The rollout of {model} was aborted; all traffic goes to the version before.",
        remedy=(
            f"Read `kubectl argo rollouts get rollout {subject.workloads[0]}` for the analysis that failed. The spec "
            "still names the new version: set model.version back, or correct it and go on."
        ),
    )
    healthy = series("rollout_info", {**found, "phase": "Healthy"})
    return two_cases(
        alert,
        1,
        {degraded: steady(1, lasting)},
        {healthy: steady(1, lasting), degraded: steady(0, lasting)},
        lasting,
    )


def _cold_cache(subject: Subject) -> Checked:
    model, lasting = subject.spec.name, Duration.parse("35m")
    ratio = subject.recorded(f"slipform:cache_hit_ratio:{subject.window}")
    alert = Alert(
        name="SlipformColdCache",
        expr=f"{ratio} < {COLD:g}",
        hold=Duration.parse("30m"),
        severity="ticket",
        labels=subject.alert_labels,
        summary=f"{model}: the cache seldom has the answer",
        description=f"VALUE of the requests to {model} are answered from the cache.",
        remedy="Raise serving.cache.size if answers are pushed out; leave serving.cache out if inputs never repeat.",
        unit="percent",
    )
    return two_cases(alert, 0.02, {ratio: steady(0.02, lasting)}, {ratio: steady(0.4, lasting)}, lasting)
