"""Manifests of many specs, rendered and applied server-side, twice."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.scale import memory
from bench.scale.copies import STACK, cluster, write_project
from tests.cluster.api import Api, Object
from tests.cluster.manifests import preconditions, render

CONNECTIONS = 8
MANAGER = "slipform-tests"


def measure(folder: Path, specs: int) -> dict[str, float | int]:
    root = write_project(folder, specs)
    with cluster(folder, root) as plane:
        programs = memory.children(os.getpid())
        with memory.peak_below(os.getpid(), without=frozenset(programs)) as peak:
            start = time.perf_counter()
            rendered = render(STACK, folder / "manifests", root)
            row: dict[str, float | int] = {
                "objects": len(rendered.objects),
                "render_seconds": round(time.perf_counter() - start, 1),
            }
        row["render_peak_mib"] = peak.mib
        for manifest in preconditions(rendered.objects):
            plane.api.apply(manifest)
        first, declared = apply_all(plane.api, rendered.objects)
        second, again = apply_all(plane.api, rendered.objects)
        for turn, took in (("first", first), ("second", second)):
            row |= {
                f"{turn}_seconds": round(took.pop(), 1),
                f"{turn}_median_ms": round(1000 * statistics.median(took), 1),
                f"{turn}_p99_ms": round(1000 * statistics.quantiles(took, n=100)[98], 1),
            }
        row["changed_by_the_second"] = sum(a != b for a, b in zip(declared, again, strict=True))
        for process in programs:
            if memory.name(process) in ("etcd", "kube-apiserver"):
                row[f"{memory.name(process)}_mib"] = memory.resident(process)
    return row


def apply_all(api: Api, objects: Sequence[Object]) -> tuple[list[float], list[str]]:
    """Seconds of each request and at the end of all; and what each object's owner has declared, and when."""

    def one(manifest: Object) -> tuple[float, str]:
        start = time.perf_counter()
        applied = api.apply(manifest, manager=MANAGER)
        took = time.perf_counter() - start
        owned = [entry for entry in applied["metadata"]["managedFields"] if entry["manager"] == MANAGER]
        return took, json.dumps([applied["metadata"]["uid"], owned], sort_keys=True)

    start = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        done = list(pool.map(one, objects))
    return [*(took for took, _ in done), time.perf_counter() - start], [declared for _, declared in done]
