"""``slipform build``"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .runtime import needs_runtime
from .where import Stack

if TYPE_CHECKING:
    from ..spec.modelspec import ModelSpec
    from ..spec.stack import StackConfig


def build(
    spec: Annotated[Path, typer.Argument(help="The spec file.", metavar="SPEC")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="A model repository; absent: the stack's artifacts."),
    ] = None,
    stack: Stack = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", metavar="PATH", help="A model's file or version folder in place of model.uri."),
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", help="In place of build.target: onnx, tensorrt or openvino.")
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option("--precision", help="In place of build.precision: fp32, fp16, int8-dynamic or int8-static."),
    ] = None,
    device: Annotated[
        bool, typer.Option("--device", help="What build.device says, in place of what serves: ort, tflite or coreml.")
    ] = False,
    reports: Annotated[
        Path | None,
        typer.Option("--reports", metavar="DIR", help="Write the reports here too, if a gate is missed as well."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Build even what was built before.")] = False,
    trust_pickle: Annotated[
        bool, typer.Option("--trust-pickle", help="Read a model file that can run any code while it is read.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the report.")] = False,
) -> None:
    """Build a spec's model on this machine, as its Job does in the cluster: convert, compare, time, publish.

    Exit codes: 0 built, or already there; 1 a gate was missed; 2 bad input; 3 a store could not be reached;
    4 a digest differs; 5 a package, library or device is missing here; 6 the disk is full; 7 a tool failed.

    Examples:

      slipform build model_specs/fraud.yaml --model fraud.onnx --output models

      slipform build model_specs/iris.yaml --target onnx --precision int8-dynamic --output models --reports reports

      slipform build model_specs/fraud.yaml -s prod

      slipform build model_specs/fraud.yaml --device --output phone --reports reports
    """
    from ..engines.build_manifest import MANIFEST, build_manifest
    from ..local import THIS_MACHINE, with_model
    from ..project import find_root, load, read_specs
    from ..spec.findings import SlipformError

    needs_runtime("build")
    root = find_root(spec.absolute().parent)
    if stack is None and output is None:
        raise SlipformError("where to? --output DIR names a model repository, -s STACK publishes to its artifacts")
    if stack:
        project = load(root, stack, only=[spec.absolute()])
        config, read = project.stack, project.loaded[0].spec
    else:
        config, (read,) = THIS_MACHINE, read_specs(root, [spec.absolute()])
    chosen = with_model(_changed(read, target, precision), model)
    if chosen.model.uri is None:
        where = "its steps are models of their own" if chosen.model.ensemble else "its bento is in serving.image"
        raise SlipformError(f"{chosen.name} has no files of which something could be built: {where}")
    if device:
        chosen = _for_device(chosen)
    with tempfile.TemporaryDirectory(prefix="slipform-build-") as scratch:
        manifest = Path(scratch) / MANIFEST
        manifest.write_text(build_manifest(chosen, chosen.model.version, config), encoding="utf-8")
        arguments = [f"--manifest={manifest}"]
        arguments += [f"--output={output.absolute()}"] if output else []
        arguments += [f"--reports={reports.absolute()}"] if reports else []
        arguments += ["--force"] * force + ["--trust-pickle"] * trust_pickle + ["--json"] * json
        # Paths in a spec are the project's.
        ended = subprocess.run([sys.executable, "-m", "slipform_runtime", "build", *arguments], cwd=root, check=False)
    if ended.returncode == 0 and output is not None and not device:
        _configure(chosen, output, config)
    raise typer.Exit(ended.returncode)


def _changed(spec: ModelSpec, target: str | None, precision: str | None) -> ModelSpec:
    """The spec with what the command line says in its place, checked like the spec's own fields."""
    from pydantic import ValidationError

    from ..spec.build import Build
    from ..spec.findings import SlipformError

    if spec.build is None and target is None:
        raise SlipformError(f"{spec.name} has no build; add build: {{target: onnx}}, or say --target onnx")
    given = {"target": target, "precision": precision}
    wanted = {name: value for name, value in given.items() if value is not None}
    try:
        build = Build.model_validate((spec.build.model_dump(exclude_unset=True) if spec.build else {}) | wanted)
    except ValidationError as error:
        raise SlipformError("; ".join(f"--{each['loc'][0]}: {each['msg']}" for each in error.errors())) from None
    return spec.model_copy(update={"build": build})


def _for_device(spec: ModelSpec) -> ModelSpec:
    """The spec whose build is the device's, which takes one sample at a time."""
    from ..spec.findings import SlipformError

    if spec.build is None or spec.build.device is None:
        raise SlipformError(f"{spec.name} has no build.device; add device: {{target: ort, max_size: 4Mi}} to its build")
    batching = spec.serving.batching
    one = batching.model_copy(update={"max_batch_size": min(1, batching.max_batch_size), "preferred_batch_sizes": ()})
    serving = spec.serving.model_copy(update={"batching": one})
    return spec.model_copy(update={"build": spec.build.for_device(), "serving": serving})


def _configure(spec: ModelSpec, output: Path, stack: StackConfig) -> None:
    """So that any server of this layout can be started on the folder."""
    from ..engines.config_pbtxt import config_pbtxt
    from ..engines.servers import server

    if spec.build and spec.build.target != "tensorrt":  # it runs here, where the accelerator need not be
        resources = spec.serving.resources.model_copy(update={"accelerator": None})
        spec = spec.model_copy(update={"serving": spec.serving.model_copy(update={"resources": resources})})
    (model,) = server(spec.server, [spec], stack).models
    text = config_pbtxt(model, reshape=spec.serving.server_engine == "triton")
    (output / spec.name / "config.pbtxt").write_text(text, encoding="utf-8")
