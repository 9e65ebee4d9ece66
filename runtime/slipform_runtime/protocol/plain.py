"""The plain routes' JSON: `{"inputs": …}` in, `{"outputs": …}` out, for people and for scripts.

One item goes without the batch axis, `/batch` takes a list of items. A model with one input takes the value
itself; one with several takes an object by name.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import numpy as np

from slipform_runtime.datatypes import NUMPY, Tensor
from slipform_runtime.errors import ExecutionFailed, InvalidRequest
from slipform_runtime.inference import InferRequest, TensorSpec
from slipform_runtime.protocol.json_tensors import from_nested, nested_to_json


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    inputs: msgspec.Raw
    id: str = ""
    outputs: list[str] | None = None


_FP16_END = 65520  # what is below is rounded to the largest, 65504

_decode = msgspec.json.Decoder(_Request).decode
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


class _AnyRequest(msgspec.Struct, forbid_unknown_fields=True):
    inputs: Any
    id: str = ""
    outputs: list[str] | None = None


_decode_any = msgspec.json.Decoder(_AnyRequest).decode


def decode_request(body: bytes, specs: list[TensorSpec], *, batched: bool, batch: bool) -> InferRequest:
    """The request in `body`; `batched` is whether the model has a batch axis, `batch` whether items come as a list."""
    with _client_errors():
        request = _decode(body)
        given = _values(request.inputs, specs)
    if batch and not batched:
        raise InvalidRequest("this model has no batch axis; use the route without /batch")
    tensors: dict[str, Tensor] = {}
    for spec in specs:
        if spec.name not in given:
            raise InvalidRequest(f"input '{spec.name}' is missing; the model takes {_listed(specs)}")
        tensor = _tensor(spec, memoryview(given[spec.name]))
        rank = len(spec.dims) + batch
        if tensor.ndim != rank:
            shape = [*(["items"] if batch else []), *("any" if dim == -1 else dim for dim in spec.dims)]
            raise InvalidRequest(
                f"input '{spec.name}' has shape {list(tensor.shape)}, this route takes {_shape_text(shape)}"
            )
        tensors[spec.name] = tensor[np.newaxis] if batched and not batch else tensor
    if unknown := set(given) - {spec.name for spec in specs}:
        raise InvalidRequest(f"the model has no input '{min(unknown)}'; it takes {_listed(specs)}")
    return InferRequest(tensors, request.outputs, id=request.id)


def _tensor(spec: TensorSpec, data: memoryview) -> Tensor:
    """The numbers or texts of an input. Unlike the protocol's own routes these take half precision too, as numbers."""
    if spec.datatype != "FP16":
        return from_nested(spec.name, spec.datatype, data)
    wide = from_nested(spec.name, "FP32", data)
    if np.abs(wide).max(initial=0) >= _FP16_END:
        raise InvalidRequest(f"input '{spec.name}' has a number that does not fit FP16")
    return wide.astype(np.float16)


def decode_any(body: bytes) -> tuple[Any, list[str] | None, str]:
    """`inputs` as it was sent, for a handler's `preprocess`; the wanted outputs; the request's id."""
    with _client_errors():
        request = _decode_any(body)
    return request.inputs, request.outputs, request.id


def prepared_request(prepared: Any, specs: list[TensorSpec], *, batched: bool, batch: bool) -> InferRequest:
    """The request that `preprocess` made: arrays by input name, or a value as if it was sent."""
    if isinstance(prepared, np.ndarray) and len(specs) == 1:
        prepared = {specs[0].name: prepared}
    try:
        if isinstance(prepared, dict) and any(isinstance(value, np.ndarray) for value in prepared.values()):
            types = {spec.name: NUMPY[spec.datatype] for spec in specs}
            return InferRequest(
                {name: np.asarray(value).astype(types.get(name), copy=False) for name, value in prepared.items()}
            )
        body = _encode({"inputs": prepared})
    except (TypeError, ValueError, OverflowError, msgspec.MsgspecError) as error:
        raise ExecutionFailed(f"preprocess returned what is no input: {error}") from error
    return decode_request(body, specs, batched=batched, batch=batch)


def output_values(outputs: dict[str, Tensor], *, batched: bool, batch: bool) -> dict[str, Any]:
    """The outputs as JSON values, by name, without the batch axis where one item was sent."""
    return {
        name: nested_to_json(_shown(tensor, batched=batched, batch=batch), name) for name, tensor in outputs.items()
    }


def _shown(tensor: Tensor, *, batched: bool, batch: bool) -> Tensor:
    """The one item of a batch, as a tensor even where it has no axes: a text alone would be none."""
    shown = tensor[0, ...] if batched and not batch else tensor
    return shown if shown.dtype != np.float16 else shown.astype(np.float32)


def labels_of(tensor: Tensor, labels: list[str], *, batched: bool, batch: bool) -> Any:
    """The label of each item: of its largest score along the last axis, or of the class number it is."""
    value = _shown(tensor, batched=batched, batch=batch)
    if np.issubdtype(value.dtype, np.integer):
        indices = value
    elif value.ndim and value.shape[-1] == len(labels):
        indices = value.argmax(axis=-1)
    else:
        return None
    return _named(indices.tolist(), labels)


def encode_response(
    values: Any, labels: dict[str, Any] | None, model_version: str, request_id: str, latency_ms: float
) -> bytes:
    """The answer's body."""
    answer: dict[str, Any] = {"outputs": values}
    if labels:
        answer["labels"] = labels
    answer["model_version"] = model_version
    answer["request_id"] = request_id
    answer["latency_ms"] = round(latency_ms, 3)
    return _encode(answer)


@contextmanager
def _client_errors() -> Iterator[None]:
    try:
        yield
    except msgspec.ValidationError as error:
        raise InvalidRequest(f'the body must be {{"inputs": …}}: {error}') from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the body is not JSON: {error}") from error
    except RecursionError as error:
        raise InvalidRequest("the body's JSON is nested too deep") from error


def _values(raw: msgspec.Raw, specs: list[TensorSpec]) -> dict[str, msgspec.Raw]:
    is_object = bytes(memoryview(raw)[:16]).lstrip()[:1] == b"{"
    if is_object:
        return _decode_object(raw)
    if len(specs) != 1:
        raise InvalidRequest(f"the model has several inputs: give an object with {_listed(specs)}")
    return {specs[0].name: raw}


def _named(index: Any, labels: list[str]) -> Any:
    if isinstance(index, list):
        return [_named(item, labels) for item in index]
    return labels[index] if 0 <= index < len(labels) else str(index)


def _listed(specs: list[TensorSpec]) -> str:
    return ", ".join(f"'{spec.name}'" for spec in specs)


def _shape_text(shape: list[Any]) -> str:
    return "one value" if not shape else "[" + ", ".join(str(dim) for dim in shape) + "]"
