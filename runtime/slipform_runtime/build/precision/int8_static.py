"""INT8 weights and activations, with ranges taken from samples, as QuantizeLinear and DequantizeLinear nodes."""

from pathlib import Path
from typing import Any

import onnx

from slipform_runtime.build.errors import BadInput, ToolFailed
from slipform_runtime.build.manifest import Method
from slipform_runtime.build.onnxfile import at_least_opset, nodes, read, save
from slipform_runtime.build.optimise import quiet
from slipform_runtime.build.processor import has_int8_dot_product, is_arm
from slipform_runtime.build.samples import Batch, Samples

OPERATORS = "Conv", "ConvTranspose", "MatMul", "Gemm"
"""What gains from INT8: measured on CPUs, quantising the cheap operators between them costs more than it saves."""

_PER_CHANNEL_OPSET = 13


def to_int8_static(
    model: onnx.ModelProto, samples: Samples, method: Method, work: Path, *, batched: bool, symmetric: bool
) -> tuple[onnx.ModelProto, str]:
    """The quantised model, and what was done.

    `symmetric` is what TensorRT takes: zero points of 0, signed activations, float biases.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    upgraded = at_least_opset(model, _PER_CHANNEL_OPSET, 17)
    if not any(node.op_type in OPERATORS for node in nodes(upgraded.graph)):
        raise BadInput(f"precision int8-static quantises {', '.join(OPERATORS)}; this model has none of them")
    given, made = work / "to-quantise.onnx", work / "int8-static.onnx"
    save(onnx.shape_inference.infer_shapes(upgraded), given)
    reduced = not symmetric and not has_int8_dot_product()
    signed = symmetric or is_arm()
    options: dict[str, Any] = {"CalibStridedMinMax": 1, "CalibPercentile": 99.999}
    if symmetric:
        options |= {"ActivationSymmetric": True, "QuantizeBias": False, "DedicatedQDQPair": True}
    try:
        with quiet():
            quantize_static(
                given,
                made,
                _reader(samples, batched=batched),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(OPERATORS),
                per_channel=True,
                reduce_range=reduced,
                activation_type=QuantType.QInt8 if signed else QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method={
                    "minmax": CalibrationMethod.MinMax,
                    "entropy": CalibrationMethod.Entropy,
                    "percentile": CalibrationMethod.Percentile,
                }[method],
                use_external_data_format=given.with_name("model.onnx.data").exists(),
                extra_options=options,
            )
    except Exception as error:
        raise ToolFailed(f"precision int8-static: ONNX Runtime's quantiser fails on this graph: {error}") from error
    quantised = read(made)
    inputs = {node.output[0] for node in nodes(quantised.graph) if node.op_type == "DequantizeLinear"}
    count = sum(node.op_type in OPERATORS and node.input[0] in inputs for node in nodes(quantised.graph))
    of = sum(node.op_type in OPERATORS for node in nodes(quantised.graph))
    return quantised, f"{count} of {of} convolutions and products in INT8, ranges by {method} from {samples.origin}"


def _reader(samples: Samples, *, batched: bool) -> Any:
    """One sample at a time, of which ONNX Runtime keeps the ranges only: activations of all would fill the memory."""
    from onnxruntime.quantization import CalibrationDataReader

    batches = samples.batches(1, batched=batched)

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left = iter(batches)

        def __len__(self) -> int:
            return len(batches)

        def set_range(self, start_index: int, end_index: int) -> None:
            self._left = iter(batches[start_index:end_index])

        def get_next(self) -> Batch | None:
            return next(self._left, None)

    return Reader()
