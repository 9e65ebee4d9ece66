"""The protocol's data types, beside numpy's, ONNX's and config.pbtxt's."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[Any]

_ROWS = (
    # v2      numpy        ONNX Runtime         config.pbtxt
    ("BOOL", np.bool_, "tensor(bool)", "TYPE_BOOL"),
    ("UINT8", np.uint8, "tensor(uint8)", "TYPE_UINT8"),
    ("UINT16", np.uint16, "tensor(uint16)", "TYPE_UINT16"),
    ("UINT32", np.uint32, "tensor(uint32)", "TYPE_UINT32"),
    ("UINT64", np.uint64, "tensor(uint64)", "TYPE_UINT64"),
    ("INT8", np.int8, "tensor(int8)", "TYPE_INT8"),
    ("INT16", np.int16, "tensor(int16)", "TYPE_INT16"),
    ("INT32", np.int32, "tensor(int32)", "TYPE_INT32"),
    ("INT64", np.int64, "tensor(int64)", "TYPE_INT64"),
    ("FP16", np.float16, "tensor(float16)", "TYPE_FP16"),
    ("FP32", np.float32, "tensor(float)", "TYPE_FP32"),
    ("FP64", np.float64, "tensor(double)", "TYPE_FP64"),
    ("BYTES", np.object_, "tensor(string)", "TYPE_STRING"),
)

NUMPY: dict[str, np.dtype[Any]] = {v2: np.dtype(numpy) for v2, numpy, _, _ in _ROWS}
FROM_NUMPY: dict[np.dtype[Any], str] = {dtype: v2 for v2, dtype in NUMPY.items()}
FROM_ONNX: dict[str, str] = {onnx: v2 for v2, _, onnx, _ in _ROWS}
FROM_CONFIG: dict[str, str] = {config: v2 for v2, _, _, config in _ROWS}
TO_CONFIG: dict[str, str] = {v2: config for v2, _, _, config in _ROWS}
