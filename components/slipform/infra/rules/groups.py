"""The rule groups of one server: one a model, and one for the server itself."""

from __future__ import annotations

from ...engines.metrics import Metrics
from ...spec.modelspec import ModelSpec
from ..slo import objectives
from .burn import burn_alerts
from .gpu import gpu_alerts, gpu_recordings
from .kinds import Group
from .model import model_alerts
from .recording import Subject, recordings
from .server import Server, server_alerts


def rule_groups(server: Server, metrics: Metrics) -> tuple[Group, ...]:
    """All rules of a server; an objective that can't be measured, as ``slo.problems`` says, has none."""
    models = tuple(_model_group(spec, server, metrics) for spec in server.specs)
    checked = (*server_alerts(server), *gpu_alerts(server))
    return (*models, Group(f"slipform-server-{server.name}", models[0].interval, gpu_recordings(server), checked))


def _model_group(spec: ModelSpec, server: Server, metrics: Metrics) -> Group:
    scrape_interval = server.stack.prometheus.scrape_interval
    promised = objectives(spec.slo, metrics.latency, scrape_interval)[0] if spec.slo else ()
    subject = Subject(
        spec=spec,
        server=server.name,
        metrics=metrics,
        namespace=server.namespace,
        workloads=tuple(workload.name for workload in server.workloads),
        scrape_interval=scrape_interval,
    )
    return Group(
        f"slipform-model-{spec.name}",
        subject.evaluation,
        recordings(subject, promised),
        (*(burn_alerts(subject, objective) for objective in promised), *model_alerts(subject, server.stack)),
    )
