"""TorchServe, in the image that its makers publish."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ..spec.findings import FieldPath, Finding, SlipformError
from ..spec.modelspec import ModelSpec
from ..spec.stack import StackConfig
from . import checks, lacking, torchserve_config, torchserve_metrics
from .api import Api
from .base import Container, Engine, Port, Probe, Server
from .formats import served_format
from .images import image_of
from .metrics import Metrics
from .repository import MANIFEST, beside_file, manifest
from .sizes import cpus, on_gpu
from .torchserve_config import FOLDER, LOGGING, METRICS, READY, SETTINGS

NUMBERS = frozenset({"BOOL", "UINT8", "INT8", "INT16", "INT32", "INT64", "FP16", "BF16", "FP32", "FP64"})
"""Element types that a TorchScript file takes from the handler that it is given."""

LACKING = (lacking.ENSEMBLES, lacking.CACHE, lacking.CUDA_GRAPHS, lacking.PREFERRED, lacking.QUEUE_TIMEOUT)

EXPORTS = {
    "pytorch": "write format: torchscript for torch.jit.trace(model, inputs).save('model.pt'), or format: mar for an "
    "archive of torch-model-archiver with a handler of its own",
}


class TorchServe(Engine):
    """Serves archives of torch-model-archiver, and TorchScript files without one."""

    name: ClassVar[str] = "torchserve"
    title: ClassVar[str] = "TorchServe"
    formats: ClassVar[frozenset[str]] = frozenset({"mar", "torchscript"})
    shared: ClassVar[tuple[FieldPath, ...]] = (("serving", "batching", "max_queue_size"),)
    api: ClassVar[Api] = Api(
        server=("/ping", "/api-description"),
        model=(
            "/predictions/{model}",
            "/explanations/{model}",
            "/v1/models/{model}:predict",
            "/v2/models/{model}/infer",
        ),
        pinned="/predictions/{model}/{version}",
        calls=("",),
        methods=(
            "/org.pytorch.serve.grpc.inference.InferenceAPIsService/Ping",
            "/org.pytorch.serve.grpc.inference.InferenceAPIsService/Predictions",
        ),
        stream="/org.pytorch.serve.grpc.inference.InferenceAPIsService/StreamPredictions",
    )

    def problems(self, spec: ModelSpec, stack: StackConfig | None) -> Iterator[Finding]:
        yield Finding(
            "TorchServe is no longer maintained: its last release, 0.12.0, gets no fixes, and none for security",
            path=("serving", "engine"),
            severity="warning",
            given=self.name,
            remedy="write engine: triton, which serves TorchScript too"
            if served_format(spec) == "torchscript"
            else "export the model, and write engine: triton or fastapi",
        )
        yield from checks.serves_the_format(spec, self.title, self.formats, EXPORTS)
        yield from checks.names_its_tensors(spec)
        yield from _archive(spec)
        yield from _takes_the_tensors(spec)
        yield from lacking.problems(spec, self.title, LACKING)
        yield from checks.each_worker_loads_the_model(spec)
        yield from _counts_rest_alone(spec)
        if stack is not None:
            yield from checks.has_images(spec, stack, _image(spec), _titled(spec))

    def workload(self, server: Server) -> Container:
        spec, stack = server.spec, server.stack
        names = [model.name for model in server.models]
        return Container(
            image=image_of(spec, stack, _image(spec), self.title),
            # Not the image's entrypoint: it stays when the server has died, and starts it with an open management API.
            command=("torchserve",),
            args=tuple(_arguments(server)),
            ports=_ports(spec),
            startup=Probe(command=("python", f"{FOLDER}/{READY}", *names), timeout_seconds=10).lasting(
                spec.serving.startup_timeout
            ),
            readiness=Probe(path="/ping"),
            liveness=Probe(path="/api-description", period_seconds=10, timeout_seconds=5),
            env={**_environment(spec), **spec.serving.env},
            drain_seconds=spec.serving.drain_timeout.whole_seconds(),
            drains=False,
            pre_stop=("torchserve", "--stop", "--foreground"),
            files=_files(server),
        )

    def metrics(self, stack: StackConfig) -> Metrics:
        return torchserve_metrics.metrics(stack)


def _arguments(server: Server) -> Iterator[str]:
    yield from ("--start", "--foreground", "--ncs", "--disable-token-auth")
    yield from ("--ts-config", f"{FOLDER}/{SETTINGS}")
    yield from ("--log-config", f"{FOLDER}/{LOGGING}")
    archives = [model for model in server.models if torchserve_config.is_archive(model)]
    # Archives are named by their file alone, in one folder: so there is one at most.
    store = f"/models/{archives[0].name}/{archives[0].version}" if archives else "/models"
    yield from ("--model-store", store)
    yield "--models"
    for model in server.models:
        assert model.artifact is not None, "an ensemble is refused"  # noqa: S101
        yield f"{model.name}={model.artifact.filename if model in archives else f'/models/{model.name}'}"


def _environment(spec: ModelSpec) -> dict[str, str]:
    return {
        # The one folder that can be written: for unpacked archives, the process's number, and caches of libraries.
        "TEMP": "/tmp",  # noqa: S108
        "LOG_LOCATION": "/tmp/logs",  # noqa: S108
        "METRICS_LOCATION": "/tmp/logs",  # noqa: S108
        "HOME": "/tmp",  # noqa: S108
        "OMP_NUM_THREADS": str(max(1, cpus(spec) // spec.serving.instances)),
    }


def _ports(spec: ModelSpec) -> tuple[Port, ...]:
    protocols = spec.serving.protocols
    grpc = (Port("grpc", torchserve_config.GRPC),) if "grpc" in protocols else ()
    return (
        Port("http", torchserve_config.HTTP, exposed="rest" in protocols),
        *grpc,
        Port("metrics", torchserve_config.MEASURED),
    )


def _files(server: Server) -> dict[str, str]:
    beside = {
        model.name: torchserve_config.model_files(model, _handler(server, model.spec))
        for model in server.models
        if not torchserve_config.is_archive(model)
    }
    texts = {beside_file(name, path): text for name, files in beside.items() for path, text in files.items()}
    return {
        MANIFEST: manifest(server.models, {name: tuple(files) for name, files in beside.items()}),
        SETTINGS: torchserve_config.settings(server),
        METRICS: torchserve_config.metrics_config(),
        LOGGING: torchserve_config.logging_config(),
        READY: torchserve_config.text_of("torchserve_ready.py"),
        **texts,
    }


def _handler(server: Server, spec: ModelSpec) -> str | None:
    path = spec.serving.handler
    if path is not None and path not in server.texts:
        raise SlipformError(f"{spec.name}: the text of {path} is not given to its server")
    return None if path is None else server.texts[path]


def _image(spec: ModelSpec) -> checks.ImageField:
    return "torchserve_gpu" if on_gpu(spec) else "torchserve"


def _titled(spec: ModelSpec) -> str:
    return "TorchServe for GPUs" if on_gpu(spec) else "TorchServe"


def _archive(spec: ModelSpec) -> Iterator[Finding]:
    """An archive brings its handler, and is alone in its server."""
    if served_format(spec) != "mar":
        return
    if spec.serving.handler is not None:
        yield Finding(
            "an archive has its handler in it",
            path=("serving", "handler"),
            given=spec.serving.handler,
            remedy="remove it: torch-model-archiver --handler puts it into the archive",
        )
    if spec.serving.server is not None:
        yield Finding(
            "TorchServe takes archives from one folder, by the name of their file: models that share a server can't "
            "be archives",
            path=("serving", "server"),
            given=spec.serving.server,
            remedy="give it a server of its own, or write format: torchscript",
        )


def _takes_the_tensors(spec: ModelSpec) -> Iterator[Finding]:
    """What Slipform's own handler of TorchScript files can read and answer."""
    if served_format(spec) != "torchscript" or spec.serving.handler is not None:
        return
    for side in ("inputs", "outputs"):
        for index, tensor in enumerate(getattr(spec.model, side)):
            if tensor.dtype not in NUMBERS:
                yield Finding(
                    f"TorchScript has no tensors of {tensor.dtype}",
                    path=("model", side, index, "dtype"),
                    given=tensor.dtype,
                    allowed=", ".join(sorted(NUMBERS)),
                    remedy="convert it in a handler of your own (serving.handler), which TorchServe imports",
                )
    yield from checks.has_no_labels(
        spec,
        "answers are numbers",
        "write them in a handler of your own (serving.handler), or let clients know the labels",
    )


def _counts_rest_alone(spec: ModelSpec) -> Iterator[Finding]:
    """A queue that nobody sees can't be followed."""
    if spec.scaling.metrics.queue_length is None or "grpc" not in spec.serving.protocols:
        return
    only = "rest" not in spec.serving.protocols
    yield Finding(
        "TorchServe measures how long REST requests wait, and not those of gRPC",
        path=("scaling", "metrics", "queue_length"),
        severity="error" if only else "warning",
        given=f"{spec.scaling.metrics.queue_length:g}",
        remedy="write utilization: 70 in its place, which counts both" if only else "add utilization: 70",
    )
