"""KServe: an InferenceService in Standard mode, whose pods run the server of another engine.

Its predictor is a PodSpec, so it has our fetching container and our server whole: digests are verified, built engines
are served and requests are measured as everywhere else. KServe's own storage initializer verifies nothing, and its
runtimes' images are old and in part scraped at the wrong port.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from ..spec.findings import Finding
from ..spec.modelspec import ModelSpec
from ..spec.stack import Capability, StackConfig
from ..spec.units import Cpu
from . import registry
from .api import OPEN_INFERENCE
from .base import Container, CustomResource, Engine, Server
from .metrics import Metrics

SERVING = "serving.kserve.io"
CONTAINER = "kserve-container"
PROTOCOL = "PROTOCOL"
"""Environment variable by which KServe knows the protocol of a predictor that it has no runtime for."""
MAX_LABEL = 63
DEFAULT = "fastapi"
"""The engine whose server runs where the spec names no runtime."""


class KServe(Engine):
    """The InferenceService of one track of a server; its Deployment is NAME-predictor."""

    name: ClassVar[str] = "kserve"
    title: ClassVar[str] = "KServe"
    formats: ClassVar[frozenset[str]] = frozenset(
        {"bento", "mar", "mlflow", "onnx", "openvino", "tensorflow", "tensorrt", "torchscript"}
    )
    operator: ClassVar[Capability | None] = "kserve"

    def runtime(self, spec: ModelSpec) -> Engine:
        return registry.engine(spec.serving.runtime or DEFAULT)

    def problems(self, spec: ModelSpec, stack: StackConfig | None) -> Iterator[Finding]:
        runtime = self.runtime(spec)
        if runtime.operator is not None:
            yield _no_runtime(spec)
            return
        for finding in runtime.problems(spec, stack):
            yield replace(finding, remedy=_of_runtimes(finding.remedy))
        yield from _limits_processors(spec)
        yield from _has_room_for_the_label(spec)

    def workload(self, server: Server) -> CustomResource:
        runtime = self.runtime(server.spec)
        container = runtime.workload(server)
        assert isinstance(container, Container), "review lets no operator under an operator pass"  # noqa: S101
        return CustomResource(
            api_version=f"{SERVING}/v1beta1",
            kind="InferenceService",
            spec={
                "predictor": {
                    "deploymentStrategy": {
                        "type": "RollingUpdate",
                        "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"},
                    }
                }
            },
            container=replace(
                container, env={**_protocol(runtime), **container.env}, cpu_limit=_cpu_limit(server.spec)
            ),
            container_name=CONTAINER,
            pod=("predictor",),
            pod_annotations=("predictor", "annotations"),
            deployment_suffix="-predictor",
            annotations={
                # What KServe does without it is a config map of the cluster: Knative, as it is delivered.
                f"{SERVING}/deploymentMode": "Standard",
                # Else it makes a HorizontalPodAutoscaler of its own, by the processors.
                f"{SERVING}/autoscalerClass": "external",
            },
            # Else it makes an Ingress, and the model is known outside the cluster though its spec exposes nothing.
            labels={"networking.kserve.io/visibility": "cluster-local"},
        )

    def metrics(self, stack: StackConfig) -> Metrics:
        return registry.engine(DEFAULT).metrics(stack)


def _protocol(runtime: Engine) -> dict[str, str]:
    """Left out, KServe takes it for the first, TensorFlow Serving's own."""
    return {PROTOCOL: "v2"} if runtime.api is OPEN_INFERENCE else {}


def _no_runtime(spec: ModelSpec) -> Finding:
    servers = [name for name in registry.names() if registry.engine(name).operator is None]
    return Finding(
        "KServe runs the server of another engine, and this is none",
        path=("serving", "runtime"),
        given=spec.serving.runtime,
        allowed=", ".join(servers),
        remedy=f"remove it for {DEFAULT}",
    )


def _of_runtimes(remedy: str | None) -> str | None:
    """A server's own remedies name engines, and here they are runtimes."""
    return re.sub(r"\bwrite engine: ", "write runtime: ", remedy) if remedy else None


def _cpu_limit(spec: ModelSpec) -> Cpu:
    """What the spec says, else the whole processors in which what it asks for fits."""
    resources = spec.serving.resources
    return resources.cpu_limit or Cpu(-(-resources.cpu.millicores // 1000) * 1000)


def _has_room_for_the_label(spec: ModelSpec) -> Iterator[Finding]:
    """KServe labels pods with ``isvc.NAME-predictor``, and a candidate's name is its server's with a word more."""
    longest = MAX_LABEL - len("isvc.-candidate-predictor")
    if spec.rollout is not None and spec.rollout.candidate is not None and len(spec.server) > longest:
        yield Finding(
            "KServe makes a label of the candidate's name, and that would have more characters than a label may",
            path=("name",) if spec.serving.server is None else ("serving", "server"),
            given=spec.server,
            allowed=f"at most {longest} characters with a candidate",
        )


def _limits_processors(spec: ModelSpec) -> Iterator[Finding]:
    """KServe's webhook writes a limit of one processor into every container that names none."""
    if spec.serving.resources.cpu_limit is None:
        limit = _cpu_limit(spec)
        yield Finding(
            f"under KServe every server has a limit on processors: {limit}, since the spec names none",
            path=("serving", "resources"),
            severity="warning",
            remedy=f"write cpu_limit: {limit} to say that it is meant, or a higher one",
        )
