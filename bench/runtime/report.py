"""The measured figures as markdown: one table for closed loops, one for open ones, one for start and memory."""

from collections.abc import Callable
from typing import Any

OURS = "slipform-runtime"


def tables(results: dict[str, Any]) -> str:
    """All of them."""
    names = list(results["start_seconds"])
    parts = [_closed(results, names)]
    if results["open_loop"]:
        parts.append(_open(results, names))
    parts.append(_footprint(results, names))
    return "\n\n".join(parts)


def _closed(results: dict[str, Any], names: list[str]) -> str:
    best_raw = {model: max(rates.values()) for model, rates in results["raw_onnxruntime"].items()}
    rows = []
    for cell, rates in results["items_per_second"].items():
        own = rates.get(OURS, 0.0)
        ratios = [f"{own / rates[name]:.2f}" if rates.get(name) else "" for name in ("Triton", "spike")]
        raw = ["", ""]
        if cell.startswith("conv") and own:
            # Raw has every processor; the server only what the client does not take.
            left = 1 - results["client_cpus"][cell][OURS] / results["machine"]["cpus"]
            raw = [f"{own / best_raw['conv']:.2f}", f"{own / (best_raw['conv'] * left):.2f}"]
        rows.append([cell, *_row(names, rates, lambda rate: f"{rate:,.0f}"), *ratios, *raw])
    head = ["items/s", *names, "against Triton", "against the spike", "of raw ONNX Runtime's best"]
    return _table([*head, "of what the client leaves of that"], rows)


def _open(results: dict[str, Any], names: list[str]) -> str:
    rows = [
        [cell, *_row(names, by_peer, lambda found: f"{found['p50_ms']:.1f} / {found['p99_ms']:.1f}")]
        for cell, by_peer in results["open_loop"].items()
    ]
    return _table(["p50 / p99 in ms, Poisson arrivals", *names], rows)


def _footprint(results: dict[str, Any], names: list[str]) -> str:
    kinds = {"start_seconds": "s to ready", "idle_mb": "MB when ready", "memory_mb": "MB after the run"}
    return _table(["", *names], [[unit, *_row(names, results[key], str)] for key, unit in kinds.items()])


def _row(names: list[str], values: dict[str, Any], show: Callable[[Any], str]) -> list[str]:
    return [show(values[name]) if name in values else "" for name in names]


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
