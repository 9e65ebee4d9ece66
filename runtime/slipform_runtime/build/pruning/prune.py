"""The manifest's pruning, done to the plan's model."""

from dataclasses import replace

import msgspec
import onnx

from slipform_runtime.build.errors import ToolFailed
from slipform_runtime.build.optimise import fold
from slipform_runtime.build.precision.convert import Plan
from slipform_runtime.build.pruning.magnitude import zero_smallest
from slipform_runtime.build.pruning.structured import remove_channels
from slipform_runtime.build.pruning.weights import Weights


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What pruning reached: of `magnitude` the share of weights that are zero, of `structured` that of the channels
    that are gone, among those that could go. `weights` are all FP32 constants of the graph."""

    method: str
    sparsity_asked: float
    sparsity_reached: float
    weights_before: int
    weights_after: int


def prune(plan: Plan) -> tuple[Plan, Pruned | None]:
    """The plan with a pruned model, and what was reached; the plan itself where the manifest asks for nothing."""
    wanted = plan.manifest.pruning
    if wanted is None:
        return plan, None
    model = fold(plan.model, plan.work)  # batch norms are weights of the convolutions then
    before = Weights(model.graph).count
    if wanted.method == "magnitude":
        done, total = zero_smallest(model.graph, wanted.sparsity, wanted.scope)
        whose = "all" if wanted.scope == "global" else "each tensor"
        what = f"{done} of {total} weights are zero, the smallest of {whose}"
    else:
        done, total = remove_channels(model, wanted.sparsity)
        what = f"{done} of {total} channels removed"
    after = Weights(model.graph).count
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # the checker's C++ raises its own types
        raise ToolFailed(f"pruning has broken the graph: {error}") from error
    pruned = Pruned(
        method=wanted.method,
        sparsity_asked=wanted.sparsity,
        sparsity_reached=round(done / total, 4),
        weights_before=before,
        weights_after=after,
    )
    step = f"{wanted.method} pruning to {wanted.sparsity:.0%}: {what}; {before} weights before, {after} after"
    return replace(plan, model=model, pruned=(step,)), pruned
