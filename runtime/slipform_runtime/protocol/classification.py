"""Triton's classification extension: an output as its largest values, each with where it stands and what it is called.

https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_classification.md
"""

from math import prod

import numpy as np

from slipform_runtime.datatypes import FROM_NUMPY, Tensor
from slipform_runtime.errors import InvalidRequest


def classified(name: str, tensor: Tensor, count: int, labels: list[str], *, batched: bool) -> Tensor:
    """The `count` largest values of each item of output `name`, as BYTES `VALUE:INDEX` or `VALUE:INDEX:LABEL`."""
    if tensor.dtype.kind not in "iuf" or tensor.dtype == np.float16:
        raise InvalidRequest(f"output '{name}' is {FROM_NUMPY[tensor.dtype]}, whose values are not put in order")
    items = tensor.shape[0] if batched else 1
    # Not -1 for the length: numpy cannot tell it where there are no elements.
    values = tensor.reshape(items, prod(tensor.shape[1:] if batched else tensor.shape))
    count = min(count, values.shape[1])
    texts = np.empty((items, count), np.object_)
    for item, row in enumerate(values):
        for rank, index in enumerate(_largest(row)[:count].tolist()):
            texts[item, rank] = _text(row[index], index, labels)
    return texts if batched else texts[0]


def _largest(row: Tensor) -> Tensor:
    """The places of all values, the largest first, of equal ones the first."""
    return len(row) - 1 - np.argsort(row[::-1], kind="stable")[::-1]


def _text(value: "np.generic", index: int, labels: list[str]) -> bytes:
    number = f"{value:f}" if value.dtype.kind == "f" else str(value)
    label = f":{labels[index]}" if index < len(labels) else ""
    return f"{number}:{index}{label}".encode()
