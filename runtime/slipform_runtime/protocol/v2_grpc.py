"""The Open Inference Protocol over gRPC: a ModelInferRequest's bytes to tensors, and an answer's tensors to bytes.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_grpc.md. An answer is
always in `raw_output_contents`.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from slipform_runtime.datatypes import FROM_NUMPY, Tensor
from slipform_runtime.errors import InvalidRequest
from slipform_runtime.inference import InferRequest, InferResponse
from slipform_runtime.protos import ModelInferRequest, ModelInferResponse
from slipform_runtime.tensors import check_shape, from_bytes, numpy_dtype, to_bytes

# Which field of InferTensorContents holds a data type (the protocol's table); FP16 has none.
_CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
_RAW_OUTPUT_CONTENTS = 6
_INFER_RESPONSE = 2
_KNOWN_OUTPUTS = 1024


def parse(message_class: Any, data: bytes) -> Any:
    """A message; raises InvalidRequest."""
    try:
        return message_class.FromString(data)
    except DecodeError as error:
        raise InvalidRequest(f"the message is no {message_class.DESCRIPTOR.name}") from error


def parse_infer(data: bytes) -> Any:
    """A ModelInferRequest message."""
    return parse(ModelInferRequest, data)


def to_request(message: Any) -> InferRequest:
    """The tensors of a ModelInferRequest; raises InvalidRequest."""
    raw = message.raw_input_contents
    given = message.inputs
    if raw and len(raw) != len(given):
        raise InvalidRequest(f"there are {len(given)} inputs and {len(raw)} raw_input_contents")
    inputs: dict[str, Tensor] = {}
    for index, tensor in enumerate(given):
        name = tensor.name
        if name in inputs:
            raise InvalidRequest(f"input '{name}' is given twice")
        if "shared_memory_region" in tensor.parameters:
            raise InvalidRequest("this server does not take tensors from shared memory")
        if not raw:
            inputs[name] = _typed(tensor)
            continue
        if tensor.HasField("contents") and tensor.contents.ByteSize():
            raise InvalidRequest(f"input '{name}' has contents beside raw_input_contents")
        inputs[name] = from_bytes(name, tensor.datatype, list(tensor.shape), raw[index])
    outputs: list[str] | None = None
    classes: dict[str, int] = {}
    if message.outputs:
        outputs = []
        for output in message.outputs:
            if output.parameters:
                if "shared_memory_region" in output.parameters:
                    raise InvalidRequest(f"output '{output.name}': this server does not answer in shared memory")
                if count := _unsigned(output.parameters, "classification"):
                    classes[output.name] = count
            outputs.append(output.name)
    request = InferRequest(inputs, outputs, id=message.id, classes=classes or None)
    if message.parameters:
        request.timeout_us = _unsigned(message.parameters, "timeout")
        request.priority = _unsigned(message.parameters, "priority")
    return request


def encode_response(response: InferResponse, request_id: str) -> bytes:
    """A ModelInferResponse, serialised."""
    parts = [_opening(response.model_name, response.model_version)]
    if request_id:
        parts.append(ModelInferResponse(id=request_id).SerializeToString())
    raws: list[bytes] = []
    for name, tensor in response.outputs.items():
        parts.append(_described(name, tensor.dtype.char, tensor.shape))
        raw = to_bytes(tensor)
        raws += (raw_prefix(_RAW_OUTPUT_CONTENTS, len(raw)), raw)
    return b"".join(parts + raws)


def encode_stream_response(response: InferResponse, request_id: str) -> bytes:
    """A ModelStreamInferResponse, serialised, that has the answer."""
    data = encode_response(response, request_id)
    return raw_prefix(_INFER_RESPONSE, len(data)) + data


# Messages are joined by joining their bytes, so the parts that are the same each time are made once.


@lru_cache
def _opening(model: str, version: str) -> bytes:
    data: bytes = ModelInferResponse(model_name=model, model_version=version).SerializeToString()
    return data


@lru_cache(_KNOWN_OUTPUTS)
def _described(name: str, dtype: str, shape: tuple[int, ...]) -> bytes:
    message = ModelInferResponse()
    message.outputs.add(name=name, datatype=FROM_NUMPY[np.dtype(dtype)], shape=shape)
    data: bytes = message.SerializeToString()
    return data


@lru_cache(_KNOWN_OUTPUTS)
def raw_prefix(field: int, length: int) -> bytes:
    """What precedes a tensor's bytes in a message: the field's tag (below 16, of type LEN) and their length."""
    prefix = bytearray((field << 3 | 2,))
    while length >= 128:
        prefix.append(length & 127 | 128)
        length >>= 7
    prefix.append(length)
    return bytes(prefix)


def _typed(tensor: Any) -> Tensor:
    name, datatype = tensor.name, tensor.datatype
    dtype = numpy_dtype(name, datatype)
    field = _CONTENTS.get(datatype)
    if field is None:
        raise InvalidRequest(f"input '{name}' is {datatype}, which has no contents; send it as raw_input_contents")
    shape = list(tensor.shape)
    count = check_shape(name, shape)
    for other, values in tensor.contents.ListFields():
        if other.name != field:
            raise InvalidRequest(f"input '{name}' is {datatype} and has {len(values)} {other.name}")
    values = getattr(tensor.contents, field)
    if len(values) != count:
        raise InvalidRequest(f"input '{name}' has {len(values)} elements, shape {shape} needs {count}")
    if datatype == "BYTES":
        elements = np.empty(count, np.object_)
        elements[:] = list(values)
        return elements.reshape(shape)
    try:
        return np.array(values, dtype).reshape(shape)
    except OverflowError as error:
        raise InvalidRequest(f"input '{name}' has a number that does not fit {datatype}") from error


def _unsigned(parameters: Any, name: str) -> int:
    if name not in parameters:
        return 0
    parameter = parameters[name]
    choice = parameter.WhichOneof("parameter_choice")
    value = getattr(parameter, choice) if choice else 0
    if choice not in ("int64_param", "uint64_param") or value < 0:
        raise InvalidRequest(f"parameter '{name}' must be a whole number from 0")
    return int(value)
