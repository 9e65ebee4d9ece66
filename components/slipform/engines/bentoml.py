"""BentoML's server: a bento that is fetched into an image which can run it, or one that its own image holds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from ..spec.findings import Finding
from ..spec.modelspec import ModelSpec
from ..spec.stack import StackConfig
from . import bentoml_metrics, checks, latency, python_servers
from .api import Api
from .base import Container, Engine, Port, ServedModel, Server
from .images import image_of
from .metrics import Metrics
from .repository import MANIFEST, manifest

HTTP = 3000
USER = 1034
"""The user of images that ``bentoml containerize`` makes."""
IN_IMAGE = "/home/bentoml/bento"
"""Where those images hold their bento."""

SERVICE = "write a service around it (@bentoml.service), `bentoml build` it and write format: bento; or write"
EXPORTS = {
    "mlflow": f"{SERVICE} engine: mlflow",
    "mar": f"{SERVICE} engine: torchserve",
    "onnx": f"{SERVICE} engine: triton or fastapi",
    **dict.fromkeys(
        ("sklearn", "xgboost", "lightgbm", "pytorch", "torchscript", "tensorflow", "keras"),
        f"{SERVICE} engine: triton with build: {{target: onnx}}",
    ),
}
NO_BUILD = "remove build: a bento is code, of which nothing is built; or write engine: triton or fastapi"
UNPACKED = "unpack an archive where <uri>/<version> is: tar -xf NAME.bento -C VERSION"
IN_CODE = {
    "max_batch_size": "@bentoml.api(batchable=True, max_batch_size=…)",
    "max_queue_delay": "@bentoml.api(batchable=True, max_latency_ms=…)",
    "preferred_batch_sizes": "@bentoml.api(batchable=True), which finds the size by itself",
    "queue_timeout": "@bentoml.service(traffic={'timeout': …})",
}
"""Where a bento says for itself what other engines are told by ``batching``."""


class BentoML(Engine):
    """Serves one bento. What its own decorators leave open is filled in from the spec; what they say holds."""

    name: ClassVar[str] = "bentoml"
    title: ClassVar[str] = "BentoML"
    formats: ClassVar[frozenset[str]] = frozenset({"bento"})
    api: ClassVar[Api] = Api(server=("/livez", "/readyz", "/healthz"), model=(), own_paths=True)
    serves_here: ClassVar[str | None] = "bentoml serve FOLDER"

    def problems(self, spec: ModelSpec, stack: StackConfig | None) -> Iterator[Finding]:
        yield from python_servers.problems(spec, self, EXPORTS, NO_BUILD, UNPACKED)
        yield from _is_somewhere(spec)
        yield from _says_it_itself(spec)
        if stack is not None:
            yield from checks.has_images(spec, stack, "bentoml", "BentoML")

    def workload(self, server: Server) -> Container:
        spec, stack = server.spec, server.stack
        [model] = server.models
        health = python_servers.probes(spec, ready="/readyz", alive="/livez")
        drain = spec.serving.drain_timeout.whole_seconds()
        return Container(
            image=image_of(spec, stack, "bentoml", self.title),
            command=("bentoml",),
            args=(
                "serve",
                _bento(model),
                "--host=0.0.0.0",
                f"--port={HTTP}",
                f"--timeout-keep-alive={python_servers.KEEP_ALIVE_SECONDS}",
                f"--timeout-graceful-shutdown={drain}",
            ),
            ports=(Port("http", HTTP),),
            startup=health.startup,
            readiness=health.readiness,
            liveness=health.liveness,
            env={**_environment(server.specs), **spec.serving.env},
            user=USER,
            drain_seconds=drain,
            files={MANIFEST: manifest(server.models, {})},
        )

    def metrics(self, stack: StackConfig) -> Metrics:
        return bentoml_metrics.metrics()


def _bento(model: ServedModel) -> str:
    return IN_IMAGE if model.artifact is None else f"/models/{model.name}/{model.version}"


def _environment(specs: Sequence[ModelSpec]) -> dict[str, str]:
    [spec] = specs
    return {
        "BENTOML_CONFIG_OVERRIDES": json.dumps({"services": _service(spec)}),
        "BENTOML_DO_NOT_TRACK": "True",
        # The stores and the workers' metrics: everything that the server writes.
        "BENTOML_HOME": "/tmp/bentoml",  # noqa: S108
        "HOME": "/tmp",  # noqa: S108
        "OMP_NUM_THREADS": str(python_servers.threads(spec, 1)),
    }


def _service(spec: ModelSpec) -> dict[str, Any]:
    """Of every service in the bento, where its decorator says nothing of the kind."""
    buckets = {*bentoml_metrics.LATENCY_BUCKETS, *(bound / 1000 for bound in latency.milliseconds([spec]))}
    return {
        "traffic": {
            "timeout": spec.traffic.timeout.seconds,
            # With the one that is executed.
            "max_concurrency": spec.serving.batching.max_queue_size + 1,
        },
        "metrics": {
            "enabled": True,
            "namespace": bentoml_metrics.NAMESPACE,
            "duration": {"buckets": sorted(buckets)},
        },
    }


def _is_somewhere(spec: ModelSpec) -> Iterator[Finding]:
    """At an address, or in an image of its own."""
    rollout = spec.rollout
    if spec.model.uri is not None or spec.model.format != "bento":
        return
    if spec.serving.image is None:
        yield Finding(
            "nothing says where the bento is",
            path=("model",),
            allowed="model.uri, or serving.image for one that its own image holds",
            remedy="add uri: s3://BUCKET/NAME, where <uri>/<version> is the bento's folder; or serving: "
            "{image: REGISTRY/NAME@sha256:…}, which `bentoml containerize` makes and `slipform pin` asks the digest of",
        )
    elif "@sha256:" not in spec.serving.image:
        yield Finding(
            "the bento is in the image, and another image could have its tag tomorrow",
            path=("serving", "image"),
            given=spec.serving.image,
            allowed="REGISTRY/NAME@sha256:…",
            remedy="`slipform pin` asks the registry for the digest and writes it",
        )
    if rollout is not None and rollout.candidate is not None:
        yield Finding(
            "both versions would be the one bento that is in the image",
            path=("rollout", "candidate"),
            given=f"version {rollout.candidate.version}",
            remedy="add model.uri, so that versions are fetched; or leave candidate out and write steps and analysis: "
            "another image is then rolled out step by step",
        )


def _says_it_itself(spec: ModelSpec) -> Iterator[Finding]:
    """A bento's code has the last word, so a spec that says it too could only be wrong."""
    serving = spec.serving
    for name in sorted(serving.batching.model_fields_set & IN_CODE.keys()):
        if name == "max_batch_size" and serving.batching.max_batch_size == 0:
            continue
        yield Finding(
            "a bento's own code says how it batches",
            path=("serving", "batching", name),
            given=str(getattr(serving.batching, name)),
            allowed="max_queue_size",
            remedy=f"remove it, and write {IN_CODE[name]} in the service",
        )
    if serving.instances > 1:
        yield Finding(
            "a bento's own code says how many workers it has",
            path=("serving", "instances"),
            given=str(serving.instances),
            remedy=f"remove it, and write @bentoml.service(workers={serving.instances}) in the service",
        )
