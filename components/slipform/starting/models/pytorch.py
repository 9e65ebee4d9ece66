"""PyTorch's exported programs (``torch.export.save``): their signature is JSON."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from .signature import Axis, FoundTensor, Signature, Unreadable

PROGRAMS = ("models/model.json", "serialized_exported_program.json")
"""The program inside the archive, since PyTorch 2.8 and before."""
_DTYPES = {
    1: "UINT8", 2: "INT8", 3: "INT16", 4: "INT32", 5: "INT64", 6: "FP16", 7: "FP32", 8: "FP64", 12: "BOOL",
    28: "UINT16",
}  # fmt: skip
"""torch._export.serde.schema.ScalarType"""


def read(file: Path) -> Signature:
    """A program's inputs and outputs. Raises Unreadable where it has others than tensors."""
    try:
        with zipfile.ZipFile(file) as archive:
            (name,) = [each for each in archive.namelist() if each.endswith(PROGRAMS)]
            program = json.loads(archive.read(name))
        module = program["graph_module"]
        values = module["graph"]["tensor_values"]
        signature = module["signature"]
        inputs = [_argument(each["user_input"]) for each in signature["input_specs"] if "user_input" in each]
        outputs = [_argument(each["user_output"]) for each in signature["output_specs"] if "user_output" in each]
    except (ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile):
        raise Unreadable(f"{file} is a program of torch.export in a form that is not known here") from None
    others = [each for each in (*inputs, *outputs) if each not in values]
    if others or not inputs:
        raise Unreadable(f"{file} takes or answers what is no tensor: export a program of tensors alone")
    return Signature(
        format="pytorch",
        main=file,
        files=(file,),
        inputs=tuple(_tensor(file, name, values[name]) for name in inputs),
        outputs=tuple(_tensor(file, name, values[name]) for name in outputs),
        origin=f"torch.export, PyTorch {program.get('torch_version', 'of unknown version')}",
    )


def _argument(spec: dict[str, Any]) -> str:
    """The name of a tensor; of anything else what kind of thing it is, which names no value."""
    (kind, value), *_ = spec["arg"].items()
    return str(value["name"]) if kind == "as_tensor" else str(kind)


def _tensor(file: Path, name: str, value: dict[str, Any]) -> FoundTensor:
    if value["dtype"] not in _DTYPES:
        raise Unreadable(f"{file}: {name} is of PyTorch's type {value['dtype']}, which clients can't send: cast it")
    return FoundTensor(name, _DTYPES[value["dtype"]], tuple(Axis(size.get("as_int")) for size in value["sizes"]))
