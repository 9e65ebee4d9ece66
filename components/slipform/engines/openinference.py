"""What every server of the Open Inference Protocol shares: its ports and its health routes."""

from __future__ import annotations

from ..spec.modelspec import ModelSpec
from .base import Port, Probe, Probes, Server

HTTP, GRPC, METRICS = 8000, 8001, 8002


def ports(spec: ModelSpec) -> tuple[Port, ...]:
    """HTTP is there in any case, since the kubelet probes by it; it is exposed only where clients may use it."""
    protocols = spec.serving.protocols
    grpc = (Port("grpc", GRPC),) if "grpc" in protocols else ()
    return (Port("http", HTTP, exposed="rest" in protocols), *grpc, Port("metrics", METRICS))


def probes(server: Server) -> Probes:
    """Ready is what names the model; a server of several is ready when all of them are. Being alive depends on none.

    Only the startup probe waits for loading, for as long as the spec allows.
    """
    names = [model.name for model in server.models]
    ready = f"/v2/models/{names[0]}/ready" if len(names) == 1 else "/v2/health/ready"
    return Probes(
        startup=Probe(path=ready).lasting(server.spec.serving.startup_timeout),
        readiness=Probe(path=ready),
        liveness=Probe(path="/v2/health/live", period_seconds=10),
    )
