"""prometheus-adapter's rules: an engine's measures as ``Pods`` metrics of custom.metrics.k8s.io.

The adapter reads one config file for the whole cluster, which the platform team owns: a stack writes one rule set per
engine, to be merged into it. The API knows a metric by its name alone, and of two rules that give the same name the
adapter keeps one: so names carry the engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import yaml

from ..engines.metrics import Histogram, Measure, Metrics
from .platform import Platform
from .queries import joined, latency_ms
from .scaling import MetricName, autoscaling_window


def metric_name(engine: str, metric: MetricName) -> str:
    """A metric's name in custom.metrics.k8s.io; a latency is in milliseconds, since the adapter cuts to thousandths."""
    unit = "_milliseconds" if metric == "p95_latency" else ""
    return f"slipform_{engine.replace('-', '_')}_{metric}{unit}"


def adapter_rules(engine: str, metrics: Metrics, scrape_interval: int) -> dict[str, Any]:
    """The rule set of one engine, as prometheus-adapter's config file has it."""
    window = autoscaling_window(scrape_interval)
    matchers, by = "<<.LabelMatchers>>", "<<.GroupBy>>"
    rules = [
        _rule(
            metric_name(engine, name),
            f"{measure.series}{{{_found(measure, metrics.model_label)}}}",
            measure.promql(matchers, window=window, by=by),
        )
        for name, measure in _measures(metrics)
    ]
    if isinstance(latency := metrics.latency, Histogram):
        query = latency_ms(latency, 0.95, matchers, window, by)
        found = joined(_found(latency, metrics.model_label), latency.extra_matchers)
        rules.append(_rule(metric_name(engine, "p95_latency"), f"{latency.metric}_bucket{{{found}}}", query))
    return {"rules": rules}


def adapter_config(engine: str, metrics: Metrics, scrape_interval: int) -> str:
    """The rule set as YAML text, for the platform team to merge into the adapter's config file."""
    rules = adapter_rules(engine, metrics, scrape_interval)
    return yaml.safe_dump(rules, sort_keys=False, width=1000)


def _measures(metrics: Metrics) -> Iterator[tuple[MetricName, Measure]]:
    if metrics.utilization is not None:
        yield "utilization", metrics.utilization
    if metrics.queue_length is not None:
        yield "queue_length", metrics.queue_length
    if metrics.requests is not None:
        yield "requests_per_second", metrics.requests


def _found(measured: Measure | Histogram, model_label: str) -> str:
    """Matchers of the series by which the adapter discovers a metric; a mesh's carry no model's label."""
    label = measured.model_label or model_label
    return joined('namespace!=""', 'pod!=""', None if measured.workload_label else f'{label}!=""')


def _rule(name: str, series: str, query: str) -> dict[str, Any]:
    return {
        "seriesQuery": series,
        "resources": {"overrides": {"namespace": {"resource": "namespace"}, "pod": {"resource": "pod"}}},
        "name": {"as": name},
        "metricsQuery": query,
    }


@dataclass
class AdapterRulesArgs:
    """Arguments of AdapterRules: one engine that at least one model of the stack uses."""

    platform: Platform
    engine: str
    """The engine's name, as specs have it."""
    metrics: Metrics
    """What the engine measures in this stack."""


class AdapterRules(pulumi.ComponentResource):
    """A ConfigMap with one engine's rules, once per stack, for the platform team to merge into the adapter's config."""

    config_map: pulumi.Output[str]
    """The ConfigMap's name."""

    def __init__(self, name: str, args: AdapterRulesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipform:scaling:AdapterRules", name, None, opts)
        self.args = args
        config_map = self._create_config_map(name)
        self.config_map = config_map.metadata.name
        self.register_outputs({"configMap": self.config_map})

    def _create_config_map(self, name: str) -> k8s.core.v1.ConfigMap:
        platform, engine = self.args.platform, self.args.engine
        interval = platform.stack.prometheus.scrape_interval
        return k8s.core.v1.ConfigMap(
            name,
            metadata=k8s.meta.v1.ObjectMetaArgs(
                name=f"slipform-adapter-rules-{engine}",
                namespace=platform.namespace,
                labels={**platform.stack.labels, "app.kubernetes.io/managed-by": "slipform"},
            ),
            data={"rules.yaml": adapter_config(engine, self.args.metrics, interval)},
            opts=platform.options(self),
        )
