"""The model spec: one reviewed file for everything that one model needs in production."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from .build import Build
from .findings import FieldPath
from .model import Model
from .nodes import Nodes
from .rollout import Candidate, Rollout, is_progressive
from .scaling import Scaling
from .serving import Serving
from .traffic import Expose, Slo, Traffic
from .vocabulary import LabelKey, LabelValue, Name, Part


@dataclass(frozen=True)
class Source:
    """One version of a model: where the spec names it, and where its files are."""

    path: FieldPath
    uri: str | None
    version: int
    sha256: str | None


class ModelSpec(Part):
    """One model in production. Only slipform, name, model and serving.engine are required."""

    slipform: Literal["v1"] = Field(description="The version of this format.", examples=["v1"])
    name: Name = Field(
        description="The model's name: of its Kubernetes objects, its route and its metrics.",
        examples=["resnet50"],
    )
    team: LabelValue | None = Field(
        default=None, description="Who owns it; a label of everything that is made.", examples=["vision"]
    )
    labels: dict[LabelKey, LabelValue] = Field(
        default={},
        description="Further labels of everything that is made.",
        examples=[{"cost-center": "4711"}],
    )
    model: Model = Field(
        description="What is served.",
        examples=[{"format": "onnx", "uri": "s3://models/resnet50", "version": 3}],
    )
    build: Build | None = Field(
        default=None,
        description="An engine that is built of the model; absent: it is served as it is.",
        examples=[{"target": "tensorrt", "precision": "fp16"}],
    )
    serving: Serving = Field(description="The server.", examples=[{"engine": "triton"}])
    nodes: Nodes | None = Field(
        default=None,
        description="The machines; absent: any that are there.",
        examples=[
            {"provisioner": "karpenter", "instance_types": ["g6.xlarge"], "capacity": "spot"},
            {"pool": "gpu-l4"},
        ],
    )
    scaling: Scaling = Field(
        default=Scaling(),
        description="How many replicas.",
        examples=[{"min_replicas": 2, "max_replicas": 20}],
    )
    traffic: Traffic = Field(
        default=Traffic(),
        description="The expected load.",
        examples=[{"expected_rps": 200, "peak_rps": 2000}],
    )
    rollout: Rollout | None = Field(
        default=None,
        description="How a new version gets its traffic; absent: by a rolling update.",
        examples=[{"strategy": "canary", "candidate": {"version": 4}, "weight": 10}],
    )
    expose: Expose | None = Field(
        default=None,
        description="An address outside the cluster; absent: inside only.",
        examples=[{"host": "resnet50.models.example.com", "auth": "jwt"}],
    )
    slo: Slo | None = Field(
        default=None,
        description="What is promised.",
        examples=[{"availability": 99.9, "latency": {"p95": "100ms"}}],
    )
    exempt: dict[str, Annotated[str, Field(min_length=1)]] = Field(
        default={},
        description="Rules of the stack's policy that it is let off, each with the reason.",
        examples=[{"redundant": "a nightly job: nobody waits for it"}],
    )
    stacks: dict[str, dict[str, object]] = Field(
        default={},
        description="What differs in a stack: mappings merge, lists and scalars replace.",
        examples=[{"prod": {"scaling": {"max_replicas": 50}}}],
    )

    @property
    def server(self) -> str:
        """The name of the server that the model runs in: shared by name, else the model's own."""
        return self.serving.server or self.name

    @property
    def candidate(self) -> Candidate | None:
        """The version beside that which serves, where the spec declares one."""
        return self.rollout.candidate if self.rollout else None

    @property
    def sources(self) -> tuple[Source, ...]:
        """The versions that it names, that which serves first; an ensemble's has no address."""
        model, candidate = self.model, self.candidate
        stable = Source(("model",), model.uri, model.version, model.sha256)
        if candidate is None:
            return (stable,)
        address = candidate.uri or model.uri
        return stable, Source(("rollout", "candidate"), address, candidate.version, candidate.sha256)

    @property
    def progressive(self) -> bool:
        return is_progressive(self.rollout)
