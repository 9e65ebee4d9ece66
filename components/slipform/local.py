"""A spec on this machine: the same files as in a pod, in a folder of their own, for the bundled runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .engines import registry
from .engines.fastapi import CONFIG, FOLDER, FastAPI
from .engines.formats import BACKENDS
from .engines.repository import MANIFEST
from .engines.servers import server
from .spec.findings import Finding, InvalidSpec, SlipformError, errors
from .spec.modelspec import ModelSpec
from .spec.stack import StackConfig

THIS_MACHINE = StackConfig.model_validate(
    {
        "cluster": {"context": "this-machine", "namespace": "default"},
        "images": {
            "runtime": f"this-machine/slipform-runtime@sha256:{'0' * 64}",
            "runtime_gpu": f"this-machine/slipform-runtime-gpu@sha256:{'0' * 64}",
        },
        "artifacts": {"uri": "file:artifacts"},
    }
)
"""A stack where there is none; a folder that is named on the command line stands for its artifacts."""


def prepare(specs: Sequence[ModelSpec], root: Path, folder: Path, model: Path | None = None) -> tuple[Path, Path]:
    """The model repository and the runtime's config, made in ``folder``.

    ``model`` is a file, or a folder of versions, in place of the one spec's ``model.uri``. Raises InvalidSpec where the
    bundled runtime cannot serve a spec as it was trained, and SlipformError where a model can't be fetched.
    """
    if model is not None and len(specs) > 1:
        raise SlipformError("--model stands for one spec's model; serve one spec with it")
    local = tuple(_served_here(spec, model) for spec in specs)
    _must_be_servable(local, specs)
    texts = {h: (root / h).read_text(encoding="utf-8") for spec in local if (h := spec.serving.handler)}
    container = FastAPI().workload(server(local[0].server, local, THIS_MACHINE, texts=texts))
    files = folder / "config"
    files.mkdir()
    for name, text in container.files.items():
        (files / name).write_text(text.replace(FOLDER, str(files)) if name == CONFIG else text, encoding="utf-8")
    _fetch(files / MANIFEST, folder / "models", root)
    return folder / "models", files / CONFIG


def _served_here(spec: ModelSpec, model: Path | None) -> ModelSpec:
    """The spec without what this machine lacks: another engine's server, a build for other hardware, a GPU."""
    built = _built(spec, model)
    resources = spec.serving.resources
    if built != "tensorrt":
        resources = resources.model_copy(update={"accelerator": None})
    serving = spec.serving.model_copy(update={"engine": "fastapi", "resources": resources, "cuda_graphs": False})
    changes: dict[str, object] = {"serving": serving, "build": None, "rollout": None}
    if built:
        changes["model"] = spec.model.model_copy(update={"format": built})
    return with_model(spec.model_copy(update=changes), model)


def _built(spec: ModelSpec, model: Path | None) -> str | None:
    """The build's target where ``model`` is what ``slipform build`` has made of the spec."""
    if spec.build is None or model is None:
        return None
    made = model / str(spec.model.version) / BACKENDS[spec.build.target].filename
    return spec.build.target if made.is_file() else None


def with_model(spec: ModelSpec, model: Path | None) -> ModelSpec:
    """The spec with a file, or a folder of versions, in place of its model's address; as it is where there is none."""
    if model is None:
        return spec
    if not model.exists():
        raise SlipformError(f"--model {model}: there is no such file or folder")
    found = {"uri": f"file:{model.absolute()}", "sha256": None}
    return spec.model_copy(update={"model": spec.model.model_copy(update=found)})


def _must_be_servable(local: Sequence[ModelSpec], specs: Sequence[ModelSpec]) -> None:
    found = [
        Finding(f"{spec.name} can't be served here: {finding.message}", finding.path, remedy=_remedy(spec, finding))
        for here, spec in zip(local, specs, strict=True)
        for finding in errors(FastAPI().problems(here, None))
    ]
    if found:
        raise InvalidSpec(found)


def _remedy(spec: ModelSpec, finding: Finding) -> str | None:
    if finding.path != ("model", "format"):
        return finding.remedy
    engine = registry.runtime(spec)
    if engine.serves_here:
        return f"`{engine.serves_here}` serves it where what it imports is installed"
    if "onnx" not in engine.formats:
        return f"{finding.remedy}; with engine: fastapi, which this command runs in place of {engine.title}"
    if spec.build is None:
        return finding.remedy
    return f"build it with `slipform build … --output DIR`, and serve what was built with --model DIR/{spec.name}"


def _fetch(manifest: Path, to: Path, root: Path) -> None:
    """By the runtime's own fetcher, so that a laptop and a pod get the same; paths in a spec are the project's."""
    import contextlib

    from slipform_runtime.fetch import FetchError, fetch

    with contextlib.chdir(root):
        try:
            fetch(manifest, to)
        except FetchError as error:
            raise SlipformError(f"{error}\n--model PATH serves a copy that is already here") from None
