"""Sizes that a spec leaves open: the profiles of a build, the axes of a warm-up, the copies of a model in a replica."""

from __future__ import annotations

from ..spec.build import BATCH, Profile, Range
from ..spec.model import Tensor
from ..spec.modelspec import ModelSpec
from .formats import PROCESSORS_ONLY, served_format

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
    # A preferred size over the largest is refused elsewhere, among all else that is wrong.
    optimum = min(largest, max(batching.preferred_batch_sizes, default=largest))
    return ({BATCH: Range(min=1, opt=optimum, max=largest)},)


def tuned(spec: ModelSpec) -> tuple[Profile, ...]:
    """The profiles to warm up and to record: those of the build, else one that bounds nothing."""
    return profiles(spec) or ({},)


def typical_shape(tensor: Tensor, profile: Profile) -> tuple[int, ...]:
    """A tensor's shape without the batch axis, with the profile's optimum for each named axis."""
    return tuple(
        axis if isinstance(axis, int) else profile[axis].opt if axis in profile else DEFAULT_AXIS_SIZE
        for axis in tensor.shape
    )


def batch_sizes(spec: ModelSpec, profile: Profile) -> tuple[int, ...]:
    """One, the preferred sizes and the largest batch, as far as the profile takes them; empty without a batch axis."""
    batching = spec.serving.batching
    if not batching.max_batch_size:
        return ()
    wanted = {1, *batching.preferred_batch_sizes, batching.max_batch_size}
    bounds = profile.get(BATCH)
    if bounds is None:
        return tuple(sorted(wanted))
    return tuple(sorted(size for size in wanted if bounds.min <= size <= bounds.max)) or (bounds.opt,)


def on_gpu(spec: ModelSpec) -> bool:
    """True where the model executes on the accelerators that it asks for."""
    return spec.serving.resources.accelerator is not None and served_format(spec) not in PROCESSORS_ONLY


def instances_per_replica(spec: ModelSpec) -> int:
    """Copies of the model that one replica executes side by side."""
    gpu = spec.serving.resources.accelerator
    return spec.serving.instances * (gpu.count if gpu and on_gpu(spec) else 1)


def cpus(spec: ModelSpec) -> int:
    """Processors that a replica may count on: without a limit it sees all of its node's."""
    resources = spec.serving.resources
    return -(-(resources.cpu_limit or resources.cpu).millicores // 1000)
