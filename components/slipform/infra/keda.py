"""A KEDA ScaledObject: the same plan as the HorizontalPodAutoscaler's, in KEDA's words.

KEDA asks Prometheus itself and hands the answer to an autoscaler of its own as an external metric, of which the
replicas are ceil(answer ÷ threshold): so the answers are totals over all pods. A latency is no total; it is taken by
``Value``, where the replicas are ceil(replicas × answer ÷ threshold).
"""

from __future__ import annotations

from typing import Any

from ..engines.metrics import Histogram, Measure, Metrics, required
from ..spec.scaling import Behavior
from ..spec.stack import Prometheus
from .queries import latency_ms, matchers
from .scaling import RESOURCES, ScalingPlan, Target, autoscaling_window, measure_of

POLLING_SECONDS = 15
FAILURES = 3
"""Failed polls after which the replicas are kept instead of scaled: 45 s without Prometheus."""


def scaled_object(
    plan: ScalingPlan,
    target: dict[str, str],
    metrics: Metrics,
    prometheus: Prometheus,
    namespace: str,
    *,
    hpa_name: str,
    track: str | None = None,
) -> dict[str, Any]:
    """The spec of a ScaledObject that scales ``target`` (apiVersion, kind, name) by the plan.

    ``hpa_name`` is the name of the autoscaler that KEDA makes; with ``track`` only that track's pods are counted.
    """

    def trigger(wish: Target) -> dict[str, Any]:
        if wish.metric in RESOURCES:
            return {"type": wish.metric, "metricType": "Utilization", "metadata": {"value": f"{wish.value:.0f}"}}
        return {
            "type": "prometheus",
            "metricType": "Value" if wish.metric == "p95_latency" else "AverageValue",
            "metadata": {
                "serverAddress": prometheus.address,
                "query": _query(wish, metrics, namespace, target["name"], track, prometheus.scrape_interval),
                "threshold": f"{wish.value:.12g}",
                "activationThreshold": "0",
                # By default an empty answer counts as 0, so that a lost Prometheus would look like an idle model.
                "ignoreNullValues": "false",
            },
        }

    # KEDA's webhook refuses a fallback where no trigger can take it.
    totals = any(wish.metric not in {*RESOURCES, "p95_latency"} for wish in plan.targets)
    fallback = {
        "fallback": {
            "failureThreshold": FAILURES,
            "replicas": max(plan.min_replicas, 1),
            "behavior": "currentReplicasIfHigher",
        }
    }
    return {
        "scaleTargetRef": target,
        "minReplicaCount": plan.min_replicas,
        "maxReplicaCount": plan.max_replicas,
        "pollingInterval": POLLING_SECONDS,
        "triggers": [trigger(wish) for wish in plan.targets],
        **(fallback if totals else {}),
        "advanced": {
            "horizontalPodAutoscalerConfig": {"name": hpa_name, "behavior": behavior(plan.behavior)},
        },
    }


def behavior(wanted: Behavior) -> Any:
    """A spec's windows and speeds in the HorizontalPodAutoscaler's words, of which KEDA passes all on."""
    up, down = wanted.scale_up, wanted.scale_down
    return {
        "scaleUp": {
            "stabilizationWindowSeconds": up.window.whole_seconds(),
            "selectPolicy": "Max",
            "policies": [
                {"type": "Percent", "value": up.percent, "periodSeconds": up.period.whole_seconds()},
                {"type": "Pods", "value": up.pods, "periodSeconds": up.period.whole_seconds()},
            ],
        },
        "scaleDown": {
            "stabilizationWindowSeconds": down.window.whole_seconds(),
            "selectPolicy": "Max",
            "policies": [{"type": "Percent", "value": down.percent, "periodSeconds": down.period.whole_seconds()}],
        },
    }


def _query(
    wish: Target, metrics: Metrics, namespace: str, workload: str, track: str | None, scrape_interval: int
) -> str:
    """One number for all pods; empty, and so an error for KEDA, where the pods' series are lost."""
    window = autoscaling_window(scrape_interval)

    def found(measured: Measure | Histogram) -> str:
        return matchers(
            measured,
            metrics.model_label,
            namespace=namespace,
            model=wish.model or "",
            workloads=[workload],
            track=track,
        )

    measured = measure_of(wish.metric, metrics)
    if isinstance(measured, Measure):
        return f"sum({measured.promql(found(measured), window=window, by='pod')})"
    latency = latency_ms(measured, 0.95, found(measured), window)
    counted = required(metrics.requests)
    requests = counted.promql(found(counted), window=window)
    # Without requests the quantile is NaN, of which KEDA makes an enormous negative number.
    return f"({latency}) >= 0 or 0 * ({requests})"
