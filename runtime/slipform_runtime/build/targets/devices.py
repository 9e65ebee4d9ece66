"""What the targets share that are made from a framework's own model, and not from the ONNX graph."""

from pathlib import Path

import msgspec
import numpy as np

from slipform_runtime.build.errors import BadInput
from slipform_runtime.build.imports.isolation import run_apart
from slipform_runtime.build.imports.wanted import wanted_of
from slipform_runtime.build.precision.convert import Plan
from slipform_runtime.build.targets.base import Made


def must_come_from(plan: Plan, kinds: tuple[str, ...], target: str, elsewhere: str) -> None:
    """Raise BadInput for a model of another framework, or for what is done to ONNX graphs alone."""
    kind = plan.imported.kind
    if kind not in kinds:
        raise BadInput(f"target {target} is made from a model of format {' or '.join(kinds)}, not {kind}; {elsewhere}")
    must_not_prune(plan, target)


def must_not_prune(plan: Plan, target: str) -> None:
    """Raise BadInput where the manifest asks for what the framework's own model can't have."""
    if plan.manifest.pruning is not None:
        raise BadInput(f"pruning is done to an ONNX graph, and target {target} is made from the framework's own model")


def convert(plan: Plan, to: Path) -> Made:
    """In a process of the framework's own."""
    manifest, imported = plan.manifest, plan.imported
    samples = None
    if manifest.precision == "int8-static" and plan.calibration is not None:
        samples = plan.work / "device-samples.npz"
        np.savez(samples, **plan.calibration.arrays)  # type: ignore[arg-type]  # numpy's stub, as in footprint.py
    asked = wanted_of(manifest, imported.kind, imported.given, to, trusted=imported.trusted)
    outputs = [tensor.name for tensor in plan.signature.outputs]
    wanted = msgspec.structs.replace(
        asked, to=manifest.target, precision=manifest.precision, samples=samples, outputs=outputs
    )
    return Made(run_apart(wanted, plan.work, unpickled=False))
