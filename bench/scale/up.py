"""The real engine on many specs: up, up again, destroy."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from bench.scale import memory
from bench.scale.copies import STACK, cluster, write_project
from tests.cluster import nodes
from tests.cluster.engine import Engine, Outcome
from tests.cluster.manifests import preconditions
from tests.cluster.program import objects_of, roomy_nodes
from tests.cluster.tools.progress import step

from slipform.plan import run

PATIENCE = 3600.0
"""Seconds that one command of the engine may take."""


SAVED_ONCE = {"PULUMI_SKIP_CHECKPOINTS": "true"}


def measure(folder: Path, specs: int, *, saved_once: bool) -> dict[str, float | int]:
    """`saved_once`: the engine saves its state at the end of a command, and not also before and after each step."""
    root = write_project(folder, specs)
    (folder / "engine").mkdir()
    with cluster(folder, root) as plane:
        programs = frozenset(memory.children(os.getpid()))
        objects = objects_of(run(root, STACK))
        for manifest in preconditions(objects):
            plane.api.apply(manifest)
        row: dict[str, float | int] = {}
        with nodes.added(plane.api, *roomy_nodes(objects)):
            settings = SAVED_ONCE if saved_once else {}
            engine = Engine(root, STACK, folder / "engine", patience=PATIENCE, settings=settings)

            def measured(name: str, command: Callable[[], Outcome]) -> Outcome:
                start = time.perf_counter()
                with memory.peak_below(os.getpid(), without=programs) as peak, step(f"{specs} specs: {name}"):
                    done = command()
                row[f"{name}_seconds"], row[f"{name}_peak_mib"] = round(time.perf_counter() - start, 1), peak.mib
                return done

            row["resources"] = len(measured("up", engine.up).steps)
            changed = measured("second_up", engine.up).operations
            row["changed_by_the_second"] = len(changed)
            print(*(f"  the second up: {operation} {urn}" for urn, operation in changed.items()), sep="\n")
            row["state_kib"] = len(json.dumps(engine.state())) // 1024
            measured("destroy", engine.destroy)
    return row
