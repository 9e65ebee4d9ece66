"""TensorFlow Serving, in the image that its makers publish."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ..spec.findings import FieldPath, Finding
from ..spec.modelspec import ModelSpec
from ..spec.stack import StackConfig
from . import checks, lacking, tfserving_config, tfserving_metrics
from .api import Api
from .base import Container, Engine, Port, Probe, Server
from .images import image_of
from .metrics import Metrics
from .repository import MANIFEST, manifest
from .sizes import cpus, on_gpu
from .tfserving_config import BATCHING, MODELS, MONITORING

FOLDER = "/etc/slipform"
GRPC, HTTP = 8500, 8501
THREADS_PER_CPU = 4
"""TensorFlow Serving's own measure of how many requests it takes at once."""

LACKING = (lacking.ENSEMBLES, lacking.CACHE, lacking.CUDA_GRAPHS, lacking.QUEUE_TIMEOUT, lacking.HANDLER)
EXPORTS = {
    "keras": "export it as a SavedModel: model.export('DIR') and format: tensorflow",
    "mlflow": "name the SavedModel in it: <uri>/<version>/saved_model.pb and format: tensorflow",
    **dict.fromkeys(("onnx", "openvino", "torchscript"), "write engine: triton, which serves it"),
}


class TFServing(Engine):
    """Serves SavedModels; opens its ports when every one is loaded, and ends where one can't be."""

    name: ClassVar[str] = "tfserving"
    title: ClassVar[str] = "TensorFlow Serving"
    formats: ClassVar[frozenset[str]] = frozenset({"tensorflow"})
    shared: ClassVar[tuple[FieldPath, ...]] = (
        ("serving", "batching"),
        ("serving", "instances"),
        ("serving", "warmup"),
    )
    api: ClassVar[Api] = Api(
        server=(),
        model=(
            "/v1/models/{model}",
            "/v1/models/{model}/metadata",
            *(f"/v1/models/{{model}}:{verb}" for verb in ("predict", "classify", "regress")),
        ),
        pinned="/v1/models/{model}/versions/{version}",
        calls=("", "/metadata", ":predict", ":classify", ":regress"),
        # The same port takes ModelService/HandleReloadConfigRequest, which loads what it is told to: it has no route.
        methods=tuple(
            f"/tensorflow.serving.{method}"
            for method in (
                "PredictionService/Predict",
                "PredictionService/Classify",
                "PredictionService/Regress",
                "PredictionService/MultiInference",
                "PredictionService/GetModelMetadata",
                "ModelService/GetModelStatus",
            )
        ),
    )

    def problems(self, spec: ModelSpec, stack: StackConfig | None) -> Iterator[Finding]:
        yield from checks.serves_the_format(spec, self.title, self.formats, EXPORTS)
        yield from lacking.problems(spec, self.title, LACKING)
        yield from checks.is_a_folder(spec, self.title, "name the folder of the versions, without saved_model.pb")
        yield from _batches(spec)
        yield from _uses_what_it_is_given(spec)
        yield from _follows_its_queue(spec)
        if stack is not None:
            yield from checks.has_images(spec, stack, _image(spec), _titled(spec))

    def workload(self, server: Server) -> Container:
        spec, stack = server.spec, server.stack
        ports = _ports(spec)
        # By connection alone: GET /v1/models/NAME says 200 of a model that failed, and is counted as a request.
        alive = Probe(port=ports[0].name, period_seconds=10)
        return Container(
            image=image_of(spec, stack, _image(spec), self.title),
            # Not the image's entrypoint, whose shell would stay between the kubelet and the server.
            command=("tensorflow_model_server",),
            args=tuple(_arguments(server)),
            ports=ports,
            startup=Probe(port=ports[0].name).lasting(spec.serving.startup_timeout),
            readiness=Probe(port=ports[0].name),
            liveness=alive,
            env=spec.serving.env,
            drain_seconds=spec.serving.drain_timeout.whole_seconds(),
            drains=False,
            files=_files(server),
        )

    def metrics(self, stack: StackConfig) -> Metrics:
        return tfserving_metrics.metrics(stack)


def _arguments(server: Server) -> Iterator[str]:
    spec = server.spec
    serving = spec.serving
    if "grpc" in serving.protocols:
        yield f"--port={GRPC}"
    else:
        # It has to listen somewhere; a socket is reached by nobody.
        yield "--port=0"
        yield "--grpc_socket_path=/tmp/grpc.sock"
    yield f"--rest_api_port={HTTP}"
    yield f"--model_config_file={FOLDER}/{MODELS}"
    yield f"--monitoring_config_file={FOLDER}/{MONITORING}"
    # One look: what is there was fetched before, and a version that can't be loaded is no reason to wait a minute.
    yield "--file_system_poll_wait_seconds=0"
    yield "--max_num_load_retries=0"
    if serving.batching.max_batch_size:
        yield "--enable_batching=true"
        yield f"--batching_parameters_file={FOLDER}/{BATCHING}"
    yield f"--enable_model_warmup={str(serving.warmup).lower()}"
    yield f"--rest_api_timeout_in_ms={max(1, round(spec.traffic.timeout.milliseconds))}"
    yield f"--rest_api_num_threads={_threads(spec)}"
    yield f"--grpc_max_threads={_threads(spec)}"
    # Without these it counts all of its node's processors.
    yield f"--tensorflow_intra_op_parallelism={cpus(spec)}"
    yield f"--tensorflow_inter_op_parallelism={cpus(spec)}"


def _threads(spec: ModelSpec) -> int:
    """Each request holds a thread until it is answered: with fewer than wait and execute, the queue is never full."""
    batching = spec.serving.batching
    waiting = batching.max_queue_size + batching.max_batch_size * spec.serving.instances
    return max(THREADS_PER_CPU * cpus(spec), waiting if batching.max_batch_size else 0)


def _ports(spec: ModelSpec) -> tuple[Port, ...]:
    """REST's port measures too: where clients may not use it, it is for Prometheus alone."""
    protocols = spec.serving.protocols
    rest = Port("http", HTTP) if "rest" in protocols else Port("metrics", HTTP)
    return (rest, Port("grpc", GRPC)) if "grpc" in protocols else (rest,)


def _files(server: Server) -> dict[str, str]:
    files = {
        MANIFEST: manifest(server.models, {}),
        MODELS: tfserving_config.models_config(server),
        MONITORING: tfserving_config.monitoring_config(),
    }
    if server.spec.serving.batching.max_batch_size:
        files[BATCHING] = tfserving_config.batching_config(server)
    return files


def _image(spec: ModelSpec) -> checks.ImageField:
    return "tfserving_gpu" if on_gpu(spec) else "tfserving"


def _titled(spec: ModelSpec) -> str:
    return "TensorFlow Serving for GPUs" if on_gpu(spec) else "TensorFlow Serving"


def _batches(spec: ModelSpec) -> Iterator[Finding]:
    """What it makes of batches that Triton or the bundled runtime would make otherwise."""
    batching = spec.serving.batching
    if not batching.max_batch_size:
        return
    path: FieldPath = ("serving", "batching", "preferred_batch_sizes")
    preferred = batching.preferred_batch_sizes
    if preferred and max(preferred) < batching.max_batch_size:
        yield Finding(
            "TensorFlow Serving fills every batch up to the next of these sizes, so the largest of them is "
            "max_batch_size",
            path=path,
            given=str(list(preferred)),
            allowed=f"sizes that end with {batching.max_batch_size}",
            remedy=f"add {batching.max_batch_size}, lower max_batch_size to {max(preferred)}, or leave the sizes out",
        )
    if axes := spec.model.named_axes:
        yield Finding(
            f"the size of {', '.join(axes)} varies, and TensorFlow Serving puts requests of any size into one batch, "
            "which then fails as a whole",
            path=("serving", "batching", "max_batch_size"),
            given=str(batching.max_batch_size),
            allowed="0 for a model whose inputs vary in size",
            remedy="write max_batch_size: 0, fix the size in the model, or write engine: triton, which joins only "
            "requests of the same size",
        )


def _uses_what_it_is_given(spec: ModelSpec) -> Iterator[Finding]:
    serving = spec.serving
    if serving.instances > 1 and not serving.batching.max_batch_size:
        yield Finding(
            "without batches every request is executed at once: instances bound nothing",
            path=("serving", "instances"),
            severity="warning",
            given=str(serving.instances),
            remedy="leave it out, or write a max_batch_size",
        )
    gpu = serving.resources.accelerator
    if gpu is not None and gpu.count > 1:
        yield Finding(
            "TensorFlow puts a model on the first GPU, unless the model itself names others",
            path=("serving", "resources", "accelerator"),
            severity="warning",
            given=str(gpu),
            remedy=f"write {gpu.kind}, and have more replicas",
        )
    if serving.warmup and "warmup" in serving.model_fields_set:
        yield Finding(
            "TensorFlow Serving warms up by the requests in the SavedModel's assets.extra/tf_serving_warmup_requests, "
            "and not at all without them",
            path=("serving", "warmup"),
            severity="warning",
            given="true",
            remedy="write such a file when the model is exported, and leave warmup out",
        )
    if "request_limit" in serving.model_fields_set:
        yield Finding(
            "TensorFlow Serving has no limit on the size of a request",
            path=("serving", "request_limit"),
            severity="warning",
            given=str(serving.request_limit),
            remedy="leave it out",
        )
    yield from checks.has_no_labels(
        spec,
        "TensorFlow Serving answers as the model does",
        "put them into the model's signature, or let clients know the labels",
    )


def _follows_its_queue(spec: ModelSpec) -> Iterator[Finding]:
    """The queue is the batches', and one for all models of a server."""
    wanted = spec.scaling.metrics.queue_length
    if wanted is None or "metrics" not in spec.scaling.model_fields_set:
        return
    if not spec.serving.batching.max_batch_size or spec.serving.server is not None:
        why = "only batches have a queue" if spec.serving.server is None else "a shared server has one queue for all"
        yield Finding(
            f"TensorFlow Serving does not say how many requests of this model wait: {why}",
            path=("scaling", "metrics", "queue_length"),
            given=f"{wanted:g}",
            remedy="write requests_per_second or cpu in its place",
        )
