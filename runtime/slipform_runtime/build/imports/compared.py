"""The export's answers beside the framework's own, and the names that the manifest gives to its tensors."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx

from slipform_runtime.build.imports.wanted import ROWS, Refused, Wanted
from slipform_runtime.build.onnxfile import nodes
from slipform_runtime.build.signature import DEFAULT_AXIS_SIZE, DTYPES
from slipform_runtime.datatypes import NUMPY, Tensor

Answer = Callable[[list[Tensor]], Sequence[Any]]
"""From the inputs, in the graph's order, to the framework's own outputs: all of the graph's, or its last ones."""

BATCH = 3
"""Samples that a network is compared on: another number than it is exported with, which shows that its batch varies."""

_TOLERANCE = 1e-3
_SHARE = 0.05
"""So many may differ by more: a tree compares in 64 bits and the graph in 32, and a row can fall on either side."""


def compared(wanted: Wanted, answer: Answer) -> str:
    """How far apart the two are; raises Refused where they are not the same model."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(wanted.target), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    arrays = _inputs(wanted)
    theirs = [np.asarray(each, np.float64) for each in answer(arrays)]
    ours = [np.asarray(each, np.float64) for each in session.run(None, dict(zip(names, arrays, strict=True)))]
    worst, outside, elements = 0.0, 0, 0
    for given, own in zip(ours[-len(theirs) :], theirs, strict=True):
        found = given[:, 1] if own.size * 2 == given.size else given  # XGBoost gives the second class's share alone
        if found.size != own.size:
            raise Refused(f"its export answers with the shape {given.shape}, the framework with {own.shape}")
        apart = np.abs(found.ravel() - own.ravel())
        scale = max(1.0, float(np.abs(own).max(initial=0.0)))
        worst, elements = max(worst, float(apart.max(initial=0.0))), elements + apart.size
        outside += int(np.count_nonzero(~(apart <= _TOLERANCE * scale)))
    if outside > _SHARE * elements:
        raise Refused(f"its export does not answer as the framework does: {outside} of {elements} numbers differ")
    rows = len(arrays[0]) if wanted.batched else 1
    return f"it differs by at most {worst:.2g} from the framework's own answers on {rows} random rows"


def renamed(wanted: Wanted, outputs: Sequence[str] = ()) -> None:
    """Give the exported tensors the manifest's names, by their order, where they have others; without such the outputs
    get the model's own, `outputs`."""
    model = onnx.load(wanted.target)
    changed = _rename(model, model.graph.input, [tensor.name for tensor in wanted.inputs])
    if _rename(model, model.graph.output, wanted.outputs or outputs) or changed:
        onnx.save(model, wanted.target)


def _rename(model: onnx.ModelProto, values: Sequence[Any], names: Sequence[str]) -> bool:
    own = [value.name for value in values]
    if len(names) != len(own) or set(names) <= set(own):
        return False
    new = dict(zip(own, names, strict=True))
    for node in nodes(model.graph):
        node.input[:] = [new.get(name, name) for name in node.input]
        node.output[:] = [new.get(name, name) for name in node.output]
    for value in values:
        value.name = new[value.name]
    return True


def _inputs(wanted: Wanted) -> list[Tensor]:
    """Random ones, of the graph's own types and of the manifest's sizes; whole numbers are 0 or 1, which every table
    of words has."""
    random = np.random.default_rng(0)
    graph = onnx.load(wanted.target, load_external_data=False).graph
    constants = {tensor.name for tensor in graph.initializer}
    declared = {tensor.name: tensor for tensor in wanted.inputs}
    rows = ROWS if wanted.kind in ("sklearn", "xgboost", "lightgbm") else BATCH
    found: list[Tensor] = []
    for value in graph.input:
        if value.name in constants:
            continue
        kind = value.type.tensor_type
        sizes = [dim.dim_value for dim in kind.shape.dim]
        stated = declared.get(value.name)
        whole = wanted.shape(stated, rows) if stated and len(stated.shape) + wanted.batched == len(sizes) else None
        shape = [size or (whole[axis] if whole else _unstated(wanted, axis, rows)) for axis, size in enumerate(sizes)]
        dtype = NUMPY[DTYPES[kind.elem_type]]
        floats = dtype.kind == "f"
        found.append((random.standard_normal(shape) if floats else random.integers(0, 2, shape)).astype(dtype))
    return found


def _unstated(wanted: Wanted, axis: int, rows: int) -> int:
    return rows if axis == 0 and wanted.batched else DEFAULT_AXIS_SIZE
