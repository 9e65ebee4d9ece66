"""Checks across the fields of one spec: what Kubernetes, Triton or TensorRT would only say later.

A check is a generator of findings and names the fields that it reads; it is left out where one of those was wrong
already, so that a mistake is reported once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from .build import BATCH, Build, Range
from .findings import FieldPath, Finding
from .modelspec import ModelSpec
from .units import Duration, Memory


@dataclass(frozen=True)
class Check:
    """One check; ``reads`` are the paths without which it has nothing to say."""

    reads: tuple[FieldPath, ...]
    run: Callable[[ModelSpec], Iterator[Finding]]


CHECKS: list[Check] = []

BATCH_AXES = frozenset(["batch", "batch_size", "batchsize", "bs", "n"])
"""What exporters call the axis that a spec leaves out."""


def check(
    *reads: str,
) -> Callable[[Callable[[ModelSpec], Iterator[Finding]]], Callable[[ModelSpec], Iterator[Finding]]]:
    def register(run: Callable[[ModelSpec], Iterator[Finding]]) -> Callable[[ModelSpec], Iterator[Finding]]:
        CHECKS.append(Check(tuple(tuple(path.split(".")) for path in reads), run))
        return run

    return register


def problems(spec: ModelSpec, wrong: Sequence[FieldPath] = ()) -> Iterator[Finding]:
    """What is wrong with the spec as a whole; ``wrong`` are the paths whose values are not the file's."""
    for one in CHECKS:
        if not any(overlaps(path, read) for path in wrong for read in one.reads):
            yield from one.run(spec)


def overlaps(one: FieldPath, other: FieldPath) -> bool:
    """Whether one path is the other, or lies within it."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


@check("model", "serving.batching.max_batch_size")
def the_batch_axis_is_implied(spec: ModelSpec) -> Iterator[Finding]:
    if not spec.serving.batching.max_batch_size:
        return
    for field, tensors in (("inputs", spec.model.inputs), ("outputs", spec.model.outputs)):
        for index, tensor in enumerate(tensors):
            if tensor.shape and str(tensor.shape[0]).lower() in BATCH_AXES:
                yield Finding(
                    f"the axis {tensor.shape[0]} beside the batch axis, which is implied",
                    path=("model", field, index, "shape"),
                    severity="warning",
                    remedy=f"leave {tensor.shape[0]} out, if it is the batch; or write max_batch_size: 0",
                )


@check("serving.batching")
def preferred_sizes_are_within_the_maximum(spec: ModelSpec) -> Iterator[Finding]:
    batching = spec.serving.batching
    path = ("serving", "batching", "preferred_batch_sizes")
    for index, size in enumerate(batching.preferred_batch_sizes):
        if size > batching.max_batch_size:
            yield Finding(
                f"a preferred batch of {size} is over max_batch_size {batching.max_batch_size}",
                path=(*path, index),
                given=str(size),
                allowed=f"1 to {batching.max_batch_size}",
                remedy=f"raise max_batch_size to {size}, or remove it",
            )


@check("serving.batching", "slo")
def a_request_does_not_wait_longer_than_its_objective(spec: ModelSpec) -> Iterator[Finding]:
    if spec.slo is None or spec.slo.latency is None:
        return
    delay = spec.serving.batching.max_queue_delay
    name, bound = min(spec.slo.latency.chosen.items(), key=lambda item: item[1])
    if delay >= bound:
        yield Finding(
            f"a queue delay of {delay} uses up the objective of {bound} for {name}",
            path=("serving", "batching", "max_queue_delay"),
            given=str(delay),
            allowed=f"well under {bound}",
            remedy="lower the delay; a tenth of the objective is a good start",
        )


@check("build", "serving.batching", "model.inputs")
def profiles_fit_the_model_and_its_batching(spec: ModelSpec) -> Iterator[Finding]:
    if spec.build is None:
        return
    batched = spec.serving.batching.max_batch_size > 0
    axes = ((BATCH,) if batched else ()) + spec.model.named_axes
    for index, profile in enumerate(spec.build.profiles):
        path: FieldPath = ("build", "profiles", index)
        for axis in profile:
            if axis not in axes:
                yield Finding(
                    f"no input has an axis {axis!r}",
                    path=(*path, axis),
                    allowed=", ".join(axes) or "nothing: every axis has a fixed size",
                    remedy="name the axis in model.inputs, or remove it here",
                )
        for axis in axes:
            if axis not in profile:
                yield Finding(
                    f"no sizes for the axis {axis!r}",
                    path=path,
                    allowed=f"an entry for each of {', '.join(axes)}",
                    remedy=f"add {axis}: {{min: 1, opt: 8, max: 32}}",
                )
    largest = _largest_batch(spec)
    if batched and largest is not None and largest.max < spec.serving.batching.max_batch_size:
        yield Finding(
            f"max_batch_size is over the largest batch that the engine is built for, {largest.max}",
            path=("serving", "batching", "max_batch_size"),
            given=str(spec.serving.batching.max_batch_size),
            allowed=f"1 to {largest.max}",
            remedy="raise the profile's batch.max, or lower max_batch_size",
        )


def _largest_batch(spec: ModelSpec) -> Range | None:
    sizes = [profile[BATCH] for profile in spec.build.profiles if BATCH in profile] if spec.build else []
    return max(sizes, key=lambda size: size.max, default=None)


@check("build", "model.inputs")
def named_axes_have_profiles(spec: ModelSpec) -> Iterator[Finding]:
    if spec.build is None or spec.build.target != "tensorrt" or spec.build.profiles or not spec.model.named_axes:
        return
    axes = ", ".join(spec.model.named_axes)
    yield Finding(
        f"TensorRT has to know the sizes of {axes}",
        path=("build",),
        allowed="a profile with an entry for each named axis",
        remedy="add profiles: [{batch: {min: 1, opt: 8, max: 32}, "
        + ", ".join(f"{axis}: {{min: 1, opt: 64, max: 512}}" for axis in spec.model.named_axes)
        + "}]",
    )


@check("build", "serving.resources")
def a_gpu_engine_has_a_gpu(spec: ModelSpec) -> Iterator[Finding]:
    if spec.build and spec.build.target == "tensorrt" and spec.serving.resources.accelerator is None:
        yield Finding(
            "TensorRT engines run on NVIDIA GPUs only",
            path=("build", "target"),
            given="tensorrt",
            allowed="onnx or openvino on processors; tensorrt with an accelerator",
            remedy="add serving.resources.accelerator: nvidia-l4, or write target: onnx",
        )


@check("build", "serving.resources", "serving.cuda_graphs")
def cuda_graphs_need_tensorrt(spec: ModelSpec) -> Iterator[Finding]:
    if spec.serving.cuda_graphs and (spec.build is None or spec.build.target != "tensorrt"):
        yield Finding(
            "CUDA graphs are recorded for TensorRT engines only",
            path=("serving", "cuda_graphs"),
            remedy="add build: {target: tensorrt}, or remove it",
        )


@check("build")
def static_quantisation_has_samples(spec: ModelSpec) -> Iterator[Finding]:
    build = spec.build
    if build is None:
        return
    static = [path for path, precision in _precisions(build) if precision == "int8-static"]
    if build.calibration is None:
        for path in static:
            yield Finding(
                "int8-static takes its ranges from samples, and there are none",
                path=path,
                given="int8-static",
                remedy="add build.calibration: {uri: s3://…/calibration.npz}, or write int8-dynamic",
            )
    if build.precision == "int8-dynamic" and build.target == "tensorrt":
        yield Finding(
            "TensorRT has no dynamic quantisation",
            path=("build", "precision"),
            given="int8-dynamic",
            allowed="fp32, fp16, int8-static",
            remedy="write int8-static with a calibration set, or target: onnx",
        )
    if build.calibration is not None and not static:
        yield Finding(
            f"calibration is not used with {build.precision}",
            path=("build", "calibration"),
            severity="warning",
            remedy="remove it, or write precision: int8-static",
        )


def _precisions(build: Build) -> Iterator[tuple[FieldPath, str]]:
    yield ("build", "precision"), build.precision
    if build.device is not None:
        yield ("build", "device", "precision"), build.device.precision


@check("build")
def options_have_an_effect(spec: ModelSpec) -> Iterator[Finding]:
    build = spec.build
    if build is None:
        return
    if build.pruning is not None and build.pruning.method == "structured" and build.pruning.scope == "global":
        yield Finding(
            "channels are weighed against those of their own layer",
            path=("build", "pruning", "scope"),
            severity="warning",
            given="global",
            remedy="remove it, or write method: magnitude",
        )
    for name in ("version_compatible", "hardware_compatible"):
        if getattr(build, name) and build.target != "tensorrt":
            yield Finding(
                f"{name} is about TensorRT's engines",
                path=("build", name),
                severity="warning",
                remedy="remove it, or write target: tensorrt",
            )


@check("model.format", "build")
def only_pickles_need_trust(spec: ModelSpec) -> Iterator[Finding]:
    if spec.build and spec.build.trust_pickle and spec.model.format == "onnx":
        yield Finding(
            "an ONNX file holds no code that reading it could run",
            path=("build", "trust_pickle"),
            severity="warning",
            remedy="remove it",
        )


@check("model.ensemble", "build")
def an_ensemble_is_not_built(spec: ModelSpec) -> Iterator[Finding]:
    if spec.model.ensemble and spec.build:
        yield Finding("an ensemble has nothing to build: its steps have", path=("build",), remedy="remove build")


@check("model.ensemble", "serving.server", "model.inputs", "model.outputs", "name")
def an_ensemble_is_in_a_server_with_its_steps(spec: ModelSpec) -> Iterator[Finding]:
    steps = spec.model.ensemble
    if steps is None:
        return
    if spec.serving.server is None:
        yield Finding(
            "the steps of an ensemble run in its server",
            path=("serving",),
            remedy="add server: NAME here and in the specs of the steps",
        )
    for side, tensors in (("inputs", spec.model.inputs), ("outputs", spec.model.outputs)):
        if not tensors:
            yield Finding(f"an ensemble says its {side}", path=("model",), remedy=f"add model.{side}")
    known = {tensor.name for tensor in spec.model.inputs}
    for index, step in enumerate(steps):
        for into, tensor in step.inputs.items():
            if tensor not in known:
                yield Finding(
                    f"nothing before this step makes {tensor!r}",
                    path=("model", "ensemble", index, "inputs", into),
                    allowed=", ".join(sorted(known)) or "an input of the ensemble",
                    remedy="name an input of the ensemble or an output of an earlier step",
                )
        known |= set(step.outputs.values())
    for index, output in enumerate(spec.model.outputs):
        if output.name not in known:
            yield Finding(f"no step makes {output.name!r}", path=("model", "outputs", index, "name"))


@check("serving.resources", "serving.cache", "model.size")
def memory_holds_what_is_put_in_it(spec: ModelSpec) -> Iterator[Finding]:
    resources = spec.serving.resources
    path = ("serving", "resources", "memory")
    parts = {
        "the model": spec.model.size if resources.accelerator is None else None,
        "the cache": spec.serving.cache.size if spec.serving.cache else None,
        "shared memory": resources.shared_memory,
    }
    needed = Memory(sum(part.bytes for part in parts.values() if part) or 1)
    if needed >= resources.memory:
        what = ", ".join(f"{name} {size}" for name, size in parts.items() if size)
        yield Finding(
            f"no memory is left beside what it must hold ({what})",
            path=path,
            given=str(resources.memory),
            allowed=f"more than {needed}",
            remedy="raise it; a server needs about twice its model",
        )
    gpu = resources.accelerator
    if (
        gpu
        and spec.model.size
        and spec.model.size.bytes * spec.serving.instances > gpu.model.memory_gib * gpu.count * 2**30
    ):
        yield Finding(
            f"the model ({spec.model.size}, {spec.serving.instances} instances) does not fit the GPU's memory",
            path=("serving", "resources", "accelerator"),
            given=str(gpu),
            allowed=f"at most {gpu.model.memory_gib * gpu.count}Gi of model",
            remedy="choose a larger accelerator, or fewer instances",
        )


@check("serving.resources")
def the_cpu_limit_is_over_the_request(spec: ModelSpec) -> Iterator[Finding]:
    resources = spec.serving.resources
    if resources.cpu_limit and resources.cpu_limit < resources.cpu:
        yield Finding(
            f"cpu_limit {resources.cpu_limit} is under cpu {resources.cpu}",
            path=("serving", "resources", "cpu_limit"),
            given=str(resources.cpu_limit),
            allowed=f"at least {resources.cpu}",
        )


@check("traffic", "scaling")
def the_replicas_can_carry_the_peak(spec: ModelSpec) -> Iterator[Finding]:
    each, peak = spec.scaling.metrics.requests_per_second, spec.traffic.peak_rps or spec.traffic.expected_rps
    if each and peak and each * spec.scaling.max_replicas < peak:
        yield Finding(
            f"{spec.scaling.max_replicas} replicas at {each:g} requests per second carry "
            f"{each * spec.scaling.max_replicas:g}, not the {peak:g} that are expected",
            path=("scaling", "max_replicas"),
            severity="warning",
            given=str(spec.scaling.max_replicas),
            remedy=f"raise it to {math.ceil(peak / each)}",
        )


@check("traffic")
def tries_fit_the_timeout(spec: ModelSpec) -> Iterator[Finding]:
    retries = spec.traffic.retries
    if retries.per_try_timeout and retries.per_try_timeout > spec.traffic.timeout:
        yield Finding(
            f"a try may take {retries.per_try_timeout}, the request as a whole {spec.traffic.timeout}",
            path=("traffic", "retries", "per_try_timeout"),
            given=str(retries.per_try_timeout),
            allowed=f"at most {spec.traffic.timeout}",
        )


@check("traffic", "slo")
def the_timeout_is_over_the_objective(spec: ModelSpec) -> Iterator[Finding]:
    bounds = spec.slo.latency.chosen if spec.slo and spec.slo.latency else {}
    for name, bound in bounds.items():
        if bound > spec.traffic.timeout:
            yield Finding(
                f"requests end after {spec.traffic.timeout}, before the objective of {bound}",
                path=("slo", "latency", name),
                given=str(bound),
                remedy="raise traffic.timeout, or lower the objective",
            )


@check("scaling", "rollout")
def one_replica_is_no_redundancy(spec: ModelSpec) -> Iterator[Finding]:
    if spec.scaling.min_replicas == 1 and spec.slo and (spec.slo.availability or 0) >= 99.9:
        yield Finding(
            f"one replica cannot promise {spec.slo.availability} %",
            path=("scaling", "min_replicas"),
            severity="warning",
            given="1",
            remedy="write min_replicas: 2",
        )


@check("serving.startup_timeout", "serving.drain_timeout", "traffic.timeout")
def a_stopping_replica_finishes_its_requests(spec: ModelSpec) -> Iterator[Finding]:
    if spec.serving.drain_timeout < spec.traffic.timeout:
        yield Finding(
            f"a request may take {spec.traffic.timeout}, a stopping replica only {spec.serving.drain_timeout}",
            path=("serving", "drain_timeout"),
            severity="warning",
            given=str(spec.serving.drain_timeout),
            remedy=f"write drain_timeout: {spec.traffic.timeout}, or lower traffic.timeout",
        )
    if spec.serving.startup_timeout < Duration.parse("10s"):
        yield Finding(
            "no server starts in so short a time",
            path=("serving", "startup_timeout"),
            given=str(spec.serving.startup_timeout),
            allowed="10s or more",
        )
