"""INT8 weights and activations, with ranges taken from samples, as QuantizeLinear and DequantizeLinear nodes."""

from pathlib import Path

import onnx

from slipform_runtime.build.errors import BadInput, ToolFailed
from slipform_runtime.build.manifest import Method
from slipform_runtime.build.onnxfile import WEIGHTS, at_least_opset, nodes, read, save
from slipform_runtime.build.optimise import quiet
from slipform_runtime.build.processor import has_int8_dot_product, is_arm
from slipform_runtime.build.samples import Samples

OPERATORS = "Conv", "ConvTranspose", "MatMul", "Gemm"
"""What gains from INT8: measured on CPUs, quantising the cheap operators between them costs more than it saves."""

_PER_CHANNEL_OPSET = 13


def to_int8_static(
    model: onnx.ModelProto, samples: Samples, method: Method, work: Path, *, batched: bool, symmetric: bool
) -> tuple[onnx.ModelProto, str]:
    """The quantised model, and what was done.

    `symmetric` is what TensorRT takes: zero points of 0, signed activations, float biases.
    """
    from onnxruntime.quantization import QDQQuantizer, QuantType

    from slipform_runtime.build.precision.ranges import ranges

    upgraded = at_least_opset(model, _PER_CHANNEL_OPSET, 17)
    if not any(node.op_type in OPERATORS for node in nodes(upgraded.graph)):
        raise BadInput(f"precision int8-static quantises {', '.join(OPERATORS)}; this model has none of them")
    given, made = work / "to-quantise.onnx", work / "int8-static.onnx"
    save(onnx.shape_inference.infer_shapes(upgraded), given)
    signed = symmetric or is_arm()
    options = {"ActivationSymmetric": True, "QuantizeBias": False, "DedicatedQDQPair": True} if symmetric else {}
    batches = samples.batches(1, batched=batched)
    try:
        with quiet():
            quantiser = QDQQuantizer(
                onnx.load(given),
                per_channel=True,
                reduce_range=not symmetric and not has_int8_dot_product(),
                weight_qType=QuantType.QInt8,
                activation_qType=QuantType.QInt8 if signed else QuantType.QUInt8,
                tensors_range=ranges(given, OPERATORS, batches, method, symmetric=symmetric),
                nodes_to_quantize=[],
                nodes_to_exclude=[],
                op_types_to_quantize=list(OPERATORS),
                extra_options=options,
            )
            quantiser.quantize_model()
    except Exception as error:
        raise ToolFailed(f"precision int8-static: ONNX Runtime's quantiser fails on this graph: {error}") from error
    quantiser.model.save_model_to_file(str(made), given.with_name(WEIGHTS).exists())  # sorted, as ONNX asks
    quantised = read(made)
    inputs = {node.output[0] for node in nodes(quantised.graph) if node.op_type == "DequantizeLinear"}
    count = sum(node.op_type in OPERATORS and node.input[0] in inputs for node in nodes(quantised.graph))
    of = sum(node.op_type in OPERATORS for node in nodes(quantised.graph))
    return quantised, f"{count} of {of} convolutions and products in INT8, ranges by {method} from {samples.origin}"
