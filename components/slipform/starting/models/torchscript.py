"""TorchScript: its code names what a model takes, and says nothing of types and shapes."""

from __future__ import annotations

import pickletools
import re
import zipfile
from pathlib import Path

from .signature import Signature, Unreadable
from .stated import EXAMPLE, Silent, Stated

CONSTANTS = "constants.pkl"
"""What an archive of ``torch.jit.save`` has, and no other of PyTorch's."""


def read(file: Path, stated: Stated) -> Signature:
    """A program whose inputs are stated. Raises Silent where they are not, Unreadable for another number."""
    names = arguments(file)
    if not stated.inputs:
        raise Silent(
            f"{file} is TorchScript: it takes {', '.join(names) or 'something'}, and does not say of what type and "
            f"shape\n    say it once for each, in this order: --input {EXAMPLE}",
            names,
        )
    if names and len(names) != len(stated.inputs):
        raise Unreadable(f"{file} takes {len(names)} inputs, {', '.join(names)}; --input names {len(stated.inputs)}")
    return Signature("torchscript", file, (file,), stated.inputs, (), "TorchScript, with inputs as they were stated")


def arguments(file: Path) -> tuple[str, ...]:
    """The names that the model's ``forward`` takes, as far as they can be found without running anything."""
    try:
        with zipfile.ZipFile(file) as archive:
            folder = next(name for name in archive.namelist() if name.endswith("/data.pkl")).removesuffix("data.pkl")
            module, name = _root(archive.read(f"{folder}data.pkl"))
            code = archive.read(f"{folder}code/{module.replace('.', '/')}.py").decode()
    except (StopIteration, KeyError, ValueError, zipfile.BadZipFile):
        return ()
    forward = re.search(rf"class {re.escape(name)}\(Module\):.*?def forward\(self: [^,)]+(.*?)\) ->", code, re.DOTALL)
    return tuple(re.findall(r",\s*(\w+):", forward[1])) if forward else ()


def _root(pickled: bytes) -> tuple[str, str]:
    """The class of the model itself: the first that the pickle names. Its instructions are read, not followed."""
    named = next(argument for opcode, argument, _ in pickletools.genops(pickled) if opcode.name == "GLOBAL")
    module, _, name = str(named).partition(" ")
    return module, name
