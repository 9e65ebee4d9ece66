"""What an engine is: for a server and its models, plain data that components turn into resources.

An engine knows its own container (or its operator's custom resource), its files, its probes and the names of its
metrics. It knows nothing of Pulumi; and nothing outside this package knows an engine by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

from ..spec.findings import FieldPath, Finding
from ..spec.modelspec import ModelSpec
from ..spec.stack import Capability, StackConfig
from ..spec.units import Cpu, Duration, Memory
from .api import OPEN_INFERENCE, Api
from .metrics import Metrics


@dataclass(frozen=True)
class Artifact:
    """The files of one version, ready to be served.

    ``uri`` is the folder of the versions (``<uri>/<version>/…``) or one file, ``filename`` what the engine's backend
    calls the model's file (``model.onnx``), ``format`` a model format or, of something built, a build target.
    """

    uri: str
    filename: str
    format: str
    sha256: str | None = None


@dataclass(frozen=True)
class ServedModel:
    """One version of one model, as a server holds it; what is not fetched, as an ensemble, has no artifact."""

    spec: ModelSpec
    version: int
    artifact: Artifact | None

    @property
    def name(self) -> str:
        return self.spec.name


@dataclass(frozen=True)
class Server:
    """What one Deployment runs: one model, or the models of several specs that share it."""

    name: str
    models: tuple[ServedModel, ...]
    stack: StackConfig
    texts: Mapping[str, str] = field(default_factory=dict)
    """Files of the project that the specs name (``serving.handler``): their text by the path in the spec."""

    @property
    def specs(self) -> tuple[ModelSpec, ...]:
        return tuple(model.spec for model in self.models)

    @property
    def spec(self) -> ModelSpec:
        """The spec that says how the server runs; specs that share a server agree on it."""
        return self.models[0].spec


@dataclass(frozen=True)
class Port:
    """A port that the container listens on.

    ``exposed`` is False for a port that only probes use: the Service and the NetworkPolicy leave it out.
    """

    name: Literal["http", "grpc", "metrics"]
    number: int
    exposed: bool = True


@dataclass(frozen=True)
class Probe:
    """A probe by HTTP GET, by gRPC's health service (the port ``grpc``), by a TCP connection (no path) or a command."""

    port: Literal["http", "grpc", "metrics"] = "http"
    path: str | None = None
    grpc: bool = False
    command: tuple[str, ...] = ()
    period_seconds: int = 5
    timeout_seconds: int = 2
    failure_threshold: int = 3

    def lasting(self, limit: Duration) -> Probe:
        """The same, which gives up only after ``limit``."""
        return replace(self, failure_threshold=-(-limit.whole_seconds() // self.period_seconds))


@dataclass(frozen=True)
class Probes:
    """When a container has started, may be sent requests, and has to be started again."""

    startup: Probe
    readiness: Probe
    liveness: Probe


@dataclass(frozen=True)
class Container:
    """The engine's container. Files go to ``/etc/slipform``, the fetched model repository to ``/models``.

    ``drain_seconds`` is how long requests may take to finish; before it every pod sleeps, so that endpoints forget it.
    An engine that ``drains`` finishes them after SIGTERM; for another the sleep lasts as much longer, and ``pre_stop``
    is then what stops it. ``shared_memory`` is what the engine needs in /dev/shm where the spec says nothing.
    """

    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    ports: tuple[Port, ...]
    startup: Probe
    readiness: Probe
    liveness: Probe
    env: Mapping[str, str] = field(default_factory=dict)
    writable: tuple[str, ...] = ("/tmp",)  # noqa: S108  (a path in the container)
    shared_memory: Memory | None = None
    user: int = 1000
    drain_seconds: int = 30
    drains: bool = True
    pre_stop: tuple[str, ...] = ()
    cpu_limit: Cpu | None = None
    """A limit on processors where the spec names none."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Text files by name: the manifest of the model repository (``repository.json``), ``<model>.config.pbtxt``, …

    Names are keys of a ConfigMap, so they hold no slash.
    """

    def number_of(self, port: str) -> int:
        """The number of a port by its name. Raises ValueError where the container has no such port."""
        for each in self.ports:
            if each.name == port:
                return each.number
        raise ValueError(f"a probe asks the port {port!r}, which is not among the container's ports")


@dataclass(frozen=True)
class CustomResource:
    """What an engine with an operator answers in place of a container: the operator makes a Deployment of it.

    It has the name that a Deployment of ours would have, and our labels, which the operator hands on to the pods: so
    all that finds pods finds these. ``pod`` is where in ``spec`` the operator takes a PodSpec, which is the one that
    ``container`` would have in a Deployment of ours; ``container_name`` what the operator calls the container that it
    serves by, and ``pod_annotations`` where in ``spec`` it takes the pods' annotations.
    """

    api_version: str
    kind: str
    spec: Mapping[str, Any]
    container: Container
    container_name: str
    pod: tuple[str, ...]
    pod_annotations: tuple[str, ...]
    deployment_suffix: str
    """What the operator adds to the resource's name to make that of its Deployment."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    ignore_changes: tuple[str, ...] = ()
    """Fields that the operator fills in."""
    scales_itself: bool = False
    """True where the operator brings its own autoscaler, so that Slipform must not add one."""


class Engine(ABC):
    """A serving engine. One module each; found by the entry point group ``slipform.engines``."""

    name: ClassVar[str]
    """The word in ``serving.engine``."""
    title: ClassVar[str]
    """Its name as its makers write it."""
    formats: ClassVar[frozenset[str]]
    """Model formats and build targets that it serves."""
    shared: ClassVar[tuple[FieldPath, ...]] = ()
    """Fields on which specs that share a server agree, beside those that every engine has once (review/servers.py)."""
    api: ClassVar[Api] = OPEN_INFERENCE
    """What clients call of it."""
    serves_here: ClassVar[str | None] = None
    """A command that serves a model of its own format on a person's machine; None where the bundled runtime can."""
    holds_requests: ClassVar[bool] = False
    """True where something holds requests while there are no replicas, so that min_replicas may be 0."""
    operator: ClassVar[Capability | None] = None
    """What the cluster must have where ``workload`` answers a custom resource."""

    def runtime(self, spec: ModelSpec) -> Engine:
        """The engine whose server runs in the pods and is measured: this one, unless its operator runs another's."""
        return self

    @abstractmethod
    def problems(self, spec: ModelSpec, stack: StackConfig | None) -> Iterator[Finding]:
        """What is wrong with a spec for this engine; paths are the spec's, without locations."""

    @abstractmethod
    def workload(self, server: Server) -> Container | CustomResource:
        """The container, or the custom resource, that serves the server's models."""

    @abstractmethod
    def metrics(self, stack: StackConfig) -> Metrics:
        """What the engine measures, in the version that the stack runs."""
