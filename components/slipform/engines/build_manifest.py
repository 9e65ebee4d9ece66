"""``build.json``: what the build Job (``slipform-runtime build``) reads."""

from __future__ import annotations

import json
from typing import Any

from ..spec.build import Accept
from ..spec.findings import SlipformError
from ..spec.model import Tensor
from ..spec.modelspec import ModelSpec
from ..spec.stack import StackConfig
from ..spec.units import Duration
from .artifact import build_key, built_artifact, loader, source_artifact
from .sizes import profiles

MANIFEST = "build.json"
TIME_LIMIT = Duration.parse("2h")
"""For a machine to come, the images to be pulled and the build itself; a plan with many profiles takes the most."""


def build_manifest(spec: ModelSpec, version: int, stack: StackConfig) -> str:
    """The text for one version. Sizes are in bytes, absent values left out."""
    build = spec.build
    if build is None:
        raise SlipformError(f"{spec.name} has no build")
    source, result = source_artifact(spec, version), built_artifact(spec, version, stack)
    manifest: dict[str, Any] = {
        "name": spec.name,
        "version": version,
        "key": build_key(spec, version, stack),
        "source": _without_none(uri=source.uri, sha256=source.sha256, format=source.format, filename=source.filename),
        "output": {"uri": result.uri, "filename": result.filename},
        "target": build.target,
        "precision": build.precision,
        "max_batch_size": spec.serving.batching.max_batch_size,
        "profiles": [{axis: size.model_dump() for axis, size in profile.items()} for profile in profiles(spec)],
        "inputs": [_tensor(tensor) for tensor in spec.model.inputs],
        "outputs": [_tensor(tensor) for tensor in spec.model.outputs],
        "accept": _accept(build.accept),
    }
    if build.calibration is not None:
        manifest["calibration"] = build.calibration.model_dump()
    if build.samples is not None:
        manifest["samples"] = build.samples
    if build.pruning is not None:
        manifest["pruning"] = build.pruning.model_dump()
    if build.trust_pickle:
        manifest["trust_pickle"] = True
    if build.target == "tensorrt":
        gpu = spec.serving.resources.accelerator
        manifest["tensorrt"] = _without_none(
            loader=loader(spec, stack),
            workspace_bytes=build.workspace.bytes,
            compute_capability=gpu.model.compute_capability if gpu else None,
            version_compatible=build.version_compatible or None,
            hardware_compatible=build.hardware_compatible or None,
        )
    return json.dumps(manifest, indent=2) + "\n"


def build_image(spec: ModelSpec, stack: StackConfig) -> str | None:
    """The stack's image that builds: with TensorRT where that is the target, with the frameworks where the model is of
    another format than ONNX; None where the stack has none."""
    images = stack.images
    if spec.build is not None and spec.build.target == "tensorrt":
        image = images.runtime_gpu
    elif spec.model.format != "onnx":
        image = images.runtime_imports or images.runtime
    else:
        image = images.runtime
    return images.pulled(image) if image else None


def _accept(accept: Accept) -> dict[str, Any]:
    return _without_none(
        max_abs_error=accept.max_abs_error,
        min_top1_agreement=accept.min_top1_agreement,
        min_speedup=accept.min_speedup,
        max_size_bytes=accept.max_size.bytes if accept.max_size else None,
        max_p95_latency_ms=accept.max_p95_latency.milliseconds if accept.max_p95_latency else None,
    )


def _tensor(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "dtype": tensor.dtype, "shape": list(tensor.shape)}


def _without_none(**values: object) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
