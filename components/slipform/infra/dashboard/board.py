"""The dashboard of one server, from its alerts to what its models measure."""

from __future__ import annotations

from ...engines.metrics import Metrics
from ..rules.groups import subjects
from ..rules.server import Server
from .model import model_row
from .panels import Row
from .server import alerts_row, replicas_row


def rows(server: Server, metrics: Metrics) -> tuple[Row, ...]:
    """What is wrong, what callers notice of each model, who answers them."""
    return (alerts_row(server), *map(model_row, subjects(server, metrics)), replicas_row(server))


def board(server: Server, metrics: Metrics) -> str:
    """Its JSON, as Grafana imports it."""
    from .grafana import to_json  # hundreds of types, which only a stack with Grafana needs

    team = [server.spec.team] if server.spec.team else []
    name = f"{server.namespace} / {server.name}"
    return to_json(name, name, ["slipform", server.namespace, *team], rows(server, metrics))
