"""What the classes of a model's outputs are called: by `label_filename`, a name a line, as in Triton."""

from pathlib import Path
from typing import Any

from slipform_runtime.errors import ModelLoadError
from slipform_runtime.logs import log

Labels = dict[str, list[str]]
"""By output."""


def read_labels(config: Any, folder: Path) -> Labels:
    """The labels that a model's `folder` has; raises ModelLoadError where a file is missing or no text."""
    return {
        output.name: _lines(output.name, output.label_filename, folder)
        for output in config.output
        if output.label_filename
    }


def joined(model: str, own: Labels, given: Labels, outputs: list[str]) -> Labels:
    """The model's own labels, and in their place those that the server's config file gives."""
    if unknown := [name for name in given if name not in outputs]:
        log.warning("labels_unused", model=model, unknown_outputs=unknown, outputs=outputs)
    return {**own, **given}


def _lines(output: str, name: str, folder: Path) -> list[str]:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise ModelLoadError(f"output '{output}': there is no file {name} beside config.pbtxt, its label_filename")
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ModelLoadError(f"output '{output}': its label_filename {name} is not UTF-8") from error
