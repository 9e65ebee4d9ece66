"""Pickles: which library's object one holds, told by its instructions, which are read and not followed."""

from __future__ import annotations

import pickletools
from pathlib import Path

from .signature import Signature, Unreadable
from .stated import Stated

_FORMATS = ("sklearn", "xgboost", "lightgbm")
"""Each is the package that the object's class is of."""
_MOST_BYTES = 1 << 16
"""The class stands at the beginning."""

ONNX = "skl2onnx.to_onnx(model, X[:1], options={'zipmap': False}) makes ONNX of it; save that with .SerializeToString()"
_TRUSTED = "if you trust its maker, `slipform build` can read it: --trust-pickle --input features:FP32:batch,WIDTH"


def read(file: Path, stated: Stated) -> Signature:
    """A pickle that is trusted, and whose inputs are stated. Raises Unreadable for any other."""
    what = root(file)
    format = what.partition(".")[0]
    known = format in _FORMATS
    if known and stated.trust_pickle and stated.inputs:
        return Signature(format, file, (file,), stated.inputs, (), f"a pickle of {what}", trust_pickle=True)
    told = f"\n    {_TRUSTED}" if known else ""
    raise Unreadable(
        f"{file} is a pickle{f' of {what}' if what else ''}: whoever made it decides what runs when it is read, so it "
        f"isn't read here\n    where the model was trained, {ONNX}{told}"
    )


def root(file: Path) -> str:
    """The class of the object itself, with its module: the first that is named. Empty where none is found."""
    with file.open("rb") as stream:
        head = stream.read(_MOST_BYTES)
    words: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(head):
            if opcode.name == "GLOBAL":
                return str(argument).replace(" ", ".")
            if opcode.name == "STACK_GLOBAL":
                return ".".join(words[-2:])
            if "UNICODE" in opcode.name:
                words.append(str(argument))
    except (ValueError, IndexError, UnicodeDecodeError):
        pass
    return ""
