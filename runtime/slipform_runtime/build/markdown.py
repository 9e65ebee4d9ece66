"""`report.md`: the report for people, as it stands in a pull request or a release's notes."""

from collections.abc import Iterator, Sequence

from slipform_runtime.build.gates import Gate, described
from slipform_runtime.build.report import Report
from slipform_runtime.fetch.meter import in_bytes


def markdown(report: Report) -> str:
    """The page."""
    return "\n".join([*_title(report), *_gates(report), *_accuracy(report), *_latency(report), *_made(report)]) + "\n"


def _title(report: Report) -> Iterator[str]:
    tuned = next(one for one in report.latency if one.batch_size == report.tuned_batch_size)
    share = report.built.footprint.size_bytes / max(1, report.original.footprint.size_bytes)
    yield f"# {report.name} {report.version}: {report.target}, {report.precision}"
    yield ""
    yield (
        f"{'Passed' if report.passed else '**Missed a gate**'}. At batch size {tuned.batch_size} the artefact takes "
        f"{tuned.built.p50_ms:g} ms where the original takes {tuned.original.p50_ms:g} ms ({tuned.speedup:g}×); "
        f"its files have {share:.0%} of the original's size. Compared on {report.samples}."
    )
    yield ""
    yield "![latency by batch size](report.svg)"


def _gates(report: Report) -> Iterator[str]:
    yield from ("", "## Gates", "")
    yield from (f"- {'passed' if gate.passed else '**missed**'}: {_worded(gate)}" for gate in report.gates)


def _worded(gate: Gate) -> str:
    return "all outputs are finite" if gate.name == "finite_outputs" and gate.passed else described(gate)


def _accuracy(report: Report) -> Iterator[str]:
    yield from ("", "## Outputs against the original", "")
    rows = [
        (
            f"`{one.name}`",
            _number(one.max_abs_error),
            _number(one.mean_abs_error),
            _number(one.max_abs_value),
            _share(one.top1_agreement),
        )
        for one in report.accuracy
    ]
    yield from _table(("output", "max error", "mean error", "largest value", "top-1 agreement"), rows)
    for one in report.accuracy:
        if one.compared < 1:
            share = _share(one.compared)
            yield from ("", f"Of `{one.name}` {share} could be compared: the original has NaN or infinity in the rest.")


def _latency(report: Report) -> Iterator[str]:
    yield from (
        "",
        f"## Latency and throughput: original on {report.original.device}, built on {report.built.device}",
        "",
    )
    rows = [
        (
            str(one.batch_size),
            f"{one.original.p50_ms:g} / {one.original.p95_ms:g} / {one.original.p99_ms:g}",
            f"{one.built.p50_ms:g} / {one.built.p95_ms:g} / {one.built.p99_ms:g}",
            f"{one.speedup:.2f}× ({one.speedup_range[0]:.2f} to {one.speedup_range[1]:.2f})",
            f"{one.original.throughput:g}",
            f"{one.built.throughput:g}",
            str(one.runs),
        )
        for one in report.latency
    ]
    headings = (
        "batch",
        "original p50 / p95 / p99 ms",
        "built p50 / p95 / p99 ms",
        "speed-up",
        "original /s",
        "built /s",
        "runs",
    )
    yield from _table(headings, rows)
    yield from ("", "Both ran in turn. In brackets: the least and the largest speed-up in parts of the run.", "")
    pairs = [("original", report.original.footprint), ("built", report.built.footprint)]
    yield from _table(
        ("", "size", "load time", "peak memory"),
        [
            (name, in_bytes(one.size_bytes), f"{one.load_seconds:.3g} s", in_bytes(one.peak_memory_bytes))
            for name, one in pairs
        ],
    )


def _made(report: Report) -> Iterator[str]:
    facts, pruned = report.provenance, report.pruning
    yield from ("", "## How it was made", "")
    yield from (f"- {step}" for step in report.steps)
    if pruned is not None:
        yield f"- sparsity: {pruned.sparsity_reached:.1%} of {pruned.sparsity_asked:.1%}"
    yield ""
    yield f"- source: `{report.source.uri}`, sha256 `{report.source.sha256}`"
    yield f"- tools: {', '.join(f'{name} {version}' for name, version in facts.tools.items())}"
    gpus = "; ".join(facts.hardware.get("gpus", [])) or "no GPU"
    yield f"- on {facts.hardware['processor']}, {facts.hardware['processors_used']} used, {gpus}; {facts.built_at}"
    yield f"- key `{report.key}`"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"|{'|'.join(' --- ' for _ in headings)}|"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2%}"
