"""The bundled runtime, ``slipform-runtime``: batched inference with ONNX Runtime, OpenVINO or TensorRT."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from ..spec.findings import Finding, SlipformError
from ..spec.modelspec import ModelSpec
from ..spec.stack import StackConfig
from . import checks, fastapi_metrics, latency
from .base import Container, Engine, Server
from .config_pbtxt import config_pbtxt
from .images import image_of
from .metrics import Metrics
from .openinference import ports, probes
from .repository import MANIFEST, config_file, manifest
from .sizes import cpus, on_gpu

CONFIG = "runtime.json"
FOLDER = "/etc/slipform"
CPUS = "SLIPFORM_CPUS"
"""Environment variable by which the runtime knows how many processors it may count on."""


class FastAPI(Engine):
    """Serves the same model repository and the same ``config.pbtxt`` as Triton does."""

    name: ClassVar[str] = "fastapi"
    title: ClassVar[str] = "slipform-runtime"
    formats: ClassVar[frozenset[str]] = frozenset({"onnx", "openvino", "tensorrt"})

    def problems(self, spec: ModelSpec, stack: StackConfig | None) -> Iterator[Finding]:
        yield from checks.serves_the_format(spec, "the bundled runtime", self.formats)
        yield from checks.can_be_imported(spec)
        yield from checks.takes_a_single_request(spec)
        yield from checks.uses_its_accelerator(spec)
        yield from _records_no_cuda_graphs(spec)
        if stack is not None:
            title = "the bundled runtime for GPUs" if on_gpu(spec) else "the bundled runtime"
            yield from checks.has_images(spec, stack, _image([spec]), title)
            yield from checks.can_build(spec, stack)

    def workload(self, server: Server) -> Container:
        spec, stack = server.spec, server.stack
        health = probes(server)
        return Container(
            image=image_of(spec, stack, _image(server.specs), "the bundled runtime"),
            command=("slipform-runtime",),
            args=("serve", "--model-repository=/models", f"--config={FOLDER}/{CONFIG}"),
            ports=ports(spec),
            startup=health.startup,
            readiness=health.readiness,
            liveness=health.liveness,
            env={CPUS: str(cpus(spec)), **spec.serving.env},
            drain_seconds=spec.serving.drain_timeout.whole_seconds(),
            files={MANIFEST: manifest(server.models), CONFIG: _config(server), **_model_files(server)},
        )

    def metrics(self, stack: StackConfig) -> Metrics:
        return fastapi_metrics.metrics()


def _records_no_cuda_graphs(spec: ModelSpec) -> Iterator[Finding]:
    if spec.serving.cuda_graphs:
        yield Finding(
            "the bundled runtime records no CUDA graphs",
            path=("serving", "cuda_graphs"),
            given="true",
            remedy="remove it, or write engine: triton",
        )


def _image(specs: Iterable[ModelSpec]) -> checks.ImageField:
    """Which of the stack's images serves these models."""
    return "runtime_gpu" if any(on_gpu(spec) for spec in specs) else "runtime"


def _config(server: Server) -> str:
    """``runtime.json``; the runtime refuses fields that it doesn't know."""
    serving = server.spec.serving
    config: dict[str, Any] = {
        "log_level": "info",
        # No delay of its own: the pod sleeps before SIGTERM, and endpoints have forgotten it by then.
        "drain": {"delay_seconds": 0, "timeout_seconds": serving.drain_timeout.seconds},
        "latency_buckets_ms": list(latency.milliseconds(server.specs)),
        "request_limit_bytes": serving.request_limit.bytes,
    }
    if serving.cache is not None:
        config["cache"] = {"size_bytes": serving.cache.size.bytes}
        if serving.cache.ttl is not None:
            config["cache"]["ttl_seconds"] = serving.cache.ttl.seconds
    models = {spec.name: settings for spec in server.specs if (settings := _model_settings(spec))}
    if models:
        config["models"] = models
    return json.dumps(config, indent=2) + "\n"


def _model_settings(spec: ModelSpec) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    labels = {output.name: list(output.labels) for output in spec.model.outputs if output.labels}
    if labels:
        settings["labels"] = labels
    if spec.serving.handler is not None:
        settings["handler"] = f"{FOLDER}/{_handler_file(spec)}"
    return settings


def _model_files(server: Server) -> dict[str, str]:
    files = {config_file(model.name): config_pbtxt(model, reshape=False) for model in server.models}
    for spec in server.specs:
        if spec.serving.handler is not None:
            if spec.serving.handler not in server.texts:
                raise SlipformError(f"{spec.name}: the text of {spec.serving.handler} is not given to its server")
            files[_handler_file(spec)] = server.texts[spec.serving.handler]
    return files


def _handler_file(spec: ModelSpec) -> str:
    return f"{spec.name}.handler.py"
