"""The smallest weights become zero; shapes stay."""

from typing import Literal

import numpy as np
import onnx

from slipform_runtime.build.errors import BadInput
from slipform_runtime.build.pruning.weights import OPERATORS, Weights, of_products

Scope = Literal["tensor", "global"]


def zero_smallest(graph: onnx.GraphProto, sparsity: float, scope: Scope) -> tuple[int, int]:
    """Set that share of the weights to zero, of each tensor or of all together: (zeros, weights)."""
    weights = Weights(graph)
    names = of_products(graph, weights)
    if not names:
        raise BadInput(f"pruning looks at the weights of {', '.join(OPERATORS)}; this model has none that are constant")
    common = _threshold(np.concatenate([np.abs(weights[name]).ravel() for name in names]), sparsity)
    zeros = total = 0
    for name in names:
        value = weights[name].copy()
        size = np.abs(value)
        value[size <= (common if scope == "global" else _threshold(size.ravel(), sparsity))] = 0
        weights[name] = value
        zeros, total = zeros + int(np.count_nonzero(value == 0)), total + value.size
    return zeros, total


def _threshold(sizes: np.ndarray[tuple[int], np.dtype[np.float32]], sparsity: float) -> float:
    """The largest that becomes zero; below every size where none does."""
    count = round(sparsity * sizes.size)
    return float(np.partition(sizes, count - 1)[count - 1]) if count else -1.0
