"""OpenVINO's intermediate representation: `model.xml` with `model.bin` beside it."""

import re
from pathlib import Path
from typing import Any

import onnx

from slipform_runtime.backends.openvino import import_openvino
from slipform_runtime.build.errors import BadInput, Missing, ToolFailed
from slipform_runtime.build.onnxfile import described, nodes, save
from slipform_runtime.build.optimise import fold
from slipform_runtime.build.precision.convert import Plan, in_precision
from slipform_runtime.build.precision.int8_weights import to_int8_weights
from slipform_runtime.build.targets.base import Made
from slipform_runtime.cpus import available_cpus
from slipform_runtime.datatypes import Tensor

_STEP = "converted to OpenVINO's representation, whose sums are in what its plugin thinks best for the processor"


class OpenVinoRunner:
    """A model compiled for the processor; one request at a time, as fast as it can be answered."""

    device = "cpu"

    def __init__(self, compiled: Any) -> None:
        self._request = compiled.create_infer_request()
        self._names = [port.get_any_name() for port in compiled.outputs]

    def run(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Execute."""
        try:
            found = self._request.infer(inputs, share_inputs=True)
        except RuntimeError as error:
            raise ToolFailed(f"OpenVINO fails: {_last_line(error)}") from error
        return {name: found[index].copy() for index, name in enumerate(self._names)}

    def close(self) -> None:
        """Free the request."""
        del self._request


class OpenVinoTarget:
    """Converted by OpenVINO's own reader of ONNX; INT8 by the graph's QuantizeLinear nodes."""

    name = "openvino"
    tools: tuple[str, ...] = ("onnx", "onnxruntime", "openvino")

    def check(self, plan: Plan) -> None:
        """OpenVINO must be here."""
        _openvino()

    def build(self, plan: Plan, to: Path) -> Made:
        """Write the two files."""
        openvino = _openvino()
        half = plan.manifest.precision == "fp16"
        model, steps = _in_precision(fold(plan.model, plan.work), plan)
        graph = plan.work / "for-openvino.onnx"
        save(model, graph)
        try:
            converted = openvino.convert_model(graph)
        except Exception as error:  # OpenVINO's C++ exceptions have a base of their own in each version
            lacking = [node for node in nodes(model.graph) if _names(str(error), node.op_type)]
            if lacking:
                names = ", ".join(described(node) for node in lacking[:5])
                version = openvino.__version__.partition("-")[0]
                raise BadInput(f"OpenVINO {version} has no {names}") from error
            raise ToolFailed(f"OpenVINO cannot convert the model: {_last_line(error)}") from error
        openvino.save_model(converted, to, compress_to_fp16=half)
        return Made([*steps, _STEP], {"compress_to_fp16": half})

    def load(self, path: Path) -> OpenVinoRunner:
        """Compile for the processor, with the threads that a server would have."""
        openvino = _openvino()
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": available_cpus()}
        try:
            return OpenVinoRunner(openvino.Core().compile_model(path, "CPU", settings))
        except RuntimeError as error:
            raise ToolFailed(f"OpenVINO refuses {path.name}: {_last_line(error)}") from error


def _in_precision(model: onnx.ModelProto, plan: Plan) -> tuple[onnx.ModelProto, list[str]]:
    """Of FP16 and dynamic INT8 the graph has the weights alone: the format of the sums is the processor's to choose."""
    if plan.manifest.precision == "fp16":
        return model, ["weights in FP16"]
    if plan.manifest.precision == "int8-dynamic":
        quantised, step = to_int8_weights(model)
        return quantised, [step]
    return in_precision(model, plan)


def _openvino() -> Any:
    try:
        return import_openvino()
    except ImportError as error:
        raise Missing("target openvino needs an extra; install slipform-runtime[openvino]") from error


def _names(text: str, operator: str) -> bool:
    _, rule, operations = text.partition("No conversion rule found for operations:")
    return bool(rule) and operator in re.split(r"[^A-Za-z0-9_]+", operations)


def _last_line(error: Exception) -> str:
    return next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
