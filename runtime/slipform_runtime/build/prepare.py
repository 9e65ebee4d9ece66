"""From the manifest to what is built from: all that can be refused is refused here, before the long work."""

from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from slipform_runtime.build.errors import BadInput, ToolFailed
from slipform_runtime.build.imports.registry import import_model
from slipform_runtime.build.manifest import BuildManifest
from slipform_runtime.build.onnxfile import read
from slipform_runtime.build.optimise import cannot_run
from slipform_runtime.build.precision.convert import Plan
from slipform_runtime.build.progress import Progress
from slipform_runtime.build.report import SourceFacts
from slipform_runtime.build.samples import Samples, generate
from slipform_runtime.build.samples import read as read_samples
from slipform_runtime.build.signature import Signature, signature
from slipform_runtime.build.source import fetch_model, fetch_samples
from slipform_runtime.build.targets.base import Runner, Target
from slipform_runtime.build.targets.onnx import OnnxTarget


@dataclass(frozen=True)
class Prepared:
    """The plan, and what its result is compared with: the original as ONNX, loaded, and samples for both."""

    plan: Plan
    path: Path
    original: Runner
    samples: Samples
    source: SourceFacts


def prepare(manifest: BuildManifest, target: Target, work: Path, progress: Progress, *, trust_pickle: bool) -> Prepared:
    """Fetch, import and check. Raises a BuildError."""
    with progress.step("fetch", uri=manifest.source.uri):
        fetched = fetch_model(manifest, work)
    with nullcontext() if manifest.source.format == "onnx" else progress.step("import", format=manifest.source.format):
        imported = import_model(manifest, fetched, work, trust_pickle=trust_pickle)
    with progress.step("check", target=manifest.target):
        model = read(imported.path)
        tensors = signature(model, manifest)
        calibration, samples = _samples(manifest, tensors, model, work)
        plan = Plan(model, manifest, tensors, calibration, work, imported)
        target.check(plan)
        original = _running(model, imported.path, samples, tensors)
    return Prepared(plan, imported.path, original, samples, fetched.facts)


def _samples(
    manifest: BuildManifest, tensors: Signature, model: onnx.ModelProto, work: Path
) -> tuple[Samples | None, Samples]:
    """What calibrates, and what the models are compared on."""
    calibration = judging = None
    if manifest.calibration is not None:
        file = fetch_samples(manifest.calibration.uri, work, "calibration")
        calibration, judging = read_samples(file, tensors, manifest.calibration.uri, finite=True).split()
    if manifest.samples is not None:
        file = fetch_samples(manifest.samples, work, "samples")
        judging = read_samples(file, tensors, manifest.samples)
    return calibration, judging or generate(tensors, model)


def _running(model: onnx.ModelProto, path: Path, samples: Samples, tensors: Signature) -> Runner:
    """The original, after it has answered once; raises BadInput where it can't."""
    try:
        runner = OnnxTarget().load(path)
    except ToolFailed as error:
        raise BadInput(cannot_run(model, str(error))) from error
    size = tensors.batch_sizes[-1]
    try:
        answers = runner.run(samples.batch(size, batched=tensors.batched))
    except ToolFailed as error:
        raise BadInput(
            f"the original fails on {samples.origin}{_alone(runner, samples, size)}: {error}\n"
            "if it was not made for such inputs, give others: samples: …/samples.npz"
        ) from error
    numbers = [answer for answer in answers.values() if answer.dtype.kind == "f" and answer.size]
    if numbers and not any(np.isfinite(answer).any() for answer in numbers):
        raise BadInput(
            f"the original answers with nothing but NaN and infinity on {samples.origin}, so that nothing can be "
            "compared; give samples: …/samples.npz of inputs that it was made for"
        )
    return runner


def _alone(runner: Runner, samples: Samples, size: int) -> str:
    """Whether it is their number that the model can't take."""
    if size > 1:
        with suppress(ToolFailed):
            runner.run(samples.batch(1, batched=True))
            return (
                f", {size} at once, and answers one alone: its first axis does not vary; export it with one that does, "
                "or set max_batch_size: 0"
            )
    return ""
