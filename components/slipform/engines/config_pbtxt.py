"""A model's ``config.pbtxt``, made through Triton's own protobuf. The bundled runtime reads the same file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..spec.model import Tensor
from ..spec.modelspec import ModelSpec
from .base import ServedModel
from .formats import BACKENDS
from .sizes import batch_sizes, on_gpu, tuned, typical_shape

HISTOGRAM = "nv_inference_first_response_histogram_ms"

_DTYPES = {"BYTES": "TYPE_STRING"}
"""Triton's name of an element type where it is not the protocol's with TYPE_ before it."""


def config_pbtxt(model: ServedModel, latency_buckets_ms: Sequence[float] = (), *, reshape: bool = True) -> str:
    """The file's text.

    ``latency_buckets_ms`` are the bounds of Triton's latency histogram, if it has one. ``reshape`` is for Triton, which
    takes no tensor without axes: one number a row is [1] on the wire and [] in the model. The bundled runtime does.
    """
    from google.protobuf import text_format

    return str(text_format.MessageToString(model_config(model, latency_buckets_ms, reshape=reshape)))


def model_config(model: ServedModel, latency_buckets_ms: Sequence[float] = (), *, reshape: bool = True) -> Any:
    """The same as Triton's ``ModelConfig`` message."""
    # Imported here, since it takes a quarter of a second that `slipform validate` need not wait for.
    from tritonclient.grpc.model_config_pb2 import ModelConfig

    spec = model.spec
    config = ModelConfig(name=model.name, max_batch_size=spec.serving.batching.max_batch_size)
    config.version_policy.specific.versions.append(model.version)
    _tensors(config.input, spec.model.inputs, reshape)
    _tensors(config.output, spec.model.outputs, reshape)
    if spec.serving.cache is not None:
        config.response_cache.enable = True
    if spec.model.ensemble is not None:
        _ensemble(config, spec)
    elif model.artifact is not None:
        _backend(config, model.artifact.format)
        _dynamic_batching(config, spec)
        _instances(config, spec)
        _warmup(config, spec)
        if spec.serving.cuda_graphs:
            _cuda_graphs(config, spec)
    if latency_buckets_ms:
        control = config.model_metrics.metric_control.add()
        control.metric_identifier.family = HISTOGRAM
        control.histogram_options.buckets.extend(latency_buckets_ms)
    return config


def _backend(config: Any, format: str) -> None:
    backend = BACKENDS[format]
    config.backend = backend.name
    config.platform = backend.platform
    config.default_model_filename = backend.filename


def _tensors(entries: Any, tensors: Iterable[Tensor], reshape: bool) -> None:
    for tensor in tensors:
        entry = entries.add(name=tensor.name, data_type=_dtype(tensor))
        entry.dims.extend(axis if isinstance(axis, int) else -1 for axis in tensor.shape)
        if reshape and not tensor.shape:
            entry.dims.append(1)
            entry.reshape.SetInParent()


def _dtype(tensor: Tensor) -> Any:
    from tritonclient.grpc.model_config_pb2 import DataType

    return DataType.Value(_DTYPES.get(tensor.dtype, f"TYPE_{tensor.dtype}"))


def _dynamic_batching(config: Any, spec: ModelSpec) -> None:
    # Without a batch axis nothing is joined, but the queue still has its bounds.
    batching = spec.serving.batching
    policy = config.dynamic_batching.default_queue_policy
    policy.timeout_action = policy.REJECT
    policy.max_queue_size = batching.max_queue_size
    policy.allow_timeout_override = True
    if batching.queue_timeout is not None:
        policy.default_timeout_microseconds = batching.queue_timeout.microseconds
    if batching.max_batch_size:
        config.dynamic_batching.preferred_batch_size.extend(sorted(set(batching.preferred_batch_sizes)))
        config.dynamic_batching.max_queue_delay_microseconds = batching.max_queue_delay.microseconds


def _instances(config: Any, spec: ModelSpec) -> None:
    group = config.instance_group.add(count=spec.serving.instances)
    gpu = spec.serving.resources.accelerator
    if gpu is None or not on_gpu(spec):
        group.kind = group.KIND_CPU
        return
    group.kind = group.KIND_GPU
    group.gpus.extend(range(gpu.count))
    if spec.build and spec.build.target == "tensorrt" and len(spec.build.profiles) > 1:
        # Triton loads the first profile only unless all are named.
        group.profile.extend(str(index) for index in range(len(spec.build.profiles)))


def _warmup(config: Any, spec: ModelSpec) -> None:
    """The smallest and the largest batch that is hoped for, by each profile that the engine was built for."""
    if not spec.serving.warmup or not spec.model.inputs:
        return
    largest = max(spec.serving.batching.preferred_batch_sizes, default=spec.serving.batching.max_batch_size)
    for index, profile in enumerate(tuned(spec)):
        sizes = batch_sizes(spec, profile) or (1,)
        for size in sorted({sizes[0], max((size for size in sizes if size <= largest), default=sizes[0])}):
            sample = config.model_warmup.add(name=f"profile_{index}_batch_{size}", batch_size=size, count=1)
            for tensor in spec.model.inputs:
                entry = sample.inputs[tensor.name]
                entry.data_type = _dtype(tensor)
                entry.dims.extend(typical_shape(tensor, profile) or (1,))
                # Zeros, since random numbers are no tokens, no indices and no probabilities.
                entry.zero_data = True


def _cuda_graphs(config: Any, spec: ModelSpec) -> None:
    cuda = config.optimization.cuda
    cuda.graphs = True
    for profile in tuned(spec):
        for size in batch_sizes(spec, profile) or (0,):
            graph = cuda.graph_spec.add(batch_size=size)
            for tensor in spec.model.inputs:
                graph.input[tensor.name].dim.extend(typical_shape(tensor, profile))


def _ensemble(config: Any, spec: ModelSpec) -> None:
    config.platform = "ensemble"
    for step in spec.model.ensemble or ():
        entry = config.ensemble_scheduling.step.add(model_name=step.model, model_version=step.version or -1)
        entry.input_map.update(step.inputs)
        entry.output_map.update(step.outputs)
