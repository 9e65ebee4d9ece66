"""The rule groups of one server: one a model, and one for the server itself."""

from __future__ import annotations

from ...engines.metrics import Metrics
from .burn import burn_alerts
from .gpu import gpu_alerts, gpu_recordings
from .kinds import Group
from .model import model_alerts
from .recording import Subject, recordings
from .server import Server, server_alerts


def rule_groups(server: Server, metrics: Metrics) -> tuple[Group, ...]:
    """All rules of a server; an objective that can't be measured, as ``slo.problems`` says, has none."""
    models = tuple(_model_group(subject, server) for subject in subjects(server, metrics))
    checked = (*server_alerts(server, scraped=metrics.path is not None), *gpu_alerts(server))
    every = (*models, Group(f"slipform-server-{server.name}", models[0].interval, gpu_recordings(server), checked))
    return tuple(group for group in every if group.recordings or group.alerts)


def subjects(server: Server, metrics: Metrics) -> tuple[Subject, ...]:
    """The models of a server, as rules and dashboards speak of them."""
    return tuple(
        Subject(
            spec=spec,
            server=server.name,
            metrics=metrics,
            namespace=server.namespace,
            workloads=tuple(workload.name for workload in server.workloads),
            scrape_interval=server.stack.prometheus.scrape_interval,
        )
        for spec in server.specs
    )


def _model_group(subject: Subject, server: Server) -> Group:
    promised = subject.objectives
    return Group(
        f"slipform-model-{subject.spec.name}",
        subject.evaluation,
        recordings(subject, promised),
        (*(burn_alerts(subject, objective) for objective in promised), *model_alerts(subject, server.stack)),
    )
