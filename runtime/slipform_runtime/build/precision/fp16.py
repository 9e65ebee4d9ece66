"""Half precision: weights and sums in 16 bits, inputs and outputs as they were."""

import warnings

import onnx

from slipform_runtime.build.errors import BadInput, ToolFailed
from slipform_runtime.build.optimise import quiet


def to_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model in FP16; operators that have no FP16 kernel keep FP32 between casts."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    if not _has_floats(model):
        raise BadInput("precision fp16: the model has no FP32 weights to convert")
    try:
        with warnings.catch_warnings(), quiet():
            warnings.simplefilter("ignore")  # values that FP16 rounds to zero: the comparison of outputs judges them
            converted: onnx.ModelProto = convert_float_to_float16(model, keep_io_types=True)
    except Exception as error:
        raise ToolFailed(f"precision fp16: the converter fails on this graph: {error}") from error
    return converted


def _has_floats(model: onnx.ModelProto) -> bool:
    constants = (attribute.t for node in model.graph.node if node.op_type == "Constant" for attribute in node.attribute)
    return any(tensor.data_type == onnx.TensorProto.FLOAT for tensor in (*model.graph.initializer, *constants))
