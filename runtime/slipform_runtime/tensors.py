"""Tensors to bytes and back, in the protocol's form: little-endian, row-major, BYTES length-prefixed."""

import struct
from math import prod

import numpy as np

from slipform_runtime.datatypes import NUMPY, Tensor
from slipform_runtime.errors import InvalidRequest

MAX_RANK = 32
MAX_ELEMENTS = 2**40
_LENGTH = struct.Struct("<I")


def check_shape(name: str, shape: list[int] | tuple[int, ...]) -> int:
    """The number of elements of `shape`; refused where no tensor can have it."""
    if len(shape) > MAX_RANK:
        raise InvalidRequest(f"input '{name}' has {len(shape)} dimensions, at most {MAX_RANK} are allowed")
    if shape and min(shape) < 0:
        raise InvalidRequest(f"input '{name}' has a negative dimension in shape {list(shape)}")
    count = prod(shape)  # Python's integers do not overflow
    # A dimension of 0 leaves the others as large as they are, and numpy multiplies them without it.
    if (count or prod(filter(None, shape))) > MAX_ELEMENTS:
        raise InvalidRequest(f"input '{name}' has shape {list(shape)}, whose elements are more than fit")
    return count


def numpy_dtype(name: str, datatype: str) -> "np.dtype[np.generic]":
    """numpy's type for one of the protocol's names."""
    try:
        return NUMPY[datatype]
    except KeyError:
        raise InvalidRequest(f"input '{name}' has datatype '{datatype}'; allowed are {', '.join(NUMPY)}") from None


def from_bytes(
    name: str, datatype: str, shape: list[int] | tuple[int, ...], raw: bytes | bytearray | memoryview
) -> Tensor:
    """The tensor that `raw` holds. A view of `raw`, except for BYTES, where elements are `bytes` objects."""
    dtype = numpy_dtype(name, datatype)
    count = check_shape(name, shape)
    if datatype == "BYTES":
        return _bytes_elements(name, count, raw).reshape(shape)
    expected = count * dtype.itemsize
    if len(raw) != expected:
        raise InvalidRequest(
            f"input '{name}' has {len(raw)} bytes, {expected} are needed for {datatype} of shape {list(shape)}"
        )
    tensor = np.frombuffer(raw, dtype).reshape(shape)
    if datatype == "BOOL" and count and np.frombuffer(raw, np.uint8).max() > 1:
        raise InvalidRequest(f"input '{name}' is BOOL and has bytes other than 0 and 1")
    return tensor


def _bytes_elements(name: str, count: int, raw: bytes | bytearray | memoryview) -> Tensor:
    # The smallest encoding of n elements is 4n bytes: checked first, so that a claimed count allocates nothing.
    if count * 4 > len(raw):
        raise InvalidRequest(f"input '{name}' has {len(raw)} bytes, too few for {count} BYTES elements")
    elements = np.empty(count, np.object_)
    offset, end = 0, len(raw)
    for index in range(count):
        if offset + 4 > end:
            raise InvalidRequest(f"input '{name}' ends within the length of BYTES element {index}")
        (length,) = _LENGTH.unpack_from(raw, offset)
        offset += 4
        if length > end - offset:
            raise InvalidRequest(
                f"input '{name}': BYTES element {index} claims {length} bytes, {end - offset} are left"
            )
        elements[index] = bytes(raw[offset : offset + length])
        offset += length
    if offset != end:
        raise InvalidRequest(f"input '{name}' has {end - offset} bytes after its {count} BYTES elements")
    return elements


def to_bytes(tensor: Tensor) -> bytes:
    """The protocol's bytes of `tensor`."""
    if tensor.dtype != np.object_:
        return tensor.tobytes()
    parts: list[bytes] = []
    for element in tensor.ravel():
        data = element if isinstance(element, bytes) else str(element).encode()
        parts += (_LENGTH.pack(len(data)), data)
    return b"".join(parts)
