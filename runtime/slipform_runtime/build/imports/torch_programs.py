"""PyTorch: programs of torch.export, and TorchScript. Neither needs the model's Python code."""

from importlib import import_module
from typing import Any

import numpy as np

from slipform_runtime.build.imports.compared import Answer, renamed
from slipform_runtime.build.imports.files import is_torchscript
from slipform_runtime.build.imports.wanted import Refused, Wanted
from slipform_runtime.build.manifest import BATCH
from slipform_runtime.datatypes import NUMPY

_OPSET, _SCRIPT_OPSET = 18, 17
_LARGE = 1 << 30


def pytorch(wanted: Wanted) -> Answer:
    """Export with torch's exporter; the axes vary that the program was exported with as varying."""
    if is_torchscript(wanted.path):
        return torchscript(wanted)
    torch: Any = import_module("torch")
    import_module("onnxscript")
    program = torch.export.load(wanted.path)
    large = wanted.path.stat().st_size > _LARGE
    torch.onnx.export(
        program, f=str(wanted.target), dynamo=True, opset_version=_OPSET, external_data=large, verbose=False
    )
    renamed(wanted)
    return _answering(torch, program.module())


def torchscript(wanted: Wanted) -> Answer:
    """Export with torch's older exporter, which alone reads TorchScript; the batch and every named axis vary."""
    torch: Any = import_module("torch")
    if not wanted.inputs:
        raise Refused("a TorchScript file does not say what its inputs are: the manifest needs inputs")
    module = torch.jit.load(str(wanted.path), map_location="cpu").eval()
    examples = tuple(
        torch.from_numpy(np.ones(wanted.shape(tensor, 2), NUMPY[tensor.dtype])) for tensor in wanted.inputs
    )
    answer = _answering(torch, module)
    count = len(answer([example.numpy() for example in examples]))
    outputs = wanted.outputs or [f"output_{index}" for index in range(count)]
    if len(outputs) != count:
        raise Refused(f"has {count} outputs, the manifest names {len(outputs)}: {', '.join(outputs)}")
    first = 1 if wanted.batched else 0
    varying = {
        tensor.name: {index + first: axis for index, axis in enumerate(tensor.shape) if isinstance(axis, str)}
        | ({0: BATCH} if wanted.batched else {})
        for tensor in wanted.inputs
    } | {name: {0: BATCH} if wanted.batched else {} for name in outputs}
    torch.onnx.export(
        module, examples, str(wanted.target), dynamo=False, opset_version=_SCRIPT_OPSET, dynamic_axes=varying,
        input_names=[tensor.name for tensor in wanted.inputs], output_names=outputs,
    )  # fmt: skip
    return answer


def _answering(torch: Any, module: Any) -> Answer:
    def answer(arrays: list[Any]) -> list[Any]:
        with torch.no_grad():
            found = module(*(torch.from_numpy(array) for array in arrays))
        leaves = torch.utils._pytree.tree_leaves(found)
        return [leaf.numpy() for leaf in leaves]

    return answer
