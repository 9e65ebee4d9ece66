"""Which importer a format means."""

from pathlib import Path

from slipform_runtime.build.errors import BadInput
from slipform_runtime.build.manifest import BuildManifest
from slipform_runtime.build.source import Fetched


def import_model(
    manifest: BuildManifest, fetched: Fetched, work: Path, *, trust_pickle: bool
) -> tuple[Path, list[str]]:
    """The model as an ONNX file, and what was done to make it one. Raises a BuildError."""
    if manifest.source.format == "onnx":
        return fetched.path, []
    raise BadInput(f"source.format '{manifest.source.format}' can't be built from")
