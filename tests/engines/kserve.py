"""An engine that brings an operator, as small as it can be: KServe's InferenceService.

It shows that the interface carries both kinds of engine. It follows what KServe's controllers do: an HPA of their own
unless told otherwise, a TCP probe unless one is named, and defaults that they write into the spec.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from slipform.engines import checks
from slipform.engines.base import CustomResource, Engine, Port, Server
from slipform.engines.mesh import ISTIO_ERRORS, ISTIO_LATENCY, ISTIO_REQUESTS
from slipform.engines.metrics import Metrics, NoHistogram
from slipform.spec.findings import Finding
from slipform.spec.modelspec import ModelSpec
from slipform.spec.stack import StackConfig

PREFIX = "serving.kserve.io"
HTTP = 8080


class KServe(Engine):
    """One InferenceService a model, in Standard mode: the operator makes the Deployment and the Service."""

    name: ClassVar[str] = "kserve"
    title: ClassVar[str] = "KServe"
    has_operator: ClassVar[bool] = True
    formats: ClassVar[frozenset[str]] = frozenset({"onnx", "sklearn", "xgboost", "mlflow", "tensorflow", "torchscript"})

    def problems(self, spec: ModelSpec, stack: StackConfig | None) -> Iterator[Finding]:
        yield from checks.serves_the_format(spec, self.title, self.formats)
        if spec.serving.server is not None:
            yield Finding("an InferenceService serves one model", path=("serving", "server"), remedy="remove it")
        if spec.serving.cache is not None:
            yield Finding("KServe has no response cache", path=("serving", "cache"), remedy="remove it")
        if stack is not None and stack.lacks("istio") and spec.slo is not None:
            yield Finding("only a mesh measures it", path=("slo",), remedy="add istio to slipform:has")

    def workload(self, server: Server) -> CustomResource:
        [model] = server.models
        spec = server.spec
        assert model.artifact is not None
        return CustomResource(
            api_version=f"{PREFIX}/v1beta1",
            kind="InferenceService",
            # Both are written out, since what they default to is a config map of the cluster. The autoscaler is ours.
            annotations={f"{PREFIX}/deploymentMode": "Standard", f"{PREFIX}/autoscalerClass": "external"},
            spec={
                "predictor": {
                    "minReplicas": spec.scaling.min_replicas,
                    "maxReplicas": spec.scaling.max_replicas,
                    "terminationGracePeriodSeconds": spec.serving.drain_timeout.whole_seconds(),
                    "model": {
                        "modelFormat": {"name": model.artifact.format},
                        "protocolVersion": "v2",
                        "storageUri": f"{model.artifact.uri}/{model.version}",
                        "resources": _resources(spec),
                        "readinessProbe": {"httpGet": {"path": f"/v2/models/{model.name}/ready", "port": HTTP}},
                    },
                }
            },
            pod_labels={f"{PREFIX}/inferenceservice": server.name},
            deployment=f"{server.name}-predictor",
            pod=("predictor",),
            ports=(Port("http", HTTP),),
            ignore_changes=("spec.predictor.model.name", "spec.predictor.model.runtime"),
        )

    def metrics(self, stack: StackConfig) -> Metrics:
        no_mesh = NoHistogram("KServe's servers time their steps, not requests", remedy="add istio to slipform:has")
        return Metrics(
            model_label="model_name",
            version_label="model_version",
            requests=ISTIO_REQUESTS,
            errors=ISTIO_ERRORS,
            queue_length=None,
            utilization=None,
            latency=no_mesh if stack.lacks("istio") else ISTIO_LATENCY,
        )


def _resources(spec: ModelSpec) -> dict[str, Any]:
    """Requests and limits both, since KServe writes its own into what is left out."""
    asked = {"cpu": str(spec.serving.resources.cpu), "memory": str(spec.serving.resources.memory)}
    return {"requests": asked, "limits": {"memory": asked["memory"]}}
