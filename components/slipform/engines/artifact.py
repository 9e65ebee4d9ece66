"""Where a version's files are: as they were trained, or as they were built for the hardware that serves them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ..spec.findings import SlipformError
from ..spec.modelspec import ModelSpec
from ..spec.stack import StackConfig
from .base import Artifact
from .formats import BUILT, FILENAMES
from .sizes import profiles

KEY_LENGTH = 16
"""Hexadecimal digits of a build's key: 64 bits, so that no two builds ever share one."""


def served_artifact(spec: ModelSpec, version: int, stack: StackConfig) -> Artifact | None:
    """The files that a server loads; None where it fetches none: of an ensemble, or of a bento in its own image.

    Raises SlipformError where a build has nowhere to go.
    """
    if spec.model.uri is None:
        return None
    return built_artifact(spec, version, stack) if spec.build else source_artifact(spec, version)


def source_artifact(spec: ModelSpec, version: int) -> Artifact:
    """The version as it was trained; a digest is only ever that of its own version."""
    assert spec.model.uri is not None, "an ensemble has no files"  # noqa: S101  (the types promise it)
    assert spec.model.format is not None  # noqa: S101
    uri, sha256 = spec.model.uri, spec.model.sha256 if version == spec.model.version else None
    candidate = spec.candidate
    if candidate is not None and version == candidate.version != spec.model.version:
        uri, sha256 = candidate.uri or uri, candidate.sha256
    return Artifact(uri, FILENAMES.get(spec.model.format, ""), spec.model.format, sha256)


def built_artifact(spec: ModelSpec, version: int, stack: StackConfig) -> Artifact:
    """What the build makes of the version: ``<artifacts>/<name>/<key>/<version>/<file>``."""
    if spec.build is None:
        raise SlipformError(f"{spec.name} has no build")
    if stack.artifacts is None:
        raise SlipformError(f"{spec.name} is built, and the stack has no artifacts.uri to put the result in")
    target = spec.build.target
    uri = f"{stack.artifacts.uri}/{spec.name}/{build_key(spec, version, stack)}"
    return Artifact(uri, BUILT[target], target)


def build_key(spec: ModelSpec, version: int, stack: StackConfig) -> str:
    """A short name of everything that the result depends on: the same inputs have the same key in every release.

    A gate that is changed makes another key, so that what serves has always passed the gates that the spec shows.
    """
    text = json.dumps(_ingredients(spec, version, stack), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]


def _ingredients(spec: ModelSpec, version: int, stack: StackConfig) -> dict[str, Any]:
    assert spec.build is not None  # noqa: S101
    build, source = spec.build, source_artifact(spec, version)
    ingredients: dict[str, Any] = {
        # The version as well as its digest: the result's path has it, and two versions may hold the same bytes.
        "model": [source.sha256 or source.uri, version],
        "format": source.format,
        "target": build.target,
        "precision": build.precision,
        "profiles": [
            {axis: [size.min, size.opt, size.max] for axis, size in profile.items()} for profile in profiles(spec)
        ],
        "inputs": [[tensor.name, tensor.dtype, list(tensor.shape)] for tensor in spec.model.inputs],
        "accept": build.accept.model_dump(exclude_none=True),
    }
    if build.calibration is not None:
        ingredients["calibration"] = [build.calibration.uri, build.calibration.method]
    if build.samples is not None:
        ingredients["samples"] = build.samples
    if build.pruning is not None:
        ingredients["pruning"] = [build.pruning.method, build.pruning.sparsity, build.pruning.scope]
    if build.target == "tensorrt":
        gpu = spec.serving.resources.accelerator
        # An engine is tuned for one model of GPU: an L4 and an L40S share the architecture and not the best kernels.
        ingredients["gpu"] = [gpu.kind, gpu.model.compute_capability] if gpu else []
        ingredients["loader"] = loader(spec, stack)
        ingredients["workspace"] = build.workspace.bytes
        if build.version_compatible or build.hardware_compatible:
            ingredients["compatible"] = [build.version_compatible, build.hardware_compatible]
    return ingredients


def loader(spec: ModelSpec, stack: StackConfig) -> str:
    """What loads the engine: TensorRT refuses one that another version of it has built, down to the last number.

    Each release of Triton has exactly one TensorRT: so the release stands for it, and the bundled runtime's image,
    which both builds and serves, for its own.
    """
    if spec.serving.server_engine == "triton":
        return f"triton-{stack.images.triton_release}"
    image = spec.serving.image or stack.images.runtime_gpu or ""
    return f"image-{image.rpartition('sha256:')[2][:12]}"
