"""Whole channels are removed, and what takes them in shrinks with them: the graph does less work."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from slipform_runtime.build.errors import BadInput
from slipform_runtime.build.pruning.channels import Channels, Group, Slice
from slipform_runtime.build.pruning.weights import Weights


def remove_channels(model: onnx.ModelProto, sparsity: float) -> tuple[int, int]:
    """Remove that share of the channels of every group that allows it, those with the smallest weights:
    (removed, channels of these groups). Raises BadInput where no group does."""
    weights = Weights(model.graph)
    groups = Channels(model, weights).free()
    if not groups:
        raise BadInput(
            "structured pruning removes channels between two convolutions or products with constant weights, and this "
            "model has none that nothing else looks at; use method magnitude"
        )
    removed = 0
    for group in groups:
        kept = _kept(group, weights, sparsity)
        removed += group.size - len(kept)
        for cut in group.slices:
            weights[cut.name] = _taken(weights[cut.name], cut, kept, group.size)
        for node in group.depthwise:
            next(attribute for attribute in node.attribute if attribute.name == "group").i = len(kept)
    del model.graph.value_info[:]  # the old shapes
    return removed, sum(group.size for group in groups)


def _kept(group: Group, weights: Weights, sparsity: float) -> NDArray[np.intp]:
    """The channels with the largest weights, in their order; at least one."""
    norms = np.zeros(group.size)
    for cut in group.slices:
        if cut.role == "makes":
            value = np.moveaxis(weights[cut.name], cut.axis, 0).reshape(group.size, -1)
            sizes = np.linalg.norm(value, axis=1)
            norms += sizes / max(float(sizes.mean()), np.finfo(np.float32).tiny)
    count = max(1, group.size - int(sparsity * group.size))
    return np.sort(np.argsort(-norms, kind="stable")[:count])


def _taken(value: NDArray[Any], cut: Slice, kept: NDArray[np.intp], size: int) -> NDArray[Any]:
    """The constant with the kept channels alone; each may stand for a run of elements."""
    run = value.shape[cut.axis] // size
    places = (kept[:, None] * run + np.arange(run)).ravel()
    return np.ascontiguousarray(np.take(value, places, axis=cut.axis))
