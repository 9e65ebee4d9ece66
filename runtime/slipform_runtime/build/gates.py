"""The manifest's `accept`: limits that the artefact must keep."""

from collections.abc import Iterator, Sequence

import msgspec

from slipform_runtime.build.manifest import Accept
from slipform_runtime.build.proof.accuracy import OutputAccuracy
from slipform_runtime.build.proof.footprint import Footprint
from slipform_runtime.build.proof.latency import BatchTiming


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """One limit, and what was measured against it; `measured` is None where it is not a finite number."""

    name: str
    limit: float
    measured: float | None
    passed: bool
    where: str
    """The output or the batch size that decided."""


def gates(
    accept: Accept,
    accuracy: Sequence[OutputAccuracy],
    latency: Sequence[BatchTiming],
    built: Footprint,
    tuned_batch: int,
) -> list[Gate]:
    """Every gate that the manifest sets, and that outputs are numbers, which nobody has to ask for."""
    tuned = next(timing for timing in latency if timing.batch_size == tuned_batch)
    return [*_accuracy(accept, accuracy), *_speed(accept, tuned), *_size(accept, built)]


def described(gate: Gate) -> str:
    """The gate as a sentence's part: `max_abs_error 0.0312 is over 0.02 (output 'probs')`."""
    if gate.name == "finite_outputs":
        return f"outputs are NaN or infinite where the original's are numbers ({gate.where})"
    measured = "not a number" if gate.measured is None else f"{gate.measured:.4g}"
    least = gate.name.startswith("min_")
    relation = ("reaches" if least else "is within") if gate.passed else ("is below" if least else "is over")
    return f"{gate.name} {measured} {relation} {gate.limit:.6g} ({gate.where})"


def _accuracy(accept: Accept, accuracy: Sequence[OutputAccuracy]) -> Iterator[Gate]:
    broken = [output.name for output in accuracy if not output.finite]
    yield Gate(
        name="finite_outputs",
        limit=1,
        measured=0 if broken else 1,
        passed=not broken,
        where=f"output {', '.join(map(repr, broken))}" if broken else "all outputs",
    )
    if accept.max_abs_error is not None:
        errors = [(output.max_abs_error, output.name) for output in accuracy if output.max_abs_error is not None]
        worst, name = max(errors, default=(None, broken[0] if broken else ""))
        # An output of integers has no distance; its agreement says whether it is the same.
        passed = not broken and (worst is None or worst <= accept.max_abs_error)
        where = f"output '{name}'" if name else "no output of floats"
        yield Gate(name="max_abs_error", limit=accept.max_abs_error, measured=worst, passed=passed, where=where)
    if accept.min_top1_agreement is not None:
        shares = [(output.top1_agreement, output.name) for output in accuracy if output.top1_agreement is not None]
        least, name = min(shares, default=(None, ""))
        yield Gate(
            name="min_top1_agreement",
            limit=accept.min_top1_agreement,
            measured=least,
            passed=least is None or least >= accept.min_top1_agreement,
            where=f"output '{name}'" if name else "no output with classes",
        )


def _speed(accept: Accept, tuned: BatchTiming) -> Iterator[Gate]:
    where = f"batch size {tuned.batch_size}"
    if accept.min_speedup is not None:
        least, most = tuned.speedup_range
        yield Gate(
            name="min_speedup",
            limit=accept.min_speedup,
            measured=tuned.speedup,
            passed=tuned.speedup >= accept.min_speedup,
            where=f"{where}, {least:g} to {most:g} in parts of the run",
        )
    if accept.max_p95_latency_ms is not None:
        limit, measured = accept.max_p95_latency_ms, tuned.built.p95_ms
        yield Gate(name="max_p95_latency_ms", limit=limit, measured=measured, passed=measured <= limit, where=where)


def _size(accept: Accept, built: Footprint) -> Iterator[Gate]:
    if accept.max_size_bytes is not None:
        yield Gate(
            name="max_size_bytes",
            limit=accept.max_size_bytes,
            measured=built.size_bytes,
            passed=built.size_bytes <= accept.max_size_bytes,
            where="all files of the artefact",
        )
