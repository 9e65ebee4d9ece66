"""What runs a server's pods: Deployments of ours, a Rollout that took them over, or an operator's Deployments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..engines.base import Container, CustomResource, Engine, Port, Server
from ..engines.servers import server as served
from ..spec.modelspec import ModelSpec
from ..spec.stack import StackConfig
from .platform import STABLE
from .project_files import handler_texts
from .scaling import ScaleTarget
from .tracks import deployment_name, tracks


@dataclass(frozen=True)
class Workloads:
    """An engine's answers for the tracks of a server, and what they leave to us."""

    servers: Mapping[str, Server]
    """By track."""
    answers: Mapping[str, Container | CustomResource]
    """By track: what runs in its pods, or the custom resource of which an operator makes them."""

    @property
    def ports(self) -> tuple[Port, ...]:
        answer = self.answers[STABLE]
        return answer.container.ports if isinstance(answer, CustomResource) else answer.ports

    @property
    def metrics_port(self) -> str:
        """The port that answers Prometheus, by name: one of its own, or that of HTTP."""
        return "metrics" if any(port.name == "metrics" for port in self.ports) else "http"

    @property
    def scaled(self) -> tuple[str, ...]:
        """The tracks whose number of replicas is ours to decide."""
        answer = self.answers[STABLE]
        return () if isinstance(answer, CustomResource) and answer.scales_itself else tuple(self.servers)

    def target(self, track: str) -> ScaleTarget:
        """What runs the pods of a track, and is scaled."""
        server, answer = self.servers[track], self.answers[track]
        name = deployment_name(server.name, track)
        if isinstance(answer, CustomResource):
            return ScaleTarget(f"{name}{answer.deployment_suffix}", scaled_by=name)
        return ScaleTarget(name, "Rollout" if server.spec.progressive else "Deployment")

    @property
    def targets(self) -> tuple[ScaleTarget, ...]:
        """Of each track, the stable one's first."""
        return tuple(self.target(track) for track in self.servers)


def workloads(engine: Engine, name: str, specs: Sequence[ModelSpec], stack: StackConfig, root: Path) -> Workloads:
    """Of the server of that name; the engine is asked once for each track."""
    texts = handler_texts(specs, root)
    servers: dict[str, Server] = {track: served(name, specs, stack, track, texts) for track in tracks(specs[0])}
    return Workloads(servers, {track: engine.workload(server) for track, server in servers.items()})
