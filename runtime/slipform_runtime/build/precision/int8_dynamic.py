"""INT8 weights, and activations that are quantised anew for each request: no samples needed."""

from pathlib import Path

import onnx

from slipform_runtime.build.errors import BadInput, ToolFailed
from slipform_runtime.build.onnxfile import WEIGHTS, at_least_opset, nodes, read, save
from slipform_runtime.build.optimise import quiet
from slipform_runtime.build.processor import has_int8_dot_product

QUANTISED = "MatMulInteger", "DynamicQuantizeMatMul", "MatMulIntegerToFloat", "QAttention", "DynamicQuantizeLSTM"

_PRODUCTS = "MatMul", "Gemm", "Attention", "LSTM"
_NOTHING = (
    "precision int8-dynamic quantises matrix products with constant weights, and this model has none; "
    "for convolutions use int8-static with calibration"
)


def to_int8_dynamic(model: onnx.ModelProto, work: Path) -> tuple[onnx.ModelProto, str]:
    """The model with its matrix products in INT8, and how many; convolutions stay, which it makes slower."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    given, made = work / "to-quantise.onnx", work / "int8-dynamic.onnx"
    if not any(node.op_type in _PRODUCTS for node in nodes(model.graph)):
        raise BadInput(_NOTHING)
    upgraded = at_least_opset(model, 11, 17)
    del upgraded.graph.value_info[:]  # the quantiser transposes weights, and trips over shapes that were noted
    save(upgraded, given)
    reduced = not has_int8_dot_product()
    try:
        with quiet():
            quantize_dynamic(
                given,
                made,
                op_types_to_quantize=["MatMul", "Attention", "LSTM", "Gather", "EmbedLayerNormalization"],
                per_channel=True,
                reduce_range=reduced,
                weight_type=QuantType.QInt8,
                use_external_data_format=given.with_name(WEIGHTS).exists(),
            )
    except Exception as error:
        raise ToolFailed(f"precision int8-dynamic: ONNX Runtime's quantiser fails on this graph: {error}") from error
    quantised = read(made)
    count = sum(node.op_type in QUANTISED for node in nodes(quantised.graph))
    if not count:
        raise BadInput(_NOTHING)
    return quantised, f"{count} matrix products in INT8, weights of {7 if reduced else 8} bits by channel"
