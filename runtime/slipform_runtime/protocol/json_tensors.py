"""Tensors as JSON: strictly typed. A number that does not fit its type is refused, never rounded.

The JSON text of a tensor is decoded straight into lists of the right element type (msgspec refuses a string, a
bool or a fraction where an integer is due), so that numpy never guesses.
"""

from collections.abc import Callable
from functools import cache
from typing import Annotated, Any

import msgspec
import numpy as np

from slipform_runtime.datatypes import Tensor
from slipform_runtime.errors import InvalidRequest
from slipform_runtime.tensors import check_shape, numpy_dtype

_FLT_END = 2.0**128 - 2.0**103  # what is below is rounded to the largest FP32, which is printed as 3.4028235e38
_Float32 = Annotated[float, msgspec.Meta(gt=-_FLT_END, lt=_FLT_END)]  # checked while decoding

_NOT_PLAIN = "eO"  # numpy's characters of FP16 and BYTES

_ELEMENTS: dict[str, Any] = {"BOOL": bool, "BYTES": str, "FP32": _Float32, "FP64": float}


def from_json(name: str, datatype: str, shape: list[int] | tuple[int, ...], data: bytes | memoryview) -> Tensor:
    """The tensor of JSON array `data`: flat, or nested as `shape` is."""
    count = check_shape(name, shape)
    tensor = _parse(name, datatype, data, rank=len(shape))
    if tensor.ndim == 1 and tensor.size == count:
        return tensor.reshape(shape)
    if tensor.shape != tuple(shape):
        raise InvalidRequest(
            f"input '{name}' has {_counted(tensor)}, shape {list(shape)} needs {count} elements, flat or nested so"
        )
    return tensor


def from_nested(name: str, datatype: str, data: bytes | memoryview) -> Tensor:
    """The tensor of JSON value `data`, whose nesting is its shape."""
    return _parse(name, datatype, data, rank=None)


def to_json(tensor: Tensor, name: str) -> list[Any]:
    """The elements in row-major order, as JSON values."""
    flat = tensor.ravel()
    values: list[Any] = flat.tolist() if flat.dtype.char not in _NOT_PLAIN else nested_to_json(flat, name)
    return values


def nested_to_json(tensor: Tensor, name: str) -> Any:
    """The elements nested as the tensor's shape is."""
    kind = tensor.dtype.char
    if kind == "e":
        raise InvalidRequest(f"output '{name}' is FP16, which has no JSON form; ask for it with binary_data")
    if kind != "O":
        return tensor.tolist()
    try:
        return _texts(tensor.tolist())
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"output '{name}' is not UTF-8; ask for it with binary_data") from error


def _texts(value: Any) -> Any:
    if isinstance(value, list):
        return [_texts(item) for item in value]
    return value.decode() if isinstance(value, bytes) else str(value)


def _parse(name: str, datatype: str, data: bytes | memoryview, rank: int | None) -> Tensor:
    dtype = numpy_dtype(name, datatype)
    if datatype == "FP16":
        raise InvalidRequest(f"input '{name}' is FP16, which has no JSON form; send it as binary data")
    depth = depth_of(data)
    if rank is not None and depth not in (1, rank):
        raise InvalidRequest(f"input '{name}': data is nested {depth} deep, shape has {rank} dimensions")
    try:
        values = list_decoder(datatype, depth)(data)
        tensor = _bytes_array(values) if datatype == "BYTES" else np.array(values, dtype)
    except msgspec.ValidationError as error:
        if str(_FLT_END) in str(error):
            raise InvalidRequest(f"input '{name}' has a number that does not fit FP32") from error
        raise InvalidRequest(f"input '{name}' is {datatype}: {error}") from error
    except OverflowError as error:
        raise InvalidRequest(f"input '{name}' has a number that does not fit {datatype}") from error
    except ValueError as error:  # numpy: the rows differ in length
        raise InvalidRequest(f"input '{name}': its nested lists are not of one shape") from error
    if datatype == "BYTES" and depth != 1:
        return tensor.reshape(_shape_of(name, values))
    return tensor


def depth_of(data: bytes | memoryview) -> int:
    """How deep the first element is nested."""
    depth = 0
    for byte in data:
        if byte == 0x5B:  # [
            depth += 1
            if depth > 32:
                raise InvalidRequest("data is nested more than 32 deep")
        elif byte not in b" \t\r\n":
            break
    return depth


@cache
def list_decoder(datatype: str, depth: int) -> Callable[[bytes | bytearray | memoryview], Any]:
    """Decodes JSON to lists nested `depth` deep of the type's elements; raises msgspec.DecodeError."""
    kind: Any = _ELEMENTS.get(datatype, int)
    for _ in range(depth):
        kind = list[kind]
    return msgspec.json.Decoder(kind).decode


def _bytes_array(values: Any) -> Tensor:
    texts = _flat(values)
    tensor = np.empty(len(texts), np.object_)
    tensor[:] = [text.encode() for text in texts]
    return tensor


def _flat(values: Any) -> list[Any]:
    if not isinstance(values, list):
        return [values]
    return [item for value in values for item in (_flat(value) if isinstance(value, list) else (value,))]


def _shape_of(name: str, values: Any) -> tuple[int, ...]:
    if not isinstance(values, list):
        return ()
    shapes = {_shape_of(name, value) for value in values}
    if len(shapes) > 1:
        raise InvalidRequest(f"input '{name}': its nested lists are not of one shape")
    return (len(values), *(shapes.pop() if shapes else ()))


def _counted(tensor: Tensor) -> str:
    return f"{tensor.size} elements" if tensor.ndim < 2 else f"data of shape {list(tensor.shape)}"
