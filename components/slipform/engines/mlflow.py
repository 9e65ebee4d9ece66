"""MLflow's scoring server, in an image of the user's that holds MLflow and what the model imports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ..spec.findings import Finding
from ..spec.modelspec import ModelSpec
from ..spec.stack import StackConfig
from . import checks, mlflow_metrics, python_servers
from .api import Api
from .base import Container, Engine, Port, Server
from .images import image_of
from .mesh import UNMEASURED_REMEDY
from .metrics import Metrics
from .repository import MANIFEST, manifest

HTTP = 8080
HEALTHCHECK_SECONDS = 60
"""uvicorn ends a worker that does not answer it for 5 s, as one that unpickles a large model may not."""

EXPORTS = {
    "onnx": "write engine: triton or fastapi; or save it by mlflow.onnx.save_model and write format: mlflow",
    "torchscript": "write engine: triton; or save the module by mlflow.pytorch.save_model and write format: mlflow",
    "mar": "write engine: torchserve; or save the model that is in it by mlflow.pytorch.save_model",
    "bento": "write engine: bentoml",
    **{
        name: f"save it by mlflow.{name}.save_model and write format: mlflow; or add build: {{target: onnx}} and write "
        "engine: triton or fastapi"
        for name in ("sklearn", "xgboost", "lightgbm", "pytorch", "tensorflow", "keras")
    },
}
NO_BUILD = "remove build: MLflow serves the model as it was logged; or write engine: triton or fastapi"
UNPACKED = "name the folder above that which holds MLmodel"


class MLflow(Engine):
    """Serves the ``python_function`` flavor of one MLflow model, in one worker process for each instance.

    It runs the server that ``mlflow models serve`` starts, without the wrapper around it: as a container's first
    process that one does not hear SIGTERM, and would be killed together with the requests that it has.
    """

    name: ClassVar[str] = "mlflow"
    title: ClassVar[str] = "MLflow"
    formats: ClassVar[frozenset[str]] = frozenset({"mlflow"})
    api: ClassVar[Api] = Api(server=("/ping", "/health", "/version", "/invocations"), model=())
    serves_here: ClassVar[str | None] = "mlflow models serve --env-manager local -m FOLDER"

    def problems(self, spec: ModelSpec, stack: StackConfig | None) -> Iterator[Finding]:
        yield from python_servers.problems(spec, self, EXPORTS, NO_BUILD, UNPACKED)
        yield from _batches_nothing(spec)
        yield from _uses_its_processors(spec)
        yield from checks.each_worker_loads_the_model(spec)
        if stack is not None:
            yield from checks.has_images(spec, stack, "mlflow", "MLflow")
            yield from _is_measured(stack)

    def workload(self, server: Server) -> Container:
        spec, stack = server.spec, server.stack
        [model] = server.models
        health = python_servers.probes(spec, ready="/ping", alive="/ping")
        drain = spec.serving.drain_timeout.whole_seconds()
        return Container(
            image=image_of(spec, stack, "mlflow", self.title),
            command=("uvicorn",),
            args=(
                "mlflow.pyfunc.scoring_server.app:app",
                "--host=0.0.0.0",
                f"--port={HTTP}",
                f"--workers={spec.serving.instances}",
                f"--timeout-keep-alive={python_servers.KEEP_ALIVE_SECONDS}",
                f"--timeout-graceful-shutdown={drain}",
            ),
            ports=(Port("http", HTTP),),
            startup=health.startup,
            readiness=health.readiness,
            liveness=health.liveness,
            env={**_environment(spec, f"/models/{model.name}/{model.version}"), **spec.serving.env},
            drain_seconds=drain,
            files={MANIFEST: manifest(server.models, {})},
        )

    def metrics(self, stack: StackConfig) -> Metrics:
        return mlflow_metrics.metrics(stack)


def _environment(spec: ModelSpec, model: str) -> dict[str, str]:
    return {
        # By which `mlflow models serve` tells its server where the model is.
        "__pyfunc_model_path__": model,
        "MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT": str(-(-spec.traffic.timeout.microseconds // 1_000_000)),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # An option of uvicorn 0.37 on: older ones pass over a variable, but not over an argument.
        "UVICORN_TIMEOUT_WORKER_HEALTHCHECK": str(HEALTHCHECK_SECONDS),
        "OMP_NUM_THREADS": str(python_servers.threads(spec, spec.serving.instances)),
        # Libraries that keep something there find a folder that can be written.
        "HOME": "/tmp",  # noqa: S108
    }


def _is_measured(stack: StackConfig) -> Iterator[Finding]:
    if stack.lacks("istio") and not stack.lacks("prometheus-operator"):
        yield Finding(
            "MLflow measures nothing, and the stack has no mesh that would: there are no alerts on its requests",
            path=("serving", "engine"),
            severity="warning",
            given="mlflow",
            remedy=UNMEASURED_REMEDY,
        )


def _batches_nothing(spec: ModelSpec) -> Iterator[Finding]:
    batching = spec.serving.batching
    for name in sorted(batching.model_fields_set):
        if name == "max_batch_size" and batching.max_batch_size == 0:
            continue
        yield Finding(
            "MLflow has neither batches nor a queue: each request is executed by itself, as soon as it comes",
            path=("serving", "batching", name),
            given=str(getattr(batching, name)),
            remedy="remove it; a request may carry many rows",
        )


def _uses_its_processors(spec: ModelSpec) -> Iterator[Finding]:
    serving = spec.serving
    cpus = serving.resources.cpu.millicores // 1000
    if "instances" not in serving.model_fields_set and cpus > 1 and serving.resources.accelerator is None:
        yield Finding(
            f"one worker runs Python on one processor at a time, of the {cpus} that are asked for",
            path=("serving", "resources", "cpu"),
            severity="warning",
            given=str(serving.resources.cpu),
            remedy=f"write instances: {cpus} for as many workers, each with the model in its memory; or instances: 1 "
            "where the model's library has threads of its own",
        )
