"""What clients call of a server: its routes decide what an address outside lets in, and which call names a version."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Api:
    """Paths of REST, with ``{model}`` and ``{version}`` in them, and full names of gRPC methods.

    Only what a client of a model needs: inference, metadata and health. Loading and unloading models, metrics,
    statistics, logging and trace settings, shared memory and the model's configuration have no place here, whatever
    the server would answer.
    """

    server: tuple[str, ...]
    """Of the server as a whole."""
    model: tuple[str, ...]
    pinned: str = ""
    """What every path begins with that asks for one version, which only one track may have; empty where none does."""
    calls: tuple[str, ...] = ()
    """What follows ``pinned``; empty for the path itself."""
    methods: tuple[str, ...] = ()
    stream: str | None = None
    """The method that streams: it has no end that a timeout could await."""
    own_paths: bool = False
    """True where the paths of inference are chosen by the model's code: ``expose.paths`` says which are let in."""

    def of_model(self, model: str) -> tuple[str, ...]:
        return tuple(path.format(model=model) for path in self.model)

    def of_version(self, model: str, version: int) -> tuple[str, ...]:
        return tuple(f"{self.root(model, version)}{call}" for call in self.calls)

    def root(self, model: str, version: int) -> str:
        """The beginning of every path that asks for one version."""
        return self.pinned.format(model=model, version=version)

    @property
    def separators(self) -> tuple[str, ...]:
        """What may follow a version's number in a path, so that version 1 is not taken for 10."""
        return tuple(sorted({call[0] for call in self.calls if call}))


OPEN_INFERENCE = Api(
    server=("/v2", "/v2/health/live", "/v2/health/ready", "/health", "/ready", "/predict"),
    model=(
        "/v2/models/{model}",
        "/v2/models/{model}/ready",
        "/v2/models/{model}/infer",
        "/predict/{model}",
        "/predict/{model}/batch",
    ),
    pinned="/v2/models/{model}/versions/{version}",
    calls=("", "/ready", "/infer"),
    methods=(
        "/inference.GRPCInferenceService/ModelInfer",
        "/inference.GRPCInferenceService/ModelMetadata",
        "/inference.GRPCInferenceService/ModelReady",
        "/inference.GRPCInferenceService/ServerLive",
        "/inference.GRPCInferenceService/ServerMetadata",
        "/inference.GRPCInferenceService/ServerReady",
        "/grpc.health.v1.Health/Check",
    ),
    stream="/inference.GRPCInferenceService/ModelStreamInfer",
)
"""The Open Inference Protocol, and the bundled runtime's plain routes."""
