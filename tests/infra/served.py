"""A server as an engine would answer for it: what the components of traffic are made from."""

from __future__ import annotations

from typing import Any

from slipform.engines.base import Port, ServedModel, Server
from slipform.engines.metrics import Histogram, Measure, Metrics
from slipform.spec.modelspec import ModelSpec
from slipform.spec.stack import StackConfig

from ..builders import model_spec, stack_config

PORTS = (Port("http", 8000), Port("grpc", 8001), Port("metrics", 8002))
GATEWAY = {"tls_secret": "models-tls", "jwt_issuer": "https://login.example.com/"}
CANARY = {"strategy": "canary", "candidate": {"version": 4}, "weight": 10}
PROGRESSIVE = {
    "strategy": "canary",
    "steps": [{"weight": 10, "hold": "5m"}, {"weight": 50, "hold": "5m"}],
    "analysis": {"max_error_rate": 0.01, "max_p95_latency": "120ms"},
}
BLUE_GREEN = {"strategy": "blue-green", "analysis": {"max_error_rate": 0.01}}

METRICS = Metrics(
    model_label="model",
    version_label="version",
    requests=Measure("requests_total", "sum by (@by) (rate(requests_total{@matchers}[@window]))"),
    errors=Measure("errors_total", "sum by (@by) (rate(errors_total{@matchers}[@window]))"),
    queue_length=Measure("queue", "sum by (@by) (queue{@matchers})"),
    utilization=Measure("busy", "avg by (@by) (rate(busy{@matchers}[@window]))"),
    latency=Histogram("latency_us", "us", (10_000, 50_000, 120_000, 500_000)),
)


def exposing_stack(**changes: Any) -> StackConfig:
    return stack_config(**{"gateway": GATEWAY, **changes})


def server(spec: ModelSpec | None = None, stack: StackConfig | None = None, *others: ModelSpec) -> Server:
    """A server of one model, or of several that share it."""
    models = tuple(ServedModel(each, each.model.version, None) for each in (spec or model_spec(), *others))
    return Server(models[0].spec.server, models, stack or exposing_stack())
