"""Specs of every kind that an engine is asked to serve, for property tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from slipform.spec.modelspec import ModelSpec

from ..builders import model_spec

DTYPES = ("BOOL", "UINT8", "INT8", "INT32", "INT64", "FP16", "BF16", "FP32", "FP64", "BYTES")
AXES = ("seq", "height", "width")

axes = st.one_of(st.integers(1, 4096), st.sampled_from(AXES))
names = st.text("abcdefghijklmnopqrstuvwxyz_0123456789/.", min_size=1, max_size=20)


def tensors(least_axes: int = 1) -> st.SearchStrategy[list[dict[str, Any]]]:
    tensor = st.fixed_dictionaries(
        {
            "name": names,
            "dtype": st.sampled_from(DTYPES),
            "shape": st.lists(axes, min_size=least_axes, max_size=4),
        }
    )
    return st.lists(tensor, min_size=1, max_size=3, unique_by=lambda one: one["name"])


@st.composite
def served(draw: st.DrawFn, least_axes: int = 1) -> ModelSpec:
    """A spec that is served as it is or built, on processors or GPUs, batched or not."""
    largest = draw(st.integers(0, 256))
    preferred = draw(st.lists(st.integers(1, largest), max_size=4)) if largest else []
    inputs, outputs = draw(tensors(least_axes)), draw(tensors(least_axes))
    gpu = draw(st.sampled_from([None, "nvidia-l4", "nvidia-h100:4"]))
    target = draw(st.sampled_from([None, "onnx", "openvino", *(["tensorrt"] if gpu else [])]))
    serving: dict[str, Any] = {
        "batching": {
            "max_batch_size": largest,
            "preferred_batch_sizes": preferred,
            "max_queue_delay": f"{draw(st.integers(0, 50_000))}us",
            "max_queue_size": draw(st.integers(1, 10_000)),
            "queue_timeout": draw(st.sampled_from([None, "1ms", "2s"])),
        },
        "instances": draw(st.integers(1, 4)),
        "warmup": draw(st.booleans()),
        "cuda_graphs": target == "tensorrt" and draw(st.booleans()),
        "cache": draw(st.sampled_from([None, {"size": "64Mi"}])),
        "resources": {"accelerator": gpu},
    }
    return model_spec(
        model={"inputs": inputs, "outputs": outputs, "version": draw(st.integers(1, 10**6))},
        build={"target": target, "profiles": draw(profiles(inputs, largest))} if target else None,
        serving=serving,
    )


@st.composite
def profiles(draw: st.DrawFn, inputs: list[dict[str, Any]], largest: int) -> list[dict[str, Any]]:
    """None, or some profiles that have a range for each axis that varies."""
    varying = {axis for tensor in inputs for axis in tensor["shape"] if isinstance(axis, str)}
    sizes = st.lists(st.integers(1, 512), min_size=3, max_size=3).map(sorted).map(as_range)
    count = draw(st.integers(1 if varying else 0, 3))
    batch = st.lists(st.integers(1, largest), min_size=3, max_size=3).map(sorted).map(as_range) if largest else None
    return [
        ({"batch": draw(batch)} if batch is not None else {}) | {axis: draw(sizes) for axis in sorted(varying)}
        for _ in range(count)
    ]


def as_range(rising: list[int]) -> dict[str, int]:
    return dict(zip(("min", "opt", "max"), rising, strict=True))
