"""``serving``: the server, how it batches and what each replica is given."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .units import Accelerator, Cpu, Duration, Memory, refuse
from .vocabulary import Count, Many, Name, Part, RelativePath

Protocol = Literal["rest", "grpc"]


class Batching(Part):
    """Dynamic batching, by Triton's semantics."""

    max_batch_size: Annotated[int, Field(ge=0, le=65536)] = Field(
        default=32,
        description="Largest batch that is executed at once; 0 for a model without a batch axis.",
        examples=[32],
    )
    preferred_batch_sizes: Many[Count] = Field(
        default=(), description="Sizes at which a batch goes without waiting longer.", examples=[[8, 16, 32]]
    )
    max_queue_delay: Duration = Field(
        default=Duration(0),
        description="How long a request may wait for others; 0: a batch goes as soon as an instance is free.",
        examples=["5ms"],
    )
    max_queue_size: Count = Field(
        default=256, description="Requests that may wait; one more is refused at once.", examples=[256]
    )
    queue_timeout: Duration | None = Field(
        default=None,
        description="A request that has waited this long is refused instead of executed.",
        examples=["500ms"],
    )


class Cache(Part):
    """Answers of identical inputs."""

    size: Memory = Field(description="Memory for cached answers, per replica.", examples=["512Mi"])
    ttl: Duration | None = Field(
        default=None,
        description="How long an answer is good, where the engine has a limit.",
        examples=["30m"],
    )


class Resources(Part):
    """What each replica asks for; memory and accelerators are limits as well."""

    cpu: Cpu = Field(default=Cpu(1000), description="Processors.", examples=[3, "500m"])
    memory: Memory = Field(default=Memory.parse("2Gi"), description="Main memory.", examples=["8Gi"])
    accelerator: Accelerator | None = Field(
        default=None, description="Accelerators, kind and number.", examples=["nvidia-l4", "nvidia-l4:2"]
    )
    cpu_limit: Cpu | None = Field(
        default=None,
        description="A hard limit on processors; absent: none, since throttling is worse for latency than sharing.",
        examples=[4],
    )
    shared_memory: Memory | None = Field(
        default=None, description="Size of /dev/shm, counted in memory.", examples=["1Gi"]
    )


class Serving(Part):
    """The server that the model runs in."""

    engine: str = Field(description="The serving engine.", examples=["triton", "fastapi"])
    runtime: str | None = Field(
        default=None,
        description="Under an engine with an operator (kserve): the engine whose server runs in its pods; "
        "absent: fastapi, the bundled runtime.",
        examples=["triton"],
    )
    server: Name | None = Field(
        default=None,
        description="A server that several specs share by naming it; absent: a server of the model's own.",
        examples=["vision"],
    )
    protocols: Many[Protocol] = Field(
        default=("rest", "grpc"),
        min_length=1,
        description="Protocols that clients may use.",
        examples=[["rest", "grpc"]],
    )
    batching: Batching = Field(
        default=Batching(),
        description="Dynamic batching.",
        examples=[{"max_batch_size": 32, "max_queue_delay": "5ms"}],
    )
    cache: Cache | None = Field(
        default=None, description="A cache of answers; absent: none.", examples=[{"size": "512Mi"}]
    )
    resources: Resources = Field(
        default=Resources(),
        description="What each replica asks for.",
        examples=[{"cpu": 3, "memory": "8Gi", "accelerator": "nvidia-l4"}],
    )
    instances: Count = Field(
        default=1, description="Copies of the model that execute side by side, on each accelerator or the processors.",
        examples=[2],
    )  # fmt: skip
    warmup: bool = Field(
        default=True, description="Run the model on generated inputs before it is ready.", examples=[True]
    )
    cuda_graphs: bool = Field(
        default=False,
        description="Record the GPU's launches once and replay them (TensorRT).",
        examples=[True],
    )
    handler: RelativePath | None = Field(
        default=None,
        description="A Python file with preprocess and postprocess around the plain routes; for torchserve, a handler "
        "of its kind.",
        examples=["handlers/resnet50.py"],
    )
    image: str | None = Field(
        default=None,
        min_length=1,
        description="An image in place of the stack's, with its digest.",
        examples=[
            "registry.example.com/runtime@sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
        ],
    )
    env: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], str] = Field(
        default={},
        description="Environment of the server; never a secret.",
        examples=[{"OMP_NUM_THREADS": "2"}],
    )
    request_limit: Memory = Field(
        default=Memory.parse("64Mi"), description="Largest request that is read.", examples=["64Mi"]
    )
    startup_timeout: Duration = Field(
        default=Duration.parse("10m"),
        description="How long fetching, loading and warming up may take before the replica is started again.",
        examples=["10m"],
    )
    drain_timeout: Duration = Field(
        default=Duration.parse("30s"),
        description="How long a stopping replica may finish what it has accepted.",
        examples=["30s"],
    )

    @property
    def server_engine(self) -> str:
        """The engine whose server it is: under an operator, the runtime that the spec names."""
        return self.runtime or self.engine

    @model_validator(mode="after")
    def _protocols_once(self) -> Self:
        if len(set(self.protocols)) != len(self.protocols):
            raise refuse("a protocol twice", allowed="rest and grpc, each once")
        return self
