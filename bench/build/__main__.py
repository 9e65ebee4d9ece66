"""What each precision and target gives on this machine: `python bench/build [--rows MODEL[:TARGET[:PRECISION]],…]`.

Each build compares the artefact with its original, in turn, in one run. `last.json` beside this file is what was
measured last, README.md the same as a table; the rows of a run take the place of those of the same name.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from models import Model, models

from slipform_runtime.build import processor
from slipform_runtime.build.errors import BuildError
from slipform_runtime.build.manifest import parse_manifest
from slipform_runtime.build.pipeline import Options, build
from slipform_runtime.build.progress import Progress
from slipform_runtime.build.proof.latency import Effort
from slipform_runtime.build.provenance import versions
from slipform_runtime.logs import Level, log

LAST = Path(__file__).parent / "last.json"
WAYS = (
    ("onnx", "fp32"), ("onnx", "fp16"), ("onnx", "int8-dynamic"), ("onnx", "int8-static"),
    ("openvino", "fp32"), ("openvino", "fp16"), ("openvino", "int8-dynamic"), ("openvino", "int8-static"),
)  # fmt: skip
FILES = {"onnx": "model.onnx", "openvino": "model.xml"}
EFFORT = Effort(least_runs=30, least_seconds=0.5, most_runs=1000, most_seconds=4)
HEADINGS = ("model", "target", "precision", "size", "latency at 1", "at the largest batch", "max error", "of", "top-1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", metavar="…", default="", help="only these, as iris,ppocr-det:openvino:int8-static")
    parser.add_argument("--rapidocr", type=Path, metavar="DIR", help="the models folder of that wheel, unpacked")
    arguments = parser.parse_args()
    wanted = arguments.rows.split(",") if arguments.rows else []
    log.level = Level.ERROR
    facts = {
        "processor": processor.name(),
        "instruction_sets": processor.features(),
        "tools": versions(("onnx", "onnxruntime", "openvino")),
    }
    rows = _known(facts)
    with tempfile.TemporaryDirectory() as scratch:
        for model in models(Path(scratch), arguments.rapidocr):
            for target, precision in WAYS:
                name = f"{model.name}:{target}:{precision}"
                # Taken out and put in again, so that a run of all gives their order.
                row = rows.pop(name, None)
                if not wanted or any(name == each or name.startswith(f"{each}:") for each in wanted):
                    row = _row(model, target, precision, Path(scratch))
                    sys.stderr.write(f"{row}\n")
                if row is not None:
                    rows[name] = row
                # At once: a run that is cut off keeps what it has.
                LAST.write_text(json.dumps(facts | {"rows": list(rows.values())}, indent=2) + "\n")
    table = [f"| {' | '.join(HEADINGS)} |", f"|{'---|' * len(HEADINGS)}", *map(_line, rows.values())]
    sys.stdout.write("\n".join(table) + "\n")


def _known(facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The rows of last.json by their name, if they were measured on such a machine with such tools."""
    last = json.loads(LAST.read_text()) if LAST.exists() else {}
    if {name: last.get(name) for name in facts} != facts:
        return {}
    return {f"{row['model']}:{row['target']}:{row['precision']}": row for row in last["rows"]}


def _row(model: Model, target: str, precision: str, scratch: Path) -> dict[str, Any]:
    samples = scratch / f"{model.name}.npz"
    if not samples.exists():
        np.savez(samples, **model.samples())
    manifest = {
        "name": model.name,
        "version": 1,
        "key": "0" * 16,
        "source": {"uri": f"file://{model.path}", "format": "onnx", "filename": "model.onnx"},
        "output": {"uri": f"file://{scratch}/built/{model.name}-{target}-{precision}", "filename": FILES[target]},
        "target": target,
        "precision": precision,
        "max_batch_size": model.batch,
        "inputs": model.inputs,
        "profiles": [{axis: {"min": 1, "opt": size, "max": size} for axis, size in model.axes.items()}],
        "calibration": {"uri": f"file://{samples}", "method": "percentile"},
    }
    named = {"model": model.name, "target": target, "precision": precision}
    try:
        report = build(parse_manifest(json.dumps(manifest).encode()), Options(effort=EFFORT), Progress()).report
    except BuildError as error:
        return named | {"error": str(error).splitlines()[0]}
    worst = max(report.accuracy, key=lambda output: (output.max_abs_value is not None, output.max_abs_error or 0))
    return named | {
        "size": round(report.built.footprint.size_bytes / report.original.footprint.size_bytes, 3),
        "speedup": {timing.batch_size: timing.speedup for timing in report.latency},
        "speedup_range": {timing.batch_size: timing.speedup_range for timing in report.latency},
        "p50_ms": {timing.batch_size: timing.built.p50_ms for timing in report.latency},
        "max_abs_error": worst.max_abs_error,
        "max_abs_value": worst.max_abs_value,
        "top1_agreement": worst.top1_agreement,
        "load_seconds": report.built.footprint.load_seconds,
        "peak_memory_bytes": report.built.footprint.peak_memory_bytes,
        "steps": report.steps,
    }


def _line(row: dict[str, Any]) -> str:
    named = [row["model"], row["target"], row["precision"]]
    if "error" in row:
        return f"| {' | '.join(named)} | not built: {row['error']} |" + " |" * 5
    sizes = list(row["speedup"])
    cells = [
        f"{row['size']:.0%}",
        *(_time(row, size) for size in (sizes[0], sizes[-1])),
        "not finite" if row["max_abs_error"] is None else f"{row['max_abs_error']:.2g}",
        "–" if row["max_abs_value"] is None else f"{row['max_abs_value']:.2g}",
        "–" if row["top1_agreement"] is None else f"{row['top1_agreement']:.1%}",
    ]
    return f"| {' | '.join(named + cells)} |"


def _time(row: dict[str, Any], size: str) -> str:
    least, most = row["speedup_range"][size]
    return f"{row['p50_ms'][size]:.3g} ms, {row['speedup'][size]:.2f}× ({least:.2f}–{most:.2f})"


if __name__ == "__main__":
    main()
