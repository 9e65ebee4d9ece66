"""NVIDIA Triton Inference Server, in the image that its makers publish."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ..spec.findings import Finding
from ..spec.modelspec import ModelSpec
from ..spec.stack import StackConfig
from . import checks, latency, triton_metrics, triton_releases
from .base import Container, Engine, Server
from .config_pbtxt import config_pbtxt
from .formats import served_format
from .images import image_of
from .metrics import Metrics
from .openinference import ports, probes
from .repository import MANIFEST, config_file, manifest
from .sizes import on_gpu
from .triton_releases import since

MAX_HTTP_LIMIT = 2**31 - 1
"""``--http-max-input-size`` is an int."""


class Triton(Engine):
    """Serves a model repository that an init container fetched; loads everything in it before it opens its ports."""

    name: ClassVar[str] = "triton"
    title: ClassVar[str] = "NVIDIA Triton Inference Server"
    formats: ClassVar[frozenset[str]] = frozenset({"onnx", "torchscript", "tensorflow", "tensorrt", "openvino"})

    def problems(self, spec: ModelSpec, stack: StackConfig | None) -> Iterator[Finding]:
        yield from checks.serves_the_format(spec, "Triton", self.formats)
        yield from checks.names_its_tensors(spec)
        yield from checks.can_be_imported(spec)
        yield from checks.takes_a_single_request(spec)
        yield from checks.uses_its_accelerator(spec)
        yield from _has_no_such_thing(spec)
        if stack is not None:
            yield from checks.has_images(spec, stack, "triton", "Triton")
            yield from checks.can_build(spec, stack)
            yield from checks.is_loaded_by_the_tensorrt_that_builds(spec, stack.images)
            yield from _release_problems(spec, stack.images.triton_release)

    def workload(self, server: Server) -> Container:
        spec, stack = server.spec, server.stack
        health = probes(server)
        return Container(
            image=image_of(spec, stack, "triton", "Triton"),
            # The image's entrypoint prepares the GPU's libraries and then executes what it is given.
            command=(),
            args=("tritonserver", *_arguments(server)),
            ports=ports(spec),
            startup=health.startup,
            readiness=health.readiness,
            liveness=health.liveness,
            env=spec.serving.env,
            drain_seconds=spec.serving.drain_timeout.whole_seconds(),
            files=_files(server),
        )

    def metrics(self, stack: StackConfig) -> Metrics:
        return triton_metrics.metrics(stack)


def _arguments(server: Server) -> Iterator[str]:
    spec, release = server.spec, server.stack.images.triton_release
    serving = spec.serving
    yield "--model-repository=/models"
    yield "--model-control-mode=none"
    yield "--strict-readiness=true"
    # Open in any case, since the kubelet probes by it: gRPC's health service knows the server, not its models.
    yield "--http-port=8000"
    yield "--grpc-port=8001" if "grpc" in serving.protocols else "--allow-grpc=false"
    yield "--metrics-port=8002"
    if not any(on_gpu(one) for one in server.specs):
        yield "--allow-gpu-metrics=false"
    if since(release, triton_releases.HISTOGRAM):
        yield "--metrics-config=histogram_latencies=true"
    if since(release, triton_releases.HTTP_LIMIT):
        yield f"--http-max-input-size={serving.request_limit.bytes}"
    if serving.cache is not None:
        yield f"--cache-config=local,size={serving.cache.size.bytes}"
    yield f"--exit-timeout-secs={serving.drain_timeout.whole_seconds()}"
    yield "--log-format=ISO8601"


def _files(server: Server) -> dict[str, str]:
    buckets: tuple[float, ...] = ()
    if since(server.stack.images.triton_release, triton_releases.HISTOGRAM):
        buckets = tuple(sorted({*triton_metrics.LATENCY_BUCKETS_MS, *latency.milliseconds(server.specs)}))
    configs = {config_file(model.name): config_pbtxt(model, buckets) for model in server.models}
    return {MANIFEST: manifest(server.models), **configs}


def _has_no_such_thing(spec: ModelSpec) -> Iterator[Finding]:
    """What the bundled runtime does and Triton does not."""
    serving = spec.serving
    if serving.cache is not None and serving.cache.ttl is not None:
        yield Finding(
            "Triton's cache has only a size: an answer is kept until others need its place",
            path=("serving", "cache", "ttl"),
            given=str(serving.cache.ttl),
            remedy="remove ttl, or write engine: fastapi",
        )
    if serving.handler is not None:
        yield Finding(
            "Triton has no plain routes for a handler to be around",
            path=("serving", "handler"),
            given=serving.handler,
            remedy="write engine: fastapi, or put pre- and postprocessing in the model or an ensemble",
        )
    yield from checks.has_no_labels(
        spec, "Triton answers with numbers", "write engine: fastapi, or let clients know the labels"
    )
    if not serving.batching.max_batch_size:
        for side in ("inputs", "outputs"):
            for index, tensor in enumerate(getattr(spec.model, side)):
                if not tensor.shape:
                    yield Finding(
                        "Triton takes no tensor without axes from a model without a batch axis",
                        path=("model", side, index, "shape"),
                        given="[]",
                        remedy="give the model a batch axis, or the tensor one of size 1",
                    )
    if serving.request_limit.bytes > MAX_HTTP_LIMIT:
        yield Finding(
            "more than Triton reads over HTTP",
            path=("serving", "request_limit"),
            given=str(serving.request_limit),
            allowed="less than 2Gi",
            remedy="lower it; what is larger goes by reference, as an address in a BYTES tensor",
        )


def _release_problems(spec: ModelSpec, release: str) -> Iterator[Finding]:
    """What depends on the release in the stack's image."""
    where = "slipform:images.triton and triton_release"
    if not since(release, triton_releases.OLDEST):
        yield Finding(
            f"Triton {release} does not say why requests fail, so no error rate can be made of its metrics",
            path=("serving", "engine"),
            allowed=f"{triton_releases.OLDEST} or later",
            remedy=f"take a newer image ({where})",
        )
    if served_format(spec) == "tensorflow" and since(release, triton_releases.WITHOUT_TENSORFLOW):
        yield Finding(
            f"Triton {release} has no TensorFlow backend: it is gone from {triton_releases.WITHOUT_TENSORFLOW} on",
            path=("model", "format"),
            given="tensorflow",
            allowed="onnx, torchscript",
            remedy=checks.EXPORTS["tensorflow"],
        )
    if not since(release, triton_releases.HTTP_LIMIT) and "request_limit" in spec.serving.model_fields_set:
        yield Finding(
            f"Triton {release} has no limit on the size of a request",
            path=("serving", "request_limit"),
            severity="warning",
            given=str(spec.serving.request_limit),
            remedy=f"take Triton {triton_releases.HTTP_LIMIT} or later ({where})",
        )
