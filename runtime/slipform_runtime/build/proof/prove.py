"""The artefact held against the original: a report, whose gates say whether it is good enough."""

from pathlib import Path

from slipform_runtime.build.gates import gates
from slipform_runtime.build.manifest import as_json
from slipform_runtime.build.prepare import Prepared
from slipform_runtime.build.progress import Progress
from slipform_runtime.build.proof.accuracy import OutputAccuracy, compare
from slipform_runtime.build.proof.footprint import Footprint, footprint
from slipform_runtime.build.proof.latency import BatchTiming, Effort, measure
from slipform_runtime.build.provenance import provenance
from slipform_runtime.build.report import Measured, Report
from slipform_runtime.build.targets.base import Made, Runner, Target
from slipform_runtime.fetch.digest import file_sha256
from slipform_runtime.fetch.meter import in_bytes


def prove(prepared: Prepared, target: Target, made: Made, artefact: Path, effort: Effort, progress: Progress) -> Report:
    """Compare, time and weigh both models. Raises ToolFailed where the artefact can't be loaded or run."""
    plan, manifest = prepared.plan, prepared.plan.manifest
    tensors, files = plan.signature, sorted(path for path in artefact.parent.rglob("*") if path.is_file())
    built = target.load(artefact)
    with progress.step("compare", samples=prepared.samples.origin):
        batches = prepared.samples.batches(tensors.tuned_batch, batched=tensors.batched)
        accuracy = compare(prepared.original, built, batches)
        _say_accuracy(accuracy, progress)
    with progress.step("time", batch_sizes=", ".join(map(str, tensors.batch_sizes))):
        latency = _timed(prepared, built, effort, progress)
    with progress.step("weigh", file=artefact.name):
        largest = prepared.samples.batch(tensors.batch_sizes[-1], batched=tensors.batched)
        original_files = [path for path in prepared.path.parent.rglob("*") if path.is_file()]
        weights = (
            footprint("onnx", prepared.path, original_files, largest, plan.work),
            footprint(target.name, artefact, files, largest, plan.work),
        )
        _say_weights(*weights, progress)
    return Report(
        name=manifest.name,
        version=manifest.version,
        key=manifest.key,
        target=manifest.target,
        precision=manifest.precision,
        gates=(found := gates(manifest.accept, accuracy, latency, weights[1], tensors.tuned_batch)),
        passed=all(gate.passed for gate in found),
        steps=[*plan.steps, *made.steps],
        samples=prepared.samples.origin,
        accuracy=accuracy,
        latency=latency,
        tuned_batch_size=tensors.tuned_batch,
        original=Measured(device=prepared.original.device, footprint=weights[0]),
        built=Measured(device=built.device, footprint=weights[1]),
        source=prepared.source,
        files={path.relative_to(artefact.parent).as_posix(): file_sha256(path) for path in files},
        provenance=provenance(target.tools, made.flags, as_json(manifest)),
    )


def _say_accuracy(accuracy: list[OutputAccuracy], progress: Progress) -> None:
    for one in accuracy:
        words = []
        if one.max_abs_error is not None:
            words.append(f"differs by at most {one.max_abs_error:.3g}, its largest value is {one.max_abs_value:.3g}")
        if one.top1_agreement is not None:
            words.append(f"agrees in {one.top1_agreement:.2%} of the answers")
        text = f"{one.name} {' and '.join(words)}" if one.finite else f"{one.name} is not finite"
        fields = {"output": one.name, "finite": one.finite, "max_abs_error": one.max_abs_error}
        progress.say("build_compared", text, **fields, top1_agreement=one.top1_agreement)


def _say_weights(original: Footprint, built: Footprint, progress: Progress) -> None:
    text = (
        f"{in_bytes(original.size_bytes)} → {in_bytes(built.size_bytes)}; loads in {original.load_seconds:.3g} s → "
        f"{built.load_seconds:.3g} s; takes {in_bytes(original.peak_memory_bytes)} → "
        f"{in_bytes(built.peak_memory_bytes)} of memory"
    )
    progress.say("build_weighed", text, size_bytes=built.size_bytes, original_size_bytes=original.size_bytes)


def _timed(prepared: Prepared, built: Runner, effort: Effort, progress: Progress) -> list[BatchTiming]:
    tensors = prepared.plan.signature
    batches = [(size, prepared.samples.batch(size, batched=tensors.batched)) for size in tensors.batch_sizes]
    found = []
    for timing in measure(prepared.original, built, batches, effort):
        least, most = timing.speedup_range
        times = f"{timing.original.p50_ms} ms → {timing.built.p50_ms} ms"
        text = f"batch {timing.batch_size}: {times} ({timing.speedup}×, {least} to {most} in parts of the run)"
        progress.say(
            "build_timed",
            text,
            batch_size=timing.batch_size,
            speedup=timing.speedup,
            speedup_range=timing.speedup_range,
        )
        found.append(timing)
    return found
