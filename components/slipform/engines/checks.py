"""Checks that engines share: images, formats and builds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Literal
from urllib.parse import urlsplit

from ..spec.build import BATCH
from ..spec.findings import FieldPath, Finding
from ..spec.modelspec import ModelSpec
from ..spec.stack import Images, StackConfig
from ..spec.units import Memory
from .build_manifest import build_image
from .formats import NEEDS_TENSORS, PROCESSORS_ONLY, served_format
from .sizes import profiles

ImageField = Literal[
    "triton", "runtime", "runtime_gpu", "runtime_imports", "tfserving", "tfserving_gpu", "torchserve", "torchserve_gpu",
    "mlflow", "bentoml",
]  # fmt: skip

EXPORTS = {
    "pytorch": "add build: {target: onnx} for a program of torch.export.save, or export it: "
    "torch.onnx.export(model, inputs, 'model.onnx') and format: onnx",
    "sklearn": "add build: {target: onnx}, or export it with skl2onnx and write format: onnx",
    "xgboost": "add build: {target: onnx}, or export it with onnxmltools and write format: onnx",
    "lightgbm": "add build: {target: onnx}, or export it with onnxmltools and write format: onnx",
    "mlflow": "write engine: mlflow; or add build: {target: onnx}, or log the ONNX flavor and write format: onnx",
    "tensorflow": "add build: {target: onnx}, or export it with tf2onnx and write format: onnx",
    "keras": "add build: {target: onnx}, or export it: model.export('model.onnx', format='onnx') and format: onnx",
    "torchscript": "add build: {target: onnx}, or export it: torch.onnx.export(model, inputs, 'model.onnx') and "
    "format: onnx",
    "bento": "write engine: bentoml, or take the model out of the bento",
    "mar": "export the model that is in it: torch.onnx.export(model, inputs, 'model.onnx') and format: onnx; "
    "as an archive only torchserve serves it",
}
"""How a model of each format becomes one that every engine serves."""


def serves_the_format(
    spec: ModelSpec, title: str, formats: frozenset[str], exports: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Finding]:
    """An engine serves what it has a backend for; a build makes something else of the model.

    ``exports`` are the engine's own words on how a format becomes one that it serves.
    """
    served = served_format(spec)
    if served is None or served in formats:
        return
    yield Finding(
        f"{title} does not serve {served}",
        path=("build", "target") if spec.build else ("model", "format"),
        given=served,
        allowed=", ".join(sorted(formats)),
        remedy={**EXPORTS, **exports}.get(served, "write engine: triton, or another target"),
    )


def names_its_tensors(spec: ModelSpec) -> Iterator[Finding]:
    """Some formats don't carry the names and shapes of their tensors."""
    if served_format(spec) not in NEEDS_TENSORS:
        return
    for side in ("inputs", "outputs"):
        if not getattr(spec.model, side):
            yield Finding(
                f"a {spec.model.format} file does not say what its {side} are",
                path=("model",),
                remedy=f"add {side}: [{{name: {side.upper()[:-1]}__0, dtype: FP32, shape: [...]}}]",
            )


def takes_a_single_request(spec: ModelSpec) -> Iterator[Finding]:
    """A server executes what it has: now and then one request alone."""
    if not spec.serving.batching.max_batch_size:
        return
    least = [profile[BATCH].min for profile in profiles(spec) if BATCH in profile]
    if least and min(least) > 1:
        yield Finding(
            "no profile takes a request that is alone",
            path=("build", "profiles", least.index(min(least)), BATCH, "min"),
            given=str(min(least)),
            allowed="1 in at least one profile",
            remedy="write min: 1",
        )


def uses_its_accelerator(spec: ModelSpec) -> Iterator[Finding]:
    """Some backends run on processors only."""
    gpu = spec.serving.resources.accelerator
    if gpu is not None and served_format(spec) in PROCESSORS_ONLY:
        yield Finding(
            f"{served_format(spec)} runs on processors: the accelerator is paid for and not used",
            path=("serving", "resources", "accelerator"),
            severity="warning",
            given=str(gpu),
            remedy="remove it, or write build.target: tensorrt",
        )


def has_images(spec: ModelSpec, stack: StackConfig, field: ImageField, title: str) -> Iterator[Finding]:
    """The engine's image, and the runtime's, which fetches what is not in it already."""
    if getattr(stack.images, field) is None and spec.serving.image is None:
        yield _no_image(f"the stack has no image of {title}", ("serving", "engine"), stack, field)
    fetched = spec.model.uri is not None or spec.model.ensemble is not None
    if stack.images.runtime is None and field != "runtime" and fetched:
        message = "the stack has no runtime image, which fetches the model for every engine"
        yield _no_image(message, ("serving", "engine"), stack, "runtime")


TABLES = frozenset({"sklearn", "xgboost", "lightgbm"})
"""Formats whose models take one table of numbers."""


def can_be_imported(spec: ModelSpec) -> Iterator[Finding]:
    """A build makes ONNX of a model first, and some formats don't say what goes in."""
    if spec.build is None:
        return
    inputs = spec.model.inputs
    if spec.model.format == "mar":
        yield Finding(
            "nothing can be built of an archive, which holds code and not only a model",
            path=("build",),
            remedy="remove build and write engine: torchserve, or name the model that is in the archive in place of it",
        )
    if spec.model.format == "bento":
        yield Finding(
            "nothing can be built of a bento, which holds code and not only models",
            path=("build",),
            remedy="remove build and write engine: bentoml, or name the model that is in the bento in place of it",
        )
    if spec.model.format == "torchscript" and not inputs:
        yield Finding(
            "a torchscript file does not say what its inputs are",
            path=("model",),
            remedy="add inputs: [{name: x, dtype: FP32, shape: [...]}]",
        )
    table = len(inputs) == 1 and inputs[0].dtype == "FP32" and len(inputs[0].shape) == 1 and not inputs[0].named_axes
    if spec.model.format in TABLES and not table:
        yield Finding(
            f"a model of format {spec.model.format} is built with one input, a table of numbers",
            path=("model", "inputs") if inputs else ("model",),
            allowed="inputs: [{name: features, dtype: FP32, shape: [N]}]",
            remedy="write as many features as the model was trained with for N",
        )


def is_loaded_by_the_tensorrt_that_builds(spec: ModelSpec, images: Images) -> Iterator[Finding]:
    """TensorRT loads what the same version of it has built, unless the engine is made for others as well."""
    if spec.build is None or spec.build.target != "tensorrt":
        return
    builds, loads = images.runtime_gpu_tensorrt, images.triton_tensorrt
    if builds is None or loads is None:
        return  # the build's Job finds it out, on the machine that it needs
    # One may be said more exactly than the other: 10.13.2 is 10.13.2.6.
    pairs = [(int(one), int(other)) for one, other in zip(builds.split("."), loads.split("."), strict=False)]
    built, loaded = ([pair[side] for pair in pairs] for side in (0, 1))
    if built != loaded and not (spec.build.version_compatible and built < loaded):
        yield Finding(
            f"Triton could not load the engine: TensorRT {builds} builds it, and Triton has TensorRT {loads}",
            path=("build", "target"),
            given="tensorrt",
            remedy=f"build runtime_gpu from nvcr.io/nvidia/tritonserver:{images.triton_release}-py3, "
            "or write build.version_compatible: true where Triton's is the later",
        )


def is_a_folder(spec: ModelSpec, title: str, remedy: str) -> Iterator[Finding]:
    """An address that ends in a file's name is that of one file."""
    candidate = spec.candidate
    addresses: tuple[tuple[FieldPath, str | None], ...] = (
        (("model", "uri"), spec.model.uri),
        (("rollout", "candidate", "uri"), candidate.uri if candidate else None),
    )
    for path, uri in addresses:
        if uri is not None and PurePosixPath(urlsplit(uri).path).suffix:
            yield Finding(
                f"{title} serves a folder, and an address that ends like a file's name is that of one file",
                path=path,
                given=uri,
                allowed="an address of which <uri>/<version> is the folder",
                remedy=remedy,
            )


def has_no_labels(spec: ModelSpec, why: str, remedy: str) -> Iterator[Finding]:
    """For engines whose answers hold none."""
    for index, output in enumerate(spec.model.outputs):
        if output.labels:
            yield Finding(
                f"{why}: labels are for the bundled runtime's plain routes",
                path=("model", "outputs", index, "labels"),
                severity="warning",
                remedy=remedy,
            )


def each_worker_loads_the_model(spec: ModelSpec) -> Iterator[Finding]:
    """Where instances are processes, each has the model in its memory."""
    serving, size = spec.serving, spec.model.size
    if size is None or serving.instances == 1 or serving.resources.accelerator is not None:
        return
    needed = Memory(size.bytes * serving.instances)
    if needed >= serving.resources.memory:
        yield Finding(
            f"each of the {serving.instances} workers loads the model ({size})",
            path=("serving", "resources", "memory"),
            given=str(serving.resources.memory),
            allowed=f"more than {needed}",
            remedy="raise it, or write fewer instances",
        )


def can_build(spec: ModelSpec, stack: StackConfig) -> Iterator[Finding]:
    """A build needs an image that builds and somewhere to put the result."""
    if spec.build is None:
        return
    if build_image(spec, stack) is None:
        field: ImageField = "runtime_gpu" if spec.build.target == "tensorrt" else "runtime"
        yield _no_image(f"the stack has no image that builds {spec.build.target}", ("build", "target"), stack, field)
    elif spec.model.format != "onnx":
        yield from _has_the_framework(spec, stack)
    if stack.artifacts is None:
        yield Finding(
            "the stack says nowhere to put what is built",
            path=("build",),
            remedy="add slipform:artifacts: {uri: s3://BUCKET/PREFIX} to the stack's config",
        )


def _has_the_framework(spec: ModelSpec, stack: StackConfig) -> Iterator[Finding]:
    """A doubt only: an image of one's own may have it."""
    path, lacking = ("model", "format"), f"lacks what reads a {spec.model.format} model, with which the build begins"
    if spec.build is not None and spec.build.target == "tensorrt":
        yield Finding(
            f"runtime_gpu, as runtime/Dockerfile makes it, {lacking}",
            path=path,
            severity="warning",
            remedy="add the framework to that image, or export ONNX and write format: onnx",
        )
    elif stack.images.runtime_imports is None:
        message = f"the stack names no runtime_imports, and runtime, as runtime/Dockerfile makes it, {lacking}"
        yield replace(_no_image(message, path, stack, "runtime_imports"), severity="warning")


_OURS = {
    "runtime": ("REGISTRY/slipform-runtime", "cpu"),
    "runtime_gpu": ("REGISTRY/slipform-runtime-gpu", "gpu"),
    "runtime_imports": ("REGISTRY/slipform-runtime-imports", "imports"),
}

_PUBLISHED = {
    "tfserving": "docker.io/tensorflow/serving:2.19.1",
    "tfserving_gpu": "docker.io/tensorflow/serving:2.19.1-gpu",
    "torchserve": "docker.io/pytorch/torchserve:0.12.0-cpu",
    "torchserve_gpu": "docker.io/pytorch/torchserve:0.12.0-gpu",
}


_YOURS = {
    "mlflow": "build one that holds MLflow and the model's requirements.txt, as docs/engines.md shows, and push it",
    "bentoml": "`bentoml containerize` makes one that holds a bento and what it imports: push it",
}


def _no_image(message: str, path: FieldPath, stack: StackConfig, field: ImageField) -> Finding:
    """Images are named by digest in the stack's config; ours are built from ``runtime/``, others' are published."""
    published = {"triton": f"nvcr.io/nvidia/tritonserver:{stack.images.triton_release}-py3", **_PUBLISHED}
    if field in published:
        image, build = published[field], ""
    elif field in _YOURS:
        image, build = f"REGISTRY/{field}", f"{_YOURS[field]}; "
    else:
        image, target = _OURS[field]
        build = f"docker buildx build -t {image} --target {target} runtime/ --push; "
    return Finding(
        message,
        path=path,
        allowed=f"an image by digest in slipform:images: {{{field}: {image.partition(':')[0]}@sha256:…}}",
        remedy=f"{build}docker buildx imagetools inspect {image} prints its digest",
    )
