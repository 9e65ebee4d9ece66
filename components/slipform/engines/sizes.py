"""Sizes that a spec leaves open: the profiles of a build, the axes of a warm-up, the copies of a model in a replica."""

from __future__ import annotations

from ..spec.build import Profile, Range
from ..spec.model import Tensor
from ..spec.modelspec import ModelSpec
from .formats import PROCESSORS_ONLY, served_format

BATCH = "batch"
"""The name of the implied axis in ``build.profiles``."""

DEFAULT_AXIS_SIZE = 64
"""The size of a named axis in warm-up requests where no profile gives one."""


def profiles(spec: ModelSpec) -> tuple[Profile, ...]:
    """The sizes that an engine is built for; where the spec has none, the batch axis up to ``max_batch_size``.

    The optimum is the largest preferred batch, since that is what a loaded server runs.
    """
    if spec.build is None:
        return ()
    batching = spec.serving.batching
    if spec.build.profiles or not batching.max_batch_size:
        return spec.build.profiles
    largest = batching.max_batch_size
    return ({BATCH: Range(min=1, opt=max(batching.preferred_batch_sizes, default=largest), max=largest)},)


def typical_shape(spec: ModelSpec, tensor: Tensor) -> tuple[int, ...]:
    """A tensor's shape without the batch axis, with the first profile's optimum for each named axis."""
    first = spec.build.profiles[0] if spec.build and spec.build.profiles else {}
    return tuple(
        axis if isinstance(axis, int) else first[axis].opt if axis in first else DEFAULT_AXIS_SIZE
        for axis in tensor.shape
    )


def batch_sizes(spec: ModelSpec) -> tuple[int, ...]:
    """One, the preferred sizes and the largest batch: what is worth recording; empty without a batch axis."""
    batching = spec.serving.batching
    if not batching.max_batch_size:
        return ()
    return tuple(sorted({1, *batching.preferred_batch_sizes, batching.max_batch_size}))


def on_gpu(spec: ModelSpec) -> bool:
    """True where the model executes on the accelerators that it asks for."""
    return spec.serving.resources.accelerator is not None and served_format(spec) not in PROCESSORS_ONLY


def instances_per_replica(spec: ModelSpec) -> int:
    """Copies of the model that one replica executes side by side."""
    gpu = spec.serving.resources.accelerator
    return spec.serving.instances * (gpu.count if gpu and on_gpu(spec) else 1)
