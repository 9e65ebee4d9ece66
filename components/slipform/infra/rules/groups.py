"""The rule groups of one server: one a model, and one for the server itself."""

from __future__ import annotations

from collections.abc import Sequence

from ...engines.metrics import Metrics
from ...spec.findings import Finding
from ...spec.modelspec import ModelSpec
from ...spec.stack import StackConfig
from ...spec.units import Duration
from ..slo import Objective, objectives
from .burn import burn_alerts
from .gpu import gpu_alerts, gpu_recordings
from .kinds import Group
from .model import model_alerts
from .recording import Subject, recordings
from .server import Server, server_alerts

EVALUATION = 30
"""Seconds between evaluations, at least; more often than scraping would only compute the same again."""


def rule_groups(server: Server, metrics: Metrics) -> tuple[Group, ...]:
    """All rules of a server whose specs have no errors: what can't be made is left out as ``rule_findings`` says."""
    interval = Duration(max(EVALUATION, server.stack.prometheus.scrape_interval) * 1_000_000)
    models = tuple(_model_group(spec, server, metrics, interval) for spec in server.specs)
    checked = (*server_alerts(server), *gpu_alerts(server))
    return (*models, Group(f"slipform-server-{server.name}", interval, gpu_recordings(server), checked))


def rule_findings(specs: Sequence[ModelSpec], stack: StackConfig, metrics: Metrics) -> tuple[Finding, ...]:
    """What there is to say about the rules of a server's specs, by the specs' paths."""
    if stack.lacks("prometheus-operator"):
        return tuple(_left_out(spec) for spec in specs if spec.slo)
    return tuple(finding for spec in specs for finding in _objectives(spec, stack, metrics)[1])


def _model_group(spec: ModelSpec, server: Server, metrics: Metrics, interval: Duration) -> Group:
    subject = Subject(
        spec=spec,
        server=server.name,
        metrics=metrics,
        namespace=server.namespace,
        workloads=tuple(workload.name for workload in server.workloads),
        scrape_interval=server.stack.prometheus.scrape_interval,
    )
    promised, _ = _objectives(spec, server.stack, metrics)
    return Group(
        f"slipform-model-{spec.name}",
        interval,
        recordings(subject, promised),
        (*(burn_alerts(subject, objective) for objective in promised), *model_alerts(subject, server.stack)),
    )


def _objectives(
    spec: ModelSpec, stack: StackConfig, metrics: Metrics
) -> tuple[tuple[Objective, ...], tuple[Finding, ...]]:
    if spec.slo is None:
        return (), ()
    return objectives(spec.slo, metrics.latency, stack.prometheus.scrape_interval)


def _left_out(spec: ModelSpec) -> Finding:
    return Finding(
        "the stack has no prometheus-operator, so nothing measures the objective and nobody is told",
        ("slo",),
        severity="warning",
        remedy="add prometheus-operator to the stack's `has` when the cluster has it",
    )
