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
from tests.cluster.manifests import command, preconditions, read
from tests.cluster.tools.progress import step

CONNECTIONS = 8
MANAGER = "slipform-tests"
PERCENT = 100


def measure(folder: Path, specs: int) -> dict[str, float | int]:
    root, manifests = write_project(folder, specs), folder / "manifests"
    with cluster(folder, root) as plane:
        programs = memory.children(os.getpid())
        start = time.perf_counter()
        with memory.peak_below(os.getpid(), without=frozenset(programs)) as peak, step(f"{specs} specs rendered"):
            command("plan", "--stack", STACK, "--render", str(manifests), root=root)
        row: dict[str, float | int] = {"render_seconds": round(time.perf_counter() - start, 1)}
        objects = read(manifests)
        row |= {"render_peak_mib": peak.mib, "objects": len(objects)}
        for manifest in preconditions(objects):
            plane.api.apply(manifest)
        first, declared = apply_all(plane.api, objects, "applied")
        second, again = apply_all(plane.api, objects, "applied again")
        for turn, took in (("first", first), ("second", second)):
            row |= {
                f"{turn}_seconds": round(took.pop(), 1),
                f"{turn}_median_ms": round(1000 * statistics.median(took), 1),
                f"{turn}_p99_ms": round(1000 * statistics.quantiles(took, n=PERCENT)[-1], 1),
            }
        row["changed_by_the_second"] = sum(a != b for a, b in zip(declared, again, strict=True))
        for process in programs:
            if memory.name(process) in ("etcd", "kube-apiserver"):
                row[f"{memory.name(process)}_peak_mib"] = memory.highest(process)
    return row


def apply_all(api: Api, objects: Sequence[Object], done: str) -> tuple[list[float], list[str]]:
    """Seconds of each request and at the end of all; and what each object's owner has declared, and when."""

    def one(manifest: Object) -> tuple[float, str]:
        start = time.perf_counter()
        applied = api.apply(manifest, manager=MANAGER)
        took = time.perf_counter() - start
        owned = [entry for entry in applied["metadata"]["managedFields"] if entry["manager"] == MANAGER]
        return took, json.dumps([applied["metadata"]["uid"], owned], sort_keys=True)

    answers: list[tuple[float, str]] = []
    start = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as pool, step(f"{len(objects)} objects {done}") as note:
        for answer in pool.map(one, objects):
            answers.append(answer)
            note(f"{len(answers)} of them")
    return [*(took for took, _ in answers), time.perf_counter() - start], [declared for _, declared in answers]
