"""The Open Inference Protocol over HTTP: an infer request's body to tensors, and an answer's tensors to a body.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md and
Triton's binary tensor data extension.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np

from slipform_runtime.datatypes import FROM_NUMPY, NUMPY, Tensor
from slipform_runtime.errors import InvalidRequest
from slipform_runtime.inference import InferRequest, InferResponse, TensorSpec
from slipform_runtime.protocol.json_tensors import from_json, to_json
from slipform_runtime.tensors import from_bytes, to_bytes

_UINT64 = 2**64
_KNOWN_OUTPUTS = 1024
_ABSENT = msgspec.Raw()

Body = bytes | bytearray


class _Input(msgspec.Struct):
    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, Any] | None = None
    data: msgspec.Raw = _ABSENT


class _Output(msgspec.Struct):
    name: str
    parameters: dict[str, Any] | None = None


class _Request(msgspec.Struct):
    inputs: list[_Input]
    id: str = ""
    outputs: list[_Output] | None = None
    parameters: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(_Request).decode
_encode = msgspec.json.Encoder().encode


class OutputForm:
    """How the client wants its outputs: binary or JSON, by name and by default."""

    __slots__ = ("binary", "by_name")

    def __init__(self, binary: bool = False, by_name: dict[str, bool] | None = None) -> None:
        self.binary = binary
        self.by_name = by_name

    def is_binary(self, name: str) -> bool:
        """Whether this output goes as bytes after the JSON."""
        return self.by_name.get(name, self.binary) if self.by_name else self.binary


_ALL_JSON = OutputForm()
_ALL_BINARY = OutputForm(binary=True)


def parse_header_length(value: str, body_length: int) -> int:
    """The value of `Inference-Header-Content-Length`, checked against the body."""
    if not (value.isascii() and value.isdigit()):
        raise InvalidRequest("Inference-Header-Content-Length must be a whole number of bytes")
    length = int(value) if len(value) < 20 else body_length + 1
    if length > body_length:
        raise InvalidRequest(f"Inference-Header-Content-Length is past the body's {body_length} bytes")
    return length


def parse_text(text: bytes | bytearray | memoryview) -> _Request:
    """A request's JSON; raises InvalidRequest."""
    try:
        return _decode(text)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"the request does not follow the protocol: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the body is not JSON: {error}") from error
    except RecursionError as error:
        raise InvalidRequest("the body's JSON is nested too deep") from error


def decode_request(body: Body, json_length: int | None = None) -> tuple[InferRequest, OutputForm]:
    """The request in `body`, whose first `json_length` bytes (None: all of it) are JSON."""
    text: bytes | bytearray | memoryview = body if json_length is None else memoryview(body)[:json_length]
    request = parse_text(text)
    tail = memoryview(body)[len(text) :]
    inputs: dict[str, Tensor] = {}
    offset = 0
    for given in request.inputs:
        if given.name in inputs:
            raise InvalidRequest(f"input '{given.name}' is given twice")
        size = _binary_size(given) if given.parameters else None
        if size is None:
            if given.data is _ABSENT:
                raise InvalidRequest(f"input '{given.name}' has neither data nor binary_data_size")
            inputs[given.name] = from_json(given.name, given.datatype, given.shape, memoryview(given.data))
            continue
        if given.data is not _ABSENT:
            raise InvalidRequest(f"input '{given.name}' has both data and binary_data_size")
        if size > len(tail) - offset:
            raise InvalidRequest(
                f"input '{given.name}' claims {size} binary bytes, {len(tail) - offset} are left in the body"
            )
        inputs[given.name] = from_bytes(given.name, given.datatype, given.shape, tail[offset : offset + size])
        offset += size
    if offset != len(tail):
        raise InvalidRequest(f"the body has {len(tail) - offset} bytes that belong to no input")
    outputs = [output.name for output in request.outputs] if request.outputs else None
    infer = InferRequest(inputs, outputs, id=request.id)
    infer.classes = _classes(request.outputs or ())
    if request.parameters:
        _apply_parameters(infer, request.parameters)
    elif not any(output.parameters for output in request.outputs or ()):
        return infer, _ALL_JSON
    return infer, _output_form(request)


def decode_raw_request(body: Body, inputs: list[TensorSpec], batched: bool) -> tuple[InferRequest, OutputForm]:
    """A body that is one tensor's bytes (an inference header of length 0), for a model with one input."""
    if len(inputs) != 1:
        raise InvalidRequest(f"a raw request is for models with one input, this one has {len(inputs)}")
    spec = inputs[0]
    shape = list(spec.dims)
    if shape.count(-1) > 1:
        raise InvalidRequest(f"a raw request leaves the shape of input '{spec.name}' {shape} open")
    if spec.datatype == "BYTES":
        shape = [1 if dim == -1 else dim for dim in shape]
        body = len(body).to_bytes(4, "little") + body
    elif -1 in shape:
        row = NUMPY[spec.datatype].itemsize
        for dim in shape:
            row *= dim if dim != -1 else 1
        if row == 0 or len(body) % row:
            raise InvalidRequest(f"the body's {len(body)} bytes do not fill input '{spec.name}' of shape {shape}")
        shape[shape.index(-1)] = len(body) // row
    if batched:
        shape = [1, *shape]
    return InferRequest({spec.name: from_bytes(spec.name, spec.datatype, shape, body)}), _ALL_BINARY


def encode_response(response: InferResponse, request_id: str, form: OutputForm) -> tuple[bytes, int | None]:
    """The body, and the length of its JSON where binary tensors follow it."""
    text = [_opening(response.model_name, response.model_version)]
    tail: list[bytes] = []
    all_json = form is _ALL_JSON
    separator = b""
    for name, tensor in response.outputs.items():
        if all_json or not form.is_binary(name):
            numbers = _encode(to_json(tensor, name))
            text += (separator, _described(name, tensor.dtype.char, tensor.shape, None), numbers, b"}")
        else:
            raw = to_bytes(tensor)
            tail.append(raw)
            text += (separator, _described(name, tensor.dtype.char, tensor.shape, len(raw)))
        separator = b","
    text.append(b'],"id":%b}' % _encode(request_id) if request_id else b"]}")
    if not tail:
        return b"".join(text), None
    return b"".join(text + tail), sum(map(len, text))


@lru_cache
def _opening(model: str, version: str) -> bytes:
    return b'{"model_name":%b,"model_version":%b,"outputs":[' % (_encode(model), _encode(version))


@lru_cache(_KNOWN_OUTPUTS)
def _described(name: str, dtype: str, shape: tuple[int, ...], binary_bytes: int | None) -> bytes:
    """An output as JSON: whole where its bytes follow later, up to its numbers where they do not."""
    datatype = FROM_NUMPY[np.dtype(dtype)]
    text = b'{"name":%b,"datatype":"%b","shape":%b,' % (_encode(name), datatype.encode(), _encode(shape))
    if binary_bytes is None:
        return text + b'"data":'
    return text + b'"parameters":{"binary_data_size":%d}}' % binary_bytes


def _binary_size(given: _Input) -> int | None:
    parameters = given.parameters or {}
    if "shared_memory_region" in parameters:
        raise InvalidRequest("this server does not take tensors from shared memory")
    size = parameters.get("binary_data_size")
    if size is None:
        return None
    if type(size) is not int or not 0 <= size < _UINT64:
        raise InvalidRequest(f"input '{given.name}': binary_data_size must be a whole number of bytes")
    return size


def _apply_parameters(request: InferRequest, parameters: dict[str, Any]) -> None:
    request.timeout_us = _unsigned(parameters, "timeout")
    request.priority = _unsigned(parameters, "priority")
    request.parameters = parameters


def _unsigned(parameters: dict[str, Any], name: str) -> int:
    value = parameters.get(name, 0)
    if type(value) is not int or not 0 <= value < _UINT64:
        raise InvalidRequest(f"parameter '{name}' must be a whole number from 0 to 2^64-1")
    return value


def _output_form(request: _Request) -> OutputForm:
    default = _flag(request.parameters or {}, "binary_data_output", "the request")
    by_name: dict[str, bool] = {}
    for output in request.outputs or ():
        parameters = output.parameters or {}
        if parameters.get("shared_memory_region"):
            raise InvalidRequest(f"output '{output.name}': this server does not answer in shared memory")
        if "binary_data" in parameters:
            by_name[output.name] = _flag(parameters, "binary_data", f"output '{output.name}'")
    return OutputForm(default, by_name)


def _classes(outputs: Iterable[_Output]) -> dict[str, int] | None:
    """By output, how many of its largest values are wanted in its place; None for none."""
    asked = {
        output.name: _unsigned(output.parameters, "classification")
        for output in outputs
        if output.parameters and output.parameters.get("classification")
    }
    return asked or None


def _flag(parameters: dict[str, Any], name: str, where: str) -> bool:
    value = parameters.get(name, False)
    if not isinstance(value, bool):
        raise InvalidRequest(f"{where}: {name} must be true or false")
    return value
