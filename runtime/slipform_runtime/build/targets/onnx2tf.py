"""TensorFlow Lite models of ONNX graphs, by the command onnx2tf: its packages don't go with those of a build, so that
it lives in an environment of its own."""

import re
import shutil
import subprocess
from pathlib import Path

import onnx

from slipform_runtime.build.errors import BadInput, Missing, ToolFailed
from slipform_runtime.build.imports.isolation import foreign_environment, without_network
from slipform_runtime.build.onnxfile import save
from slipform_runtime.build.optimise import fold
from slipform_runtime.build.precision.convert import Plan
from slipform_runtime.build.targets.base import Made

COMMAND = "onnx2tf"
_WRITES = {"fp32": "float32", "fp16": "float16"}
"""By precision: how the file's name ends. Its quantised files lack the names of inputs and outputs."""

_LIMIT_SECONDS = 1800


def must_be_convertible(plan: Plan) -> None:
    """Raise BadInput or Missing for what can be known before the long work."""
    if plan.manifest.precision not in _WRITES:
        raise BadInput(
            f"target tflite is made of an ONNX graph in {' or '.join(_WRITES)}; in {plan.manifest.precision} only of a "
            "model of format tensorflow or keras"
        )
    if plan.manifest.max_batch_size > 1:
        raise BadInput("target tflite is made of an ONNX graph for one sample at a time: set max_batch_size: 1")
    if shutil.which(COMMAND) is None:
        raise Missing(
            f"target tflite is made of an ONNX graph by {COMMAND}, which is not on PATH: `uv tool install {COMMAND}` "
            "gives it an environment of its own"
        )


def convert(plan: Plan, to: Path) -> Made:
    """Write `to`; raises ToolFailed with the command's own words."""
    graph, folder = plan.work / "for-onnx2tf.onnx", plan.work / COMMAND
    save(fold(_of_one_size(plan), plan.work), graph)
    names = [tensor.name for tensor in plan.signature.inputs]
    precision = plan.manifest.precision
    asked = [
        "--output_signaturedefs",
        "--non_verbose",
        # Pictures stay as they are in the graph, whatever order of axes TensorFlow likes.
        *("--keep_shape_absolutely_input_names", *names),
        # LiteRT has no Erf, which every GELU has.
        *("--replace_to_pseudo_operators", "Erf"),
    ]
    command = [COMMAND, "-i", str(graph), "-o", str(folder), *asked]
    try:
        ended = subprocess.run(
            [*without_network(), *command],
            capture_output=True, text=True, errors="replace", timeout=_LIMIT_SECONDS,
            env=foreign_environment(plan.work), cwd=plan.work, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ToolFailed(f"{COMMAND} took over {_LIMIT_SECONDS} s") from error
    made = folder / f"{graph.stem}_{_WRITES[precision]}.tflite"
    if not made.is_file():
        raise ToolFailed(f"{COMMAND} makes no TensorFlow Lite model of this graph: {_reason(ended)}")
    shutil.move(made, to)
    return Made([f"converted to TensorFlow Lite's format by {COMMAND}, in {precision}"], {"command": asked})


def _of_one_size(plan: Plan) -> onnx.ModelProto:
    """The graph for one sample of the tuned size: the converter goes wrong where axes vary."""
    model = onnx.ModelProto()
    model.CopyFrom(plan.model)
    shapes = {tensor.name: plan.signature.shape(tensor, 1) for tensor in plan.signature.inputs}
    for value in model.graph.input:
        if value.name in shapes:
            axes = value.type.tensor_type.shape
            del axes.dim[:]
            for size in shapes[value.name]:
                axes.dim.add().dim_value = size
    del model.graph.value_info[:]
    for value in model.graph.output:
        for axis in value.type.tensor_type.shape.dim:
            axis.Clear()  # what they were named after has a size now
    return model


def _reason(ended: subprocess.CompletedProcess[str]) -> str:
    """The exception's line where there is one; below it the command shows what it was called with."""
    lines = [line.strip() for line in (ended.stdout + ended.stderr).splitlines() if line.strip()]
    named = [line for line in lines if re.match(r"(\w+\.)*\w*(Error|Exception)\b", line)]
    return (named or lines or [f"no word, and code {ended.returncode}"])[-1]
